package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// A Stack is a template with its parameters.
type Stack struct {
	Name       string
	Template   []byte
	Parameters map[string]string
}

// Put creates or updates a stack, waits until it is done, and returns its
// outputs. A failure says which resource failed first, and why.
func Put(ctx context.Context, client *cloudformation.Client, s Stack) (map[string]string, error) {
	var parameters []types.Parameter
	for name, value := range s.Parameters {
		parameters = append(parameters, types.Parameter{ParameterKey: &name, ParameterValue: &value})
	}
	capabilities := []types.Capability{types.CapabilityCapabilityIam, types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand}
	template := string(s.Template)
	_, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &s.Name, TemplateBody: &template, Parameters: parameters, Capabilities: capabilities,
	})
	if _, exists := errors.AsType[*types.AlreadyExistsException](err); exists {
		_, err = client.UpdateStack(ctx, &cloudformation.UpdateStackInput{
			StackName: &s.Name, TemplateBody: &template, Parameters: parameters, Capabilities: capabilities,
		})
		if unchanged(err) {
			return Outputs(ctx, client, s.Name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("deploy stack %s: %w", s.Name, err)
	}
	if err := await(ctx, client, s.Name); err != nil {
		return nil, err
	}
	return Outputs(ctx, client, s.Name)
}

// unchanged recognises an update with nothing to do. CloudFormation has no code
// of its own for it, only this message.
func unchanged(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && e.ErrorCode() == "ValidationError" && strings.Contains(e.ErrorMessage(), "No updates are to be performed")
}

// await polls a stack until its work has ended.
func await(ctx context.Context, client *cloudformation.Client, name string) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil {
			return fmt.Errorf("describe stack %s: %w", name, err)
		}
		switch status := described.Stacks[0].StackStatus; {
		case strings.HasSuffix(string(status), "_IN_PROGRESS"):
		case status == types.StackStatusCreateComplete, status == types.StackStatusUpdateComplete:
			return nil
		default:
			return fmt.Errorf("deploy stack %s: it ended as %s: %s", name, status, firstFailure(ctx, client, name))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("deploy stack %s: %w", name, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// firstFailure finds the resource that failed before others did.
func firstFailure(ctx context.Context, client *cloudformation.Client, name string) string {
	events, err := client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &name})
	if err != nil {
		return err.Error()
	}
	for _, e := range slices.Backward(events.StackEvents) { // they come newest first
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") {
			return fmt.Sprintf("%s (%s): %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), aws.ToString(e.ResourceStatusReason))
		}
	}
	return "no event says why"
}

// Outputs are a stack's outputs by key.
func Outputs(ctx context.Context, client *cloudformation.Client, name string) (map[string]string, error) {
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return nil, fmt.Errorf("describe stack %s: %w", name, err)
	}
	outputs := map[string]string{}
	for _, o := range described.Stacks[0].Outputs {
		outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return outputs, nil
}
