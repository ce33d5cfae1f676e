package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// Resources lists the CloudFormation types of Lambda.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::Lambda::Function", []string{"FunctionName", "PackageType"}, s.createResource, s.updateResource, s.deleteResource),
		resource.Define("AWS::Lambda::EventInvokeConfig", []string{"FunctionName", "Qualifier"}, s.createEventInvoke, s.putEventInvoke, s.deleteEventInvoke),
		resource.Define("AWS::Lambda::Permission", nil, s.createPermission, nil, s.deletePermission),
	}
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
type functionProperties struct {
	FunctionName string
	Settings
	Code struct {
		S3Bucket string `aws:",required"`
		S3Key    string `aws:",required"`
	} `aws:",required"`
	Architectures                []string
	PackageType                  string // Zip
	ReservedConcurrentExecutions *int
	Tags                         []resource.Tag
}

func (p *functionProperties) tags() map[string]string {
	tags := map[string]string{}
	for _, tag := range p.Tags {
		tags[tag.Key] = tag.Value
	}
	return tags
}

func (s *Service) createResource(ctx context.Context, r resource.Request, p *functionProperties) (resource.State, error) {
	name := cmp.Or(p.FunctionName, r.GeneratedName(64))
	_, err := s.CreateFunction(ctx, &CreateFunctionInput{
		FunctionName: name, Settings: p.Settings, Code: CodeSource{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key},
		Architectures: p.Architectures, PackageType: p.PackageType, Tags: p.tags(), logicalID: r.LogicalID,
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create function %s: %w", name, err)
	}
	r.PhysicalID = name
	if err := s.reserveAs(ctx, name, p.ReservedConcurrentExecutions); err != nil {
		return resource.State{}, errors.Join(fmt.Errorf("create function %s: %w", name, err), s.deleteResource(ctx, r))
	}
	return stateOf(name), nil
}

func (s *Service) reserveAs(ctx context.Context, name string, n *int) error {
	if n == nil {
		_, err := s.reserve(name, nil)
		return err
	}
	_, err := s.PutFunctionConcurrency(ctx, &PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: *n})
	return err
}

// updateResource replaces all settings: what the template no longer gives goes
// back to its default.
func (s *Service) updateResource(ctx context.Context, r resource.Request, p *functionProperties) (resource.State, error) {
	architectures := p.Architectures
	if len(architectures) == 0 {
		architectures = []string{defaults("").architecture}
	}
	if r.Changed("Code") || r.Changed("Architectures") {
		_, err := s.UpdateFunctionCode(ctx, &UpdateFunctionCodeInput{
			FunctionName: r.PhysicalID, CodeSource: CodeSource{S3Bucket: p.Code.S3Bucket, S3Key: p.Code.S3Key},
			Architectures: architectures,
		})
		if err != nil {
			return resource.State{}, fmt.Errorf("update code of function %s: %w", r.PhysicalID, err)
		}
	}
	if err := s.checkRole(p.Role); err != nil {
		return resource.State{}, fmt.Errorf("update function %s: %w", r.PhysicalID, err)
	}
	_, err := s.change(r.PhysicalID, func(f *function) error {
		st, refused := defaults(f.name).with(p.Settings)
		if refused != nil {
			return refused
		}
		st.architecture = f.settings.architecture
		f.settings, f.tags = st, p.tags()
		return nil
	})
	if err == nil {
		err = s.reserveAs(ctx, r.PhysicalID, p.ReservedConcurrentExecutions)
	}
	if err != nil {
		return resource.State{}, fmt.Errorf("update function %s: %w", r.PhysicalID, err)
	}
	return stateOf(r.PhysicalID), nil
}

func stateOf(name string) resource.State {
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Arn": arnOf(name)}}
}

func (s *Service) deleteResource(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteFunction(ctx, &NameInput{FunctionName: r.PhysicalID})
	return ignoreMissing(err, "delete function "+r.PhysicalID)
}

func ignoreMissing(err error, doing string) error {
	var refused *wire.Error
	if err == nil || errors.As(err, &refused) && refused.Code == "ResourceNotFoundException" {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html
type eventInvokeProperties struct {
	FunctionName             string `aws:",required"`
	Qualifier                string `aws:",required"`
	MaximumRetryAttempts     *int
	MaximumEventAgeInSeconds *int
}

// createEventInvoke refuses a function that has rules already, as AWS does.
func (s *Service) createEventInvoke(ctx context.Context, r resource.Request, p *eventInvokeProperties) (resource.State, error) {
	if _, err := s.GetFunctionEventInvokeConfig(ctx, &NameInput{p.FunctionName, p.Qualifier}); err == nil {
		return resource.State{}, conflict("The function %s has an EventInvokeConfig already", p.FunctionName)
	}
	r.PhysicalID = fmt.Sprintf("%s|%s", bareName(p.FunctionName), p.Qualifier)
	return s.putEventInvoke(ctx, r, p)
}

func (s *Service) putEventInvoke(ctx context.Context, r resource.Request, p *eventInvokeProperties) (resource.State, error) {
	_, err := s.PutFunctionEventInvokeConfig(ctx, &PutFunctionEventInvokeConfigInput{
		FunctionName: p.FunctionName, Qualifier: p.Qualifier,
		MaximumRetryAttempts: p.MaximumRetryAttempts, MaximumEventAgeInSeconds: p.MaximumEventAgeInSeconds,
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("put event invoke config of function %s: %w", p.FunctionName, err)
	}
	return resource.State{PhysicalID: r.PhysicalID}, nil
}

func (s *Service) deleteEventInvoke(ctx context.Context, r resource.Request) error {
	var given eventInvokeProperties
	resource.Decode(r.Properties, &given)
	_, err := s.DeleteFunctionEventInvokeConfig(ctx, &NameInput{given.FunctionName, given.Qualifier})
	return ignoreMissing(err, "delete event invoke config of function "+given.FunctionName)
}

// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html
type permissionProperties struct {
	FunctionName  string `aws:",required"`
	Action        string `aws:",required"`
	Principal     string `aws:",required"`
	SourceArn     string
	SourceAccount string
}

func (s *Service) createPermission(ctx context.Context, r resource.Request, p *permissionProperties) (resource.State, error) {
	sid := r.GeneratedName(100)
	_, err := s.AddPermission(ctx, &AddPermissionInput{
		FunctionName: p.FunctionName, StatementId: sid, Action: p.Action,
		Principal: p.Principal, SourceArn: p.SourceArn, SourceAccount: p.SourceAccount,
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("add permission to function %s: %w", p.FunctionName, err)
	}
	return resource.State{PhysicalID: sid, Attributes: map[string]any{"Id": sid}}, nil
}

func (s *Service) deletePermission(ctx context.Context, r resource.Request) error {
	var given permissionProperties
	resource.Decode(r.Properties, &given)
	_, err := s.RemovePermission(ctx, &RemovePermissionInput{FunctionName: given.FunctionName, StatementId: r.PhysicalID})
	return ignoreMissing(err, "remove permission of function "+given.FunctionName)
}
