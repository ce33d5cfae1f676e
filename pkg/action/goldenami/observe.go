package goldenami

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"cutover/pkg/fleet"
	"cutover/pkg/job"
)

// A World is what decide decides on. While a bake runs, only it is read.
type World struct {
	Started  time.Time         // of the attempt
	Bake     *Bake             // this attempt's or an adopted one
	Fleet    fleet.Fleet       // the group and what it launches
	Running  map[string]string // image by id of the group's instances in service
	Document Document          // read until the bake is found or started
	Others   []Bake            // earlier bakes of the fleet that still run; read with the document
	Lineage  []fleet.Image     // the fleet's images, the newest first; read with the document

	ImageID   string      // the image to release, "" while there is none
	Image     fleet.Image // ... as EC2 knows it
	Found     bool        // ... if it does
	Unfit     []string    // why the image cannot be launched by the group
	Published Parameter   // what publishTo holds
	Plan      fleet.Plan  // what separates the group from launching the image
	Refreshes []fleet.Refresh
	Lost      []fleet.Deletion // what keep removes; read once the image is released
	LostFault error            // why that is not known
}

func (a *Action) apis() fleet.APIs {
	return fleet.APIs{AutoScaling: a.clients.AutoScaling(), EC2: a.clients.EC2(), CodeDeploy: a.clients.CodeDeploy}
}

// observe reads the world, and notes in the state what it found there. What is
// wrong with it comes as one ConfigurationError.
func (a *Action) observe(ctx context.Context, j job.Job[Params], s *State) (w World, err error) {
	p := j.Params
	w.Started = j.Started
	if s.Automation != "" && s.Image == "" {
		if w.Bake, err = a.bake(ctx, s.Automation); err != nil || !w.Bake.Over() {
			return w, err
		}
	}
	faults, err := a.observeFleet(ctx, p, &w)
	if err != nil || w.Bake != nil && !w.Bake.Succeeded() { // what is wrong with the fleet is not why it failed
		return w, err
	}
	if s.Automation == "" && s.Image == "" {
		more, err := a.observeStart(ctx, j, s, &w)
		if err != nil {
			return w, err
		}
		faults = append(faults, more...)
	}
	if len(faults) > 0 {
		return w, invalid(j.ID == j.Attempt, w, faults)
	}
	if w.Bake != nil && !w.Bake.Over() { // adopted
		return w, nil
	}
	if w.ImageID, err = a.chosen(ctx, p, s, w); err != nil || !isImage(w.ImageID) {
		return w, err
	}
	s.Image = w.ImageID
	if s.Seen == 0 {
		s.Seen = j.Now.Unix()
	}
	return w, a.observeImage(ctx, j, s, &w)
}

// chosen is the image to release: the one of an earlier tick, of the bake, or
// one to be used again.
func (a *Action) chosen(ctx context.Context, p Params, s *State, w World) (string, error) {
	switch {
	case s.Image != "":
		return s.Image, nil
	case w.Bake != nil && !w.Bake.Succeeded():
		return "", nil
	case w.Bake != nil && p.ImageParameter != "":
		found, err := a.parameter(ctx, p.ImageParameter)
		return found.Value, err
	case w.Bake != nil:
		return w.Bake.output(p.imageOutput()), nil
	}
	return "", nil
}

// observeFleet reads the group and what its instances run.
func (a *Action) observeFleet(ctx context.Context, p Params, w *World) (faults []string, err error) {
	w.Fleet, faults, err = fleet.Observe(ctx, a.apis(), p.target())
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	w.Running, err = a.running(ctx, w.Fleet)
	return nil, err
}

// running reads the images of the group's instances in service. Auto Scaling
// tells them of newer instances only.
func (a *Action) running(ctx context.Context, f fleet.Fleet) (map[string]string, error) {
	var ids []string
	images := map[string]string{}
	for _, i := range f.Instances {
		switch {
		case i.LifecycleState != types.LifecycleStateInService:
		case str(i.ImageId) != "":
			images[str(i.InstanceId)] = str(i.ImageId)
		default:
			ids = append(ids, str(i.InstanceId))
		}
	}
	found, err := fleet.Instances(ctx, a.clients.EC2(), "instance-id", ids)
	for _, i := range found {
		images[str(i.InstanceId)] = str(i.ImageId)
	}
	return images, err
}

// observeStart reads what tells whether there is an image or a bake already.
func (a *Action) observeStart(ctx context.Context, j job.Job[Params], s *State, w *World) (faults []string, err error) {
	p := j.Params
	if w.Document, faults, err = a.readDocument(ctx, p); err != nil || len(faults) > 0 {
		return faults, err
	}
	if faults, err = a.observeSource(ctx, w); err != nil || len(faults) > 0 {
		return faults, err
	}
	s.Source, s.Fingerprint = w.Document.Source, p.fingerprint(w.Document)
	if w.Lineage, err = fleet.TaggedImages(ctx, a.clients.EC2(), TagFleet, tagValue(p.target().String())); err != nil {
		return nil, err
	}
	if err := a.observeBakes(ctx, p, s, w); err != nil {
		return nil, err
	}
	if s.Previous == "" {
		if s.Previous, err = a.previous(ctx, p, w.Fleet); err != nil {
			return nil, err
		}
	}
	if w.Bake == nil && !p.Force {
		if i, found := reusable(*w, p, *s, j.Now); found {
			s.Image, s.Reused = i.ID(), true
			s.Source = i.Tag(TagSource)
			if before := i.Tag(TagPrevious); before != "" {
				s.Previous = before
			}
		}
	}
	return nil, nil
}

