package codepipeline

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"cutover/pkg/localaws/clock"
)

// schedule does random things to a pipeline.
type schedule struct {
	*world
	t *rapid.T
}

func (s *schedule) executions() []*execution { return s.service.pipelines["release"].executions }

func (s *schedule) anyExecution() *execution {
	return rapid.SampledFrom(s.executions()).Draw(s.t, "execution")
}

func (s *schedule) anyStage() string {
	return rapid.SampledFrom([]string{"Source", "Build", "Deploy", "Approve"}).Draw(s.t, "stage")
}

// open lists what can be answered, and how.
func (s *schedule) open() []func(well bool) {
	var all []func(bool)
	for _, j := range s.service.Jobs() {
		j := jobEvent{ID: j.ID}
		if job := s.service.jobs[j.ID]; job.accepted == 0 && job.run.status == ActionInProgress && job.run.job == job {
			all = append(all, func(well bool) {
				if well {
					s.succeed(j)
				} else {
					s.fail(j, "broken")
				}
			})
		}
	}
	for _, r := range s.service.pipelines["release"].runs {
		if r.status != ActionInProgress || r.token == "" {
			continue
		}
		all = append(all, func(well bool) {
			in := &PutApprovalResultInput{PipelineName: "release", StageName: r.stage, ActionName: r.action.Name, Token: r.token}
			in.Result.Status, in.Result.Summary = "Approved", new(string)
			if !well {
				in.Result.Status = "Rejected"
			}
			s.service.PutApprovalResult(s.world.t.Context(), in)
			s.settle()
		})
	}
	for _, done := range s.builds.done {
		all = append(all, func(well bool) {
			done(Outcome{Succeeded: well, Artifact: []byte{}})
			s.settle()
		})
	}
	s.builds.done = nil
	return all
}

func (s *schedule) act() map[string]func(*rapid.T) {
	ctx := s.world.t.Context()
	boolean := func(label string) bool { return rapid.Bool().Draw(s.t, label) }
	return map[string]func(*rapid.T){
		"start": func(*rapid.T) {
			s.service.StartPipelineExecution(ctx, &StartPipelineExecutionInput{Name: "release"})
			s.settle()
		},
		"answer": func(*rapid.T) {
			if open := s.open(); len(open) > 0 {
				rapid.SampledFrom(open).Draw(s.t, "answer")(boolean("well"))
			}
		},
		"continue": func(*rapid.T) {
			if jobs := s.service.Jobs(); len(jobs) > 0 {
				s.resume(jobEvent{ID: rapid.SampledFrom(jobs).Draw(s.t, "job").ID}, "token")
			}
		},
		"time": func(*rapid.T) {
			s.clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 21 * time.Minute, 25 * time.Hour}).Draw(s.t, "time"))
		},
		"stop": func(*rapid.T) {
			s.service.StopPipelineExecution(ctx, &StopPipelineExecutionInput{PipelineName: "release", PipelineExecutionId: s.anyExecution().id, Abandon: boolean("abandon")})
			s.settle()
		},
		"retry": func(*rapid.T) {
			mode := rapid.SampledFrom([]string{FailedActions, AllActions}).Draw(s.t, "mode")
			s.retry(s.anyStage(), s.anyExecution().id, mode)
		},
		"rollback": func(*rapid.T) {
			s.service.RollbackStage(ctx, &RollbackStageInput{"release", s.anyStage(), s.anyExecution().id})
			s.settle()
		},
		"disable": func(*rapid.T) {
			s.service.DisableStageTransition(ctx, &DisableStageTransitionInput{"release", s.anyStage(), "Inbound", "why"})
		},
		"enable": func(*rapid.T) {
			s.service.EnableStageTransition(ctx, &EnableStageTransitionInput{"release", s.anyStage(), "Inbound"})
			s.settle()
		},
		"update": func(*rapid.T) {
			d := s.service.pipelines["release"].declaration.clone()
			d.Stages[2].Actions[0].Configuration["UserParameters"] = fmt.Sprint(*d.Version)
			s.service.UpdatePipeline(ctx, &UpdatePipelineInput{Pipeline: *d})
			s.settle()
		},
		"": func(*rapid.T) { s.check() },
	}
}

// check holds what must be true whatever happened.
func (s *schedule) check() {
	parallel := s.service.pipelines["release"].declaration.mode() == ModeParallel
	holder := map[string]string{}
	for _, e := range s.executions() {
		for _, r := range e.running() {
			if other := holder[r.stage]; other != "" && other != e.id && !parallel {
				s.t.Fatalf("stage %s runs actions of %s and %s at once", r.stage, other, e.id)
			}
			holder[r.stage] = e.id
		}
		if e.live() && !e.waiting && !e.holds(e.at) {
			s.t.Fatalf("execution %s is %s, yet neither waits nor runs", e.id, e.status)
		}
		if !e.live() && e.waiting {
			s.t.Fatalf("execution %s is %s, yet waits", e.id, e.status)
		}
	}
	for _, j := range s.service.Jobs() {
		if j.Accepted > 1 {
			s.t.Fatalf("job %s: %d reports accepted", j.ID, j.Accepted)
		}
	}
}

