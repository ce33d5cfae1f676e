package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHandler_ReportsDone(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r, err := w.run(t, gives(Done[state]("all is well", map[string]string{"a@-_1": "b"}).WithExternalID("d-1")), eventFor(job1, good, ""))
	if err != nil {
		t.Fatal(err)
	}
	in := r.Success
	if in == nil || in.ContinuationToken != nil || *in.ExecutionDetails.Summary != "all is well" || *in.ExecutionDetails.PercentComplete != 100 ||
		*in.ExecutionDetails.ExternalExecutionId != "d-1" || in.OutputVariables["a@-_1"] != "b" {
		t.Errorf("report: got %+v", r)
	}
	var line map[string]any
	if err := json.Unmarshal(w.log.Bytes(), &line); err != nil {
		t.Fatalf("log: %v in %q", err, w.log.String())
	}
	for key, want := range map[string]string{"job": job1, "attempt": job1, "action": "Test", "execution": "exec-1", "msg": "job done"} {
		if line[key] != want {
			t.Errorf("log %s: got %v, want %s", key, line[key], want)
		}
	}
}

func TestHandler_TellsTheStepItsJob(t *testing.T) {
	t.Parallel()
	w := newWorld()
	var seen Job[params]
	var states []state
	step := func(_ context.Context, j Job[params], s state) (Result[state], error) {
		seen, states = j, append(states, s)
		return Continue(state{At: s.At + 1}, 10*(s.At+1), "on it"), nil
	}
	began := w.now
	r, _ := w.run(t, step, eventFor(job1, `{"target":"t","count":3}`, ""))
	w.now = w.now.Add(time.Minute)
	if _, err := w.run(t, step, eventFor(job2, `{"target":"t","count":3}`, *r.Success.ContinuationToken)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]state{{}, {At: 1}}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if seen.ID != job2 || seen.Attempt != job1 || seen.AccountID != "111122223333" || seen.Params.Count != 3 || !seen.Now.Equal(w.now) || !seen.Started.Equal(began) {
		t.Errorf("job: got %+v", seen)
	}
	want := []Artifact{{Name: "source", Bucket: "artifacts", Key: "p/source/1"}}
	if diff := cmp.Diff(want, seen.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func TestHandler_ClassesErrors(t *testing.T) {
	t.Parallel()
	denied := "User: arn:aws:sts::111122223333:assumed-role/r/f is not authorized to perform: iam:PassRole on resource: arn:aws:iam::111122223333:role/x because no identity-based policy allows it"
	for name, c := range map[string]struct {
		err  error
		kind types.FailureType
		has  []string
	}{
		"a configuration error":                  {ConfigurationError("a is wrong", "b is wrong"), types.FailureTypeConfigurationError, []string{"a is wrong", "b is wrong"}},
		"a wrapped failure keeps type and words": {fmt.Errorf("pair one: %w", Failed("green is ill")), types.FailureTypeJobFailed, []string{"pair one: green is ill"}},
		"a failure of no known type":             {&Failure{Type: "Odd", Message: "m"}, types.FailureTypeJobFailed, []string{"m"}},
		"a failure without words":                {&Failure{Type: types.FailureTypeJobFailed}, types.FailureTypeJobFailed, []string{"gave no reason"}},
		"another error":                          {errors.New("the sky fell"), types.FailureTypeJobFailed, []string{"the sky fell"}},
		"a quota, which is not a throttle":       {apiError("CreateService", "LimitExceededException", "too many"), types.FailureTypeJobFailed, []string{"too many"}},
		"a denied call that names what it lacks": {fmt.Errorf("update service: %w", apiError("UpdateService", "AccessDeniedException", denied)), types.FailureTypePermissionError, []string{"update service", "allow iam:PassRole on arn:aws:iam::111122223333:role/x in the function's role"}},
		"a denied call that names nothing":       {apiError("UpdateService", "AccessDenied", "no"), types.FailureTypePermissionError, []string{"allow ecs:UpdateService in"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := newWorld().run(t, fails(c.err), eventFor(job1, good, ""))
			if err != nil {
				t.Fatal(err)
			}
			message := r.failure(t, c.kind)
			for _, part := range c.has {
				if !strings.Contains(message, part) {
					t.Errorf("message: got %q, want it to have %q", message, part)
				}
			}
		})
	}
}

func TestHandler_WaitsFaultsOutWithinABudget(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ok := gives(Continue(state{At: 7}, 40, "waiting for tasks"))
	throttled := fails(fmt.Errorf("describe services: %w", apiError("DescribeServices", "ThrottlingException", "rate exceeded")))
	r, _ := w.run(t, ok, eventFor(job1, good, ""))

	id := 0
	tick := func(step Step[params, state], after time.Duration) report {
		t.Helper()
		w.now = w.now.Add(after)
		id++
		next, err := w.run(t, step, eventFor(fmt.Sprintf("33333333-3333-4333-8333-%012d", id), good, *r.Success.ContinuationToken))
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	r = tick(throttled, time.Minute)
	tok, summary := r.continued(t)
	if string(tok.State) != `{"at":7}` || tok.Percent != 40 || *r.Success.ExecutionDetails.PercentComplete != 40 {
		t.Errorf("token: got %+v, want the state and percent of before", tok)
	}
	for _, part := range []string{"waiting out a fault since 2026-03-01T12:01:00Z", "ThrottlingException", "before: waiting for tasks"} {
		if !strings.Contains(summary, part) {
			t.Errorf("summary: got %q, want it to have %q", summary, part)
		}
	}
	r = tick(throttled, 9*time.Minute)
	r.continued(t)
	r = tick(ok, time.Second) // the budget begins anew
	if tok, _ := r.continued(t); tok.Faulty != 0 {
		t.Errorf("fault since: got %d after a good step, want none", tok.Faulty)
	}
	r = tick(gives(Continue(state{At: 8}, 50, "more")), time.Second)
	r = tick(throttled, time.Second)
	r.continued(t)
	got := tick(throttled, 10*time.Minute).failure(t, types.FailureTypeSystemUnavailable)
	for _, part := range []string{"rate exceeded", "10m0s", "last progress, 50%", "retry the stage"} {
		if !strings.Contains(got, part) {
			t.Errorf("message: got %q, want it to have %q", got, part)
		}
	}
}

func TestHandler_Deadlines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params string
		step   time.Duration
		rises  bool
		after  time.Duration // the time at which the job must have failed
		says   string
	}{
		"no progress":                          {good, 5 * time.Minute, false, 15 * time.Minute, "no progress for 15m0s, and the progress deadline is 15m0s; the last progress, 1%, was at 2026-03-01T12:00:00Z; now: still at it"},
		"progress, but too long in all":        {good, 14 * time.Minute, true, 23*time.Hour + 6*time.Minute, "total deadline is 23h0m0s"},
		"parameters set their own deadline":    {`{"target":"t","slow":60000000000}`, 30 * time.Second, false, time.Minute, "progress deadline is 1m0s"},
		"parameters may also ask for patience": {`{"target":"t","slow":7200000000000}`, 30 * time.Minute, false, 2 * time.Hour, "progress deadline is 2h0m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			percent, began, next := 1, w.now, ""
			for i := 0; ; i++ {
				r, err := w.run(t, gives(Continue(state{}, percent, "still at it")), eventFor(fmt.Sprintf("33333333-3333-4333-8333-%012d", i), c.params, next))
				if err != nil {
					t.Fatal(err)
				}
				if r.Failure != nil {
					message := r.failure(t, types.FailureTypeJobFailed)
					if !strings.Contains(message, c.says) {
						t.Errorf("message: got %q, want it to have %q", message, c.says)
					}
					if got := w.now.Sub(began); got != c.after {
						t.Errorf("failed after: got %s, want %s", got, c.after)
					}
					return
				}
				next = *r.Success.ContinuationToken
				w.now = w.now.Add(c.step)
				if c.rises && percent < 100 {
					percent++
				}
			}
		})
	}
}

func TestHandler_ProgressIsAPercentNotReachedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r, _ := w.run(t, gives(Continue(state{}, 50, "up")), eventFor(job1, good, ""))
	first, _ := r.continued(t)
	w.now = w.now.Add(time.Minute)
	r, _ = w.run(t, gives(Continue(state{}, 20, "down")), eventFor(job2, good, *r.Success.ContinuationToken))
	second, _ := r.continued(t)
	if second.Percent != 50 || second.Progress != first.Progress || *r.Success.ExecutionDetails.PercentComplete != 20 {
		t.Errorf("token: got %+v, want progress as in %+v", second, first)
	}
}

func TestHandler_ClocksStartWithAWSsTime(t *testing.T) {
	t.Parallel()
	w := newWorld()
	began := w.now
	w.now = time.Time{} // AWS has not answered yet
	reset := fmt.Errorf("describe services: %w", context.DeadlineExceeded)
	r, _ := w.run(t, fails(reset), eventFor(job1, good, ""))
	if tok, summary := r.continued(t); tok.Started != 0 || !strings.Contains(summary, "waiting out a fault: describe services") {
		t.Errorf("token: got %+v, summary %q", tok, summary)
	}
	w.now = began.Add(100 * time.Hour) // AWS's clock may be far from this machine's
	r, _ = w.run(t, gives(Continue(state{}, 1, "s")), eventFor(job2, good, *r.Success.ContinuationToken))
	if tok, _ := r.continued(t); tok.Started != at(w.now) || tok.Progress != at(w.now) {
		t.Errorf("token: got %+v, want it to start at %d", tok, at(w.now))
	}
}

