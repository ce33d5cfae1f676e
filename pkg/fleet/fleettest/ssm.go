package fleettest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// SystemsManager is the world's Systems Manager, with one document.
type SystemsManager struct{ w *World }

// SSM returns the world's Systems Manager.
func (w *World) SSM() SystemsManager { return SystemsManager{w} }

// DescribeDocument answers version 1 of the document.
func (s SystemsManager) DescribeDocument(_ context.Context, in *ssm.DescribeDocumentInput, _ ...func(*ssm.Options)) (*ssm.DescribeDocumentOutput, error) {
	return call(s.w, "DescribeDocument", func() (*ssm.DescribeDocumentOutput, error) {
		if *in.Name != Document {
			return refuse[ssm.DescribeDocumentOutput]("InvalidDocument", "")
		}
		return &ssm.DescribeDocumentOutput{Document: &types.DocumentDescription{
			Name: in.Name, DocumentType: types.DocumentTypeAutomation, DocumentVersion: ptr("1"), Hash: ptr(s.w.DocumentHash), Parameters: s.w.DocumentParams,
		}}, nil
	})
}

var steps = []string{"launchInstance", "updateOSSoftware", "createImage", "terminateInstance"}

// StartAutomationExecution starts a bake, or replays its token's.
func (s SystemsManager) StartAutomationExecution(_ context.Context, in *ssm.StartAutomationExecutionInput, _ ...func(*ssm.Options)) (*ssm.StartAutomationExecutionOutput, error) {
	return call(s.w, "StartAutomationExecution", func() (*ssm.StartAutomationExecutionOutput, error) {
		w := s.w
		if len(*in.ClientToken) != 36 || len(in.Tags) > 5 {
			return refuse[ssm.StartAutomationExecutionOutput]("ValidationException", "token or tags")
		}
		if known := w.Tokens[*in.ClientToken]; known != "" {
			before := w.bake(known).Parameters
			if !maps.EqualFunc(before, in.Parameters, slices.Equal) {
				return refuse[ssm.StartAutomationExecutionOutput]("IdempotentParameterMismatch", "")
			}
			return &ssm.StartAutomationExecutionOutput{AutomationExecutionId: ptr(known)}, nil
		}
		b := &Bake{Tags: map[string]string{}}
		w.numbered++
		b.AutomationExecutionId = ptr(fmt.Sprintf("00000000-0000-4000-8000-%012d", w.numbered))
		b.AutomationExecutionStatus, b.DocumentName, b.DocumentVersion = types.AutomationExecutionStatusInprogress, in.DocumentName, in.DocumentVersion
		b.ExecutionStartTime, b.Parameters, b.Outputs = ptr(w.Now), in.Parameters, map[string][]string{}
		for _, t := range in.Tags {
			b.Tags[*t.Key] = *t.Value
		}
		for i, name := range steps {
			step := types.StepExecution{StepName: ptr(name), StepStatus: types.AutomationExecutionStatusPending, Action: ptr("aws:" + name)}
			if i == 0 {
				step.StepStatus, step.Action = types.AutomationExecutionStatusInprogress, ptr("aws:runInstances")
			}
			b.StepExecutions = append(b.StepExecutions, step)
		}
		w.Bakes = append(w.Bakes, b)
		w.Tokens[*in.ClientToken] = *b.AutomationExecutionId
		return &ssm.StartAutomationExecutionOutput{AutomationExecutionId: b.AutomationExecutionId}, nil
	})
}

func (w *World) bake(id string) *Bake {
	i := slices.IndexFunc(w.Bakes, func(b *Bake) bool { return *b.AutomationExecutionId == id })
	if i < 0 {
		return nil
	}
	return w.Bakes[i]
}

// advanceBake ends the running step and begins the next.
func (w *World) advanceBake(b *Bake) {
	switch b.AutomationExecutionStatus {
	case types.AutomationExecutionStatusCancelling:
		b.AutomationExecutionStatus = types.AutomationExecutionStatusCancelled
		return
	case types.AutomationExecutionStatusInprogress:
	default:
		return
	}
	at := slices.IndexFunc(b.StepExecutions, func(s types.StepExecution) bool {
		return s.StepStatus == types.AutomationExecutionStatusInprogress
	})
	step := &b.StepExecutions[at]
	if *step.StepName == w.FailStep {
		step.StepStatus, step.FailureMessage = types.AutomationExecutionStatusFailed, ptr("it broke")
		b.AutomationExecutionStatus, b.FailureMessage = types.AutomationExecutionStatusFailed, ptr("Step fails.")
		return
	}
	step.StepStatus = types.AutomationExecutionStatusSuccess
	if *step.StepName == "createImage" && !w.NoImage {
		id := w.next("ami-0")
		w.AddImage(id, nil).State = "pending"
		b.Outputs["createImage.ImageId"] = []string{id}
	}
	if at+1 == len(b.StepExecutions) {
		b.AutomationExecutionStatus = types.AutomationExecutionStatusSuccess
		return
	}
	b.StepExecutions[at+1].StepStatus = types.AutomationExecutionStatusInprogress
}

