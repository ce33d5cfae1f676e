package ec2

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// LaunchTemplate is a launch template as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_LaunchTemplate.html
type LaunchTemplate struct {
	LaunchTemplateId     string
	LaunchTemplateName   string
	CreateTime           time.Time
	CreatedBy            string
	DefaultVersionNumber int64
	LatestVersionNumber  int64
	TagSet               []Tag
}

type template struct {
	LaunchTemplate
	place    int
	versions []*version // by number; deleted ones leave a gap
	numbered int64      // the highest number ever given
}

// A TemplateName names a launch template by one of the two.
type TemplateName struct {
	LaunchTemplateId   string
	LaunchTemplateName string
}

var (
	templateID    = regexp.MustCompile(`^lt-([0-9a-f]{8}|[0-9a-f]{17})$`)
	templateNames = regexp.MustCompile(`^[a-zA-Z0-9().\-/_]{3,128}$`)
)

// templateLocked finds the launch template of a name.
func (s *Service) templateLocked(name TemplateName) (*template, error) {
	switch {
	case name.LaunchTemplateId != "" && name.LaunchTemplateName != "":
		return nil, wire.Errorf("InvalidParameterCombination", "Either a launch template ID or a launch template name may be specified, not both.")
	case name.LaunchTemplateId == "" && name.LaunchTemplateName == "":
		return nil, wire.Errorf("MissingParameter", "Either a launch template ID or a launch template name must be specified in the request.")
	case name.LaunchTemplateId == "":
		for _, t := range s.templates {
			if t.LaunchTemplateName == name.LaunchTemplateName {
				return t, nil
			}
		}
		return nil, wire.Errorf("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %s, does not exist.", name.LaunchTemplateName)
	case !templateID.MatchString(name.LaunchTemplateId):
		return nil, wire.Errorf("InvalidLaunchTemplateId.Malformed", "Invalid id: %q", name.LaunchTemplateId)
	}
	t, ok := s.templates[name.LaunchTemplateId]
	if !ok {
		return nil, wire.Errorf("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist.", name.LaunchTemplateId)
	}
	return t, nil
}

// CreateLaunchTemplateInput asks for a launch template and its first version.
type CreateLaunchTemplateInput struct {
	LaunchTemplateName string                     `aws:",required"`
	LaunchTemplateData *requestLaunchTemplateData `aws:",required"`
	VersionDescription string
	ClientToken        string
	TagSpecifications  []tagSpecificationRequest `aws:"TagSpecification"`
}

// CreateLaunchTemplateOutput shows it, with what is wrong with its content.
type CreateLaunchTemplateOutput struct {
	LaunchTemplate LaunchTemplate
	Warning        *ValidationWarning
}

// ValidationWarning are the faults of a launch template's content.
type ValidationWarning struct{ ErrorSet []ValidationError }

// ValidationError is one of them.
type ValidationError struct {
	Code    string
	Message string
}

// CreateLaunchTemplate answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
func (s *Service) CreateLaunchTemplate(ctx context.Context, in *CreateLaunchTemplateInput) (*CreateLaunchTemplateOutput, error) {
	asked := *in
	asked.ClientToken = ""
	parameters := fingerprint(asked)
	data := in.LaunchTemplateData.data()
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.repeatedLocked("CreateLaunchTemplate", in.ClientToken, parameters)
	if err != nil {
		return nil, err
	}
	t := s.templates[id]
	if t == nil {
		made, err := specified(plainSpecifications(in.TagSpecifications), "launch-template")
		if err != nil {
			return nil, err
		}
		t, err = s.newTemplateLocked(randomID("lt"), in.LaunchTemplateName, data, in.VersionDescription, s.callerARN(ctx))
		if err != nil {
			return nil, err
		}
		t.TagSet = made["launch-template"]
		s.answerLocked("CreateLaunchTemplate", in.ClientToken, parameters, t.LaunchTemplateId)
	}
	return &CreateLaunchTemplateOutput{LaunchTemplate: t.LaunchTemplate, Warning: s.warningLocked(data)}, nil
}

// callerARN is who calls; the account itself where the embedded AWS does.
func (s *Service) callerARN(ctx context.Context) string {
	if caller := wire.Caller(ctx); caller.ARN != "" {
		return caller.ARN
	}
	return "arn:aws:iam::" + s.Account + ":root"
}

