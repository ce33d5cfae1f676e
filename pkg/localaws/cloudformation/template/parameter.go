package template

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Parameter is a parameter as the template declares it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
type Parameter struct {
	Name                  string
	Type                  string
	Line                  int
	Description           string
	Default               *string // nil when it has none
	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	NoEcho                bool

	pattern              *regexp.Regexp
	minLength, maxLength *int
	minValue, maxValue   *float64
}

// awsTypes are the AWS-specific parameter types. Values are taken as they are;
// whether such a thing exists turns out when a resource uses it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
var awsTypes = []string{
	"AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id",
	"AWS::EC2::KeyPair::KeyName", "AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id",
	"AWS::EC2::Subnet::Id", "AWS::EC2::Volume::Id", "AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
}

const storePrefix = "AWS::SSM::Parameter::Value<"

// FromStore says that the parameter's value names a Systems Manager parameter
// that holds the value.
func (p *Parameter) FromStore() bool { return strings.HasPrefix(p.Type, storePrefix) }

// valueType is the type of the value itself.
func (p *Parameter) valueType() string {
	if p.FromStore() {
		return strings.TrimSuffix(strings.TrimPrefix(p.Type, storePrefix), ">")
	}
	return p.Type
}

func (p *Parameter) list() bool {
	t := p.valueType()
	return t == "CommaDelimitedList" || strings.HasPrefix(t, "List<")
}

func (p *Parameter) number() bool {
	t := p.valueType()
	return t == "Number" || t == "List<Number>"
}

func knownParameterType(name string) bool {
	if inner, ok := strings.CutPrefix(name, storePrefix); ok {
		inner = strings.TrimSuffix(inner, ">")
		return inner != "Number" && !strings.HasPrefix(inner, storePrefix) && inner != "List<Number>" && knownParameterType(inner) && strings.HasSuffix(name, ">")
	}
	if inner, ok := strings.CutPrefix(name, "List<"); ok {
		inner, closed := strings.CutSuffix(inner, ">")
		return closed && (inner == "String" || inner == "Number" || slices.Contains(awsTypes, inner))
	}
	return slices.Contains([]string{"String", "Number", "CommaDelimitedList", "AWS::SSM::Parameter::Name"}, name) ||
		slices.Contains(awsTypes, name)
}

func (b *builder) parametersSection(n *Node) {
	if !b.section(n, "Parameters", maxParameters) {
		return
	}
	for _, entry := range n.Pairs {
		path := at("Parameters", entry.Key)
		p := &Parameter{Name: entry.Key, Line: entry.Line}
		b.parameters[p.Name] = p
		b.t.Parameters = append(b.t.Parameters, p)
		if !b.dict(entry.Value, path) {
			continue
		}
		for _, m := range entry.Value.Pairs {
			b.parameter(p, m, at(path, m.Key))
		}
		b.parameterType(p, path)
		if p.Default != nil && !p.FromStore() {
			for _, fault := range p.check(*p.Default) {
				b.Add(p.Line, at(path, "Default"), "%s", fault)
			}
		}
	}
}

func (b *builder) parameterType(p *Parameter, path string) {
	switch {
	case p.Type == "":
		b.Add(p.Line, path, "Type is missing")
	case !knownParameterType(p.Type):
		b.Add(p.Line, at(path, "Type"), "unknown parameter type %s", p.Type)
	case p.FromStore() && !b.ParameterStore:
		b.Add(p.Line, at(path, "Type"), "%s takes its value from Systems Manager Parameter Store, which the embedded AWS does not have", p.Type)
	}
	if (p.minValue != nil || p.maxValue != nil) && !p.number() {
		b.Add(p.Line, path, "MinValue and MaxValue are for type Number, not %s", p.Type)
	}
	if (p.minLength != nil || p.maxLength != nil) && p.valueType() != "String" {
		b.Add(p.Line, path, "MinLength and MaxLength are for type String, not %s", p.Type)
	}
}