func TestHandler_CutsTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("äöü", 5000)
	r, _ := newWorld().run(t, gives(Continue(state{}, 250, long).WithExternalID(long)), eventFor(job1, good, ""))
	d := r.Success.ExecutionDetails
	for name, c := range map[string]struct {
		text string
		want int
	}{"summary": {*d.Summary, 2048}, "external id": {*d.ExternalExecutionId, 1500}} {
		if got := utf8.RuneCountInString(c.text); got != c.want || !utf8.ValidString(c.text) || !strings.HasSuffix(c.text, "…") {
			t.Errorf("%s: got %d characters, ending %q, want %d and an ellipsis", name, got, c.text[len(c.text)-6:], c.want)
		}
	}
	if *d.PercentComplete != 100 {
		t.Errorf("percent: got %d, want 100", *d.PercentComplete)
	}
	r, _ = newWorld().run(t, fails(errors.New(long+"\xff")), eventFor(job1, good, ""))
	if got := utf8.RuneCountInString(r.failure(t, types.FailureTypeJobFailed)); got != 5000 {
		t.Errorf("message: got %d characters, want 5000", got)
	}
	r, _ = newWorld().run(t, gives(Done[state](" \n", nil)), eventFor(job1, good, ""))
	if got := *r.Success.ExecutionDetails.Summary; got != "no summary" {
		t.Errorf("empty summary: got %q", got)
	}
}

func TestHandler_RefusesResultsThatCodePipelineWould(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 3000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte('#' + source.IntN(50))
	}
	for name, c := range map[string]struct {
		result Result[string]
		says   string
	}{
		"a key with a space":        {Done[string]("s", map[string]string{"a b": "c", "ok": "d"}), `"a b" is not a name`},
		"an empty key":              {Done[string]("s", map[string]string{"": "c"}), `"" is not a name`},
		"a byte too many":           {Done[string]("s", map[string]string{"k": strings.Repeat("v", 122_880)}), "122881 bytes"},
		"a state too long to carry": {Continue(string(noise), 1, "s"), "CodePipeline takes 2048"},
		"no result and no error":    {Result[string]{}, "neither an error nor a result"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			h := NewHandler(w.config, func(context.Context, Job[params], string) (Result[string], error) { return c.result, nil })
			if _, err := h.Invoke(t.Context(), eventFor(job1, good, "")); err != nil {
				t.Fatal(err)
			}
			if got := w.pipeline.accepted[job1].failure(t, types.FailureTypeJobFailed); !strings.Contains(got, c.says) {
				t.Errorf("message: got %q, want it to have %q", got, c.says)
			}
		})
	}
	r, _ := newWorld().run(t, gives(Done[state]("s", map[string]string{"k": strings.Repeat("v", 122_879)})), eventFor(job1, good, ""))
	if r.Success == nil {
		t.Errorf("122,880 bytes of variables: got %+v, want success", r)
	}
}

func TestHandler_RefusesTokens(t *testing.T) {
	t.Parallel()
	w := newWorld()
	r, _ := w.run(t, gives(Continue(state{At: 1}, 1, "s")), eventFor(job1, good, ""))
	ours := *r.Success.ContinuationToken
	other := NewHandler(w.config, func(context.Context, Job[params], []string) (Result[[]string], error) {
		return Result[[]string]{}, errors.New("must not run")
	})
	id := 0
	for name, c := range map[string]struct{ token, says string }{
		"another version":     {"v9" + ours[2:], `version "v9"`},
		"a changed character": {ours[:20] + "A" + ours[21:], "damaged"},
		"a token cut off":     {ours[:len(ours)-4], "damaged"},
		"not a token":         {"previous_job_id=1", "damaged"},
		"another function's":  {ours, "not this function's"},
	} {
		t.Run(name, func(t *testing.T) {
			id++
			job := fmt.Sprintf("33333333-3333-4333-8333-%012d", id)
			if _, err := other.Invoke(t.Context(), eventFor(job, good, c.token)); err != nil {
				t.Fatal(err)
			}
			if got := w.pipeline.accepted[job].failure(t, types.FailureTypeJobFailed); !strings.Contains(got, c.says) || !strings.Contains(got, "retry the stage") {
				t.Errorf("message: got %q, want it to have %q", got, c.says)
			}
		})
	}
}

