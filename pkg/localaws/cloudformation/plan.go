package cloudformation

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cutover/pkg/localaws/cloudformation/sam"
	"cutover/pkg/localaws/cloudformation/template"
	"cutover/pkg/localaws/wire"
)

// A source is a template that a request brings.
type source struct {
	body         []byte
	parameters   map[string]string
	tags         []Tag
	capabilities []string
	reviewed     bool // through a change set: transforms need no capability
}

// A plan is a source that has been read, checked and bound for one stack.
type plan struct {
	source
	template  *template.Template
	processed string // the template after transforms, as JSON
	scope     *template.Scope
	order     []*template.Resource
}

// read parses a template and applies its transforms.
func (s *Service) read(body []byte) (t *template.Template, processed string, err error) {
	var faults template.Faults
	root := template.Read(body, &faults)
	if slices.Contains(template.DeclaredTransforms(root), sam.Name) {
		sam.Transform(root, &faults)
	}
	t, err = template.Build(root, &faults, template.Options{
		Type: s.properties, Transforms: []string{sam.Name}, ParameterStore: s.Parameters != nil,
	})
	if err != nil {
		return nil, "", invalid("Template error: %v", err)
	}
	text, err := json.Marshal(root)
	if err != nil {
		return nil, "", fmt.Errorf("encode processed template: %w", err)
	}
	return t, string(text), nil
}

// newPlan reads and binds a source for a stack of a name and an id.
func (s *Service) newPlan(name, id string, src source) (*plan, error) {
	t, processed, err := s.read(src.body)
	if err != nil {
		return nil, err
	}
	if err := checkCapabilities(t, src); err != nil {
		return nil, err
	}
	values, err := t.Bind(src.parameters, s.stored)
	if err != nil {
		return nil, invalid("%v", err)
	}
	p := &plan{source: src, template: t, processed: processed}
	p.scope = &template.Scope{
		Template: t, Parameters: values,
		AccountID: s.AccountID, Region: s.Region, Partition: "aws", URLSuffix: "amazonaws.com",
		StackName: name, StackID: id, Zones: s.Zones,
	}
	if err := p.scope.Decide(); err != nil {
		return nil, invalid("Template error: %v", err)
	}
	if p.order, err = p.scope.Order(); err != nil {
		return nil, invalid("Template error: %v", err)
	}
	return p, nil
}

func (s *Service) stored(name string) (string, error) { return s.Parameters.Parameter(name) }

// customNames are the properties that give IAM resources a name of the
// template's choosing.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
var customNames = map[string]string{
	"AWS::IAM::AccessKey": "", "AWS::IAM::Group": "GroupName", "AWS::IAM::InstanceProfile": "InstanceProfileName",
	"AWS::IAM::ManagedPolicy": "ManagedPolicyName", "AWS::IAM::Policy": "", "AWS::IAM::Role": "RoleName",
	"AWS::IAM::User": "UserName", "AWS::IAM::UserToGroupAddition": "", "AWS::IAM::RolePolicy": "",
}

// needed lists the capabilities that a template needs, and the reason.
func needed(t *template.Template) (capabilities []string, reason string) {
	var kinds []string
	named := false
	for _, r := range t.Resources {
		property, iam := customNames[r.Type]
		if !iam {
			continue
		}
		kinds = append(kinds, r.Type)
		named = named || property != "" && r.Properties.Get(property) != nil
	}
	if len(kinds) == 0 {
		return nil, ""
	}
	capability := "CAPABILITY_IAM"
	if named {
		capability = "CAPABILITY_NAMED_IAM"
	}
	slices.Sort(kinds)
	return []string{capability}, "The following resource(s) require capabilities: [" + strings.Join(slices.Compact(kinds), ", ") + "]"
}

func checkCapabilities(t *template.Template, src source) error {
	var missing []string
	iam, _ := needed(t)
	for _, capability := range iam {
		if !slices.Contains(src.capabilities, capability) && !slices.Contains(src.capabilities, "CAPABILITY_NAMED_IAM") {
			missing = append(missing, capability)
		}
	}
	if len(t.Transforms) > 0 && !src.reviewed && !slices.Contains(src.capabilities, "CAPABILITY_AUTO_EXPAND") {
		missing = append(missing, "CAPABILITY_AUTO_EXPAND")
	}
	if len(missing) == 0 {
		return nil
	}
	return wire.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", strings.Join(missing, ", "))
}

// hostStyle finds the bucket in an address of S3 that has it in the
// host's name.
var hostStyle = regexp.MustCompile(`^(.+)\.s3[.-][a-z0-9.-]*amazonaws\.com$`)

// Limits of a template's size in bytes.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	maxBody   = 51_200
	maxObject = 1 << 20
)