func (b *builder) parameter(p *Parameter, m Pair, path string) {
	switch m.Key {
	case "Type":
		p.Type = b.text(m.Value, path)
	case "Description":
		p.Description = b.text(m.Value, path)
	case "ConstraintDescription":
		p.ConstraintDescription = b.text(m.Value, path)
	case "Default":
		text := b.text(m.Value, path)
		p.Default = &text
	case "AllowedValues":
		if m.Value.Kind != List {
			b.Add(m.Line, path, "is %s, not a list", m.Value.kind())
			return
		}
		p.AllowedValues = b.texts(m.Value, path)
	case "AllowedPattern":
		p.AllowedPattern = b.text(m.Value, path)
		pattern, err := regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err != nil {
			b.Add(m.Line, path, "is not a regular expression of Go's kind: %v", err)
			return
		}
		p.pattern = pattern
	case "NoEcho":
		noEcho, err := strconv.ParseBool(b.text(m.Value, path))
		if err != nil {
			b.Add(m.Line, path, "is %s, not a boolean", m.Value.kind())
		}
		p.NoEcho = noEcho
	case "MinLength":
		p.minLength = b.whole(m, path)
	case "MaxLength":
		p.maxLength = b.whole(m, path)
	case "MinValue":
		p.minValue = b.float(m, path)
	case "MaxValue":
		p.maxValue = b.float(m, path)
	default:
		b.Add(m.Line, path, "unknown parameter attribute")
	}
}

func (b *builder) whole(m Pair, path string) *int {
	n, err := strconv.Atoi(b.text(m.Value, path))
	if err != nil || n < 0 {
		b.Add(m.Line, path, "is not a whole number")
		return nil
	}
	return &n
}

func (b *builder) float(m Pair, path string) *float64 {
	n, err := strconv.ParseFloat(b.text(m.Value, path), 64)
	if err != nil {
		b.Add(m.Line, path, "is not a number")
		return nil
	}
	return &n
}

// check lists what a value does not satisfy.
func (p *Parameter) check(value string) []string {
	values := []string{value}
	if p.list() {
		values = splitList(value)
	}
	var faults []string
	for _, v := range values {
		if fault := p.checkOne(v); fault != "" {
			if p.ConstraintDescription != "" {
				fault = "Parameter " + p.Name + " failed to satisfy constraint: " + p.ConstraintDescription
			}
			faults = append(faults, fault)
		}
	}
	return slices.Compact(faults)
}

func (p *Parameter) checkOne(v string) string {
	length := utf8.RuneCountInString(v)
	if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, v) {
		return "Parameter '" + p.Name + "' must be one of AllowedValues (" + strings.Join(p.AllowedValues, ", ") + ")"
	}
	if p.pattern != nil && !p.pattern.MatchString(v) {
		return "Parameter '" + p.Name + "' must match pattern " + p.AllowedPattern
	}
	if p.minLength != nil && length < *p.minLength {
		return "Parameter '" + p.Name + "' must contain at least " + strconv.Itoa(*p.minLength) + " characters"
	}
	if p.maxLength != nil && length > *p.maxLength {
		return "Parameter '" + p.Name + "' must contain at most " + strconv.Itoa(*p.maxLength) + " characters"
	}
	if !p.number() {
		return ""
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return "Parameter '" + p.Name + "' must be a number"
	}
	if p.minValue != nil && n < *p.minValue {
		return "Parameter '" + p.Name + "' must be a number not less than " + strconv.FormatFloat(*p.minValue, 'f', -1, 64)
	}
	if p.maxValue != nil && n > *p.maxValue {
		return "Parameter '" + p.Name + "' must be a number not greater than " + strconv.FormatFloat(*p.maxValue, 'f', -1, 64)
	}
	return ""
}

// splitList takes a comma-delimited list apart; blanks around items do not count.
func splitList(value string) []string {
	if value == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
