package swaplistener

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
	"cutover/pkg/record"
	"cutover/pkg/release"
	"cutover/pkg/rollout"
	"cutover/pkg/rollout/preview"
)

// CloudWatch is what the action calls of CloudWatch.
type CloudWatch interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

// A setTick is one step of a release set: what was read, and what is done with it.
type setTick struct {
	*Action
	job   job.Job[Params]
	state State
	read  readFile
	file  *release.File
	store *record.Store
	plan  rollout.Plan

	seen   []bluegreen.Observation
	pairs  []bluegreen.Pair
	greens []bluegreen.Side // by pair; zero where no side carries the execution
	record record.Record    // zero before the lock is held
	world  rollout.World
	asked  bool     // a hook
	done   []string // what this tick did, for its summary
	notes  []string // what could not be told or kept, which is no fault of the release
	// waiting says who has the lock, when this release waits for it.
	waiting string
}

// readFile reads a file of an input artifact.
type readFile func(ctx context.Context, artifact, path string, limit int64) ([]byte, error)

// effects bounds what a tick does: a move is noted, written and noted again, and
// several of them fit. A tick asks one hook, which may take its time.
const effects = 16

// stepSet moves a release set forward.
func (a *Action) stepSet(ctx context.Context, j job.Job[Params], s State, read readFile) (job.Result[State], error) {
	t := &setTick{Action: a, job: j, state: s, read: read}
	result, err := t.run(ctx)
	if errors.Is(err, record.ErrStale) {
		return job.Continue(t.state, t.percent(), err.Error()+": this one looks again"), nil
	}
	return result, err
}

func (t *setTick) run(ctx context.Context) (job.Result[State], error) {
	if t.job.Params.Mode == modePlan {
		for _, read := range []func(context.Context) error{t.load, t.tellTime, t.observe} {
			if err := read(ctx); err != nil {
				return job.Result[State]{}, err
			}
		}
		return t.preview(ctx)
	}
	for _, read := range []func(context.Context) error{t.load, t.tellTime, t.observe, t.lock, t.judge, t.quiet} {
		if err := read(ctx); err != nil {
			return job.Result[State]{}, err
		}
		if t.waiting != "" {
			return job.Continue(t.state, 0, "waiting: "+t.waiting), nil
		}
	}
	if t.record.Ended != nil {
		return t.over()
	}
	for range effects {
		d := rollout.Decide(t.world, t.plan)
		switch d.Kind {
		case rollout.Note:
			if err := t.note(ctx, d.Progress); err != nil {
				return job.Result[State]{}, t.stand(err)
			}
		case rollout.Write:
			if err := t.write(ctx, d); err != nil {
				return job.Result[State]{}, t.stand(err)
			}
		case rollout.Scale:
			if err := t.scale(ctx, d); err != nil {
				return job.Result[State]{}, t.stand(err)
			}
		case rollout.Ask:
			if d.Point != rollout.PointChecks {
				if t.asked {
					return t.wait(ctx, "hook "+d.Point+" is asked next")
				}
				t.asked = true
			}
			t.ask(ctx, d.Point)
		case rollout.Wait:
			return t.wait(ctx, d.Why)
		case rollout.Refuse:
			return job.Result[State]{}, t.refuse(ctx, d.Why)
		case rollout.Stop:
			return job.Result[State]{}, t.stop(ctx, d.Why)
		case rollout.Returned:
			return job.Result[State]{}, t.returned(ctx, d.Why)
		case rollout.Shifted:
			return t.shifted(ctx, d.Why)
		}
	}
	return t.wait(ctx, "more to do at once")
}

