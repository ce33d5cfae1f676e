package ssm

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DocumentDescription is a version of a document, without its content.
type DocumentDescription struct {
	Name           string
	VersionName    string
	Hash           string
	HashType       string
	Owner          string
	CreatedDate    time.Time
	Status         string
	Description    string
	Parameters     []DocumentParameter
	DocumentType   string
	SchemaVersion  string
	LatestVersion  string
	DefaultVersion string

	DocumentVersion string
	DocumentFormat  string
	TargetType      string
	PlatformTypes   []string
	Tags            []Tag
}

// DocumentParameter is a parameter that a document takes.
type DocumentParameter struct {
	Name         string
	Type         string // String or StringList
	Description  string
	DefaultValue string
}

// describeLocked is a version as answers have it.
func (s *Service) describeLocked(d *document, v *documentVersion) *DocumentDescription {
	out := &DocumentDescription{
		Name: d.name, VersionName: v.versionName, Hash: v.hash(), HashType: "Sha256", Owner: d.owner, CreatedDate: v.created,
		Status: "Active", Parameters: d.parameters, DocumentType: d.kind, SchemaVersion: d.schema(),
		LatestVersion: strconv.Itoa(d.latest().number), DefaultVersion: strconv.Itoa(d.defaultVersion),
		DocumentVersion: strconv.Itoa(v.number), DocumentFormat: v.format, TargetType: d.targetType,
		PlatformTypes: []string{"Linux"}, Tags: append([]Tag{}, s.tagsLocked(taggable{"Document", d.name})...),
	}
	if v.parsed != nil {
		out.Description, out.Parameters = v.parsed.Description, documentParameters(v)
	}
	return out
}

func (d *document) schema() string {
	if d.kind == "Command" {
		return "1.2"
	}
	return "0.3"
}

// documentParameters lists what a runbook takes, by name.
func documentParameters(v *documentVersion) []DocumentParameter {
	list := []DocumentParameter{}
	for _, name := range slices.Sorted(maps.Keys(v.parsed.Parameters)) {
		p := v.parsed.Parameters[name]
		kind := "String"
		if p.Type == "StringList" || p.Type == "MapList" || strings.HasPrefix(p.Type, "List<") {
			kind = "StringList"
		}
		list = append(list, DocumentParameter{Name: name, Type: kind, Description: p.Description, DefaultValue: defaultText(p.Default)})
	}
	return list
}

// defaultText is a default as DescribeDocument shows it: text, or JSON.
func defaultText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}

// DescribeDocumentInput names a version of a document; the default one unless
// given.
type DescribeDocumentInput struct {
	Name            string `aws:",required"`
	DocumentVersion string
	VersionName     string
}

// DescribeDocumentOutput describes it.
type DescribeDocumentOutput struct{ Document *DocumentDescription }

// DescribeDocument answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeDocument.html
func (s *Service) DescribeDocument(_ context.Context, in *DescribeDocumentInput) (*DescribeDocumentOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, v, err := s.versionLocked(in.Name, in.DocumentVersion, in.VersionName)
	if err != nil {
		return nil, err
	}
	return &DescribeDocumentOutput{s.describeLocked(d, v)}, nil
}

// versionLocked finds a document's version by number or by its own name.
func (s *Service) versionLocked(name, number, ownName string) (*document, *documentVersion, error) {
	d, err := s.documentLocked(name)
	if err != nil {
		return nil, nil, err
	}
	v := d.version(number)
	if ownName != "" && number == "" {
		v = nil
		for _, other := range d.versions {
			if other.versionName == ownName {
				v = other
			}
		}
	}
	if v == nil || ownName != "" && v.versionName != ownName {
		return nil, nil, noSuchVersion()
	}
	return d, v, nil
}

// GetDocumentInput names a version of a document, and the format wanted: the
// version's own.
type GetDocumentInput struct {
	Name            string `aws:",required"`
	DocumentVersion string
	VersionName     string
	DocumentFormat  string
}

// GetDocumentOutput is its content.
type GetDocumentOutput struct {
	Name            string
	CreatedDate     time.Time
	VersionName     string
	DocumentVersion string
	Status          string
	Content         string
	DocumentType    string
	DocumentFormat  string
}

// GetDocument answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetDocument.html
func (s *Service) GetDocument(_ context.Context, in *GetDocumentInput) (*GetDocumentOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, v, err := s.versionLocked(in.Name, in.DocumentVersion, in.VersionName)
	if err != nil {
		return nil, err
	}
	if in.DocumentFormat != "" && in.DocumentFormat != v.format {
		return nil, invalid("DocumentFormat: document %s is kept as %s, and the embedded AWS translates no documents", d.name, v.format)
	}
	return &GetDocumentOutput{
		Name: d.name, CreatedDate: v.created, VersionName: v.versionName, DocumentVersion: strconv.Itoa(v.number), Status: "Active",
		Content: v.content, DocumentType: d.kind, DocumentFormat: v.format,
	}, nil
}

