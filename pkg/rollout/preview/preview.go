// Package preview says what a release of a set would change, before it does: it
// reads the world as a release does and writes nothing, so it is safe to repeat.
//
// What it found has a digest, so that an approval can be bound to it: a release
// whose plan, live sides, weights or task definitions are not the approved ones
// has another.
//
// Calls to AWS:
//
//	those of bluegreen.ObserveSet, cloudwatch:DescribeAlarms
//	ssm:GetParameters, ssm:GetParametersByPath              on parameter/cutover/SET/*
package preview

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cutover/pkg/bluegreen"
	"cutover/pkg/record"
	"cutover/pkg/release"
	"cutover/pkg/rollout"
)

// A Preview is what a release of a set would change.
type Preview struct {
	Set      string    `json:"set"`
	Strategy string    `json:"strategy"`
	Services []Service `json:"services"`
	Moves    []Move    `json:"moves"`
	Alarms   []Alarm   `json:"alarms"`
	// Obstacles keep a release from starting as things are.
	Obstacles []string `json:"obstacles"`
	// Notes are worth knowing, and keep nothing from starting.
	Notes  []string `json:"notes"`
	Digest string   `json:"digest"`
}

// A Service is a pair of the set, as it stands.
type Service struct {
	Name string `json:"name"`
	// Route and Test name the production and the test route.
	Route string `json:"productionRoute"`
	Test  string `json:"testRoute"`
	// Live has production's traffic; Gains would get it.
	Live  Side `json:"live"`
	Gains Side `json:"gains"`
	// Weights are the production route's, by target group ARN.
	Weights map[string]int32 `json:"weights"`
	// Faults keep the pair from being released.
	Faults []string `json:"faults,omitempty"`
}

// A Side is one of a pair's two services.
type Side struct {
	Service        string `json:"service"`
	TargetGroup    string `json:"targetGroup"`    // ARN
	TaskDefinition string `json:"taskDefinition"` // ARN
	// Execution is the side's tag: whose release it holds.
	Execution string `json:"execution,omitempty"`
	Image     string `json:"image,omitempty"`
	Healthy   int    `json:"healthy"` // targets
	Desired   int    `json:"desired"` // tasks
}

// Deployed says whether an execution has deployed the side and not released it.
func (s Side) Deployed() bool {
	e := s.Execution
	return e != "" && e != bluegreen.Retired(e)
}

// A Move is one write of the production routes.
type Move struct {
	Percent float64 `json:"percent"`
	// After is the least time from the first move to this one.
	After time.Duration `json:"afterNanoseconds"`
	// Pause is what follows before the next one; of the last one, the bake.
	Pause    time.Duration `json:"pauseNanoseconds"`
	Approval bool          `json:"approval,omitempty"`
	// Needed are the healthy targets that each service must have, by name.
	Needed map[string]int `json:"healthyNeeded,omitempty"`
}

// APIs are what a preview reads.
type APIs struct {
	ELB    bluegreen.ELB
	ECS    bluegreen.ECS
	Alarms AlarmAPI
	SSM    record.API
}

// Pairs name the file's pairs for [bluegreen.ObserveSet].
func Pairs(file *release.File, execution string) []bluegreen.Params {
	params := make([]bluegreen.Params, len(file.Services))
	for i, s := range file.Services {
		params[i] = bluegreen.Params{
			Execution: execution, LoadBalancer: s.LoadBalancer, Cluster: s.Cluster, Services: s.Pair,
			ProductionListenerARN: s.ProductionListenerARN, ProductionRuleARN: s.ProductionRuleARN,
			TestListenerARN: s.TestListenerARN, TestRuleARN: s.TestRuleARN,
		}
	}
	return params
}

// Read looks at the world. now is asked after the first answers, for the lock.
func Read(ctx context.Context, api APIs, file *release.File, now func() time.Time) (*Preview, error) {
	seen, err := bluegreen.ObserveSet(ctx, api.ELB, api.ECS, Pairs(file, ""), false)
	if err != nil {
		return nil, err
	}
	alarms, err := ReadAlarms(ctx, api.Alarms, file.Alarms)
	if err != nil {
		return nil, err
	}
	store := record.Open(api.SSM, file.Set)
	history, err := store.History(ctx)
	if err != nil {
		return nil, err
	}
	look, err := store.Read(ctx, 0)
	if err != nil {
		return nil, err
	}
	p := New(file, seen, alarms)
	if f := look.Freeze; f != nil {
		p.Obstacles = append(p.Obstacles, fmt.Sprintf("release set %s is frozen by %s since %s%s", file.Set, f.By, f.At.UTC().Format(time.RFC3339), because(f.Reason)))
	}
	if len(history) > 0 && history[0].Held(now()) {
		held := (&record.HeldError{By: history[0]}).Error()
		if file.Lock.WhenHeld == "wait" {
			p.Notes = append(p.Notes, held+"; a release waits for it")
		} else {
			p.Obstacles = append(p.Obstacles, held)
		}
	}
	return p, nil
}