func TestHandler_ReportsPanics(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params string
		step   Step[params, state]
		says   string
	}{
		"in the step": {good, func(context.Context, Job[params], state) (Result[state], error) {
			var none map[string]int
			//lint:ignore SA5000 the panic is the point
			none["x"] = 1
			return Result[state]{}, nil
		}, "assignment to entry in nil map, in cutover/pkg/job.TestHandler_ReportsPanics"},
		"of the goroutine's end": {good, func(context.Context, Job[params], state) (Result[state], error) {
			runtime.Goexit()
			return Result[state]{}, nil
		}, "goroutine was ended"},
		"with a credential in it": {good, func(context.Context, Job[params], state) (Result[state], error) {
			panic("key " + secretAccess)
		}, "key [credential], in"},
		"in the parameters' validation": {`{"target":"t","panics":true}`, nil, "validation of t, in cutover/pkg/job.params.Validate (job/world_test.go:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			r, err := w.run(t, c.step, eventFor(job1, c.params, ""))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.failure(t, types.FailureTypeJobFailed); !strings.Contains(got, c.says) {
				t.Errorf("message: got %q, want it to have %q", got, c.says)
			}
			if !strings.Contains(w.log.String(), `"frames":["`) && name != "of the goroutine's end" {
				t.Errorf("log: got %q, want the frames", w.log.String())
			}
		})
	}
}

func TestHandler_DoesNotWaitForeverForAStep(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	left := make(chan struct{})
	for name, step := range map[string]Step[params, state]{
		"a step that heeds its context": func(ctx context.Context, _ Job[params], _ state) (Result[state], error) {
			<-ctx.Done()
			return Result[state]{}, Failed("called too long: %v", ctx.Err())
		},
		"a step that does not": func(context.Context, Job[params], state) (Result[state], error) {
			defer close(left)
			<-release
			return Done[state]("too late", nil), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.config.Margin = 200 * time.Millisecond
			first, _ := w.run(t, gives(Continue(state{At: 3}, 30, "begun")), eventFor(job1, good, ""))
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := NewHandler(w.config, step).Invoke(ctx, eventFor(job2, good, *first.Success.ContinuationToken)); err != nil {
				t.Fatal(err)
			}
			tok, summary := w.pipeline.accepted[job2].continued(t)
			if string(tok.State) != `{"at":3}` || tok.Percent != 30 || !strings.Contains(summary, "took longer than the function's time and is repeated; before: begun") {
				t.Errorf("got %+v, summary %q", tok, summary)
			}
		})
	}
	close(release)
	<-left
}

func TestHandler_ReportsThoughItsContextIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewHandler(w.config, gives(Done[state]("done", nil))).Invoke(ctx, eventFor(job1, good, "")); err != nil {
		t.Fatal(err)
	}
	if len(w.pipeline.accepted) != 1 {
		t.Errorf("reports: got %d, want 1", len(w.pipeline.accepted))
	}
}

func TestHandler_SettingsThatAreWrongAreTheJobsFailure(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.config.Fault = errors.Join(errors.New("A is odd"), errors.New("B is odd"))
	r, _ := w.run(t, nil, eventFor(job1, good, ""))
	if got := r.failure(t, types.FailureTypeConfigurationError); !strings.Contains(got, "- A is odd\n- B is odd") {
		t.Errorf("message: got %q", got)
	}
}

func TestFunction_ReadsItsEnvironment(t *testing.T) {
	t.Parallel()
	lookup := func(environment map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	}
	s := SettingsFrom(lookup(map[string]string{"AWS_REGION": "r", "CUTOVER_PROGRESS_DEADLINE": "90s", "CUTOVER_FAULT_BUDGET": "soon", "CUTOVER_TOTAL_DEADLINE": "24h", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}))
	want := "CUTOVER_TOTAL_DEADLINE \"24h\" is not a duration of at most 23h0m0s, as \"15m\"\nCUTOVER_FAULT_BUDGET \"soon\" is not a duration of at most 23h0m0s, as \"15m\""
	if err := s.Validate(); err == nil || err.Error() != want {
		t.Errorf("faults: got %v, want %s", err, want)
	}
	if s.Limits.Progress != 90*time.Second || s.LogLevel >= 0 || s.AWS.Region != "r" {
		t.Errorf("settings: got %+v", s)
	}
	_, err := Function[params, state](s, "Test", nil).Invoke(t.Context(), eventFor(job1, good, ""))
	if err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("without credentials: got %v, want an error that names AWS_ACCESS_KEY_ID", err)
	}
}
