package goldenami

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cutover/pkg/fleet"
)

// A Kind is what is to be done next.
type Kind int

// The kinds, in the order in which they come.
const (
	Fail       Kind = iota // nothing will make this right
	Stop                   // stop the bakes that earlier executions left
	Mark                   // tag the image that is live as released
	Start                  // start the bake
	Follow                 // wait for it
	AwaitImage             // wait for the image
	Tag                    // tag it
	Publish                // put its id into the parameter
	AwaitStore             // wait until it is stored there
	AwaitGroup             // wait for CodeDeploy's deployment
	Make                   // make the template version or the configuration
	Pin                    // refer to the template versions in use by number
	Update                 // update the group
	Replace                // start the instance refresh
	AwaitFleet             // wait for it
	Prune                  // remove what keep lets go
	Release                // all is done
)

// A Decision is what to do next.
type Decision struct {
	Kind    Kind
	Why     string           // of Fail and of the waits
	Invalid bool             // of Fail: something is to be corrected
	Images  []fleet.Image    // of Mark
	Refresh fleet.Refresh    // of AwaitFleet, and of Fail if one failed
	Lost    []fleet.Deletion // of Prune: things of one kind
}

// How long AWS is given for what it does on its own.
const (
	imageAppears = 5 * time.Minute // from the bake's end to the image being known
	storeChecks  = 5 * time.Minute // of an aws:ec2:image parameter
)

// decide is pure.
func decide(w World, p Params, s State, now time.Time) Decision {
	switch {
	case p.StopOrphans && slices.ContainsFunc(w.Others, stoppable):
		return Decision{Kind: Stop}
	case w.Bake != nil && !w.Bake.Over():
		return Decision{Kind: Follow}
	case w.Bake != nil && !w.Bake.Succeeded():
		return Decision{Kind: Fail, Why: bakeFailed(*w.Bake, p)}
	case w.Bake != nil && w.ImageID == "":
		return Decision{Kind: Fail, Invalid: true, Why: noImage(*w.Bake, p)}
	case w.Bake != nil && !isImage(w.ImageID):
		return Decision{Kind: Fail, Invalid: true, Why: fmt.Sprintf("%s is %q, which is not an image's id", imageFrom(p), w.ImageID)}
	case w.ImageID == "":
		return decideStart(w)
	}
	if d, decided := decideImage(w, p, s, now); decided {
		return d
	}
	return decideGroup(w, p, s)
}

// decideStart comes before a bake, which takes the place of what is live.
func decideStart(w World) Decision {
	if live, proven := proven(w); proven && !released(live) {
		return Decision{Kind: Mark, Images: []fleet.Image{live}}
	}
	return Decision{Kind: Start}
}

// decideImage takes the image to where the group may launch it.
func decideImage(w World, p Params, s State, now time.Time) (Decision, bool) {
	decision := func(kind Kind, format string, args ...any) (Decision, bool) {
		return Decision{Kind: kind, Why: fmt.Sprintf(format, args...)}, true
	}
	since := func(at int64) time.Duration { return now.Sub(time.Unix(at, 0)) }
	switch {
	case !w.Found && since(s.Seen) < imageAppears:
		return decision(AwaitImage, "EC2 does not know it yet")
	case !w.Found:
		return decision(Fail, "image %s does not exist", w.ImageID)
	case w.Image.Broken() != "":
		return decision(Fail, "image %s %s", w.ImageID, w.Image.Broken())
	case len(w.Unfit) > 0:
		return Decision{Kind: Fail, Invalid: true, Why: strings.Join(w.Unfit, "; ")}, true
	case w.Image.Pending():
		return decision(AwaitImage, "it is %s", w.Image.State)
	case revoked(w.Image):
		return decision(Fail, "image %s is revoked by its tag %s", w.ImageID, TagRevoked)
	case !s.Reused && len(missingTags(w.Image, p, s)) > 0:
		return decision(Tag, "")
	case p.PublishTo == "" || w.Published.Value == w.ImageID:
		return Decision{}, false
	case w.Published.Exists && w.Published.Type != "" && w.Published.Type != "String":
		return Decision{Kind: Fail, Invalid: true, Why: fmt.Sprintf("publishTo: parameter %s is a %s, want a String", p.PublishTo, w.Published.Type)}, true
	case s.Put == 0:
		return decision(Publish, "")
	case since(s.Put) < storeChecks:
		return decision(AwaitStore, "AWS checks it")
	}
	return decision(Fail, "parameter %s did not take image %s within %s and still holds %q: AWS stores only images that it finds with ec2:DescribeImages", p.PublishTo, w.ImageID, storeChecks, w.Published.Value)
}

