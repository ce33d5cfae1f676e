package codepipeline

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNext(t *testing.T) {
	t.Parallel()
	stage := deploy(inOrder(1, invoke("a", "")), inOrder(1, invoke("b", "")), inOrder(2, invoke("c", "")))
	type statuses map[string]ActionStatus
	for _, c := range []struct {
		name     string
		current  statuses
		stopping bool
		start    []string
		status   StageStatus
		busy     bool
	}{
		{"a fresh stage starts its lowest order side by side", statuses{}, false, []string{"a", "b"}, StageInProgress, true},
		{"the next order waits for all of the one before", statuses{"a": ActionSucceeded, "b": ActionInProgress}, false, nil, StageInProgress, true},
		{"the next order starts once they have succeeded", statuses{"a": ActionSucceeded, "b": ActionSucceeded}, false, []string{"c"}, StageInProgress, true},
		{"all succeeded", statuses{"a": ActionSucceeded, "b": ActionSucceeded, "c": ActionSucceeded}, false, nil, StageSucceeded, false},
		{"one failure fails the stage while the other goes on", statuses{"a": ActionFailed, "b": ActionInProgress}, false, nil, StageFailed, true},
		{"a failed stage at rest", statuses{"a": ActionFailed, "b": ActionSucceeded}, false, nil, StageFailed, false},
		{"a stopping stage waits for what runs", statuses{"a": ActionInProgress, "b": ActionSucceeded}, true, nil, StageStopping, true},
		{"a stopping stage starts nothing", statuses{"a": ActionSucceeded, "b": ActionSucceeded}, true, nil, StageStopped, false},
		{"a stopping stage that is through has succeeded", statuses{"a": ActionSucceeded, "b": ActionSucceeded, "c": ActionSucceeded}, true, nil, StageSucceeded, false},
		{"abandoned actions stop the stage", statuses{"a": ActionAbandoned, "b": ActionSucceeded}, true, nil, StageStopped, false},
		{"a failure while stopping is a failure", statuses{"a": ActionFailed, "b": ActionSucceeded}, true, nil, StageFailed, false},
		{"a retried action starts again and the succeeded one does not", statuses{"b": ActionSucceeded}, false, []string{"a"}, StageInProgress, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := next(stage, c.current, c.stopping)
			var start []string
			for _, a := range got.start {
				start = append(start, a.Name)
			}
			if !slices.Equal(start, c.start) || got.status != c.status || got.busy != c.busy {
				t.Errorf("got start %q, status %s, busy %v, want %q, %s, %v", start, got.status, got.busy, c.start, c.status, c.busy)
			}
		})
	}
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name              string
		mode              string
		locked, open      bool
		enter, superseded []string
	}{
		{"the newest enters a free stage and the others are superseded", ModeSuperseded, false, true, []string{"3"}, []string{"1", "2"}},
		{"the newest waits at a locked stage and the others are superseded", ModeSuperseded, true, true, nil, []string{"1", "2"}},
		{"the newest waits at a closed transition", ModeSuperseded, false, false, nil, []string{"1", "2"}},
		{"the first of a queue enters", ModeQueued, false, true, []string{"1"}, nil},
		{"a queue waits at a locked stage", ModeQueued, true, true, nil, nil},
		{"parallel executions enter whatever runs", ModeParallel, true, true, []string{"1", "2", "3"}, nil},
		{"parallel executions wait at a closed transition", ModeParallel, false, false, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			waiting := []*execution{{id: "1"}, {id: "2"}, {id: "3"}}
			enter, superseded := admit(c.mode, waiting, c.locked, c.open)
			if diff := cmp.Diff([][]string{c.enter, c.superseded}, [][]string{ids(enter), ids(superseded)}); diff != "" {
				t.Errorf("enter and superseded (-want +got):\n%s", diff)
			}
		})
	}
}

func ids(executions []*execution) []string {
	var all []string
	for _, e := range executions {
		all = append(all, e.id)
	}
	return all
}