// TestSchedule_NothingLocksAPipelineForGood holds that after anything that users,
// functions and time can do, letting everything run on its own brings every
// execution to an end and a new one through.
func TestSchedule_NothingLocksAPipelineForGood(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &schedule{world: newWorld(t), t: rt}
		s.builds.hold = rapid.Bool().Draw(rt, "builds take time")
		s.builds.outcome = Outcome{Succeeded: true, Artifact: []byte{}}
		d := pipelineOf(build(), deploy(invoke("a", ""), invoke("b", ""), inOrder(2, invoke("c", ""))), approve())
		d.ExecutionMode = rapid.SampledFrom([]string{ModeSuperseded, ModeQueued, ModeParallel}).Draw(rt, "mode")
		if on := rapid.SampledFrom([]string{"", "RETRY", "ROLLBACK"}).Draw(rt, "on failure"); on == "RETRY" || on != "" && d.ExecutionMode != ModeParallel {
			d.Stages[2].OnFailure = &OnFailure{Result: on}
		}
		s.create(d)
		rt.Repeat(s.act())

		for _, stage := range d.Stages {
			s.service.EnableStageTransition(t.Context(), &EnableStageTransitionInput{"release", stage.Name, "Inbound"})
		}
		s.clock.Advance(60 * 7 * 24 * time.Hour) // every wait has an end
		s.check()
		for _, e := range s.executions() {
			if e.live() || len(e.running()) > 0 {
				rt.Fatalf("execution %s: still %s at stage %d", e.id, e.status, e.at)
			}
		}
		id := s.start()
		for range 20 {
			for _, answer := range s.open() {
				answer(true)
			}
		}
		if got := s.execution(id).status; got != ExecutionSucceeded {
			rt.Fatalf("a new execution: got %s, want Succeeded", got)
		}
	})
}

// TestScaled_ConcurrentReports holds on a running clock, where everything comes
// from goroutines of its own, that exactly one report is accepted for each job
// and that every execution ends. The race detector watches.
func TestScaled_ConcurrentReports(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := newWorld(t)
	caller := &hasty{}
	service := New(Config{
		// A short delay on a slow clock: no job is to time out on a busy machine.
		Clock: clock.NewScaled(1), Continuation: 10 * time.Millisecond,
		Region: "us-east-1", Account: "111122223333",
		Objects: &lockedObjects{objects: objects{}}, Functions: caller, Repositories: lockedRepository{w.commits, new(sync.Mutex)},
	})
	defer service.Close()
	caller.service = service
	ended := make(chan Event, 100)
	service.Watch(func(e Event) {
		if e.Stage == "" && e.Status != "InProgress" {
			ended <- e
		}
	})
	d := pipelineOf(deploy(invoke("a", ""), invoke("b", "")))
	d.ExecutionMode = ModeParallel
	if _, err := service.CreatePipeline(t.Context(), &CreatePipelineInput{Pipeline: d}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if _, err := service.StartPipelineExecution(t.Context(), &StartPipelineExecutionInput{Name: "release"}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(30 * time.Second)
	for range 5 {
		select {
		case e := <-ended:
			if e.Status != "Succeeded" {
				t.Errorf("execution: got %s, want Succeeded", e.Status)
			}
		case <-deadline:
			t.Fatal("not every execution ended within 30 s")
		}
	}
	caller.reports.Wait()
	for _, j := range service.Jobs() {
		if j.Accepted != 1 || j.Refused != 2 {
			t.Errorf("job of %s: got %d reports accepted and %d refused, want 1 and 2", j.Action, j.Accepted, j.Refused)
		}
	}
}

// hasty answers each job three times at once; first jobs are continued.
type hasty struct {
	service *Service
	reports sync.WaitGroup
}

func (h *hasty) InvokeAsync(_ string, payload []byte) error {
	one := &functions{clock: clock.NewManual(time.Unix(0, 0)), answers: map[string]func(jobEvent){}}
	if err := one.InvokeAsync("", payload); err != nil {
		return err
	}
	job := one.jobs[0]
	in := &PutJobSuccessResultInput{JobId: job.ID}
	if job.Data.ContinuationToken == "" {
		token := "more"
		in.ContinuationToken = &token
	}
	for range 3 {
		h.reports.Go(func() { h.service.PutJobSuccessResult(context.Background(), in) })
	}
	return nil
}

type lockedObjects struct {
	mu sync.Mutex
	objects
}

func (o *lockedObjects) Put(bucket, key string, body []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.objects.Put(bucket, key, body)
}

type lockedRepository struct {
	*repository
	mu *sync.Mutex
}

func (r lockedRepository) Archive(repository, revision string) (Commit, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repository.Archive(repository, revision)
}
