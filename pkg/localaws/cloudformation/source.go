package cloudformation

import (
	"net/url"
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// load finds the template that a request brings: in the request, in S3, or the
// stack's own.
func (s *Service) load(body, address string, previous *bool, st *stack) ([]byte, error) {
	usePrevious := previous != nil && *previous
	given := 0
	for _, yes := range []bool{body != "", address != "", usePrevious} {
		if yes {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, invalid("Either TemplateBody, TemplateURL or UsePreviousTemplate must be specified, but only one of them")
	case body != "":
		if len(body) > maxBody {
			return nil, invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", maxBody)
		}
		return []byte(body), nil
	case address != "":
		return s.object(address)
	case usePrevious && st != nil && st.plan != nil:
		return st.plan.body, nil
	}
	return nil, invalid("Either Template URL or Template Body must be specified.")
}

// object reads a template from S3, by a path-style address or one with the
// bucket in the host's name.
func (s *Service) object(address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, invalid("TemplateURL must be a supported URL.")
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if m := hostStyle.FindStringSubmatch(u.Hostname()); m != nil {
		bucket, key = m[1], strings.TrimPrefix(u.Path, "/")
	}
	if bucket == "" || key == "" {
		return nil, invalid("TemplateURL must reference a valid S3 object to which you have access.")
	}
	if s.Objects == nil {
		return nil, invalid("TemplateURL: the embedded AWS runs without S3")
	}
	body, err := s.Objects.Get(bucket, key)
	if err != nil {
		return nil, invalid("TemplateURL must reference a valid S3 object to which you have access: %v", err)
	}
	if len(body) > maxObject {
		return nil, invalid("Template may not exceed %d bytes in size.", maxObject)
	}
	return body, nil
}

// values reads a request's parameters; those of the stack stand in where the
// request says so.
func values(given []Parameter, st *stack) (map[string]string, error) {
	values := map[string]string{}
	for _, p := range given {
		previous := p.UsePreviousValue != nil && *p.UsePreviousValue
		switch {
		case p.ParameterKey == "":
			return nil, invalid("ParameterKey is missing")
		case previous && p.ParameterValue != nil:
			return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true and non empty value for a parameter", p.ParameterKey)
		case previous:
			value, ok := st.parameter(p.ParameterKey)
			if !ok {
				return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", p.ParameterKey)
			}
			values[p.ParameterKey] = value
		case p.ParameterValue == nil:
			return nil, invalid("Invalid input for parameter key %s. Need to specify either usePreviousValue as true or a value for a parameter", p.ParameterKey)
		default:
			values[p.ParameterKey] = *p.ParameterValue
		}
	}
	return values, nil
}

// parameter is the value that a stack was given for a parameter.
func (st *stack) parameter(name string) (string, bool) {
	if st == nil || st.plan == nil {
		return "", false
	}
	v, ok := st.plan.scope.Parameters[name]
	return v.Given, ok
}

// knownCapabilities refuses capabilities that do not exist.
func knownCapabilities(given []string) error {
	for _, c := range given {
		if !slices.Contains([]string{"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}, c) {
			return wire.Errorf("ValidationError", "Value '[%s]' at 'capabilities' failed to satisfy constraint: Member must satisfy enum value set: [CAPABILITY_NAMED_IAM, CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]", c)
		}
	}
	return nil
}