// observeSource checks before a bake of many minutes that its image will fit
// the group: it will be of its source's architecture.
func (a *Action) observeSource(ctx context.Context, w *World) (faults []string, err error) {
	if w.Document.Source == "" {
		return nil, nil
	}
	source, found, err := fleet.FindImage(ctx, a.clients.EC2(), w.Document.Source)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return []string{fmt.Sprintf("source image %s does not exist, or is not shared with this account", w.Document.Source)}, nil
	case source.Broken() != "":
		return []string{fmt.Sprintf("source image %s %s", source.ID(), source.Broken())}, nil
	}
	infos, err := fleet.Types(ctx, a.clients.EC2(), w.Fleet.InstanceTypes())
	if err != nil {
		return nil, err
	}
	for _, why := range fleet.Unfit(source, infos) {
		faults = append(faults, "source "+why)
	}
	return faults, nil
}

// observeBakes finds a bake of this execution to adopt: one that runs, or one
// that made an image which is still good. Others of the fleet that run are
// orphans.
func (a *Action) observeBakes(ctx context.Context, p Params, s *State, w *World) error {
	own, err := a.tagged(ctx, p.executionKey())
	if err != nil {
		return err
	}
	adopt := slices.IndexFunc(own, func(b Bake) bool { return !b.Over() })
	if adopt < 0 {
		adopt = slices.IndexFunc(own, Bake.Succeeded)
	}
	if adopt >= 0 {
		if err := a.adopt(ctx, p, own[adopt], s, w); err != nil {
			return err
		}
	}
	all, err := a.tagged(ctx, p.fleetKey())
	if err != nil {
		return err
	}
	if !s.Stopped {
		s.Orphans = nil
	}
	for _, b := range all {
		if b.Over() || w.Bake != nil && b.ID == w.Bake.ID {
			continue
		}
		w.Others = append(w.Others, b)
		if len(s.Orphans) < 3 && !slices.Contains(s.Orphans, b.ID) { // the token has no room for more
			s.Orphans = append(s.Orphans, b.ID)
		}
	}
	return nil
}

// adopt makes an execution's bake this attempt's, with what it was started
// with: the source image may be another by now.
func (a *Action) adopt(ctx context.Context, p Params, listed Bake, s *State, w *World) error {
	bake, err := a.bake(ctx, listed.ID)
	if err != nil {
		return err
	}
	if bake.Succeeded() {
		id, err := a.chosen(ctx, p, &State{}, World{Bake: bake})
		if err != nil || id == "" {
			return err
		}
		i, found, err := fleet.FindImage(ctx, a.clients.EC2(), id)
		if err != nil || !found || i.Broken() != "" || revoked(i) {
			return err
		}
	}
	w.Bake, s.Automation = bake, bake.ID
	d := w.Document
	d.Given = map[string][]string{}
	for name := range w.Document.Given {
		d.Given[name] = bake.Parameters[name]
		if len(d.Given[name]) == 1 && d.Given[name][0] != "" && w.Document.Given[name][0] == d.Source {
			d.Source = d.Given[name][0]
		}
	}
	s.Source, s.Fingerprint = d.Source, ""
	if bake.Version == d.Version { // else its content is not known
		s.Fingerprint = p.fingerprint(d)
	}
	return nil
}

// previous is the image that is live before this release.
func (a *Action) previous(ctx context.Context, p Params, f fleet.Fleet) (string, error) {
	if p.PublishTo != "" {
		published, err := a.parameter(ctx, p.PublishTo)
		if err != nil || published.Value != "" {
			return published.Value, err
		}
	}
	if images := f.Images(); len(images) > 0 {
		return images[0], nil
	}
	return "", nil
}

// observeImage reads the image and how far it is released.
func (a *Action) observeImage(ctx context.Context, j job.Job[Params], s *State, w *World) (err error) {
	p := j.Params
	if w.Image, w.Found, err = fleet.FindImage(ctx, a.clients.EC2(), w.ImageID); err != nil || !w.Found {
		return err
	}
	if s.Previous == w.ImageID || s.Previous == "" { // an earlier attempt came so far
		s.Previous = w.Image.Tag(TagPrevious)
	}
	infos, err := fleet.Types(ctx, a.clients.EC2(), w.Fleet.InstanceTypes())
	if err != nil {
		return err
	}
	w.Unfit = append(owned(w.Image, j.AccountID, p.Owners), fleet.Unfit(w.Image, infos)...)
	if p.PublishTo != "" {
		if w.Published, err = a.parameter(ctx, p.PublishTo); err != nil {
			return err
		}
	}
	if err := w.Fleet.Prepare(ctx, a.apis(), w.Image); err != nil {
		return err
	}
	w.Plan = w.Fleet.Plan(w.Image)
	if p.refreshes() {
		if w.Refreshes, err = fleet.Refreshes(ctx, a.clients.AutoScaling(), w.Fleet.Name()); err != nil {
			return err
		}
	}
	if p.Keep > 0 && decide(*w, p, *s, j.Now).Kind == Release {
		w.Lost, w.LostFault = a.lost(ctx, p, *w)
	}
	return nil
}

// owned says what is wrong with the image's owner.
func owned(i fleet.Image, account string, owners []string) []string {
	owner := str(i.OwnerId)
	if owner == account || slices.Contains(owners, owner) {
		return nil
	}
	return []string{fmt.Sprintf("image %s belongs to account %s, which is neither this one nor one of owners", i.ID(), owner)}
}
