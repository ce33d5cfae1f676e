package goldenami

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"cutover/pkg/awsclient"
	"cutover/pkg/fleet"
	"cutover/pkg/job"
)

// failure tells what failed, how the fleet stands and what to do.
func (a *Action) failure(ctx context.Context, w World, p Params, s State, d Decision) error {
	text := []string{d.Why}
	if w.Bake != nil && !w.Bake.Succeeded() {
		if left := a.builders(ctx, *w.Bake); left != "" {
			text = append(text, left)
		}
	}
	text = append(text, w.Fleet.Standing())
	switch {
	case d.Invalid:
		text = append(text, "correct this and retry the stage: the image that was baked is used; if you change the pipeline or the source for it, start the pipeline instead")
		return &job.Failure{Type: types.FailureTypeConfigurationError, Message: strings.Join(text, "; ")}
	case d.Refresh.ID() != "":
		text = append(text, fmt.Sprintf("see why the instances did not become healthy; retry the stage to refresh to %s once more, or tag it %s and push a correction", w.ImageID, TagRevoked))
	case w.Bake != nil && !w.Bake.Succeeded():
		text = append(text, "nothing was changed; correct the cause and retry the stage, which bakes anew")
	default:
		text = append(text, "see to the cause, then retry the stage")
	}
	if s.PruneFault != "" {
		text = append(text, s.PruneFault)
	}
	return job.Failed("%s", strings.Join(text, "; "))
}

// bakeFailed tells which step failed and why.
func bakeFailed(b Bake, p Params) string {
	text := fmt.Sprintf("Automation %s of document %s ended as %s", b.ID, p.Document, b.Status)
	for _, step := range b.Steps {
		status := Bake{Status: step.StepStatus}
		if !status.Over() || status.Succeeded() {
			continue
		}
		why := str(step.FailureMessage)
		if why == "" && step.FailureDetails != nil {
			why = strings.TrimSpace(str(step.FailureDetails.FailureStage) + " " + str(step.FailureDetails.FailureType))
		}
		text += fmt.Sprintf(": step %s (%s) %s", str(step.StepName), str(step.Action), ending(step.StepStatus))
		if why != "" {
			text += ": " + why
		}
		return text
	}
	if b.Failure != "" {
		text += ": " + b.Failure
	}
	return text
}

func ending(s ssmtypes.AutomationExecutionStatus) string {
	switch s {
	case ssmtypes.AutomationExecutionStatusTimedout:
		return "timed out"
	case ssmtypes.AutomationExecutionStatusCancelled:
		return "was cancelled"
	}
	return "failed"
}

// builders are instances that a failed bake has left. It is an addition to a
// failure, so what keeps it from being read is told in its place.
func (a *Action) builders(ctx context.Context, b Bake) string {
	var ids []string
	for _, step := range b.Steps {
		if str(step.Action) == "aws:runInstances" {
			ids = append(ids, step.Outputs["InstanceIds"]...)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	found, err := fleet.Instances(ctx, a.clients.EC2(), "instance-id", ids)
	if err != nil {
		return fmt.Sprintf("whether builder %s still runs is not known: %v", strings.Join(ids, ", "), err)
	}
	var left []string
	for _, i := range found {
		left = append(left, fmt.Sprintf("%s (%s)", str(i.InstanceId), i.State.Name))
	}
	if len(left) == 0 {
		return ""
	}
	return "the document has left its builder, which is to be terminated: " + strings.Join(left, ", ")
}

func imageFrom(p Params) string {
	if p.ImageParameter != "" {
		return "parameter " + p.ImageParameter
	}
	return "output " + p.imageOutput()
}

// noImage says why a bake that succeeded has no image.
func noImage(b Bake, p Params) string {
	has := "it has no outputs"
	if names := sortedKeys(b.Outputs); len(names) > 0 {
		has = "its outputs are " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("Automation %s succeeded, and %s holds no image (%s)", b.ID, imageFrom(p), has)
}

func refreshFailed(r fleet.Refresh) string {
	text := fmt.Sprintf("instance refresh %s of group %s is %s", r.ID(), str(r.AutoScalingGroupName), r.Status)
	if why := str(r.StatusReason); why != "" {
		text += ": " + why
	}
	if r.RollbackDetails != nil && str(r.RollbackDetails.RollbackReason) != "" {
		text += "; it was rolled back: " + *r.RollbackDetails.RollbackReason
	}
	return text
}

// invalid lists the faults, with how the fleet stands.
func invalid(first bool, w World, faults []string) error {
	did := "Nothing was changed"
	if !first {
		did = "Nothing more was changed"
	}
	return &job.Failure{
		Type: types.FailureTypeConfigurationError,
		Message: fmt.Sprintf("%s\n%s: %s. Correct this and retry the stage; if you change the pipeline or the source for it, start the pipeline instead.",
			job.ConfigurationError(faults...).Error(), did, w.Fleet.Standing()),
	}
}

// stand adds to a failed change how the fleet stands and what to do.
func (a *Action) stand(err error, w World, d Decision) error {
	if _, judged := errors.AsType[*job.Failure](err); judged {
		return err
	}
	standing := ""
	if w.Fleet.AutoScalingGroupName != nil {
		standing = "; " + w.Fleet.Standing()
	}
	switch {
	case d.Kind == Make && fleet.NoConfigurations(err):
		return job.ConfigurationError(fmt.Sprintf("%v%s; this account cannot make launch configurations any more: move the group to a launch template, then retry the stage, which uses the image that was baked", err, standing))
	case d.Kind == Start && awsclient.IsCode(err, "InvalidAutomationExecutionParametersException", "AutomationDefinitionNotFoundException", "AutomationDefinitionVersionNotFoundException"):
		return job.ConfigurationError(fmt.Sprintf("%v%s; correct document and parameters, then start the pipeline again", err, standing))
	}
	return fmt.Errorf("%w%s; retry the stage once the cause is gone", err, standing)
}
