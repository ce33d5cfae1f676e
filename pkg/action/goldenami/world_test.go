package goldenami

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/fleet"
	fake "cutover/pkg/fleet/fleettest"
	"cutover/pkg/job"
)

const publishTo = "/webapp/image"

func params() Params {
	return Params{
		Execution: "11111111-1111-4111-8111-111111111111", Document: fake.Document, Group: fake.Group, PublishTo: publishTo,
		Parameters: map[string]Values{"Commit": {"abc123"}}, Reuse: &Reuse{Except: []string{"Commit"}},
	}
}

// next are the same parameters of a later execution.
func next(p Params, n int) Params {
	p.Execution = fmt.Sprintf("22222222-2222-4222-8222-%012d", n)
	return p
}

func action(w *fake.World) *Action {
	return New(Clients{
		SSM:         func() SSM { return w.SSM() },
		EC2:         func() fleet.EC2 { return w.EC2() },
		AutoScaling: func() fleet.AutoScaling { return w.AutoScaling() },
		CodeDeploy:  func() fleet.CodeDeploy { return w.CodeDeploy() },
	})
}

// An attempt is a row of ticks of one job.
type attempt struct {
	t     *testing.T
	w     *fake.World
	job   job.Job[Params]
	state State
}

func begin(t *testing.T, w *fake.World, p Params, id string) *attempt {
	t.Helper()
	if err := p.Validate(); err != nil {
		t.Fatalf("parameters: %v", err)
	}
	return &attempt{t: t, w: w, job: job.Job[Params]{ID: id, Attempt: id, AccountID: fake.Account, Params: p, Started: w.Now}}
}

func (a *attempt) tick() (job.Result[State], error) {
	a.w.Change(func(w *fake.World) { a.job.Now = w.Now })
	return action(a.w).Step(context.Background(), a.job, a.state)
}

// follow ticks until the job is over.
func (a *attempt) follow() (job.Result[State], error) {
	a.t.Helper()
	for range 80 {
		r, err := a.tick()
		if err != nil || r.Done() {
			return r, err
		}
		a.state, a.job.ID = r.State(), "later"
		a.w.Advance()
	}
	a.t.Fatal("not over after 80 ticks")
	return job.Result[State]{}, nil
}

func run(t *testing.T, w *fake.World, p Params, id string) (map[string]string, string) {
	t.Helper()
	r, err := begin(t, w, p, id).follow()
	if err != nil {
		t.Fatalf("the job failed: %v", err)
	}
	return r.Outputs(), r.Summary()
}

func fails(t *testing.T, w *fake.World, p Params, id string, parts ...string) string {
	t.Helper()
	_, err := begin(t, w, p, id).follow()
	if err == nil {
		t.Fatal("the job succeeded, want a failure")
	}
	contains(t, err.Error(), parts...)
	return err.Error()
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got %q, want %q in it", text, part)
		}
	}
}

func equal[T any](t *testing.T, what string, got, want T, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ignoreUnexported passes over the SDK's markers.
var ignoreUnexported = cmp.FilterPath(func(p cmp.Path) bool {
	field, is := p.Last().(cmp.StructField)
	return is && field.Name() == "noSmithyDocumentSerde"
}, cmp.Ignore())
