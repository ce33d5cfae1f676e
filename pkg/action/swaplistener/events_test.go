package swaplistener

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/bluegreen"
	"cutover/pkg/record"
)

const told = canary + "record: {bucket: records}\n"

func TestEvents_TellEachStep(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alarm int
		want  []string
	}{
		"of a release that succeeds": {-1, []string{
			`cutover Cutover Release Started {"set":"shop","execution":"` + execution + `","generation":1,"weight":0}`,
			`cutover Cutover Release Moved {"set":"shop","execution":"` + execution + `","generation":1,"weight":10}`,
			`cutover Cutover Release Moved {"set":"shop","execution":"` + execution + `","generation":1,"weight":100}`,
			`cutover Cutover Release Ended {"set":"shop","execution":"` + execution + `","generation":1,"weight":100,"verdict":"succeeded"}`,
		}},
		"of one that goes back": {4, []string{
			`cutover Cutover Release Started {"set":"shop","execution":"` + execution + `","generation":1,"weight":0}`,
			`cutover Cutover Release Moved {"set":"shop","execution":"` + execution + `","generation":1,"weight":10}`,
			`cutover Cutover Release Rolled Back {"set":"shop","execution":"` + execution + `","generation":1,"weight":0,"verdict":"rolled back","why":"alarm shop-5xx is in ALARM: Threshold Crossed: 12.0 \u003e 5.0"}`,
			`cutover Cutover Release Ended {"set":"shop","execution":"` + execution + `","generation":1,"weight":0,"verdict":"rolled back","why":"alarm shop-5xx is in ALARM: Threshold Crossed: 12.0 \u003e 5.0"}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 2, told)
			s.metrics.alarms["shop-5xx"] = "OK"
			_, _, err := s.follow(func(n int) {
				if n == c.alarm {
					s.metrics.alarms["shop-5xx"] = "ALARM"
				}
			})
			if (err != nil) != (c.alarm >= 0) {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(c.want, s.outside.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// emf is a line of the log, as CloudWatch reads it.
type emf struct {
	Event string `json:"event"`
	AWS   *struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []metric
		}
	} `json:"_aws"`
	ReleaseSet string
}

func TestEvents_AreMetricsToo(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2, told)
	s.metrics.alarms["shop-5xx"] = "OK"
	_, _, err := s.follow(func(n int) {
		if n == 4 {
			s.metrics.alarms["shop-5xx"] = "ALARM"
		}
	})
	if err == nil {
		t.Fatal("want a rollback")
	}
	got := map[string]float64{}
	for text := range strings.Lines(s.outside.log.String()) {
		var line emf
		values := map[string]any{}
		if err := errors.Join(json.Unmarshal([]byte(text), &line), json.Unmarshal([]byte(text), &values)); err != nil {
			t.Fatalf("line %q: %v", text, err)
		}
		if line.AWS == nil {
			continue
		}
		m := line.AWS.CloudWatchMetrics[0]
		if line.AWS.Timestamp != s.now.UnixMilli() || m.Namespace != "Cutover" || !cmp.Equal(m.Dimensions, [][]string{{"ReleaseSet"}}) || line.ReleaseSet != "shop" {
			t.Errorf("line: got %s", text)
		}
		for _, metric := range m.Metrics {
			value, isNumber := values[metric.Name].(float64)
			if !isNumber {
				t.Errorf("metric %s has no value: %s", metric.Name, text)
			}
			got[metric.Name+"/"+metric.Unit] = value
		}
	}
	want := map[string]float64{"Rollbacks/Count": 1, "TimeToDetect/Seconds": 120, "TimeToRestore/Seconds": 120, "Releases/Count": 1, "ExposedRequests/Count": 84}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestRecord_IsKeptInTheBucketWithItsTimings(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2, told)
	s.metrics.alarms["shop-5xx"] = "OK"
	s.adjust = func(p *Params) { p.CommitID, p.CommitDate = "abc", noon.Add(-time.Hour).Format(time.RFC3339) }
	if _, _, err := s.follow(nil); err != nil {
		t.Fatal(err)
	}
	var r record.Record
	text := s.outside.objects["records/cutover/shop/"+execution+".json"]
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("object %q: %v", text, err)
	}
	// The hour, the tick before the first move, and the canary's five minutes.
	if r.Verdict != record.Succeeded || r.Timings == nil || r.Timings.LeadTime != int64((time.Hour+5*time.Minute+30*time.Second)/time.Second) || r.Commit.ID != "abc" {
		t.Errorf("record: got %s", text)
	}
	if diff := cmp.Diff(r.Timings, s.latest().Timings); diff != "" {
		t.Errorf("timings of the object and the parameter (-object +parameter):\n%s", diff)
	}
}

// What only tells never keeps a release from its end.
func TestEvents_ThatCannotBeSentAreNoted(t *testing.T) {
	t.Parallel()
	for _, alarm := range []int{-1, 4} {
		s := newShop(t, 1, told)
		s.metrics.alarms["shop-5xx"] = "OK"
		s.before = func(operation string) error {
			if operation == "PutEvents" || operation == "PutObject" {
				return errors.New("AccessDenied")
			}
			return nil
		}
		said, last, err := s.follow(func(n int) {
			if n == alarm {
				s.metrics.alarms["shop-5xx"] = "ALARM"
			}
		})
		text := last.Summary()
		if alarm >= 0 {
			if err == nil || !strings.Contains(err.Error(), "was rolled back") {
				t.Fatalf("got error %v, want a rollback", err)
			}
			text = err.Error()
		} else if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"event Ended was not sent: put event: AccessDenied", "the record was not written to s3://records/cutover/shop/" + execution + ".json: AccessDenied"} {
			if !strings.Contains(text, want) {
				t.Errorf("got %q, want it to say %q", text, want)
			}
		}
		if want := "(event Started was not sent: put event: AccessDenied; event Moved was not sent: put event: AccessDenied)"; !strings.Contains(said[0], want) {
			t.Errorf("first summary: got %q, want it to say %q", said[0], want)
		}
	}
}

func TestPlan_ChangesNothingAndBindsTheRelease(t *testing.T) {
	t.Parallel()
	s := newShop(t, 2, told+checked)
	s.metrics.alarms["shop-5xx"] = "OK"
	s.outside.site = nil
	plan := func() map[string]string {
		t.Helper()
		s.adjust = func(p *Params) { p.Mode = "plan" }
		r, err := s.tick(State{})
		if err != nil || !r.Done() {
			t.Fatalf("plan: got %q and error %v, want it done", r.Summary(), err)
		}
		return r.Outputs()
	}
	out := plan()
	for _, want := range []string{"canary of 10 % for 5m0s; nothing was changed", "1. green gets 10 %, for 5m0s", "2. green gets 100 %, and bakes for 2m0s", "s1: production (rule", "goes from s1-a to s1-b, image s1:v2",
		"it would not start now: 1 of 2 checks of the test route failed: s1: GET"} {
		if !strings.Contains(out["Plan"], want) {
			t.Errorf("plan: got\n%s\nwant it to have %q", out["Plan"], want)
		}
	}
	if len(s.params.Values()) != 0 || len(s.world.Writes()) != 0 || len(s.outside.events) != 0 {
		t.Errorf("the plan wrote: parameters %v, events %v", s.params.Values(), s.outside.events)
	}
	s.file = strings.ReplaceAll(s.file, checked, "")
	digest := plan()["PlanDigest"]
	if digest == out["PlanDigest"] {
		t.Error("the digest does not tell the file without checks from the one with them")
	}
	s.metrics.alarms["shop-5xx"] = "ALARM"
	if out := plan(); out["PlanDigest"] != digest || !strings.Contains(out["Plan"], "it would not start now: alarm shop-5xx is in ALARM") {
		t.Errorf("with an alarm: got digest %s, want %s, and plan\n%s", out["PlanDigest"], digest, out["Plan"])
	}
	s.metrics.alarms["shop-5xx"] = "OK"

	s.adjust = func(p *Params) { p.PlanDigest = digest }
	task := s.world.Services["s1-b"].TaskDefinition
	s.world.Services["s1-b"].TaskDefinition = ptr(*task + "1")
	if _, err := s.tick(State{}); err == nil || !strings.Contains(err.Error(), "the plan is not the one that was approved") {
		t.Errorf("with another task definition: got error %v, want it refused", err)
	}
	s.wantShares("0/100")
	s.world.Services["s1-b"].TaskDefinition = task
	if _, _, err := s.follow(nil); err != nil {
		t.Errorf("as approved: got error %v", err)
	}
	s.wantShares("100/100")
}

func TestParams_OfReleaseSets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params Params
		want   string
	}{
		"a mode that is none":              {Params{Release: "c", Mode: "apply"}, `mode is "apply": it must be plan`},
		"a digest for a plan":              {Params{Release: "c", Mode: "plan", PlanDigest: strings.Repeat("a", 16)}, "planDigest is set together with mode plan"},
		"a variable that was not resolved": {Params{Release: "c", PlanDigest: "#{Plan.PlanDigest}"}, "planDigest is"},
		"a date of another form":           {Params{Release: "c", CommitDate: "yesterday"}, `commitDate is "yesterday"`},
		"a plan of a single pair":          {Params{Mode: "plan"}, "mode and planDigest are for release sets"},
	} {
		c.params.Params = bluegreen.Params{Execution: execution}
		if err := c.params.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
}
