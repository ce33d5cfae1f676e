package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// imageCheck is how long the check of an aws:ec2:image value takes.
const imageCheck = 5 * time.Second

// PutParameterInput stores a value.
type PutParameterInput struct {
	Name           string `aws:",required"`
	Value          string `aws:",required"`
	Description    string
	Type           string // needed to create
	KeyId          string // alias/aws/ssm
	Overwrite      bool
	AllowedPattern string
	Tags           []Tag
	Tier           string
	DataType       string
}

// PutParameterOutput says which version the value is.
type PutParameterOutput struct {
	Version *int
	Tier    string
}

// PutParameter answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func (s *Service) PutParameter(ctx context.Context, in *PutParameterInput) (*PutParameterOutput, error) {
	return s.putParameter(ctx, in, func(check func()) { s.Clock.AfterFunc(imageCheck, check) })
}

// putParameter puts a parameter; when says when an image is checked.
func (s *Service) putParameter(ctx context.Context, in *PutParameterInput, when func(check func())) (*PutParameterOutput, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	p, v, err := s.put(ctx, in)
	if err != nil {
		return nil, err
	}
	operation := "Update"
	if v.number == 1 {
		operation = "Create"
	}
	if v.dataType == imageType {
		when(func() { s.checkImage(p, v, in.Tags, operation) })
	} else {
		s.parameterChanged(in.Name, v, operation)
	}
	return &PutParameterOutput{Version: &v.number, Tier: v.tier}, nil
}

const imageType = "aws:ec2:image"

func (in *PutParameterInput) validate() error {
	if err := validName(in.Name); err != nil {
		return err
	}
	if err := validTags(in.Tags); err != nil {
		return err
	}
	switch {
	case in.Overwrite && len(in.Tags) > 0:
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case !slices.Contains([]string{"", "String", "StringList", "SecureString"}, in.Type):
		return refuse("UnsupportedParameterType", "The parameter type %s isn't supported.", in.Type)
	case !slices.Contains([]string{"", "text", imageType}, in.DataType):
		return invalid("The following data type is not supported: %s (Data type names are all lowercase.)", in.DataType)
	case in.KeyId != "" && in.KeyId != "alias/aws/ssm":
		return refuse("InvalidKeyId", "KeyId %s: the embedded AWS has alias/aws/ssm only", in.KeyId)
	case !slices.Contains([]string{"", "Standard", "Advanced", "Intelligent-Tiering"}, in.Tier):
		return invalid("Tier: %s is not one of Standard, Advanced, Intelligent-Tiering", in.Tier)
	case in.Value == "":
		return invalid("Value: must have at least 1 character")
	case utf8.RuneCountInString(in.Description) > 1024 || len(in.AllowedPattern) > 1024:
		return invalid("Description and AllowedPattern can have at most 1024 characters")
	}
	return nil
}

// put makes the version, and stores it unless its image is to be checked first.
func (s *Service) put(ctx context.Context, in *PutParameterInput) (p *parameter, v *version, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.parameters[in.Name]
	v, err = s.newVersionLocked(ctx, p, in)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		p = &parameter{name: in.Name}
		s.parameters[in.Name] = p
	}
	p.made++
	v.number = p.made
	if v.dataType == imageType {
		p.checking++
		return p, v, nil
	}
	p.store(v)
	s.setTagsLocked(taggable{"Parameter", p.name}, in.Tags)
	return p, v, nil
}

