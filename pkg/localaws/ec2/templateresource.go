package ec2

import (
	"context"
	"strconv"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

type launchTemplateProperties struct {
	LaunchTemplateName string
	LaunchTemplateData *LaunchTemplateData `aws:",required"`
	VersionDescription string
	TagSpecifications  []TagSpecification
}

// by is who makes what stacks make.
func (s *Service) by() string { return s.callerARN(context.Background()) }

func (s *Service) createTemplate(_ context.Context, r resource.Request, p *launchTemplateProperties) (resource.State, error) {
	made, err := specified(p.TagSpecifications, "launch-template")
	if err != nil {
		return resource.State{}, err
	}
	name := p.LaunchTemplateName
	if name == "" {
		name = r.GeneratedName(128)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := newID("lt", r)
	t := s.templates[id] // where the create is repeated
	if t == nil {
		if t, err = s.newTemplateLocked(id, name, *p.LaunchTemplateData, p.VersionDescription, s.by()); err != nil {
			return resource.State{}, err
		}
	}
	t.TagSet = made["launch-template"]
	return t.state(), nil
}

// updateTemplate makes a new version where the content changes, and leaves the
// default version as it is.
func (s *Service) updateTemplate(_ context.Context, r resource.Request, p *launchTemplateProperties) (resource.State, error) {
	made, err := specified(p.TagSpecifications, "launch-template")
	if err != nil {
		return resource.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.templateLocked(TemplateName{LaunchTemplateId: r.PhysicalID})
	if err != nil {
		return resource.State{}, err
	}
	if r.Changed("LaunchTemplateData") || r.Changed("VersionDescription") {
		if _, err := s.addVersionLocked(t, *p.LaunchTemplateData, p.VersionDescription, s.by()); err != nil {
			return resource.State{}, err
		}
	}
	t.TagSet = made["launch-template"]
	return t.state(), nil
}

func (t *template) state() resource.State {
	return resource.State{PhysicalID: t.LaunchTemplateId, Attributes: map[string]any{
		"LaunchTemplateId":     t.LaunchTemplateId,
		"LatestVersionNumber":  strconv.FormatInt(t.LatestVersionNumber, 10),
		"DefaultVersionNumber": strconv.FormatInt(t.DefaultVersionNumber, 10),
	}}
}

func (s *Service) deleteTemplate(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteLaunchTemplate(ctx, &DeleteLaunchTemplateInput{TemplateName{LaunchTemplateId: r.PhysicalID}})
	if refused, ok := err.(*wire.Error); ok && refused.Code == "InvalidLaunchTemplateId.NotFound" {
		return nil // which is as wanted
	}
	return err
}
