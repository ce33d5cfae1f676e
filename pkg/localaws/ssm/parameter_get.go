package ssm

import (
	"context"
	"slices"
	"strings"
	"time"
)

// GetParameterInput names a parameter: NAME, NAME:VERSION, NAME:LABEL or an ARN.
type GetParameterInput struct {
	Name           string `aws:",required"`
	WithDecryption bool
}

// GetParameterOutput is its value.
type GetParameterOutput struct{ Parameter *Parameter }

// GetParameter answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func (s *Service) GetParameter(_ context.Context, in *GetParameterInput) (*GetParameterOutput, error) {
	public := s.PublicImages()
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findLocked(in.Name, public, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return &GetParameterOutput{&p}, nil
}

// GetParametersInput names up to ten parameters.
type GetParametersInput struct {
	Names          []string `aws:",required"`
	WithDecryption bool
}

// GetParametersOutput are those that are there, and the names of the others.
type GetParametersOutput struct {
	Parameters        []Parameter
	InvalidParameters []string
}

// GetParameters answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
func (s *Service) GetParameters(_ context.Context, in *GetParametersInput) (*GetParametersOutput, error) {
	if n := len(in.Names); n < 1 || n > 10 {
		return nil, invalid("Names: has %d members, not 1 to 10", n)
	}
	public := s.PublicImages()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &GetParametersOutput{Parameters: []Parameter{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		if p, err := s.findLocked(name, public, in.WithDecryption); err == nil {
			out.Parameters = append(out.Parameters, p)
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

// GetParametersByPathInput names a path.
type GetParametersByPathInput struct {
	Path           string `aws:",required"`
	Recursive      bool
	WithDecryption bool
	MaxResults     *int // 1 to 10
	NextToken      string
}

// GetParametersByPathOutput are the parameters below it, by name.
type GetParametersByPathOutput struct {
	Parameters []Parameter
	NextToken  string
}

// GetParametersByPath answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
func (s *Service) GetParametersByPath(_ context.Context, in *GetParametersByPathInput) (*GetParametersByPathOutput, error) {
	if !strings.HasPrefix(in.Path, "/") || !nameChars.MatchString(in.Path) {
		return nil, invalid("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".")
	}
	public := s.PublicImages()
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	below := func(name string) bool {
		rest, ok := strings.CutPrefix(name, prefix)
		return ok && (in.Recursive || !strings.Contains(rest, "/"))
	}
	var all []Parameter
	for name, p := range s.parameters {
		if v := p.latest(); v != nil && below(name) {
			all = append(all, s.show(name, "", v, in.WithDecryption))
		}
	}
	if strings.HasPrefix(prefix, "/aws/service/") {
		for name, image := range public {
			if below(name) {
				all = append(all, s.show(name, "", s.publicVersion(image), false))
			}
		}
	}
	slices.SortFunc(all, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	items, next, err := page(all, in.MaxResults, 10, in.NextToken)
	return &GetParametersByPathOutput{items, next}, err
}

// GetParameterHistoryInput names a parameter.
type GetParameterHistoryInput struct {
	Name           string `aws:",required"`
	WithDecryption bool
	MaxResults     *int // 1 to 50
	NextToken      string
}

// GetParameterHistoryOutput are its versions, oldest first.
type GetParameterHistoryOutput struct {
	Parameters []ParameterHistory
	NextToken  string
}

// ParameterHistory is one version.
type ParameterHistory struct {
	Name             string
	Type             string
	KeyId            string
	LastModifiedDate time.Time
	LastModifiedUser string
	Description      string
	Value            string
	AllowedPattern   string
	Version          int
	Labels           []string
	Tier             string
	Policies         []string // always empty
	DataType         string
}

// GetParameterHistory answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameterHistory.html
func (s *Service) GetParameterHistory(_ context.Context, in *GetParameterHistoryInput) (*GetParameterHistoryOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.ownLocked(in.Name)
	if err != nil {
		return nil, err
	}
	var all []ParameterHistory
	for _, v := range p.versions {
		all = append(all, ParameterHistory{
			Name: p.name, Type: v.kind, KeyId: v.keyID, LastModifiedDate: v.modified, LastModifiedUser: v.by, Description: v.description,
			Value: s.show(p.name, "", v, in.WithDecryption).Value, AllowedPattern: v.allowedPattern, Version: v.number,
			Labels: append([]string{}, v.labels...), Tier: v.tier, Policies: []string{}, DataType: v.dataType,
		})
	}
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &GetParameterHistoryOutput{items, next}, err
}

// ownLocked finds a parameter of one's own that has a value.
func (s *Service) ownLocked(reference string) (*parameter, error) {
	name, _ := s.splitLocked(reference)
	p := s.parameters[name]
	if p.latest() == nil {
		return nil, refuse("ParameterNotFound", "Parameter %s not found.", name)
	}
	return p, nil
}

// DeleteParameterInput names a parameter.
type DeleteParameterInput struct {
	Name string `aws:",required"`
}

// DeleteParameter answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
func (s *Service) DeleteParameter(_ context.Context, in *DeleteParameterInput) (*Empty, error) {
	if !s.remove(in.Name) {
		return nil, refuse("ParameterNotFound", "Parameter %s not found.", in.Name)
	}
	return &Empty{}, nil
}

// DeleteParametersInput names up to ten parameters.
type DeleteParametersInput struct {
	Names []string `aws:",required"`
}

// DeleteParametersOutput says which were deleted and which were not there.
type DeleteParametersOutput struct {
	DeletedParameters []string
	InvalidParameters []string
}

// DeleteParameters answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameters.html
func (s *Service) DeleteParameters(_ context.Context, in *DeleteParametersInput) (*DeleteParametersOutput, error) {
	if n := len(in.Names); n < 1 || n > 10 {
		return nil, invalid("Names: has %d members, not 1 to 10", n)
	}
	out := &DeleteParametersOutput{DeletedParameters: []string{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		if s.remove(name) {
			out.DeletedParameters = append(out.DeletedParameters, name)
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

// remove deletes a parameter with its tags and says whether it was there.
func (s *Service) remove(reference string) bool {
	s.mu.Lock()
	p, err := s.ownLocked(reference)
	if err == nil {
		delete(s.parameters, p.name)
		delete(s.tags, taggable{"Parameter", p.name})
	}
	s.mu.Unlock()
	if err != nil {
		return false
	}
	s.parameterChanged(p.name, p.latest(), "Delete")
	return true
}