// ListDocumentsInput filters documents.
type ListDocumentsInput struct {
	Filters    []DocumentFilter
	MaxResults *int // 1 to 50
	NextToken  string
}

// DocumentFilter is one condition; a document must meet all.
type DocumentFilter struct {
	Key    string   `aws:",required"` // Name (a prefix), Owner, DocumentType, TargetType, tag:KEY
	Values []string `aws:",required"`
}

// ListDocumentsOutput are those that match, by name.
type ListDocumentsOutput struct {
	DocumentIdentifiers []DocumentIdentifier
	NextToken           string
}

// DocumentIdentifier is a document's default version in short.
type DocumentIdentifier struct {
	Name            string
	CreatedDate     time.Time
	Owner           string
	VersionName     string
	PlatformTypes   []string
	DocumentVersion string
	DocumentType    string
	SchemaVersion   string
	DocumentFormat  string
	TargetType      string
	Tags            []Tag
}

// ListDocuments answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListDocuments.html
func (s *Service) ListDocuments(_ context.Context, in *ListDocumentsInput) (*ListDocumentsOutput, error) {
	for _, f := range in.Filters {
		if !slices.Contains([]string{"Name", "Owner", "DocumentType", "TargetType"}, f.Key) && !strings.HasPrefix(f.Key, "tag:") {
			return nil, refuse("InvalidFilterKey", "The specified key isn't valid: %s. The embedded AWS knows Name, Owner, DocumentType, TargetType and tag:KEY.", f.Key)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []DocumentIdentifier{}
	for _, d := range append(slices.Collect(maps.Values(s.documents)), s.runShellScript()) {
		if !s.documentMatchesLocked(d, in.Filters) {
			continue
		}
		v := d.version("")
		all = append(all, DocumentIdentifier{
			Name: d.name, CreatedDate: d.created, Owner: d.owner, VersionName: v.versionName, PlatformTypes: []string{"Linux"},
			DocumentVersion: strconv.Itoa(v.number), DocumentType: d.kind, SchemaVersion: d.schema(), DocumentFormat: v.format,
			TargetType: d.targetType, Tags: append([]Tag{}, s.tagsLocked(taggable{"Document", d.name})...),
		})
	}
	slices.SortFunc(all, func(a, b DocumentIdentifier) int { return cmp.Compare(a.Name, b.Name) })
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &ListDocumentsOutput{items, next}, err
}

func (s *Service) documentMatchesLocked(d *document, filters []DocumentFilter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(f.Values, func(want string) bool { return s.documentMeetsLocked(d, f.Key, want) }) {
			return false
		}
	}
	return true
}

func (s *Service) documentMeetsLocked(d *document, key, want string) bool {
	switch key {
	case "Name":
		return strings.HasPrefix(d.name, want)
	case "Owner":
		return want == d.owner || want == "All" || want == "Self" && d.owner == s.Account ||
			want == "Private" && d.owner == s.Account || (want == "Amazon" || want == "Public") && d.owner != s.Account
	case "DocumentType":
		return d.kind == want
	case "TargetType":
		return d.targetType == want
	}
	value, has := s.tags[taggable{"Document", d.name}][strings.TrimPrefix(key, "tag:")]
	return has && value == want
}

// ListDocumentVersionsInput names a document.
type ListDocumentVersionsInput struct {
	Name       string `aws:",required"`
	MaxResults *int   // 1 to 50
	NextToken  string
}

// ListDocumentVersionsOutput are its versions, latest first.
type ListDocumentVersionsOutput struct {
	DocumentVersions []DocumentVersionInfo
	NextToken        string
}

// DocumentVersionInfo is a version in short.
type DocumentVersionInfo struct {
	Name             string
	DocumentVersion  string
	VersionName      string
	CreatedDate      time.Time
	IsDefaultVersion bool
	DocumentFormat   string
	Status           string
}

// ListDocumentVersions answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListDocumentVersions.html
func (s *Service) ListDocumentVersions(_ context.Context, in *ListDocumentVersionsInput) (*ListDocumentVersionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.documentLocked(in.Name)
	if err != nil {
		return nil, err
	}
	all := []DocumentVersionInfo{}
	for _, v := range slices.Backward(d.versions) {
		all = append(all, DocumentVersionInfo{
			Name: d.name, DocumentVersion: strconv.Itoa(v.number), VersionName: v.versionName, CreatedDate: v.created,
			IsDefaultVersion: v.number == d.defaultVersion, DocumentFormat: v.format, Status: "Active",
		})
	}
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &ListDocumentVersionsOutput{items, next}, err
}
