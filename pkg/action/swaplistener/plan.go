package swaplistener

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/job"
	"cutover/pkg/record"
	"cutover/pkg/rollout"
	"cutover/pkg/rollout/preview"
)

// approved sees, as long as nothing has moved, that the plan is the one that was
// approved.
func (t *setTick) approved() {
	want := t.job.Params.PlanDigest
	if want == "" || t.record.Progress.Move >= 0 || t.record.Ended != nil {
		return
	}
	if now := preview.New(t.file, t.seen, nil).Digest; now != want {
		t.world.Bad = append(t.world.Bad, fmt.Sprintf("the plan is not the one that was approved: its digest is %s, approved was %s; since then cutover.yaml, a route or a service has changed; plan and approve it again", now, want))
	}
}

// preview ends a job that is only to plan. Nothing is changed, and no lock taken.
// Hooks are not asked: what they do is not known.
func (t *setTick) preview(ctx context.Context) (job.Result[State], error) {
	c := t.clients
	p, err := preview.Read(ctx, preview.APIs{ELB: c.ELB, ECS: c.ECS, Alarms: c.CloudWatch(), SSM: c.SSM()}, t.file, func() time.Time { return t.job.Now })
	if err != nil {
		return job.Result[State]{}, err
	}
	p.Obstacles = append(p.Obstacles, t.unchecked(ctx)...)
	text := strings.Join(planned(p, t.job.Params.Execution), "\n")
	return job.Done[State](text, map[string]string{
		"Plan": text, "PlanDigest": p.Digest, "ReleaseSet": p.Set, "Obstacles": fmt.Sprint(len(p.Obstacles)),
	}), nil
}

// unchecked makes the checks, where there are any and nothing else is in their way.
func (t *setTick) unchecked(ctx context.Context) []string {
	t.world.Progress = record.Progress{Move: -1}
	plan := t.plan
	plan.BeforeShift = 0
	if d := rollout.Decide(t.world, plan); d.Kind != rollout.Ask {
		return nil
	}
	if answer := t.check(ctx); answer.Failed {
		return []string{answer.Why}
	}
	return nil
}

// planned are the lines of a plan. CodePipeline shows a summary's first 2,048
// characters, so what decides comes first.
func planned(p *preview.Preview, execution string) []string {
	lines := []string{fmt.Sprintf("plan %s of release set %s, execution %s: %s; nothing was changed", p.Digest, p.Set, execution, p.Strategy)}
	for _, o := range p.Obstacles {
		lines = append(lines, "it would not start now: "+o)
	}
	for i, m := range p.Moves {
		then := "then on at once"
		switch last := i == len(p.Moves)-1; {
		case m.Approval:
			then = "until somebody resumes it"
		case last && m.Pause == 0:
			then = "and is done"
		case last:
			then = "and bakes for " + m.Pause.String()
		case m.Pause > 0:
			then = "for " + m.Pause.String()
		}
		lines = append(lines, fmt.Sprintf("%d. green gets %v %%, %s", i+1, m.Percent, then))
	}
	for _, s := range p.Services {
		image := ""
		if s.Gains.Image != "" {
			image = ", image " + s.Gains.Image
		}
		lines = append(lines, fmt.Sprintf("%s: production (%s) goes from %s to %s%s", s.Name, s.Route, s.Live.Service, s.Gains.Service, image))
	}
	return append(lines, p.Notes...)
}
