package main

import (
	"fmt"
	"strings"
	"time"

	"cutover/pkg/release"
)

// A scene is a release that is drawn.
type scene struct {
	name    string // of the picture
	title   string
	traffic string // the file's keys traffic and bake
	// alarmAfter is how long into move alarmIn, counted from 0, production goes
	// back; zero means that it does not.
	alarmIn    int
	alarmAfter time.Duration
}

// scenes are the pictures, in the order in which docs/releases.md shows them.
var scenes = []scene{
	{name: "all-at-once", title: "All at once", traffic: "traffic: all-at-once\nbake: 10m"},
	{name: "canary", title: "Canary: 10 % for 5 minutes, then the rest", traffic: "traffic: {canary: {percent: 10, interval: 5m}}\nbake: 5m"},
	{name: "linear", title: "Linear: 20 % more every 3 minutes", traffic: "traffic: {linear: {percent: 20, interval: 3m}}\nbake: 5m"},
	{name: "steps", title: "Steps: 5 % for 5 minutes, 25 % until somebody approves, 60 % for 5 minutes", traffic: "traffic: {steps: [{weight: 5, pause: 5m}, {weight: 25, pause: approval}, {weight: 60, pause: 5m}]}\nbake: 5m"},
	{name: "rollback", title: "A rollback: an alarm fires while green has 50 %", traffic: "traffic: {steps: [{weight: 10, pause: 5m}, {weight: 50, pause: 10m}]}\nbake: 5m", alarmIn: 1, alarmAfter: 4 * time.Minute},
}

// set is the rest of the file, which the pictures do not show.
const set = "set: shop\nservices: [{name: web, loadBalancer: shop, cluster: shop, services: [web-blue, web-green]}]\n"

// A span is a part of the timeline with one share for green.
type span struct {
	weight release.Weight
	lasts  time.Duration // 0 where nobody knows beforehand
	label  string
	kind   kind
}

type kind int

const (
	before kind = iota // the first move
	step
	approval
	bake
	after
	back // on blue again
)

// spans are what the scene's file makes of the time.
func (s scene) spans() ([]span, error) {
	file, err := release.Load([]byte(set + s.traffic))
	if err != nil {
		return nil, fmt.Errorf("load scene %s: %w", s.name, err)
	}
	spans := []span{{kind: before, label: "checks, beforeShift"}}
	moves := file.Moves()
	for i, m := range moves {
		if s.alarmAfter > 0 && i == s.alarmIn {
			return append(spans, span{m.Weight, s.alarmAfter, "step " + short(s.alarmAfter), step},
				span{kind: back, label: "all on blue, onRollback"}), nil
		}
		next := span{m.Weight, m.Pause, "step " + short(m.Pause), step}
		switch {
		case m.Approval:
			next = span{weight: m.Weight, label: "until approved", kind: approval}
		case i == len(moves)-1:
			next.kind, next.label = bake, "bake "+short(m.Pause)
		}
		spans = append(spans, next)
	}
	return append(spans, span{weight: release.Whole, kind: after, label: "blue kept, then less"}), nil
}

// short is a duration without zero seconds and minutes: 5m, 1h.
func short(d time.Duration) string {
	text := d.String()
	if rest, cut := strings.CutSuffix(text, "m0s"); cut {
		text = rest + "m"
	}
	if rest, cut := strings.CutSuffix(text, "h0m"); cut {
		text = rest + "h"
	}
	return text
}
