package job

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

func TestReport_IsTriedAgainWithinTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for range 6 {
		w.pipeline.fail = append(w.pipeline.fail, apiError("PutJobSuccessResult", "ThrottlingException", "slow down"))
	}
	if r, err := w.run(t, gives(Done[state]("done", nil)), eventFor(job1, good, "")); err != nil || r.Success == nil || w.pipeline.calls != 7 {
		t.Errorf("got %+v, %v after %d calls, want success after 7", r, err, w.pipeline.calls)
	}

	w = newWorld()
	for range 10_000 {
		w.pipeline.fail = append(w.pipeline.fail, apiError("PutJobSuccessResult", "ThrottlingException", "slow down"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := NewHandler(w.config, gives(Done[state]("done", nil))).Invoke(ctx, eventFor(job1, good, "")); err == nil || ctx.Err() != nil {
		t.Errorf("with no end of throttles: got error %v, context %v, want an error before the deadline", err, ctx.Err())
	}
}

func TestReport_AnsweredJobIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"InvalidJobStateException", "JobNotFoundException"} {
		w := newWorld()
		w.pipeline.fail = []error{apiError("PutJobSuccessResult", code, "over")}
		if _, err := w.run(t, gives(Done[state]("done", nil)), eventFor(job1, good, "")); err != nil || w.pipeline.calls != 1 {
			t.Errorf("%s: got %v after %d calls, want nil after 1", code, err, w.pipeline.calls)
		}
		if !strings.Contains(w.log.String(), code) {
			t.Errorf("%s: got log %q, want it named", code, w.log.String())
		}
	}
}

