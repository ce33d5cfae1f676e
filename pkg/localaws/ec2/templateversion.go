package ec2

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// most versions of a launch template, and of one call that deletes them.
const (
	mostVersions        = 10000
	mostVersionsDeleted = 200
)

type version struct {
	number      int64
	description string
	created     time.Time
	by          string
	data        LaunchTemplateData
}

// version finds a version: a number, $Latest, or $Default, which "" means too.
func (t *template) version(wanted string) (*version, error) {
	number := t.DefaultVersionNumber
	switch wanted {
	case "", "$Default":
	case "$Latest":
		number = t.LatestVersionNumber
	default:
		n, err := strconv.ParseInt(wanted, 10, 64)
		if err != nil || n < 1 {
			return nil, wire.Errorf("InvalidLaunchTemplateId.VersionNotFound", "The launch template version '%s' is not valid.", wanted)
		}
		number = n
	}
	if i := slices.IndexFunc(t.versions, func(v *version) bool { return v.number == number }); i >= 0 {
		return t.versions[i], nil
	}
	return nil, wire.Errorf("InvalidLaunchTemplateId.VersionNotFound",
		"Could not find the specified version %d for the launch template with ID %s.", number, t.LaunchTemplateId)
}

func (s *Service) addVersionLocked(t *template, data LaunchTemplateData, description, by string) (*version, error) {
	switch {
	case len(description) > 255:
		return nil, wire.Errorf("InvalidParameterValue", "A version description has at most 255 characters.")
	case len(t.versions) == mostVersions:
		return nil, wire.Errorf("LaunchTemplateVersionLimitExceeded", "The launch template %s has %d versions already.", t.LaunchTemplateId, mostVersions)
	case data.NetworkInterfaces != nil && data.SecurityGroupIds != nil:
		return nil, wire.Errorf("InvalidParameterCombination", "Network interfaces and an instance-level security groups may not be specified on the same request")
	}
	t.numbered++
	t.LatestVersionNumber = t.numbered
	v := &version{number: t.numbered, description: description, created: s.Clock.Now(), by: by, data: data}
	t.versions = append(t.versions, v)
	return v, nil
}

// LaunchTemplateVersion is a version as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_LaunchTemplateVersion.html
type LaunchTemplateVersion struct {
	LaunchTemplateId   string
	LaunchTemplateName string
	VersionNumber      int64
	VersionDescription string
	CreateTime         time.Time
	CreatedBy          string
	DefaultVersion     bool
	LaunchTemplateData ResponseLaunchTemplateData
}

func (t *template) describe(v *version) LaunchTemplateVersion {
	return LaunchTemplateVersion{
		LaunchTemplateId: t.LaunchTemplateId, LaunchTemplateName: t.LaunchTemplateName, VersionNumber: v.number,
		VersionDescription: v.description, CreateTime: v.created, CreatedBy: v.by,
		DefaultVersion: v.number == t.DefaultVersionNumber, LaunchTemplateData: v.data.response(),
	}
}

// CreateLaunchTemplateVersionInput asks for a version, on the base of another
// one where SourceVersion says so.
type CreateLaunchTemplateVersionInput struct {
	TemplateName
	SourceVersion      string
	LaunchTemplateData *requestLaunchTemplateData `aws:",required"`
	VersionDescription string
	ResolveAlias       *bool
	ClientToken        string
}

// CreateLaunchTemplateVersionOutput shows it, with what is wrong with its content.
type CreateLaunchTemplateVersionOutput struct {
	LaunchTemplateVersion LaunchTemplateVersion
	Warning               *ValidationWarning
}

// CreateLaunchTemplateVersion answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html
func (s *Service) CreateLaunchTemplateVersion(ctx context.Context, in *CreateLaunchTemplateVersionInput) (*CreateLaunchTemplateVersionOutput, error) {
	asked := *in
	asked.ClientToken = ""
	parameters := fingerprint(asked)
	resolve := in.ResolveAlias != nil && *in.ResolveAlias
	s.mu.Lock()
	t, v, err := s.createVersionLocked(ctx, in, parameters)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	out := &CreateLaunchTemplateVersionOutput{LaunchTemplateVersion: t.describe(v), Warning: s.warningLocked(v.data)}
	s.mu.Unlock()
	if resolve {
		s.resolve(&out.LaunchTemplateVersion)
	}
	return out, nil
}

