package goldenami

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"cutover/pkg/awsclient"
)

// A Bake is one execution of an Automation document.
type Bake struct {
	ID      string
	Status  types.AutomationExecutionStatus // "" while AWS does not know of it yet
	Failure string                          // AWS's message, of a failed one
	Outputs map[string][]string

	// What follows is not known of one that was only listed.
	Steps      []types.StepExecution // in order
	Version    string                // the document's
	Parameters map[string][]string
}

// The states in which an execution stays. What is not among them, or not known,
// runs.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-automation-status.html
var (
	succeeded = []types.AutomationExecutionStatus{types.AutomationExecutionStatusSuccess, types.AutomationExecutionStatusCompletedWithSuccess}
	failed    = []types.AutomationExecutionStatus{
		types.AutomationExecutionStatusFailed, types.AutomationExecutionStatusTimedout, types.AutomationExecutionStatusCancelled,
		types.AutomationExecutionStatusRejected, types.AutomationExecutionStatusCompletedWithFailure,
		types.AutomationExecutionStatusChangeCalendarOverrideRejected, types.AutomationExecutionStatusExited,
	}
)

// Succeeded tells whether it ended well.
func (b Bake) Succeeded() bool { return slices.Contains(succeeded, b.Status) }

// Over tells whether it will change nothing more.
func (b Bake) Over() bool { return b.Succeeded() || slices.Contains(failed, b.Status) }

// stoppable tells whether it runs and is not being stopped yet.
func stoppable(b Bake) bool {
	return !b.Over() && b.Status != types.AutomationExecutionStatusCancelling
}

// output is the first value of an output.
func (b Bake) output(name string) string {
	for _, value := range b.Outputs[name] {
		if value != "" {
			return value
		}
	}
	return ""
}

// bake reads an execution. AWS may not know for moments of one it has started.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetAutomationExecution.html
func (a *Action) bake(ctx context.Context, id string) (*Bake, error) {
	out, err := a.clients.SSM().GetAutomationExecution(ctx, &ssm.GetAutomationExecutionInput{AutomationExecutionId: &id})
	switch {
	case awsclient.IsCode(err, "AutomationExecutionNotFoundException"):
		return &Bake{ID: id}, nil
	case err != nil:
		return nil, fmt.Errorf("get Automation execution %s: %w", id, err)
	}
	e := out.AutomationExecution
	return &Bake{ID: id, Status: e.AutomationExecutionStatus, Failure: str(e.FailureMessage), Outputs: e.Outputs, Steps: e.StepExecutions, Version: str(e.DocumentVersion), Parameters: e.Parameters}, nil
}

// tagged lists the last executions with a tag, the newest first.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeAutomationExecutions.html
func (a *Action) tagged(ctx context.Context, key string) ([]Bake, error) {
	out, err := a.clients.SSM().DescribeAutomationExecutions(ctx, &ssm.DescribeAutomationExecutionsInput{
		Filters: []types.AutomationExecutionFilter{{Key: types.AutomationExecutionFilterKeyTagKey, Values: []string{key}}},
	})
	if err != nil {
		return nil, fmt.Errorf("describe Automation executions tagged %s: %w", key, err)
	}
	listed := out.AutomationExecutionMetadataList
	slices.SortStableFunc(listed, func(x, y types.AutomationExecutionMetadata) int {
		if x.ExecutionStartTime == nil || y.ExecutionStartTime == nil {
			return 0
		}
		return y.ExecutionStartTime.Compare(*x.ExecutionStartTime)
	})
	bakes := make([]Bake, len(listed))
	for i, e := range listed {
		bakes[i] = Bake{ID: str(e.AutomationExecutionId), Status: e.AutomationExecutionStatus, Failure: str(e.FailureMessage), Outputs: e.Outputs}
	}
	return bakes, nil
}

// digest stands for a fleet in a tag's key, which takes fewer characters than
// names have.
func (p Params) digest() string {
	sum := sha256.Sum256([]byte(p.target().String()))
	return hex.EncodeToString(sum[:6])
}

func (p Params) executionKey() string { return "cutover:execution:" + p.Execution + ":" + p.digest() }
func (p Params) fleetKey() string     { return "cutover:fleet:" + p.digest() }

// start starts the Automation; id is "" when the next look is to tell. AWS
// answers a token that it knows with the execution that it has, unless the
// parameters differ: the source image may be another by now. Then it runs, and
// is found by its tags.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
func (a *Action) start(ctx context.Context, p Params, attempt string, d Document) (id string, err error) {
	in := &ssm.StartAutomationExecutionInput{
		DocumentName: &p.Document,
		Parameters:   map[string][]string{},
		ClientToken:  ptr(uuid("start", attempt)),
		Tags: []types.Tag{
			{Key: ptr("cutover:execution"), Value: &p.Execution},
			{Key: ptr(p.executionKey()), Value: ptr(tagValue(p.target().String()))},
			{Key: ptr(p.fleetKey()), Value: ptr(tagValue(p.target().String()))},
		},
	}
	if d.Version != "" {
		in.DocumentVersion = &d.Version // the one that the fingerprint is of
	}
	for name, values := range d.Given {
		in.Parameters[name] = values
	}
	out, err := a.clients.SSM().StartAutomationExecution(ctx, in)
	switch {
	case awsclient.IsCode(err, "IdempotentParameterMismatch", "AutomationExecutionLimitExceededException"):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("start Automation %s: %w", p.Document, err)
	}
	return str(out.AutomationExecutionId), nil
}

// stop stops an execution; one that is over by now is no fault.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StopAutomationExecution.html
func (a *Action) stop(ctx context.Context, id string) error {
	_, err := a.clients.SSM().StopAutomationExecution(ctx, &ssm.StopAutomationExecutionInput{AutomationExecutionId: &id, Type: types.StopTypeCancel})
	if err != nil && !awsclient.IsCode(err, "InvalidAutomationStatusUpdateException", "AutomationExecutionNotFoundException") {
		return fmt.Errorf("stop Automation execution %s: %w", id, err)
	}
	return nil
}

// uuid is a token of 36 characters that is the same for the same parts.
func uuid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, variant 1: RFC 9562
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func ptr[T any](v T) *T { return &v }