func (s *Service) newTemplateLocked(id, name string, data LaunchTemplateData, description, by string) (*template, error) {
	if !templateNames.MatchString(name) {
		return nil, wire.Errorf("InvalidLaunchTemplateName.MalformedException",
			"A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: ( ) . / _ -")
	}
	for _, t := range s.templates {
		if t.LaunchTemplateName == name {
			return nil, wire.Errorf("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
		}
	}
	t := &template{place: s.nextLocked(), LaunchTemplate: LaunchTemplate{
		LaunchTemplateId: id, LaunchTemplateName: name, CreateTime: s.Clock.Now(), CreatedBy: by, DefaultVersionNumber: 1,
	}}
	if _, err := s.addVersionLocked(t, data, description, by); err != nil {
		return nil, err
	}
	s.templates[id] = t
	return t, nil
}

// warningLocked lists what would keep instances from being launched.
func (s *Service) warningLocked(data LaunchTemplateData) *ValidationWarning {
	var faults []ValidationError
	note := func(err error) {
		if refused, ok := err.(*wire.Error); ok {
			faults = append(faults, ValidationError{refused.Code, refused.Message})
		}
	}
	var images []*image
	if data.ImageId != "" && !strings.HasPrefix(data.ImageId, resolvePrefix) {
		found, err := s.findImagesLocked([]string{data.ImageId})
		note(err)
		images = found
	}
	if data.InstanceType != "" {
		t, err := launchable(data.InstanceType)
		note(err)
		for _, i := range images {
			if err == nil {
				note(fits(t, i.Image))
			}
		}
	}
	for _, id := range data.network("").groups {
		if _, ok := s.groups[id]; !ok {
			note(wire.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", id))
		}
	}
	_, err := userData(data.UserData)
	note(err)
	if faults == nil {
		return nil
	}
	return &ValidationWarning{faults}
}

// DescribeLaunchTemplatesInput asks for launch templates.
type DescribeLaunchTemplatesInput struct {
	LaunchTemplateIds   []string `aws:"LaunchTemplateId"`
	LaunchTemplateNames []string `aws:"LaunchTemplateName"`
	Filters             []Filter `aws:"Filter"`
	Page
}

// DescribeLaunchTemplatesOutput lists launch templates.
type DescribeLaunchTemplatesOutput struct {
	LaunchTemplates []LaunchTemplate
	NextToken       string
}

var templateFilters = tagged[*template]{tags: func(t *template) []Tag { return t.TagSet }, filters: filters[*template]{
	"launch-template-name": func(t *template) []string { return []string{t.LaunchTemplateName} },
	"create-time":          func(t *template) []string { return []string{stamp(t.CreateTime)} },
}}

// DescribeLaunchTemplates answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html
func (s *Service) DescribeLaunchTemplates(_ context.Context, in *DescribeLaunchTemplatesInput) (*DescribeLaunchTemplatesOutput, error) {
	if err := templateFilters.check(in.Filters); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*template
	if len(in.LaunchTemplateIds)+len(in.LaunchTemplateNames) == 0 {
		for _, t := range s.templates {
			all = append(all, t)
		}
	}
	for _, id := range in.LaunchTemplateIds {
		t, err := s.templateLocked(TemplateName{LaunchTemplateId: id})
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	for _, name := range in.LaunchTemplateNames {
		t, err := s.templateLocked(TemplateName{LaunchTemplateName: name})
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	all = slices.DeleteFunc(all, func(t *template) bool { return !templateFilters.keeps(in.Filters, t) })
	found, next, err := cut(in.Page, limits{1, 200}, all, func(t *template) int { return t.place })
	out := &DescribeLaunchTemplatesOutput{LaunchTemplates: []LaunchTemplate{}, NextToken: next}
	for _, t := range found {
		out.LaunchTemplates = append(out.LaunchTemplates, t.LaunchTemplate)
	}
	return out, err
}

// ModifyLaunchTemplateInput sets a launch template's default version.
type ModifyLaunchTemplateInput struct {
	TemplateName
	DefaultVersion string `aws:"SetDefaultVersion"`
	ClientToken    string // setting the same default again changes nothing
}

// LaunchTemplateOutput shows a launch template.
type LaunchTemplateOutput struct{ LaunchTemplate LaunchTemplate }

// ModifyLaunchTemplate answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyLaunchTemplate.html
func (s *Service) ModifyLaunchTemplate(_ context.Context, in *ModifyLaunchTemplateInput) (*LaunchTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.templateLocked(in.TemplateName)
	if err != nil {
		return nil, err
	}
	if in.DefaultVersion != "" {
		v, err := t.version(in.DefaultVersion)
		if err != nil {
			return nil, err
		}
		t.DefaultVersionNumber = v.number
	}
	return &LaunchTemplateOutput{t.LaunchTemplate}, nil
}

// DeleteLaunchTemplateInput names a launch template.
type DeleteLaunchTemplateInput struct{ TemplateName }

// DeleteLaunchTemplate answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplate.html
func (s *Service) DeleteLaunchTemplate(_ context.Context, in *DeleteLaunchTemplateInput) (*LaunchTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.templateLocked(in.TemplateName)
	if err != nil {
		return nil, err
	}
	delete(s.templates, t.LaunchTemplateId)
	return &LaunchTemplateOutput{t.LaunchTemplate}, nil
}

// Template finds a version of a launch template: a number, $Latest, or $Default,
// which "" means too. The data is the caller's to keep, not to change.
func (s *Service) Template(idOrName, wanted string) (id, name string, number int64, data LaunchTemplateData, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := TemplateName{LaunchTemplateName: idOrName}
	if templateID.MatchString(idOrName) {
		asked = TemplateName{LaunchTemplateId: idOrName}
	}
	t, err := s.templateLocked(asked)
	if err != nil {
		return "", "", 0, LaunchTemplateData{}, err
	}
	v, err := t.version(wanted)
	if err != nil {
		return "", "", 0, LaunchTemplateData{}, fmt.Errorf("find version %s of launch template %s: %w", strconv.Quote(wanted), idOrName, err)
	}
	return t.LaunchTemplateId, t.LaunchTemplateName, v.number, v.data, nil
}