func (s *Service) createVersionLocked(ctx context.Context, in *CreateLaunchTemplateVersionInput, parameters string) (*template, *version, error) {
	t, err := s.templateLocked(in.TemplateName)
	if err != nil {
		return nil, nil, err
	}
	earlier, err := s.repeatedLocked("CreateLaunchTemplateVersion", in.ClientToken, parameters)
	if err != nil {
		return nil, nil, err
	}
	if earlier != "" {
		v, err := t.version(earlier)
		return t, v, err
	}
	data := in.LaunchTemplateData.data()
	if in.SourceVersion != "" {
		source, err := t.version(in.SourceVersion)
		if err != nil {
			return nil, nil, err
		}
		base := source.data
		base.BlockDeviceMappings = withoutSnapshots(base.BlockDeviceMappings)
		overlay(&base, data)
		data = base
	}
	v, err := s.addVersionLocked(t, data, in.VersionDescription, s.callerARN(ctx))
	if err != nil {
		return nil, nil, err
	}
	s.answerLocked("CreateLaunchTemplateVersion", in.ClientToken, parameters, strconv.FormatInt(v.number, 10))
	return t, v, nil
}

// resolve puts the image in the place of the parameter that names it.
func (s *Service) resolve(v *LaunchTemplateVersion) {
	if id := s.resolvedImage(v.LaunchTemplateData.ImageId); id != "" {
		v.LaunchTemplateData.ImageId = id
	}
}

// DescribeLaunchTemplateVersionsInput asks for versions of one launch template,
// or for the $Latest and $Default of all.
type DescribeLaunchTemplateVersionsInput struct {
	TemplateName
	Versions     []string `aws:"LaunchTemplateVersion"`
	MinVersion   string
	MaxVersion   string
	ResolveAlias *bool
	Filters      []Filter `aws:"Filter"`
	Page
}

// DescribeLaunchTemplateVersionsOutput lists versions, newest first.
type DescribeLaunchTemplateVersionsOutput struct {
	LaunchTemplateVersionSet []LaunchTemplateVersion
	NextToken                string
}

type placedVersion struct {
	LaunchTemplateVersion
	place int
}

var versionFilters = tagged[placedVersion]{filters: filters[placedVersion]{
	"image-id":           func(v placedVersion) []string { return []string{v.LaunchTemplateData.ImageId} },
	"instance-type":      func(v placedVersion) []string { return []string{v.LaunchTemplateData.InstanceType} },
	"create-time":        func(v placedVersion) []string { return []string{stamp(v.CreateTime)} },
	"is-default-version": func(v placedVersion) []string { return []string{strconv.FormatBool(v.DefaultVersion)} },
	"iam-instance-profile": func(v placedVersion) []string {
		if p := v.LaunchTemplateData.IamInstanceProfile; p != nil {
			return []string{p.nameOrARN()}
		}
		return nil
	},
	"http-tokens": func(v placedVersion) []string {
		if o := v.LaunchTemplateData.MetadataOptions; o != nil {
			return []string{o.HttpTokens}
		}
		return nil
	},
}}

// DescribeLaunchTemplateVersions answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
func (s *Service) DescribeLaunchTemplateVersions(_ context.Context, in *DescribeLaunchTemplateVersionsInput) (*DescribeLaunchTemplateVersionsOutput, error) {
	if err := versionFilters.check(in.Filters); err != nil {
		return nil, err
	}
	s.mu.Lock()
	all, err := s.versionsLocked(in)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if in.ResolveAlias != nil && *in.ResolveAlias {
		for i := range all {
			s.resolve(&all[i].LaunchTemplateVersion)
		}
	}
	all = slices.DeleteFunc(all, func(v placedVersion) bool { return !versionFilters.keeps(in.Filters, v) })
	found, next, err := cut(in.Page, limits{1, 200}, all, func(v placedVersion) int { return v.place })
	out := &DescribeLaunchTemplateVersionsOutput{LaunchTemplateVersionSet: []LaunchTemplateVersion{}, NextToken: next}
	for _, v := range found {
		out.LaunchTemplateVersionSet = append(out.LaunchTemplateVersionSet, v.LaunchTemplateVersion)
	}
	return out, err
}

