package goldenami

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cutover/pkg/awsclient"
	"cutover/pkg/fleet"
)

const (
	pruneTries = 3  // of removing, before it is left to the next release
	pruneBatch = 20 // how many things one tick removes
)

// lost is what keep lets go of. It is read again before each batch.
func (a *Action) lost(ctx context.Context, p Params, w World) ([]fleet.Deletion, error) {
	lineage, err := fleet.TaggedImages(ctx, a.clients.EC2(), TagFleet, tagValue(p.target().String()))
	if err != nil {
		return nil, err
	}
	h := fleet.Holdings{Parameters: []string{w.Published.Value, w.ImageID}}
	for _, i := range lineage {
		if i.State != types.ImageStateDeregistered { // which EC2 shows for a while
			h.Images = append(h.Images, fleet.HeldImage{ID: i.ID(), Created: i.Created(), Revoked: revoked(i), Protected: i.Protected()})
		}
	}
	if len(fleet.Prune(h, p.Keep)) == 0 { // whatever refers to them
		return nil, nil
	}
	if h, err = fleet.ReadHoldings(ctx, a.apis(), a.clients.SSM(), h); err != nil {
		return nil, err
	}
	return fleet.Prune(h, p.Keep), nil
}

// batch is what one tick removes: things of one kind.
func batch(all []fleet.Deletion) []fleet.Deletion {
	for i, d := range all {
		if i == pruneBatch || d.Kind != all[0].Kind {
			return all[:i]
		}
	}
	return all
}

// prune removes. Its faults are noted, never returned: the image is live.
func (a *Action) prune(ctx context.Context, w World, d Decision, s State) State {
	err := w.LostFault
	for i := 0; err == nil && i < len(d.Lost); i++ {
		if err = fleet.Delete(ctx, a.apis(), d.Lost[i]); err == nil {
			s.Pruned++
		}
	}
	if err != nil {
		s.PruneFaults++
		if !awsclient.IsTransient(err) {
			s.PruneFaults = pruneTries
		}
		s.PruneFault = pruneFault(err)
	}
	return s
}

// pruneFault is as much of an error as the token has room for: of a denied call
// first of all what to allow.
func pruneFault(err error) string {
	text := err.Error()
	if action, resource := awsclient.Denied(err); awsclient.IsDenied(err) && action != "" {
		text = fmt.Sprintf("allow %s on %s in the function's role", action, cmp.Or(resource, "*"))
	}
	return text[:min(len(text), 200)]
}

// pruned says what keep did, for the summary.
func pruned(w World, p Params, s State) string {
	var texts []string
	if s.Pruned > 0 {
		texts = append(texts, fmt.Sprintf("removed %d older things", s.Pruned))
	}
	if p.PruneDryRun && len(w.Lost) > 0 {
		names := make([]string, len(w.Lost))
		for i, d := range w.Lost {
			names[i] = d.String()
		}
		texts = append(texts, "keep would remove "+strings.Join(names, ", "))
	}
	if s.PruneFaults >= pruneTries {
		texts = append(texts, fmt.Sprintf("older images were not all removed, which is left to the next release: %s", s.PruneFault))
	} else if p.PruneDryRun && w.LostFault != nil {
		texts = append(texts, fmt.Sprintf("what keep would remove is not known: %v", w.LostFault))
	}
	return strings.Join(texts, "; ")
}