// GetAutomationExecution answers a bake.
func (s SystemsManager) GetAutomationExecution(_ context.Context, in *ssm.GetAutomationExecutionInput, _ ...func(*ssm.Options)) (*ssm.GetAutomationExecutionOutput, error) {
	return call(s.w, "GetAutomationExecution", func() (*ssm.GetAutomationExecutionOutput, error) {
		b := s.w.bake(*in.AutomationExecutionId)
		if b == nil {
			return refuse[ssm.GetAutomationExecutionOutput]("AutomationExecutionNotFoundException", "")
		}
		return &ssm.GetAutomationExecutionOutput{AutomationExecution: ptr(clone(b.AutomationExecution))}, nil
	})
}

// DescribeAutomationExecutions lists bakes by a tag's key, the newest first.
func (s SystemsManager) DescribeAutomationExecutions(_ context.Context, in *ssm.DescribeAutomationExecutionsInput, _ ...func(*ssm.Options)) (*ssm.DescribeAutomationExecutionsOutput, error) {
	return call(s.w, "DescribeAutomationExecutions", func() (*ssm.DescribeAutomationExecutionsOutput, error) {
		out := &ssm.DescribeAutomationExecutionsOutput{}
		for _, b := range slices.Backward(s.w.Bakes) {
			if _, tagged := b.Tags[in.Filters[0].Values[0]]; tagged {
				out.AutomationExecutionMetadataList = append(out.AutomationExecutionMetadataList, types.AutomationExecutionMetadata{
					AutomationExecutionId: b.AutomationExecutionId, AutomationExecutionStatus: b.AutomationExecutionStatus,
					ExecutionStartTime: b.ExecutionStartTime, Outputs: clone(b.Outputs),
				})
			}
		}
		return out, nil
	})
}

// StopAutomationExecution cancels a bake that runs.
func (s SystemsManager) StopAutomationExecution(_ context.Context, in *ssm.StopAutomationExecutionInput, _ ...func(*ssm.Options)) (*ssm.StopAutomationExecutionOutput, error) {
	return call(s.w, "StopAutomationExecution", func() (*ssm.StopAutomationExecutionOutput, error) {
		b := s.w.bake(*in.AutomationExecutionId)
		if b.AutomationExecutionStatus != types.AutomationExecutionStatusInprogress {
			return refuse[ssm.StopAutomationExecutionOutput]("InvalidAutomationStatusUpdateException", "")
		}
		b.AutomationExecutionStatus = types.AutomationExecutionStatusCancelling
		return &ssm.StopAutomationExecutionOutput{}, nil
	})
}

// GetParameter answers a parameter.
func (s SystemsManager) GetParameter(_ context.Context, in *ssm.GetParameterInput, _ ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return call(s.w, "GetParameter", func() (*ssm.GetParameterOutput, error) {
		p := s.w.Parameters[*in.Name]
		if p == nil {
			return refuse[ssm.GetParameterOutput]("ParameterNotFound", "")
		}
		return &ssm.GetParameterOutput{Parameter: ptr(clone(*p))}, nil
	})
}

// GetParameters answers those that exist.
func (s SystemsManager) GetParameters(_ context.Context, in *ssm.GetParametersInput, _ ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	return call(s.w, "GetParameters", func() (*ssm.GetParametersOutput, error) {
		out := &ssm.GetParametersOutput{}
		for _, name := range in.Names {
			if p := s.w.Parameters[name]; p != nil {
				out.Parameters = append(out.Parameters, clone(*p))
			}
		}
		return out, nil
	})
}

// DescribeParameters lists those of a data type.
func (s SystemsManager) DescribeParameters(_ context.Context, in *ssm.DescribeParametersInput, _ ...func(*ssm.Options)) (*ssm.DescribeParametersOutput, error) {
	return call(s.w, "DescribeParameters", func() (*ssm.DescribeParametersOutput, error) {
		out := &ssm.DescribeParametersOutput{}
		for _, name := range slices.Sorted(maps.Keys(s.w.Parameters)) {
			if str(s.w.Parameters[name].DataType) == in.ParameterFilters[0].Values[0] {
				out.Parameters = append(out.Parameters, types.ParameterMetadata{Name: ptr(name)})
			}
		}
		return out, nil
	})
}

// PutParameter stores a text at once, and an image after a check.
func (s SystemsManager) PutParameter(_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	return call(s.w, "PutParameter", func() (*ssm.PutParameterOutput, error) {
		switch {
		case s.w.Parameters[*in.Name] != nil && !*in.Overwrite:
			return refuse[ssm.PutParameterOutput]("ParameterAlreadyExists", "")
		case str(in.DataType) == "aws:ec2:image":
			s.w.pending[*in.Name] = *in.Value
		default:
			s.w.Store(*in.Name, *in.Value, str(in.DataType))
		}
		return &ssm.PutParameterOutput{}, nil
	})
}
