package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/release"
)

func TestPictures_AreUpToDate(t *testing.T) {
	t.Parallel()
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want, err := s.draw()
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile("../../../docs/strategies/" + s.name + ".svg")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("docs/strategies/%s.svg is not up to date: run go run ./pkg/release/timeline", s.name)
			}
		})
	}
}

func TestRun_WritesPicturesThatAreXML(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := run(folder); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(scenes) {
		t.Errorf("got %d files, want %d", len(files), len(scenes))
	}
	for _, f := range files {
		text, err := os.ReadFile(folder + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(bytes.NewReader(text)); ; {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", f.Name(), err)
			}
		}
	}
}

func TestSpans_FollowTheMoves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scene scene
		want  []span
	}{
		"a canary, with its bake and the time after it": {scene{traffic: "traffic: {canary: {percent: 10, interval: 5m}}\nbake: 1h"}, []span{
			{kind: before, label: "checks, beforeShift"}, {100, 5 * time.Minute, "step 5m", step}, {release.Whole, time.Hour, "bake 1h", bake},
			{weight: release.Whole, kind: after, label: "blue kept, then less"},
		}},
		"a step that somebody approves has no length": {scene{traffic: "traffic: {steps: [{weight: 5, pause: approval}]}\nbake: 90s"}, []span{
			{kind: before, label: "checks, beforeShift"}, {weight: 50, label: "until approved", kind: approval}, {release.Whole, 90 * time.Second, "bake 1m30s", bake},
			{weight: release.Whole, kind: after, label: "blue kept, then less"},
		}},
		"an alarm ends its step, and all that would come after it": {scene{traffic: "traffic: {linear: {percent: 40, interval: 5m}}", alarmIn: 1, alarmAfter: time.Minute}, []span{
			{kind: before, label: "checks, beforeShift"}, {400, 5 * time.Minute, "step 5m", step}, {800, time.Minute, "step 1m", step},
			{kind: back, label: "all on blue, onRollback"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.scene.spans()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpans_RefusesAFileThatIsNone(t *testing.T) {
	t.Parallel()
	if _, err := (scene{name: "bad", traffic: "traffic: sideways"}).draw(); err == nil {
		t.Error("got no error for a traffic that does not exist")
	}
}

func TestPlaces_FillTheChart(t *testing.T) {
	t.Parallel()
	for _, s := range scenes {
		spans, err := s.spans()
		if err != nil {
			t.Fatal(err)
		}
		ends := places(spans)
		for i := range ends {
			if ends[i] <= begin(ends, i) {
				t.Errorf("%s: span %d: got no width", s.name, i)
			}
		}
		if last := ends[len(ends)-1]; last < right-0.01 || last > right+0.01 {
			t.Errorf("%s: got an end at %v, want %v", s.name, last, right)
		}
	}
}
