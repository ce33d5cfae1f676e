package ssm

import (
	"slices"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Wire is the service's API.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "ssm",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "AmazonSSM", Naming: wire.AsIs}},
		Operations: slices.Concat(
			s.parameterOperations(), s.documentOperations(), s.commandOperations(), s.automationOperations(), s.tagOperations(),
		),
	}
}

func (s *Service) parameterOperations() []wire.Operation {
	named := func(names ...string) []string {
		arns := make([]string, len(names))
		for i, name := range names {
			arns[i] = s.accessARN(name)
		}
		return arns
	}
	return []wire.Operation{
		wire.Op("PutParameter", s.PutParameter, wire.Needs(s.putAccess)),
		wire.Op("GetParameter", s.GetParameter, wire.On(func(in *GetParameterInput) []string { return named(in.Name) })),
		wire.Op("GetParameters", s.GetParameters, wire.On(func(in *GetParametersInput) []string { return named(in.Names...) })),
		wire.Op("GetParametersByPath", s.GetParametersByPath, wire.On(func(in *GetParametersByPathInput) []string { return named(in.Path) })),
		wire.Op("GetParameterHistory", s.GetParameterHistory, wire.On(func(in *GetParameterHistoryInput) []string { return named(in.Name) })),
		wire.Op("DeleteParameter", s.DeleteParameter, wire.On(func(in *DeleteParameterInput) []string { return named(in.Name) })),
		wire.Op("DeleteParameters", s.DeleteParameters, wire.On(func(in *DeleteParametersInput) []string { return named(in.Names...) })),
		wire.Op("DescribeParameters", s.DescribeParameters),
		wire.Op("LabelParameterVersion", s.LabelParameterVersion, wire.On(func(in *LabelParameterVersionInput) []string { return named(in.Name) })),
	}
}

// accessARN is the ARN that IAM sees for a parameter's reference, which may be a
// name with a selector, or an ARN.
func (s *Service) accessARN(reference string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, _ := s.splitLocked(reference)
	return s.parameterARN(name)
}

// putAccess is what IAM must allow to put a parameter: its tags too, and a look
// at the image that it names.
func (s *Service) putAccess(in *PutParameterInput) []wire.Access {
	arn := s.accessARN(in.Name)
	overwrite := "false"
	if in.Overwrite {
		overwrite = "true"
	}
	access := []wire.Access{{Resource: arn, Context: map[string]string{"ssm:Overwrite": overwrite}}}
	if len(in.Tags) > 0 {
		access = append(access, wire.Access{Action: "ssm:AddTagsToResource", Resource: arn})
	}
	if in.DataType == imageType {
		access = append(access, wire.Access{Action: "ec2:DescribeImages", Resource: "*"})
	}
	return access
}

func (s *Service) documentOperations() []wire.Operation {
	on := func(name string) []string { return []string{s.documentARN(name)} }
	return []wire.Operation{
		wire.Op("CreateDocument", s.CreateDocument, wire.Needs(func(in *CreateDocumentInput) []wire.Access {
			access := []wire.Access{{Resource: s.documentARN(in.Name)}}
			if len(in.Tags) > 0 {
				access = append(access, wire.Access{Action: "ssm:AddTagsToResource", Resource: s.documentARN(in.Name)})
			}
			return access
		})),
		wire.Op("UpdateDocument", s.UpdateDocument, wire.On(func(in *UpdateDocumentInput) []string { return on(in.Name) })),
		wire.Op("UpdateDocumentDefaultVersion", s.UpdateDocumentDefaultVersion, wire.On(func(in *UpdateDocumentDefaultVersionInput) []string { return on(in.Name) })),
		wire.Op("DescribeDocument", s.DescribeDocument, wire.On(func(in *DescribeDocumentInput) []string { return on(in.Name) })),
		wire.Op("GetDocument", s.GetDocument, wire.On(func(in *GetDocumentInput) []string { return on(in.Name) })),
		wire.Op("DeleteDocument", s.DeleteDocument, wire.On(func(in *DeleteDocumentInput) []string { return on(in.Name) })),
		wire.Op("ListDocuments", s.ListDocuments),
		wire.Op("ListDocumentVersions", s.ListDocumentVersions, wire.On(func(in *ListDocumentVersionsInput) []string { return on(in.Name) })),
	}
}

func (s *Service) commandOperations() []wire.Operation {
	return []wire.Operation{
		wire.Op("SendCommand", s.SendCommand, wire.Needs(s.sendAccess)),
		wire.Op("GetCommandInvocation", s.GetCommandInvocation),
		wire.Op("ListCommandInvocations", s.ListCommandInvocations),
		wire.Op("ListCommands", s.ListCommands),
		wire.Op("CancelCommand", s.CancelCommand),
		wire.Op("DescribeInstanceInformation", s.DescribeInstanceInformation),
	}
}

func (s *Service) automationOperations() []wire.Operation {
	on := func(id string) []string { return []string{s.arn("automation-execution/" + id)} }
	return []wire.Operation{
		wire.Op("StartAutomationExecution", s.StartAutomationExecution, wire.Needs(s.startAccess)),
		wire.Op("GetAutomationExecution", s.GetAutomationExecution, wire.On(func(in *GetAutomationExecutionInput) []string {
			return on(in.AutomationExecutionId)
		})),
		wire.Op("DescribeAutomationExecutions", s.DescribeAutomationExecutions),
		wire.Op("DescribeAutomationStepExecutions", s.DescribeAutomationStepExecutions, wire.On(func(in *DescribeAutomationStepExecutionsInput) []string {
			return on(in.AutomationExecutionId)
		})),
		wire.Op("StopAutomationExecution", s.StopAutomationExecution, wire.On(func(in *StopAutomationExecutionInput) []string {
			return on(in.AutomationExecutionId)
		})),
		wire.Op("SendAutomationSignal", s.SendAutomationSignal, wire.On(func(in *SendAutomationSignalInput) []string {
			return on(in.AutomationExecutionId)
		})),
	}
}

func (s *Service) tagOperations() []wire.Operation {
	on := func(kind, id string) []string {
		switch kind {
		case "Document":
			return []string{s.documentARN(id)}
		case "Automation":
			return []string{s.arn("automation-execution/" + id)}
		}
		return []string{s.accessARN(id)}
	}
	return []wire.Operation{
		wire.Op("AddTagsToResource", s.AddTagsToResource, wire.On(func(in *AddTagsToResourceInput) []string { return on(in.ResourceType, in.ResourceId) })),
		wire.Op("RemoveTagsFromResource", s.RemoveTagsFromResource, wire.On(func(in *RemoveTagsFromResourceInput) []string {
			return on(in.ResourceType, in.ResourceId)
		})),
		wire.Op("ListTagsForResource", s.ListTagsForResource, wire.On(func(in *ListTagsForResourceInput) []string { return on(in.ResourceType, in.ResourceId) })),
	}
}