// decideGroup takes the group to launching the image.
func decideGroup(w World, p Params, s State) Decision {
	set := w.Plan.Ready() && w.Plan.Update == nil
	switch {
	case w.Plan.Conflict != "":
		return Decision{Kind: Fail, Invalid: true, Why: w.Plan.Conflict}
	case set && (!p.refreshes() || w.rolledOut(s)):
		return decideReleased(w, p, s)
	case w.Fleet.Deployment != "":
		return Decision{Kind: AwaitGroup, Why: fmt.Sprintf("deployment %s of %s is not over and may replace the group", w.Fleet.Deployment, p.target())}
	case p.refreshes():
		return decideRefresh(w, p, s)
	case !w.Plan.Ready():
		return Decision{Kind: Make}
	}
	return Decision{Kind: Update}
}

// decideRefresh takes the group's instances to the image. With a template the
// refresh itself sets the group when it succeeds, so that it has something to
// go back to until then.
func decideRefresh(w World, p Params, s State) Decision {
	current, found := w.refreshing()
	ours := found && w.Plan.Ready() && (current.ID() == s.Refresh || current.Is(w.Plan, w.madeAt()))
	switch last, known := w.lastOurs(s); {
	case ours:
		return Decision{Kind: AwaitFleet, Refresh: current}
	case found:
		return Decision{Kind: Fail, Why: fmt.Sprintf("instance refresh %s of group %s is %s and was not started for image %s", current.ID(), w.Fleet.Name(), current.Status, w.ImageID)}
	case known && !last.Successful():
		return Decision{Kind: Fail, Refresh: last, Why: refreshFailed(last)}
	case known:
		return Decision{Kind: AwaitFleet, Refresh: last, Why: "the group is to take its configuration"}
	case w.Fleet.Configuration == nil && !w.Fleet.Pinned():
		// A new version would be what $Latest means, and nothing to go back to.
		return Decision{Kind: Pin}
	case !w.Plan.Ready():
		return Decision{Kind: Make}
	case w.Plan.Desired == nil && w.Plan.Update != nil:
		return Decision{Kind: Update}
	}
	return Decision{Kind: Replace}
}

// refreshing is the refresh that is in progress: there is one at most.
func (w World) refreshing() (fleet.Refresh, bool) {
	for _, r := range w.Refreshes {
		if !r.Over() {
			return r, true
		}
	}
	return fleet.Refresh{}, false
}

// lastOurs is the newest refresh of this attempt, which is over.
func (w World) lastOurs(s State) (fleet.Refresh, bool) {
	for _, r := range w.Refreshes {
		since := w.madeAt()
		inAttempt := r.StartTime != nil && !r.StartTime.Before(w.Started)
		if r.ID() == s.Refresh || inAttempt && w.Plan.Ready() && r.Is(w.Plan, since) {
			return r, true
		}
	}
	return fleet.Refresh{}, false
}

// madeAt is when the launch configuration in use was made.
func (w World) madeAt() time.Time {
	if c := w.Fleet.Configuration; c != nil && c.CreatedTime != nil {
		return *c.CreatedTime
	}
	return time.Time{}
}

// rolledOut tells whether the instances are as they are going to be: none runs
// another image, or a refresh of this attempt has left such as it was told to
// leave; and none is in progress.
func (w World) rolledOut(s State) bool {
	if _, refreshing := w.refreshing(); refreshing {
		return false
	}
	last, known := w.lastOurs(s)
	return w.runsOnly(w.ImageID) && (!known || last.Successful()) || known && last.Successful()
}

// decideReleased comes when the image is live, or will be by CodeDeploy's
// deployment.
func decideReleased(w World, p Params, s State) Decision {
	if (p.Group != "" || p.refreshes()) && !released(w.Image) {
		return Decision{Kind: Mark, Images: []fleet.Image{w.Image}}
	}
	if s.PruneFaults < pruneTries && !p.PruneDryRun && (len(w.Lost) > 0 || w.LostFault != nil) {
		return Decision{Kind: Prune, Lost: batch(w.Lost)}
	}
	return Decision{Kind: Release}
}

// reusable is the newest image that is as a bake would make it.
func reusable(w World, p Params, s State, now time.Time) (fleet.Image, bool) {
	if p.Reuse == nil || s.Fingerprint == "" {
		return fleet.Image{}, false
	}
	live, isProven := proven(w)
	for _, i := range w.Lineage {
		wasReleased := released(i) || isProven && i.ID() == live.ID()
		if i.Tag(TagFingerprint) == s.Fingerprint && wasReleased && !revoked(i) &&
			i.Broken() == "" && !i.Pending() && now.Sub(i.Created()) <= p.maxAge() {
			return i, true
		}
	}
	return fleet.Image{}, false
}

// proven is the image of the fleet that all of the group's instances in service
// run.
func proven(w World) (fleet.Image, bool) {
	for _, i := range w.Lineage {
		if w.runsOnly(i.ID()) && len(w.Running) > 0 {
			return i, true
		}
	}
	return fleet.Image{}, false
}

// runsOnly tells whether no instance in service runs another image.
func (w World) runsOnly(image string) bool {
	for _, id := range w.Running {
		if id != image {
			return false
		}
	}
	return true
}
