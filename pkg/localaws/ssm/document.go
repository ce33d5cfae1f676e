package ssm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/automation"
	"cutover/pkg/localaws/wire"
)

// Quotas of documents.
// https://docs.aws.amazon.com/general/latest/gr/ssm.html
const (
	documentSize     = 64 << 10 // bytes of content
	documentVersions = 1000
)

// A document is a name with its versions, oldest first.
type document struct {
	name           string
	kind           string // DocumentType
	targetType     string
	owner          string
	created        time.Time
	defaultVersion int
	versions       []*documentVersion
	parameters     []DocumentParameter // of a document that AWS owns
}

// A documentVersion is one content.
type documentVersion struct {
	number      int
	versionName string
	content     string
	format      string
	created     time.Time
	parsed      *automation.Document // nil for a command document
}

func (d *document) latest() *documentVersion { return d.versions[len(d.versions)-1] }

// version finds a version by number, $LATEST, $DEFAULT, or "" for the default.
func (d *document) version(wanted string) *documentVersion {
	switch wanted {
	case "$LATEST":
		return d.latest()
	case "", "$DEFAULT":
		wanted = strconv.Itoa(d.defaultVersion)
	}
	for _, v := range d.versions {
		if strconv.Itoa(v.number) == wanted {
			return v
		}
	}
	return nil
}

// CreateDocumentInput makes a document.
type CreateDocumentInput struct {
	Name           string `aws:",required"`
	Content        string `aws:",required"`
	DocumentType   string // Automation
	DocumentFormat string // JSON unless given
	VersionName    string
	TargetType     string
	Tags           []Tag
}

// DocumentOutput describes a document.
type DocumentOutput struct{ DocumentDescription *DocumentDescription }

var (
	documentName = regexp.MustCompile(`^[a-zA-Z0-9_\-.]{3,128}$`)
	versionName  = regexp.MustCompile(`^[a-zA-Z0-9_\-.]{1,128}$`)
)

// CreateDocument answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
func (s *Service) CreateDocument(ctx context.Context, in *CreateDocumentInput) (*DocumentOutput, error) {
	v, err := s.newDocumentVersion(in.Content, in.DocumentFormat, in.VersionName)
	if err != nil {
		return nil, err
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.documents[in.Name] != nil {
		return nil, refuse("DocumentAlreadyExists", "Document with same name %s already exists", in.Name)
	}
	d := &document{
		name: in.Name, kind: in.DocumentType, targetType: in.TargetType, owner: s.Account, created: v.created,
		defaultVersion: 1, versions: []*documentVersion{v},
	}
	v.number = 1
	s.documents[in.Name] = d
	s.setTagsLocked(taggable{"Document", d.name}, in.Tags)
	return &DocumentOutput{s.describeLocked(d, v)}, nil
}

func (in *CreateDocumentInput) validate() error {
	lower := strings.ToLower(in.Name)
	switch {
	case !documentName.MatchString(in.Name):
		return invalid("Name: %q must have 3 to 128 letters, digits and _-.", in.Name)
	case strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "amazon") || strings.HasPrefix(lower, "amzn"):
		return invalid("Name: %q begins with aws, amazon or amzn, which AWS reserves for its own documents", in.Name)
	case in.DocumentType != "Automation":
		return invalid("DocumentType: %q; the embedded AWS makes documents of type Automation only", in.DocumentType)
	case in.TargetType != "" && !strings.HasPrefix(in.TargetType, "/"):
		return invalid("TargetType: %q is neither / nor a resource type such as /AWS::EC2::Instance", in.TargetType)
	}
	return validTags(in.Tags)
}