// load reads cutover.yaml from the input artifacts.
func (t *setTick) load(ctx context.Context) error {
	for _, in := range t.job.Inputs {
		text, err := t.read(ctx, in.Name, t.job.Params.Release, release.MaxSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		file, err := release.Load(text)
		if faults, wrong := errors.AsType[release.FaultsError](err); wrong {
			lines := faults.Lines()
			for i := range lines {
				lines[i] = t.job.Params.Release + " " + lines[i]
			}
			return job.ConfigurationError(lines...)
		}
		if err != nil {
			return err
		}
		t.file, t.store = file, record.Open(t.clients.SSM(), file.Set)
		t.plan = rollout.Plan{
			Moves: file.Moves(), Healthy: file.Healthy, Deadline: t.job.Params.progress(), Checks: len(file.Checks) > 0, Blue: t.blue(),
			BeforeShift: timeout(file.Hooks.BeforeShift), AfterStep: timeout(file.Hooks.AfterStep),
			AfterShift: timeout(file.Hooks.AfterShift), OnRollback: timeout(file.Hooks.OnRollback),
		}
		return nil
	}
	var names []string
	for _, in := range t.job.Inputs {
		names = append(names, in.Name)
	}
	if len(names) == 0 {
		return job.ConfigurationError(fmt.Sprintf("release is %q, but the action has no input artifact to take it from", t.job.Params.Release))
	}
	return job.ConfigurationError(fmt.Sprintf("no input artifact has the file %q (they are %s)", t.job.Params.Release, strings.Join(names, ", ")))
}

// tellTime takes AWS's time from its answers so far. The job's own is that of the
// beginning of the tick, when a new process has heard nothing yet.
func (t *setTick) tellTime(context.Context) error {
	if t.clients.Now == nil {
		return nil
	}
	t.job.Now = t.clients.Now()
	if t.job.ID == t.job.Attempt {
		t.job.Started = t.job.Now
	}
	return nil
}

// observe reads all pairs, and finds green by its tag.
func (t *setTick) observe(ctx context.Context) error {
	seen, err := bluegreen.ObserveSet(ctx, t.clients.ELB, t.clients.ECS, preview.Pairs(t.file, t.job.Params.Execution), true)
	if err != nil {
		return err
	}
	t.seen = seen
	t.pairs, t.greens = make([]bluegreen.Pair, len(seen)), make([]bluegreen.Side, len(seen))
	t.world = rollout.World{Now: t.job.Now, Pairs: make([]rollout.Pair, len(seen)), LastCall: t.job.Started.Add(lastCall), Answers: map[string]rollout.Answer{}}
	var faults []string
	for i, o := range seen {
		name := t.file.Services[i].Name
		for _, fault := range o.Faults {
			faults = append(faults, name+": "+fault)
		}
		t.pairs[i] = o.Pair
		if len(o.Faults) == 0 {
			if why := t.identify(i); why != "" {
				faults = append(faults, name+": "+why)
			}
		}
	}
	if len(faults) > 0 {
		if t.state.Moved {
			return job.Failed("the release set %s is not as it was: %s\nNothing was touched. See who else manages it, bring it in order, then retry the stage, or shift back by hand: %s",
				t.file.Set, strings.Join(faults, "; "), t.standing())
		}
		return invalid(t.state.Generation == 0, bluegreen.Pair{}, faults)
	}
	return nil
}

// lastCall is how long after its start an attempt has no time left: CodePipeline
// ends it after 24 hours, and going back takes a while.
const lastCall = 22*time.Hour + 30*time.Minute

// identify finds a pair's green, and how the pair stands.
func (t *setTick) identify(i int) (why string) {
	pair, execution := t.pairs[i], t.job.Params.Execution
	carry := ""
	for _, side := range pair.Sides {
		switch side.Execution() {
		case execution:
			if t.greens[i].TargetGroup != "" {
				return fmt.Sprintf("both sides carry execution %s: DeployGreen has to run for it again", execution)
			}
			t.greens[i] = side
		case bluegreen.RolledBack(execution):
			t.greens[i] = side // the record tells the rest
		case bluegreen.Retired(execution):
			return fmt.Sprintf("execution %s was released before and has been replaced", execution)
		default:
			carry = side.Execution()
		}
	}
	green := t.greens[i]
	if green.TargetGroup == "" {
		if carry == "" {
			return fmt.Sprintf("no target group carries execution %s: DeployGreen has not run for it", execution)
		}
		return fmt.Sprintf("no target group carries execution %s (one carries %s): DeployGreen has not run for it, or another execution has taken green over", execution, bluegreen.DescribeExecution(carry))
	}
	t.describe(i)
	return ""
}

// describe puts a pair, as it was read or written last, before decide.
func (t *setTick) describe(i int) {
	green, pair := t.greens[i], t.pairs[i]
	blue := pair.Other(green)
	share, foreign := pair.Share(green)
	t.world.Pairs[i] = rollout.Pair{
		Name: t.file.Services[i].Name, Share: release.Weight(share), Foreign: foreign,
		Green: side(green), Blue: side(blue), Busy: unknown,
	}
}

func side(s bluegreen.Side) rollout.Side {
	return rollout.Side{Healthy: s.Health.Healthy, Desired: int(s.Service.DesiredCount), Unready: s.Incomplete()}
}

// lock takes the set's lock on the first tick, and afterwards sees that it is
// still held and what people have said.
func (t *setTick) lock(ctx context.Context) error {
	look, err := t.store.Read(ctx, t.state.Generation)
	if err != nil {
		return err
	}
	if t.state.Generation > 0 && look.Found {
		if look.Lost {
			return job.Failed("release set %s: the lock of execution %s expired, and another release has it now, so nothing more was touched: %s; start the pipeline again", t.file.Set, t.job.Params.Execution, t.standing())
		}
		t.record = look.Record
	} else if err := t.acquire(ctx, look.Freeze); err != nil || t.waiting != "" {
		return err
	} else if look, err = t.store.Read(ctx, t.record.Generation); err != nil {
		return err
	}
	t.state.Generation = t.record.Generation
	t.state.Moved = t.record.Progress.Move >= 0
	t.world.Progress = t.record.Progress
	t.world.Abort, t.world.Hold, t.world.Promote = look.Abort, look.Hold, look.Promote
	if look.Resume != nil {
		t.world.Approved = look.Resume.Move
	}
	return nil
}

// acquire takes the lock, or the release up where an earlier attempt left it.
func (t *setTick) acquire(ctx context.Context, freeze *record.Said) error {
	if freeze != nil {
		return job.ConfigurationError(fmt.Sprintf("release set %s is frozen by %s since %s%s: unfreeze it, then retry the stage", t.file.Set, freeze.By, freeze.At.UTC().Format(time.RFC3339), because(freeze.Reason)))
	}
	now := t.job.Now
	r, err := t.store.Acquire(ctx, now, record.Record{
		Execution: t.job.Params.Execution, Strategy: t.file.Traffic.Strategy(), Started: now, Expires: now.Add(t.expiry()),
		Commit: t.job.Params.commit(), Images: t.images(), Progress: record.Progress{Move: -1},
	})
	held, isHeld := errors.AsType[*record.HeldError](err)
	lost, isLost := errors.AsType[*record.LostError](err)
	switch {
	case isHeld && t.file.Lock.WhenHeld == "wait":
		t.waiting = held.Error()
		return nil
	case isHeld:
		return job.ConfigurationError(fmt.Sprintf("%v; retry the stage when it has ended", held))
	case isLost:
		return job.Failed("%v; start the pipeline again", lost)
	case err != nil:
		return err
	}
	if r.Ended != nil && r.Verdict == record.Failed { // it was stopped, and now somebody retries it
		r.Ended, r.Verdict, r.Why, r.Expires = nil, "", "", now.Add(t.expiry())
		if r, err = t.store.Put(ctx, r); err != nil {
			return err
		}
	}
	t.record = r
	if r.Revision == 0 && r.Started.Equal(now) {
		t.announce(ctx, started)
	}
	return nil
}

func (t *setTick) expiry() time.Duration { return t.file.Lock.Expires.Or(time.Hour) }

// images are what is released, by service.
func (t *setTick) images() map[string]string {
	images := map[string]string{}
	for i, green := range t.greens {
		if image := green.Tags[bluegreen.TagImage]; image != "" {
			images[t.file.Services[i].Name] = image
		}
	}
	return images
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}