// versionsLocked lists the versions asked for, with their places: the newest of
// a launch template first.
func (s *Service) versionsLocked(in *DescribeLaunchTemplateVersionsInput) ([]placedVersion, error) {
	if in.TemplateName == (TemplateName{}) {
		return s.versionsOfAllLocked(in)
	}
	t, err := s.templateLocked(in.TemplateName)
	if err != nil {
		return nil, err
	}
	if len(in.Versions) > 0 && (in.MinVersion != "" || in.MaxVersion != "") {
		return nil, wire.Errorf("InvalidParameterCombination", "A range of versions and versions may not be specified on the same request.")
	}
	least, most := int64(1), t.LatestVersionNumber
	for _, bound := range []struct {
		text string
		set  *int64
	}{{in.MinVersion, &least}, {in.MaxVersion, &most}} {
		if n, err := strconv.ParseInt(bound.text, 10, 64); err == nil {
			*bound.set = n
		} else if bound.text != "" {
			return nil, wire.Errorf("InvalidParameterValue", "The launch template version '%s' is not valid.", bound.text)
		}
	}
	wanted := map[int64]bool{}
	for _, name := range in.Versions {
		v, err := t.version(name)
		if err != nil {
			return nil, err
		}
		wanted[v.number] = true
	}
	var all []placedVersion
	for _, v := range t.versions {
		if v.number >= least && v.number <= most && (len(in.Versions) == 0 || wanted[v.number]) {
			all = append(all, placedVersion{t.describe(v), -int(v.number)})
		}
	}
	return all, nil
}

func (s *Service) versionsOfAllLocked(in *DescribeLaunchTemplateVersionsInput) ([]placedVersion, error) {
	if len(in.Versions) == 0 || in.MinVersion != "" || in.MaxVersion != "" ||
		slices.ContainsFunc(in.Versions, func(v string) bool { return v != "$Latest" && v != "$Default" }) {
		return nil, wire.Errorf("MissingParameter", "Without a launch template ID or name only the versions $Latest and $Default can be described.")
	}
	var all []placedVersion
	for _, t := range s.templates {
		seen := map[int64]bool{}
		for _, name := range in.Versions {
			v, err := t.version(name)
			if err != nil {
				return nil, err
			}
			if !seen[v.number] {
				all = append(all, placedVersion{t.describe(v), 2*t.place + strings.Count(name, "$Default")})
			}
			seen[v.number] = true
		}
	}
	return all, nil
}

// DeleteLaunchTemplateVersionsInput names versions.
type DeleteLaunchTemplateVersionsInput struct {
	TemplateName
	Versions []string `aws:"LaunchTemplateVersion,required"`
}

// DeleteLaunchTemplateVersionsOutput says of each whether it is gone.
type DeleteLaunchTemplateVersionsOutput struct {
	Successful   []VersionResult `aws:"successfullyDeletedLaunchTemplateVersionSet"`
	Unsuccessful []VersionResult `aws:"unsuccessfullyDeletedLaunchTemplateVersionSet"`
}

// VersionResult is what became of a version.
type VersionResult struct {
	LaunchTemplateId   string
	LaunchTemplateName string
	VersionNumber      int64
	ResponseError      *ValidationError
}

// DeleteLaunchTemplateVersions answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html
func (s *Service) DeleteLaunchTemplateVersions(_ context.Context, in *DeleteLaunchTemplateVersionsInput) (*DeleteLaunchTemplateVersionsOutput, error) {
	if len(in.Versions) > mostVersionsDeleted {
		return nil, wire.Errorf("InvalidParameterValue", "At most %d launch template versions can be deleted in a single request.", mostVersionsDeleted)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.templateLocked(in.TemplateName)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(in.Versions))
	for i, text := range in.Versions {
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, wire.Errorf("InvalidParameterValue", "The launch template version '%s' is not a version number.", text)
		}
	}
	out := &DeleteLaunchTemplateVersionsOutput{Successful: []VersionResult{}, Unsuccessful: []VersionResult{}}
	for _, number := range numbers {
		result := VersionResult{LaunchTemplateId: t.LaunchTemplateId, LaunchTemplateName: t.LaunchTemplateName, VersionNumber: number}
		if result.ResponseError = t.drop(number); result.ResponseError != nil {
			out.Unsuccessful = append(out.Unsuccessful, result)
		} else {
			out.Successful = append(out.Successful, result)
		}
	}
	return out, nil
}

// drop deletes a version, or says why not. A number is never used again, and
// $Latest is the highest that is left.
func (t *template) drop(number int64) *ValidationError {
	at := slices.IndexFunc(t.versions, func(v *version) bool { return v.number == number })
	switch {
	case at < 0:
		return &ValidationError{"launchTemplateVersionDoesNotExist", "Could not find the specified version for the launch template."}
	case number == t.DefaultVersionNumber:
		return &ValidationError{"unexpectedError", "The default version of a launch template cannot be deleted."}
	}
	t.versions = slices.Delete(t.versions, at, at+1)
	t.LatestVersionNumber = t.versions[len(t.versions)-1].number // the default is always left
	return nil
}
