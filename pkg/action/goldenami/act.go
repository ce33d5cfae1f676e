package goldenami

import (
	"context"

	"cutover/pkg/fleet"
	"cutover/pkg/job"
)

// act makes the decision's one change and returns the state to go on with.
func (a *Action) act(ctx context.Context, w World, j job.Job[Params], d Decision, s State) (_ State, err error) {
	p := j.Params
	switch d.Kind {
	case Stop:
		for _, b := range w.Others {
			if stoppable(b) {
				if err := a.stop(ctx, b.ID); err != nil {
					return s, err
				}
			}
		}
		s.Stopped = true
	case Mark:
		for _, i := range d.Images {
			if err := fleet.TagImage(ctx, a.clients.EC2(), i, map[string]string{TagReleased: p.Execution}); err != nil {
				return s, err
			}
		}
	case Start:
		s.Automation, err = a.start(ctx, p, j.Attempt, w.Document)
	case Tag:
		err = fleet.TagImage(ctx, a.clients.EC2(), w.Image, missingTags(w.Image, p, s))
	case Publish:
		if err = a.publish(ctx, p.PublishTo, w.ImageID, w.Published); err == nil {
			s.Put = j.Now.Unix()
		}
	case Make:
		s.Warning, err = a.make(ctx, w, j.Attempt)
	case Pin:
		err = fleet.Update(ctx, a.clients.AutoScaling(), w.Fleet.Pin())
	case Update:
		err = fleet.Update(ctx, a.clients.AutoScaling(), w.Plan)
	case Replace:
		s.Refresh, err = fleet.StartRefresh(ctx, a.clients.AutoScaling(), w.Fleet.Name(), w.Plan, p.Refresh.preferences())
	case AwaitFleet:
		s.Refresh = d.Refresh.ID()
	case Prune:
		s = a.prune(ctx, w, d, s)
	}
	return s, err
}

// make makes what the group is to launch from.
func (a *Action) make(ctx context.Context, w World, attempt string) (warning string, err error) {
	if c := w.Plan.Configuration; c != nil {
		return "", fleet.CreateConfiguration(ctx, a.clients.AutoScaling(), c)
	}
	_, warning, err = fleet.CreateVersion(ctx, a.clients.EC2(), *w.Plan.Version, attempt)
	return warning[:min(len(warning), 200)], err // the token has no room for more
}