// newVersionLocked is the version that a call asks for; what it leaves out is as
// it was before.
func (s *Service) newVersionLocked(ctx context.Context, p *parameter, in *PutParameterInput) (*version, error) {
	v := &version{
		kind: in.Type, value: in.Value, dataType: in.DataType, tier: in.Tier, description: in.Description,
		allowedPattern: in.AllowedPattern, modified: s.Clock.Now(), by: wire.Caller(ctx).ARN,
	}
	before := p.latest()
	switch {
	case p != nil && !in.Overwrite:
		return nil, refuse("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case before == nil && p != nil:
		return nil, refuse("TooManyUpdates", "There are concurrent updates for a resource that supports one update at a time.")
	case before == nil && in.Type == "":
		return nil, invalid("A parameter type is required when you create a parameter.")
	case before == nil:
	case in.Type != "" && in.Type != before.kind:
		return nil, refuse("HierarchyTypeMismatch", "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
	case len(p.versions) == keptVersions && len(p.versions[0].labels) > 0:
		return nil, refuse("ParameterMaxVersionLimitExceeded", "The oldest version of parameter %s can't be deleted because it has labels. Move the labels to another version and try again.", p.name)
	default:
		v.inherit(before)
	}
	return v, v.complete(before)
}

// inherit takes over what the call left out.
func (v *version) inherit(before *version) {
	v.kind = before.kind
	if v.description == "" {
		v.description = before.description
	}
	if v.allowedPattern == "" {
		v.allowedPattern = before.allowedPattern
	}
	if v.dataType == "" {
		v.dataType = before.dataType
	}
	if v.tier == "" {
		v.tier = before.tier
	}
}

// complete fills defaults in and holds the value against tier and pattern.
func (v *version) complete(before *version) error {
	if v.dataType == "" {
		v.dataType = "text"
	}
	length := utf8.RuneCountInString(v.value)
	if v.tier == "" || v.tier == "Intelligent-Tiering" {
		advanced := v.tier != "" && length > 4096 || before != nil && before.tier == "Advanced"
		v.tier = "Standard"
		if advanced {
			v.tier = "Advanced"
		}
	}
	if v.kind == "SecureString" {
		v.keyID = "alias/aws/ssm"
	}
	switch {
	case v.dataType == imageType && v.kind != "String":
		return invalid("The data type aws:ec2:image is supported for parameters of type String only")
	case v.tier == "Standard" && before != nil && before.tier == "Advanced":
		return invalid("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case v.tier == "Standard" && length > 4096:
		return invalid("Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
	case length > 8192:
		return invalid("Advanced tier parameters support a maximum parameter value of 8192 characters.")
	}
	if v.allowedPattern == "" {
		return nil
	}
	pattern, err := regexp.Compile("^(?:" + v.allowedPattern + ")$")
	if err != nil {
		return refuse("InvalidAllowedPatternException", "The request does not meet the regular expression requirement: %v", err)
	}
	if !pattern.MatchString(v.value) {
		return refuse("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.allowedPattern)
	}
	return nil
}

// store puts a version in its place by number, and drops the oldest beyond what
// is kept.
func (p *parameter) store(v *version) {
	p.versions = append(p.versions, v)
	slices.SortFunc(p.versions, func(a, b *version) int { return a.number - b.number })
	if extra := len(p.versions) - keptVersions; extra > 0 {
		p.versions = slices.Delete(p.versions, 0, extra)
	}
}

// checkImage stores a version when its image can be used, and drops it if not.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html
func (s *Service) checkImage(p *parameter, v *version, tags []Tag, operation string) {
	available := imageID.MatchString(v.value) && s.Images != nil && s.Images.Available(v.value)
	switch there := s.settle(p, v, tags, available); {
	case !there: // deleted in the meantime
	case available:
		s.parameterChanged(p.name, v, operation)
	default:
		s.Logger.Warn("drop parameter version: image is not available", "parameter", p.name, "version", v.number, "image", v.value)
	}
}

var imageID = regexp.MustCompile(`^ami-[0-9a-f]{8,17}$`)

// settle ends a check and says whether the parameter is still there.
func (s *Service) settle(p *parameter, v *version, tags []Tag, available bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parameters[p.name] != p {
		return false
	}
	p.checking--
	if available {
		p.store(v)
		s.setTagsLocked(taggable{"Parameter", p.name}, tags)
	} else if len(p.versions) == 0 && p.checking == 0 {
		delete(s.parameters, p.name)
	}
	return true
}

// parameterChanged tells the event bus.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
func (s *Service) parameterChanged(name string, v *version, operation string) {
	s.publish("Parameter Store Change", []string{s.parameterARN(name)}, map[string]any{
		"name": name, "type": v.kind, "operation": operation, "dataType": v.dataType, "description": strings.TrimSpace(v.description),
	})
}