// New says what a release would change in a world that was read. It calls nothing.
func New(file *release.File, seen []bluegreen.Observation, alarms []Alarm) *Preview {
	p := &Preview{Set: file.Set, Strategy: file.Traffic.Strategy(), Alarms: alarms, Obstacles: []string{}, Notes: []string{}}
	for i, o := range seen {
		p.Services = append(p.Services, service(file.Services[i].Name, o))
		for _, fault := range o.Faults {
			p.Obstacles = append(p.Obstacles, file.Services[i].Name+": "+fault)
		}
	}
	p.moves(file)
	for _, a := range alarms {
		if why := a.Obstacle(); why != "" {
			p.Obstacles = append(p.Obstacles, why)
		}
	}
	p.fitness(file, seen)
	p.Digest = digest(file, p.Services)
	return p
}

func service(name string, o bluegreen.Observation) Service {
	s := Service{Name: name, Weights: o.Pair.Production.Weights(), Faults: o.Faults}
	if o.Pair.Production.Rule != "" {
		s.Route = o.Pair.Production.String()
	}
	if o.Pair.Test.Rule != "" {
		s.Test = o.Pair.Test.String()
	}
	if live, found := o.Pair.Live(); found {
		s.Live, s.Gains = side(live), side(o.Pair.Other(live))
	}
	return s
}

func side(s bluegreen.Side) Side {
	return Side{
		Service: s.Name(), TargetGroup: s.TargetGroup, TaskDefinition: deref(s.Service.TaskDefinition),
		Execution: s.Execution(), Image: s.Tags[bluegreen.TagImage],
		Healthy: s.Health.Healthy, Desired: int(s.Service.DesiredCount),
	}
}

// moves lists the writes with their times from the first one.
func (p *Preview) moves(file *release.File) {
	var after time.Duration
	for _, m := range file.Moves() {
		move := Move{Percent: float64(m.Weight) / 10, After: after, Pause: m.Pause, Approval: m.Approval, Needed: map[string]int{}}
		for _, s := range p.Services {
			if len(s.Faults) == 0 {
				move.Needed[s.Name] = file.Healthy.Needed(s.Live.Healthy, m.Weight)
			}
		}
		p.Moves = append(p.Moves, move)
		after += m.Pause
	}
}

// fitness asks what a release would decide at its start about the sides that an
// execution has deployed. The others are deployed before they are released.
func (p *Preview) fitness(file *release.File, seen []bluegreen.Observation) {
	var pairs []rollout.Pair
	var waiting []string
	executions := map[string]bool{}
	for i, s := range p.Services {
		switch {
		case len(s.Faults) > 0:
			continue
		case !s.Gains.Deployed():
			waiting = append(waiting, s.Name)
			continue
		}
		executions[s.Gains.Execution] = true
		live, _ := seen[i].Pair.Live()
		green := seen[i].Pair.Other(live)
		pairs = append(pairs, rollout.Pair{
			Name:  s.Name,
			Green: rollout.Side{Healthy: s.Gains.Healthy, Desired: s.Gains.Desired, Unready: green.Incomplete()},
			Blue:  rollout.Side{Healthy: s.Live.Healthy, Desired: s.Live.Desired},
		})
	}
	start := rollout.Decide(rollout.World{Pairs: pairs, Progress: record.Progress{Move: -1}}, rollout.Plan{Moves: file.Moves(), Healthy: file.Healthy})
	if start.Kind == rollout.Refuse {
		p.Obstacles = append(p.Obstacles, strings.Split(start.Why, "; ")...)
	}
	if len(waiting) > 0 {
		p.Notes = append(p.Notes, "DeployGreen has not deployed a new version of "+strings.Join(waiting, ", ")+
			" yet: it replaces the task definition of the side that gains, and so changes the digest")
	}
	if len(executions) > 1 {
		names := make([]string, 0, len(executions))
		for e := range executions {
			names = append(names, e)
		}
		slices.Sort(names)
		p.Notes = append(p.Notes, "the sides that gain were deployed by different executions: "+strings.Join(names, ", "))
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
