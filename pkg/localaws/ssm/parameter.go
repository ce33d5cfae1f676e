package ssm

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// keptVersions is how many versions a parameter has at most.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
const keptVersions = 100

// A parameter is a name with its versions, oldest first. It is there while it
// has a version or one whose image is being checked.
type parameter struct {
	name     string
	made     int // version numbers given so far
	checking int // versions whose image is being checked
	versions []*version
}

// A version is what one PutParameter stored.
type version struct {
	number         int
	kind           string // Type
	value          string
	dataType       string
	tier           string
	description    string
	allowedPattern string
	keyID          string
	labels         []string
	modified       time.Time
	by             string
}

func (p *parameter) latest() *version {
	if p == nil || len(p.versions) == 0 {
		return nil
	}
	return p.versions[len(p.versions)-1]
}

// find is the version that a selector names: a number, a label, or "" for the
// latest.
func (p *parameter) find(selector string) *version {
	if p == nil || selector == "" {
		return p.latest()
	}
	for _, v := range p.versions {
		if fmt.Sprint(v.number) == selector || slices.Contains(v.labels, selector) {
			return v
		}
	}
	return nil
}

// Parameter is a parameter's value as answers show it.
type Parameter struct {
	Name             string
	Type             string
	Value            string
	Version          int
	Selector         string // with its colon, as given
	LastModifiedDate time.Time
	ARN              string
	DataType         string
}

// parameterARN is the ARN of a name, whose leading slash it leaves out.
func (s *Service) parameterARN(name string) string {
	rest := "parameter/" + strings.TrimPrefix(name, "/")
	if strings.HasPrefix(name, "/aws/service/") {
		return fmt.Sprintf("arn:aws:ssm:%s::%s", s.Region, rest)
	}
	return s.arn(rest)
}

// show is a version as answers have it.
func (s *Service) show(name, selector string, v *version, decrypt bool) Parameter {
	p := Parameter{
		Name: name, Type: v.kind, Value: v.value, Version: v.number, LastModifiedDate: v.modified,
		ARN: s.parameterARN(name), DataType: v.dataType,
	}
	if selector != "" {
		p.Selector = ":" + selector
	}
	if v.kind == "SecureString" && !decrypt {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s", name, v.number, v.value))
		p.Value = base64.StdEncoding.EncodeToString(sum[:])
	}
	return p
}

// splitLocked parts a parameter's reference (a name or an ARN, perhaps with a
// selector after a colon) into the name and the selector.
func (s *Service) splitLocked(reference string) (name, selector string) {
	if rest, ok := strings.CutPrefix(reference, "arn:"); ok {
		parts := strings.SplitN("arn:"+rest, ":", 6)
		if len(parts) < 6 || parts[2] != "ssm" || parts[3] != s.Region {
			return reference, ""
		}
		path, ok := strings.CutPrefix(parts[5], "parameter")
		if !ok || parts[4] != s.Account && !strings.HasPrefix(path, "/aws/service/") {
			return reference, ""
		}
		name, selector, _ = strings.Cut(path, ":")
		if bare := strings.TrimPrefix(name, "/"); s.parameters[bare] != nil {
			name = bare // the ARN of "name" and of "/name" are the same
		}
		return name, selector
	}
	name, selector, _ = strings.Cut(reference, ":")
	return name, selector
}

// findLocked is the value a reference names.
func (s *Service) findLocked(reference string, public map[string]string, decrypt bool) (Parameter, error) {
	name, selector := s.splitLocked(reference)
	if image, ok := public[name]; ok && (selector == "" || selector == "1") {
		return s.show(name, selector, s.publicVersion(image), false), nil
	}
	p := s.parameters[name]
	if p.latest() == nil {
		return Parameter{}, refuse("ParameterNotFound", "Parameter %s not found.", name)
	}
	v := p.find(selector)
	if v == nil {
		return Parameter{}, refuse("ParameterVersionNotFound",
			"Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
	}
	return s.show(name, selector, v, decrypt), nil
}

// publicVersion is the version of a public parameter.
func (s *Service) publicVersion(image string) *version {
	return &version{number: 1, kind: "String", value: image, dataType: "text", modified: s.started}
}

// ParameterValue is the current value of the parameter that a reference names,
// decrypted, for other services of the embedded AWS.
func (s *Service) ParameterValue(reference string) (string, bool) {
	public := s.PublicImages()
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findLocked(reference, public, true)
	return p.Value, err == nil
}

// validName says whether a parameter of one's own may bear a name.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-parameter-name-constraints.html
func validName(name string) error {
	bare := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case name == "" || len(name) > 1011:
		return invalid("Parameter name: must have 1 to 1011 characters.")
	case !nameChars.MatchString(name) || strings.Contains(name, "//") || strings.HasSuffix(name, "/"):
		return invalid("Parameter name: only a mix of letters, numbers and the following 4 symbols .-_/ is allowed, in parts that are not empty; got %q.", name)
	case strings.HasPrefix(bare, "aws") || strings.HasPrefix(bare, "ssm"):
		return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > 15:
		return refuse("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels.")
	}
	return nil
}

var nameChars = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
