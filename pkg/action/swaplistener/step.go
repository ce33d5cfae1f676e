package swaplistener

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"cutover/pkg/bluegreen"
	"cutover/pkg/hook"
	"cutover/pkg/job"
	"cutover/pkg/record"
)

// ELB is what the action calls of Elastic Load Balancing.
type ELB interface {
	bluegreen.ELB
	bluegreen.RouteAPI
	AddTags(context.Context, *elb.AddTagsInput, ...func(*elb.Options)) (*elb.AddTagsOutput, error)
}

// ECS is what the action calls of ECS.
type ECS interface {
	bluegreen.ECS
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// Clients are how the action reaches the world. Those that are functions make
// theirs when it is first needed, and may be called often: a single pair needs none
// of them, and a release set only those of what its file asks for.
type Clients struct {
	ELB        ELB
	ECS        ECS
	SSM        func() record.API
	CloudWatch func() CloudWatch
	Lambda     func() hook.API
	Events     func() Events
	Bucket     func() Bucket // with the function's role

	// HTTP makes the client of checks. Default: one that goes through the proxy of
	// the environment.
	HTTP func() *http.Client
	// Now is AWS's time as it was heard last. Default: the job's, which in an
	// attempt's first tick is this machine's.
	Now func() time.Time
	// Log takes lines in CloudWatch's embedded metric format. Default: none.
	Log io.Writer
}

// An Action swaps listeners with the given clients.
type Action struct{ clients Clients }

// New makes the action; its [Action.Step] is what pkg/job runs.
func New(c Clients) *Action {
	if c.HTTP == nil {
		c.HTTP = sync.OnceValue(checkClient)
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return &Action{clients: c}
}

// Step moves the swap forward by at most one change.
func (a *Action) Step(ctx context.Context, j job.Job[Params], s State) (job.Result[State], error) {
	if j.Params.Release != "" {
		return a.stepSet(ctx, j, s, j.ReadInput)
	}
	w, err := a.observe(ctx, j)
	if err != nil {
		return job.Result[State]{}, err
	}
	next := decide(w, j.Params, s)
	switch next[0].Kind {
	case Fail:
		return job.Result[State]{}, job.Failed("%s; %s; start the pipeline again to release a new image", strings.Join(next[0].Why, "; "), w.Pairs[next[0].Pair].Standing())
	case Refuse:
		return job.Result[State]{}, refusal(w, next)
	case Swapped:
		return job.Done[State](summary(w, next), outputs(next[0])), nil
	}
	moved := true
	for _, d := range next {
		seen, err := a.act(ctx, w.Pairs[d.Pair], j.Params, d)
		if err != nil {
			return job.Result[State]{}, stand(err, w.Pairs[d.Pair], d)
		}
		moved = moved && seen
	}
	s.Moved = s.Moved || moved
	return job.Continue(s, percent(next[0].Kind), summary(w, next)), nil
}

// observe reads the world. Everything wrong with it comes as one
// ConfigurationError.
func (a *Action) observe(ctx context.Context, j job.Job[Params]) (World, error) {
	pair, faults, err := bluegreen.Observe(ctx, a.clients.ELB, a.clients.ECS, j.Params.Params)
	if err != nil {
		return World{}, err
	}
	if len(faults) > 0 {
		return World{}, invalid(j.ID == j.Attempt, pair, faults)
	}
	return World{Pairs: []bluegreen.Pair{pair}}, nil
}

// invalid lists the faults, with how production stands.
func invalid(first bool, pair bluegreen.Pair, faults []string) error {
	did := "Nothing was changed"
	if !first {
		did = "Nothing more was changed"
	}
	list := job.ConfigurationError(faults...).Error()
	return &job.Failure{
		Type: types.FailureTypeConfigurationError,
		Message: fmt.Sprintf("%s\n%s: %s. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead.",
			list, did, pair.Standing()),
	}
}

// act makes the decision's one change. moved tells whether production was seen
// on green.
func (a *Action) act(ctx context.Context, pair bluegreen.Pair, p Params, d Decision) (moved bool, err error) {
	green, old := d.Green.TargetGroup, d.Old.TargetGroup
	switch d.Kind {
	case Retire:
		return false, bluegreen.Tag(ctx, a.clients.ELB, old, map[string]string{bluegreen.TagExecution: bluegreen.Retired(d.Old.Execution())})
	case Shift:
		if err := a.confirm(ctx, pair, p, d); err != nil {
			return false, err
		}
		route, err := pair.Production.Shift(ctx, a.clients.ELB, bluegreen.Weight{TargetGroup: green, Weight: 100}, bluegreen.Weight{TargetGroup: old})
		return err == nil && route.PointsTo(green), err
	case RouteTest:
		_, err := pair.Test.Shift(ctx, a.clients.ELB, bluegreen.Weight{TargetGroup: old, Weight: 100})
		return true, err
	}
	if err := bluegreen.Tag(ctx, a.clients.ELB, green, map[string]string{bluegreen.TagIsProduction: "True"}); err != nil {
		return true, err
	}
	return true, bluegreen.Tag(ctx, a.clients.ELB, old, map[string]string{bluegreen.TagIsProduction: "False"})
}

// confirm reads green's name again right before production moves to it: in the
// stage before, a later execution may just have claimed it.
func (a *Action) confirm(ctx context.Context, pair bluegreen.Pair, p Params, d Decision) error {
	tags, err := bluegreen.ReadTags(ctx, a.clients.ELB, d.Green.TargetGroup)
	if err != nil {
		return err
	}
	if now := tags[d.Green.TargetGroup][bluegreen.TagExecution]; now != p.Execution {
		return job.Failed("%s just took over %s, so production was not moved to it: %s; release that execution, or start the pipeline again",
			bluegreen.DescribeExecution(now), d.Green, pair.Standing())
	}
	return nil
}

// stand says of a failed change how production stands and what to do.
func stand(err error, pair bluegreen.Pair, d Decision) error {
	name := "production"
	if d.Kind > Shift {
		name = "test"
	}
	if _, told := errors.AsType[*job.Failure](err); told {
		return err
	}
	foreign, edited := errors.AsType[*bluegreen.ForeignEditError](err)
	switch {
	case edited && foreign.AfterWrite:
		return job.Failed("the %s route: %s; look at what it forwards to now and see who else manages it, then retry the stage", name, err)
	case edited:
		return job.ConfigurationError(fmt.Sprintf("the %s route: %s; see who else manages it, then retry the stage", name, err))
	case d.Kind <= Shift:
		return fmt.Errorf("%w; when last read, %s; retry the stage once the cause is gone", err, pair.Standing())
	}
	return fmt.Errorf("%w; %s; retry the stage once the cause is gone", err, pair.Standing())
}

// refusal tells what keeps green from taking production.
func refusal(w World, next []Decision) error {
	var why []string
	for _, d := range next {
		why = append(why, d.Why...)
	}
	d := next[0]
	return job.ConfigurationError(fmt.Sprintf("%s is not fit for production: %s; so nothing was moved: %s; retry the stage once green is healthy; to deploy green again, retry all actions of the stage",
		d.Green, strings.Join(why, "; "), w.Pairs[d.Pair].Standing()))
}

func percent(k Kind) int {
	switch k {
	case Retire:
		return 20
	case Shift:
		return 40
	case RouteTest:
		return 70
	}
	return 90
}

// summary says what this tick did or saw, of the first pair it concerns.
func summary(w World, next []Decision) string {
	d := next[0]
	pair := w.Pairs[d.Pair]
	switch d.Kind {
	case Retire:
		return fmt.Sprintf("%s is ready to take production from %s, %s", d.Green, d.Old, d.Green.Health)
	case Shift:
		return fmt.Sprintf("moved production from %s to %s", d.Old, d.Green)
	case RouteTest:
		return fmt.Sprintf("pointed the test route at the old side, %s", d.Old)
	case Mark:
		return fmt.Sprintf("tagged %s as production", d.Green)
	}
	text := fmt.Sprintf("production is on %s, %s; the old side, %s, is on the test route, %s", d.Green, d.Green.Health, d.Old, d.Old.Health)
	if pair.Production.Sticky() {
		text += "; the production route is sticky: clients with its cookie may stay on the old side until the cookie ends"
	}
	return text
}

// outputs are the action's variables.
func outputs(d Decision) map[string]string {
	out := map[string]string{
		"LiveSide":            d.Green.Name(),
		"LiveService":         deref(d.Green.Service.ServiceArn),
		"LiveTargetGroup":     d.Green.TargetGroup,
		"PreviousSide":        d.Old.Name(),
		"PreviousTargetGroup": d.Old.TargetGroup,
	}
	if image := d.Green.Tags[bluegreen.TagImage]; image != "" {
		out["Image"] = image
	}
	return out
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
