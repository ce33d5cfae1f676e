package ssm

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// LabelParameterVersionInput gives labels to a version; the latest when it names
// none. A label that another version bears moves.
type LabelParameterVersionInput struct {
	Name             string `aws:",required"`
	ParameterVersion *int
	Labels           []string `aws:",required"`
}

// LabelParameterVersionOutput lists the labels that break the rules; the others
// were given.
type LabelParameterVersionOutput struct {
	InvalidLabels    []string
	ParameterVersion int
}

// labelChars is what a label looks like, apart from how it may not begin.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html
var labelChars = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]{0,99}$`)

// LabelParameterVersion answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_LabelParameterVersion.html
func (s *Service) LabelParameterVersion(_ context.Context, in *LabelParameterVersionInput) (*LabelParameterVersionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.ownLocked(in.Name)
	if err != nil {
		return nil, err
	}
	v := p.latest()
	if in.ParameterVersion != nil {
		at := slices.IndexFunc(p.versions, func(v *version) bool { return v.number == *in.ParameterVersion })
		if at < 0 {
			return nil, refuse("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", *in.ParameterVersion, p.name)
		}
		v = p.versions[at]
	}
	out := &LabelParameterVersionOutput{InvalidLabels: []string{}, ParameterVersion: v.number}
	labels := slices.Clone(v.labels)
	for _, label := range in.Labels {
		lower := strings.ToLower(label)
		switch {
		case !labelChars.MatchString(label) || strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm"):
			out.InvalidLabels = append(out.InvalidLabels, label)
		case !slices.Contains(labels, label):
			labels = append(labels, label)
		}
	}
	if len(labels) > 10 {
		return nil, refuse("ParameterVersionLabelLimitExceeded", "A parameter version can have a maximum of 10 labels. Move one or more labels to another version and try again.")
	}
	for _, other := range p.versions {
		other.labels = slices.DeleteFunc(other.labels, func(l string) bool { return slices.Contains(labels, l) })
	}
	v.labels = labels
	return out, nil
}