// newDocumentVersion reads and checks a content.
func (s *Service) newDocumentVersion(content, format, name string) (*documentVersion, error) {
	if format == "" {
		format = "JSON"
	}
	switch {
	case len(content) > documentSize:
		return nil, refuse("MaxDocumentSizeExceeded", "The size of the document exceeds the limit of 64 KB")
	case format != "JSON" && format != "YAML":
		return nil, invalid("DocumentFormat: %q is neither JSON nor YAML", format)
	case name != "" && !versionName.MatchString(name):
		return nil, invalid("VersionName: %q must have 1 to 128 letters, digits and _-.", name)
	}
	parsed, err := automation.Parse(content, format)
	if err != nil {
		return nil, refuse("InvalidDocumentContent", "%v", err)
	}
	return &documentVersion{versionName: name, content: content, format: format, created: s.Clock.Now(), parsed: parsed}, nil
}

// UpdateDocumentInput makes a version of a document. DocumentVersion is the one
// that it comes after, and must be the latest.
type UpdateDocumentInput struct {
	Name            string `aws:",required"`
	Content         string `aws:",required"`
	DocumentVersion string // $LATEST or a number; the default version unless given
	DocumentFormat  string
	VersionName     string
	TargetType      string
}

// UpdateDocument answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateDocument.html
func (s *Service) UpdateDocument(_ context.Context, in *UpdateDocumentInput) (*DocumentOutput, error) {
	v, err := s.newDocumentVersion(in.Content, in.DocumentFormat, in.VersionName)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.changeableLocked(in.Name)
	if err != nil {
		return nil, err
	}
	latest := d.latest()
	after := d.version(in.DocumentVersion)
	switch {
	case after == nil:
		return nil, noSuchVersion()
	case after != latest:
		return nil, refuse("InvalidDocumentVersion", "Version provided for document %s is not latest. Please provide the latest version to update document %s", d.name, d.name)
	case v.content == latest.content && v.format == latest.format:
		return nil, refuse("DuplicateDocumentContent", "The content of the association document matches another document. Change the content of the document and try again.")
	case len(d.versions) >= documentVersions:
		return nil, refuse("DocumentVersionLimitExceeded", "The document has too many versions. Delete one or more document versions and try again.")
	}
	for _, other := range d.versions {
		if v.versionName != "" && other.versionName == v.versionName {
			return nil, refuse("DuplicateDocumentVersionName", "The version name has already been used in this document. Specify a different version name, and then try again.")
		}
	}
	v.number = latest.number + 1
	d.versions = append(d.versions, v)
	if in.TargetType != "" {
		d.targetType = in.TargetType
	}
	return &DocumentOutput{s.describeLocked(d, v)}, nil
}

func noSuchVersion() *wire.Error {
	return refuse("InvalidDocumentVersion", "The document version is not valid or does not exist.")
}

// documentLocked finds a document, also one that AWS owns, by name or ARN.
func (s *Service) documentLocked(reference string) (*document, error) {
	name := documentNameOf(reference)
	if d := s.documents[name]; d != nil {
		return d, nil
	}
	if name == runShellScript {
		return s.runShellScript(), nil
	}
	return nil, refuse("InvalidDocument", "Document with name %s does not exist.", name)
}

func (s *Service) changeableLocked(reference string) (*document, error) {
	d, err := s.documentLocked(reference)
	if err == nil && d.owner != s.Account {
		return nil, refuse("InvalidDocument", "Document %s is owned by %s and can't be changed.", d.name, d.owner)
	}
	return d, err
}

// documentNameOf is the name in a document's ARN, or the name itself.
func documentNameOf(reference string) string {
	if strings.HasPrefix(reference, "arn:") {
		if _, name, ok := strings.Cut(reference, ":document/"); ok {
			return name
		}
		_, name, _ := strings.Cut(reference, ":automation-definition/")
		name, _, _ = strings.Cut(name, ":")
		return name
	}
	return reference
}

// documentARN is the ARN of the document that a name or an ARN refers to.
func (s *Service) documentARN(reference string) string {
	name := documentNameOf(reference)
	if strings.HasPrefix(name, "AWS-") {
		return fmt.Sprintf("arn:aws:ssm:%s::document/%s", s.Region, name)
	}
	return s.arn("document/" + name)
}

// hash is the SHA-256 of a content.
func (v *documentVersion) hash() string {
	sum := sha256.Sum256([]byte(v.content))
	return hex.EncodeToString(sum[:])
}
