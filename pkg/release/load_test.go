package release

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func TestLoad_ReadsEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/whole.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(text)
	if err != nil {
		t.Fatal(err)
	}
	zero := 0
	hook := func(name string) *Hook { return &Hook{Function: name} }
	want := &File{
		Set: "shop",
		Services: []Service{{
			Name: "web", LoadBalancer: "shop", Cluster: "shop", Pair: []string{"web-blue", "web-green"},
			Container: "app", Image: "web-image", MinimumCount: 3,
		}, {
			Name: "api", Cluster: "shop", Pair: []string{"api-blue", "api-green"},
			ProductionListenerARN: "arn:l1", TestRuleARN: "arn:r2",
		}},
		Traffic:  Traffic{Steps: []Step{{Weight: 0.1, Pause: Pause{Duration: Duration(10 * time.Minute)}}, {Weight: 5, Pause: Pause{Approval: true}}, {Weight: 50}}},
		Bake:     Duration(90 * time.Second),
		Alarms:   []string{"shop-5xx", "shop-all"},
		Healthy:  Healthy{Percent: 80},
		Analysis: &Analysis{ErrorRate: 0.5, Latency: 2, MinimumRequests: 200, Patience: Duration(5 * time.Minute)},
		Hooks: Hooks{
			BeforeShift: &Hook{Function: "h2", Timeout: Duration(time.Hour)},
			AfterStep:   hook("h3"), AfterShift: hook("h4"), OnRollback: hook("h5"),
		},
		Checks: []Check{{Service: "api", Host: "shop.example", Path: "/health?x=1", Status: 204, Body: "ok|fine", Timeout: Duration(time.Second)}},
		Blue:   Blue{Keep: Duration(time.Hour), Count: &zero, Step: 2, Pause: Duration(30 * time.Second)},
		Lock:   Lock{WhenHeld: "wait", Expires: Duration(2 * time.Hour)},
		Record: Record{Bucket: "records"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

const minimal = `
set: shop
services:
  - name: web
    loadBalancer: shop
    cluster: shop
    services: [web-blue, web-green]
`

func TestLoad_NamesEveryFaultWithItsLine(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got files %v and error %v", files, err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Load(text)
			if err == nil {
				t.Fatal("got no error")
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if got := err.Error() + "\n"; got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestLoad_RefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":           {"", "the file is empty"},
		"only a comment":    {"# nothing\n", "the file is empty"},
		"a list":            {"- a\n", "must be a mapping"},
		"no YAML":           {"set: [", "is not YAML"},
		"two documents":     {minimal + "---\nset: b\n", "several documents"},
		"too much":          {strings.Repeat("#", MaxSize+1), "bytes, more than"},
		"an alias":          {"set: &a shop\nservices: *a\n", "anchor, alias or tag"},
		"a number for text": {"set: 1\nservices: []\n", "must be text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestMoves_FollowTheStrategy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		traffic string
		want    []Move
	}{
		"nothing said":              {"", []Move{{Weight: 1000, Pause: time.Minute}}},
		"all at once":               {"traffic: all-at-once", []Move{{Weight: 1000, Pause: time.Minute}}},
		"a canary":                  {"traffic: {canary: {percent: 10, interval: 5m}}", []Move{{Weight: 100, Pause: 5 * time.Minute}, {Weight: 1000, Pause: time.Minute}}},
		"linear that fits":          {"traffic: {linear: {percent: 50, interval: 5m}}", []Move{{Weight: 500, Pause: 5 * time.Minute}, {Weight: 1000, Pause: time.Minute}}},
		"linear that does not":      {"traffic: {linear: {percent: 40, interval: 5m}}", []Move{{Weight: 400, Pause: 5 * time.Minute}, {Weight: 800, Pause: 5 * time.Minute}, {Weight: 1000, Pause: time.Minute}}},
		"steps":                     {"traffic: {steps: [{weight: 0.1, pause: approval}, {weight: 12.5}]}", []Move{{Weight: 1, Approval: true}, {Weight: 125}, {Weight: 1000, Pause: time.Minute}}},
		"steps that end with all":   {"traffic: {steps: [{weight: 1}, {weight: 100, pause: 1m}]}", []Move{{Weight: 10}, {Weight: 1000, Pause: 2 * time.Minute}}},
		"the least linear there is": {"traffic: {linear: {percent: 100, interval: 1m}}", []Move{{Weight: 1000, Pause: time.Minute}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Load([]byte(minimal + "bake: 1m\n" + c.traffic))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.Moves()); diff != "" {
				t.Errorf("moves (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNeeded_IsItsPartOfBlue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		healthy Healthy
		blue    int
		share   Weight
		want    int
	}{
		{Healthy{}, 10, 1000, 10}, {Healthy{}, 10, 100, 1}, {Healthy{}, 10, 101, 2}, {Healthy{}, 0, 1000, 1},
		{Healthy{Percent: 50}, 10, 1000, 5}, {Healthy{Percent: 50}, 10, 500, 3}, {Healthy{Count: 4}, 10, 1, 4},
	} {
		if got := c.healthy.Needed(c.blue, c.share); got != c.want {
			t.Errorf("%+v of %d blue at %s: got %d, want %d", c.healthy, c.blue, c.share, got, c.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, path := range []string{"testdata/whole.yaml", "testdata/bad-keys.yaml", "testdata/bad-values.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Load(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("got an error without words")
			}
			return
		}
		moves := file.Moves()
		if last := moves[len(moves)-1]; last.Weight != Whole {
			t.Errorf("the last move: got %v, want all of the traffic", last)
		}
		for i := 1; i < len(moves); i++ {
			if moves[i].Weight <= moves[i-1].Weight {
				t.Errorf("moves %v: a weight does not grow", moves)
			}
		}
	})
}
