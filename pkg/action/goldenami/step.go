package goldenami

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/fleet"
	"cutover/pkg/job"
)

// SSM is what the action calls of Systems Manager.
type SSM interface {
	fleet.Parameters
	DescribeDocument(context.Context, *ssm.DescribeDocumentInput, ...func(*ssm.Options)) (*ssm.DescribeDocumentOutput, error)
	DescribeAutomationExecutions(context.Context, *ssm.DescribeAutomationExecutionsInput, ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error)
	GetAutomationExecution(context.Context, *ssm.GetAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error)
	StartAutomationExecution(context.Context, *ssm.StartAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.StartAutomationExecutionOutput, error)
	StopAutomationExecution(context.Context, *ssm.StopAutomationExecutionInput, ...func(*ssm.Options)) (*ssm.StopAutomationExecutionOutput, error)
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
}

// Clients make the clients. Each is called when first needed, and may be called
// often: most ticks of a bake need the first alone.
type Clients struct {
	SSM         func() SSM
	EC2         func() fleet.EC2
	AutoScaling func() fleet.AutoScaling
	CodeDeploy  func() fleet.CodeDeploy
}

// An Action builds golden images with the given clients.
type Action struct{ clients Clients }

// New makes the action; its [Action.Step] is what pkg/job runs.
func New(c Clients) *Action { return &Action{clients: c} }

// A State is what a tick hands to the next. It only helps to find things: the
// world decides. Its zero value starts an attempt.
type State struct {
	Automation  string   `json:"a,omitempty"` // execution id of the bake
	Source      string   `json:"s,omitempty"` // what the image is made from
	Fingerprint string   `json:"f,omitempty"`
	Previous    string   `json:"p,omitempty"` // the image that was live before
	Orphans     []string `json:"o,omitempty"` // earlier bakes that ran when this attempt began
	Stopped     bool     `json:"x,omitempty"` // they were stopped
	Image       string   `json:"i,omitempty"` // the image to release
	Reused      bool     `json:"u,omitempty"`
	Seen        int64    `json:"t,omitempty"` // Unix time at which the image was first looked for
	Put         int64    `json:"w,omitempty"` // Unix time at which it was published
	Warning     string   `json:"l,omitempty"` // AWS's, of the launch template version
	Refresh     string   `json:"r,omitempty"` // id of the instance refresh
	Pruned      int      `json:"d,omitempty"` // how many things were removed
	PruneFaults int      `json:"e,omitempty"` // how often removing met a fault
	PruneFault  string   `json:"g,omitempty"` // the last of them
}

// Step moves the job forward by at most one change.
func (a *Action) Step(ctx context.Context, j job.Job[Params], s State) (job.Result[State], error) {
	w, err := a.observe(ctx, j, &s)
	if err != nil {
		return job.Result[State]{}, err
	}
	d := decide(w, j.Params, s, j.Now)
	switch d.Kind {
	case Fail:
		return job.Result[State]{}, a.failure(ctx, w, j.Params, s, d)
	case Release:
		return job.Done[State](doneSummary(w, j.Params, s), outputs(w, j.Params, s)).WithExternalID(s.Automation), nil
	}
	if s, err = a.act(ctx, w, j, d, s); err != nil {
		return job.Result[State]{}, a.stand(err, w, d)
	}
	return job.Continue(s, percent(w, d), summary(w, d, s)).WithExternalID(s.Automation), nil
}
