package ssm

import (
	"context"
	"slices"
	"strings"
	"time"
)

// ParameterStringFilter is one condition; a parameter must meet all.
type ParameterStringFilter struct {
	Key    string `aws:",required"` // Name, Type, Path, Tier, DataType, tag:KEY
	Option string // Equals, BeginsWith, Contains; for Path OneLevel, Recursive
	Values []string
}

// DescribeParametersInput filters parameters.
type DescribeParametersInput struct {
	ParameterFilters []ParameterStringFilter
	MaxResults       *int // 1 to 50
	NextToken        string
}

// DescribeParametersOutput are those that match, by name.
type DescribeParametersOutput struct {
	Parameters []ParameterMetadata
	NextToken  string
}

// ParameterMetadata is a parameter without its value.
type ParameterMetadata struct {
	Name             string
	ARN              string
	Type             string
	KeyId            string
	LastModifiedDate time.Time
	LastModifiedUser string
	Description      string
	AllowedPattern   string
	Version          int
	Tier             string
	Policies         []string // always empty
	DataType         string
}

// DescribeParameters answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeParameters.html
func (s *Service) DescribeParameters(_ context.Context, in *DescribeParametersInput) (*DescribeParametersOutput, error) {
	for _, f := range in.ParameterFilters {
		if err := f.validate(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ParameterMetadata
	for name, p := range s.parameters {
		v := p.latest()
		if v == nil || !s.matchesLocked(p, in.ParameterFilters) {
			continue
		}
		all = append(all, ParameterMetadata{
			Name: name, ARN: s.parameterARN(name), Type: v.kind, KeyId: v.keyID, LastModifiedDate: v.modified, LastModifiedUser: v.by,
			Description: v.description, AllowedPattern: v.allowedPattern, Version: v.number, Tier: v.tier, Policies: []string{}, DataType: v.dataType,
		})
	}
	slices.SortFunc(all, func(a, b ParameterMetadata) int { return strings.Compare(a.Name, b.Name) })
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &DescribeParametersOutput{items, next}, err
}

func (f ParameterStringFilter) validate() error {
	options := []string{"", "Equals"}
	switch {
	case f.Key == "Name":
		options = append(options, "BeginsWith", "Contains")
	case f.Key == "Path":
		options = []string{"", "OneLevel", "Recursive"}
	case f.Key == "Type", f.Key == "Tier", f.Key == "DataType":
		options = append(options, "BeginsWith")
	case strings.HasPrefix(f.Key, "tag:"):
	default:
		return refuse("InvalidFilterKey", "The specified key isn't valid: %s. The embedded AWS knows Name, Path, Type, Tier, DataType and tag:KEY.", f.Key)
	}
	if !slices.Contains(options, f.Option) {
		return refuse("InvalidFilterOption", "The specified filter option isn't valid: %s. Valid options for %s are %s.", f.Option, f.Key, strings.Join(options[1:], ", "))
	}
	if len(f.Values) == 0 && !strings.HasPrefix(f.Key, "tag:") || len(f.Values) > 50 {
		return refuse("InvalidFilterValue", "The filter value isn't valid. Key %s takes 1 to 50 values.", f.Key)
	}
	return nil
}

func (s *Service) matchesLocked(p *parameter, filters []ParameterStringFilter) bool {
	for _, f := range filters {
		if !s.meetsLocked(p, f) {
			return false
		}
	}
	return true
}

func (s *Service) meetsLocked(p *parameter, f ParameterStringFilter) bool {
	v := p.latest()
	value := map[string]string{"Name": p.name, "Type": v.kind, "Tier": v.tier, "DataType": v.dataType}[f.Key]
	if key, isTag := strings.CutPrefix(f.Key, "tag:"); isTag {
		tag, has := s.tags[taggable{"Parameter", p.name}][key]
		return has && (len(f.Values) == 0 || slices.Contains(f.Values, tag))
	}
	return slices.ContainsFunc(f.Values, func(want string) bool {
		switch {
		case f.Key == "Path":
			rest, below := strings.CutPrefix(p.name, strings.TrimSuffix(want, "/")+"/")
			return below && (f.Option == "Recursive" || !strings.Contains(rest, "/"))
		case f.Option == "BeginsWith":
			return strings.HasPrefix(value, want)
		case f.Option == "Contains":
			return strings.Contains(value, want)
		}
		return value == want
	})
}