func TestReport_DuplicatesEndInOneReport(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.config.Logger = nil
	h := NewHandler(w.config, gives(Done[state]("done", nil)))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := h.Invoke(t.Context(), eventFor(job1, good, "")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(w.pipeline.accepted) != 1 || w.pipeline.calls != 8 {
		t.Errorf("got %d reports taken of %d, want 1 of 8", len(w.pipeline.accepted), w.pipeline.calls)
	}
}

func TestReport_SuccessThatIsNotTakenBecomesAFailure(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ValidationException", "OutputVariablesSizeExceededException"} {
		w := newWorld()
		w.pipeline.fail = []error{apiError("PutJobSuccessResult", code, "too much of it")}
		r, err := w.run(t, gives(Done[state]("moved", nil)), eventFor(job1, good, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.failure(t, types.FailureTypeJobFailed); !strings.Contains(got, "too much of it") || !strings.Contains(got, "its summary was: moved") {
			t.Errorf("%s: got %q", code, got)
		}
	}
	w := newWorld()
	invalid := apiError("PutJobFailureResult", "ValidationException", "no")
	w.pipeline.fail = []error{invalid, invalid, invalid}
	if _, err := w.run(t, gives(Done[state]("moved", nil)), eventFor(job1, good, "")); err == nil || w.pipeline.calls != 2 {
		t.Errorf("when failures are not taken either: got %v after %d calls, want an error after 2", err, w.pipeline.calls)
	}
}

func TestReport_Denied(t *testing.T) {
	t.Parallel()
	denied := apiError("PutJobSuccessResult", "AccessDeniedException", "not authorized to perform: codepipeline:PutJobSuccessResult")
	for name, c := range map[string]struct {
		fail    []error
		landed  bool
		failing bool
	}{
		"only of success": {[]error{denied}, true, false},
		"of both":         {[]error{denied, denied}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.pipeline.fail = c.fail
			r, err := w.run(t, gives(Continue(state{}, 1, "s")), eventFor(job1, good, ""))
			if (err != nil) != c.failing {
				t.Errorf("error: got %v, want one: %t", err, c.failing)
			}
			if c.landed {
				if got := r.failure(t, types.FailureTypePermissionError); !strings.Contains(got, "allow codepipeline:PutJobSuccessResult") {
					t.Errorf("message: got %q", got)
				}
			}
			if log := w.log.String(); !strings.Contains(log, "allow codepipeline:PutJobSuccessResult and codepipeline:PutJobFailureResult on * in its role") {
				t.Errorf("log: got %q", log)
			}
		})
	}
}

func TestReport_OfAMalformedEvent(t *testing.T) {
	t.Parallel()
	whole := string(eventFor(job1, good, ""))
	first := fmt.Sprintf(`{"CodePipeline.job":{"id":%q,`, job1)
	for name, c := range map[string]struct {
		event  string
		landed bool
		says   string
	}{
		"cut off after the id":          {first + `"data":{"artifactCredentials":{"secretAccessKey":"` + secretAccess, true, "it is not JSON"},
		"a field of the wrong type":     {first + `"data":{"inputArtifacts":"none"}}}`, true, "inputArtifacts is of the wrong type"},
		"an id of another form":         {strings.ReplaceAll(whole, job1, "job-1"), false, "the job has no id"},
		"no id":                         {`{"CodePipeline.job":{"accountId":"1"}}`, false, "the job has no id"},
		"another service's event":       {`{"Records":[]}`, false, `no "CodePipeline.job"`},
		"an id that is another thing's": {`{"id":"` + job1 + `","CodePipeline.job":{"data":{"id":"` + job1 + `"`, false, "not JSON"},
		"nothing":                       {``, false, "not JSON"},
		"a list":                        {`[]`, false, "wrong type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			_, err := NewHandler(w.config, gives(Done[state]("s", nil))).Invoke(t.Context(), []byte(c.event))
			if c.landed {
				if err != nil {
					t.Fatal(err)
				}
				if got := w.pipeline.accepted[job1].failure(t, types.FailureTypeJobFailed); !strings.Contains(got, c.says) {
					t.Errorf("message: got %q, want it to have %q", got, c.says)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || w.pipeline.calls != 0 {
				t.Errorf("got %v after %d reports, want an error with %q and none", err, w.pipeline.calls, c.says)
			}
			if !strings.Contains(w.log.String(), "no job that could be reported on") {
				t.Errorf("log: got %q", w.log.String())
			}
		})
	}
}

// TestHandler_NeverTellsACredential drives many paths, each of which tries to
// tell what the event holds, and looks for it in everything that leaves.
func TestHandler_NeverTellsACredential(t *testing.T) {
	t.Parallel()
	all := strings.Join([]string{secretKeyID, secretAccess, secretToken}, " ")
	steps := map[string]Step[params, state]{
		"done":      gives(Done[state](all, nil).WithExternalID(all)),
		"continued": gives(Continue(state{}, 1, all)),
		"failed":    fails(Failed("%s", all)),
		"error":     fails(errors.New(all)),
		"denied":    fails(apiError("UpdateService", "AccessDenied", all)),
		"throttled": fails(apiError("UpdateService", "Throttling", all)),
		"nothing":   gives(Result[state]{}),
		"panics":    func(context.Context, Job[params], state) (Result[state], error) { panic(all) },
		"shows a job": func(_ context.Context, j Job[params], _ state) (Result[state], error) {
			return Result[state]{}, fmt.Errorf("%+v", j)
		},
		"reads": func(ctx context.Context, j Job[params], _ state) (Result[state], error) {
			_, err := j.ReadInput(ctx, "source", "f", 1)
			return Result[state]{}, err
		},
	}
	events := map[string]func() []byte{
		"a good event":   func() []byte { return eventFor(job1, good, "") },
		"bad parameters": func() []byte { return eventFor(job1, `{"target":3,"x":null`, "") },
		"a bad token":    func() []byte { return eventFor(job1, good, "v1.AAAA") },
		"cut off":        func() []byte { e := eventFor(job1, good, ""); return e[:len(e)-9] },
		"no job": func() []byte {
			return []byte(strings.ReplaceAll(string(eventFor(job1, good, "")), "CodePipeline.job", "job"))
		},
		"no id": func() []byte { return []byte(strings.ReplaceAll(string(eventFor(job1, good, "")), job1, "")) },
	}
	reports := map[string][]error{
		"taken":     nil,
		"refused":   {apiError("PutJobSuccessResult", "ValidationException", all)},
		"denied":    {apiError("PutJobSuccessResult", "AccessDenied", all), apiError("PutJobFailureResult", "AccessDenied", all)},
		"throttled": {apiError("PutJobSuccessResult", "Throttling", all)},
		"over":      {apiError("PutJobSuccessResult", "InvalidJobStateException", all)},
		"broken":    {errors.New(all)},
	}
	for stepName, step := range steps {
		for eventName, event := range events {
			for reportName, fail := range reports {
				w := newWorld()
				var spanned []string
				w.config.Span = func(ctx context.Context, name string) (context.Context, func(string, string), func(error)) {
					return ctx, func(k, v string) { spanned = append(spanned, k, v) }, func(err error) { spanned = append(spanned, fmt.Sprint(err)) }
				}
				w.config.S3 = storeOf(&store{err: apiError("GetObject", "InvalidAccessKeyId", all)})
				w.pipeline.fail = append([]error(nil), fail...)
				_, err := NewHandler(w.config, step).Invoke(t.Context(), event())
				told := fmt.Sprint(w.log.String(), spanned, err)
				for _, r := range w.pipeline.accepted {
					if r.Failure != nil {
						told += *r.Failure.FailureDetails.Message
						continue
					}
					told += *r.Success.ExecutionDetails.Summary
					if r.Success.ContinuationToken != nil {
						tok, err := decodeToken(*r.Success.ContinuationToken)
						if err != nil {
							t.Fatal(err)
						}
						told += tok.Summary
					}
					if r.Success.ExecutionDetails.ExternalExecutionId != nil {
						told += *r.Success.ExecutionDetails.ExternalExecutionId
					}
				}
				for _, secret := range []string{secretKeyID, secretAccess, secretToken} {
					if strings.Contains(told, secret) {
						t.Errorf("%s, %s, report %s: got %q in %q", stepName, eventName, reportName, secret, told)
					}
				}
				if told == "" {
					t.Errorf("%s, %s, report %s: nothing was told", stepName, eventName, reportName)
				}
			}
		}
	}
}
