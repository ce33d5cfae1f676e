package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// Resources lists the CloudFormation types of Systems Manager.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::SSM::Parameter", []string{"Name"}, s.createParameter, s.updateParameter, s.deleteParameter),
		resource.Define("AWS::SSM::Document", []string{"Name", "DocumentType"}, s.createDocument, s.updateDocument, s.deleteDocument),
	}
}

// parameterProperties are those of AWS::SSM::Parameter.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html
type parameterProperties struct {
	Name           string
	Type           string `aws:",required"` // String or StringList
	Value          string `aws:",required"`
	Description    string
	AllowedPattern string
	DataType       string
	Tier           string
	Tags           map[string]string
}

func (p *parameterProperties) put(name string, overwrite bool) *PutParameterInput {
	return &PutParameterInput{
		Name: name, Type: p.Type, Value: p.Value, Description: p.Description, AllowedPattern: p.AllowedPattern,
		DataType: p.DataType, Tier: p.Tier, Overwrite: overwrite,
	}
}

func (p *parameterProperties) state(name string) resource.State {
	return resource.State{PhysicalID: name, Attributes: map[string]any{"Type": p.Type, "Value": p.Value}}
}

func (s *Service) createParameter(ctx context.Context, r resource.Request, p *parameterProperties) (resource.State, error) {
	name := p.Name
	if name == "" {
		name = r.GeneratedName(1011)
	}
	if p.Type == "SecureString" {
		return resource.State{}, fmt.Errorf("create parameter %s: CloudFormation makes no parameters of type SecureString", name)
	}
	in := p.put(name, false)
	in.Tags = tagList(p.Tags)
	if err := s.putStable(ctx, in); err != nil {
		return resource.State{}, fmt.Errorf("create parameter %s: %w", name, err)
	}
	return p.state(name), nil
}

// putStable puts a parameter as CloudFormation does, which waits until an image
// was checked, and fails when it can't be used.
func (s *Service) putStable(ctx context.Context, in *PutParameterInput) error {
	out, err := s.putParameter(ctx, in, func(check func()) { check() })
	if err != nil {
		return err
	}
	if _, stored := s.ParameterValue(fmt.Sprintf("%s:%d", in.Name, *out.Version)); !stored {
		return fmt.Errorf("the value %s of data type %s is not an image that is available", in.Value, in.DataType)
	}
	return nil
}

func (s *Service) updateParameter(ctx context.Context, r resource.Request, p *parameterProperties) (resource.State, error) {
	same := func(property string) bool { return !r.Changed(property) }
	stored := []string{"Type", "Value", "Description", "AllowedPattern", "DataType", "Tier"}
	if slices.ContainsFunc(stored, func(property string) bool { return !same(property) }) {
		if err := s.putStable(ctx, p.put(r.PhysicalID, true)); err != nil {
			return resource.State{}, fmt.Errorf("update parameter %s: %w", r.PhysicalID, err)
		}
	}
	before := new(parameterProperties)
	resource.Decode(r.Previous, before)
	if err := s.retag(taggable{"Parameter", r.PhysicalID}, tagList(before.Tags), tagList(p.Tags)); err != nil {
		return resource.State{}, fmt.Errorf("tag parameter %s: %w", r.PhysicalID, err)
	}
	return p.state(r.PhysicalID), nil
}

func (s *Service) deleteParameter(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteParameter(ctx, &DeleteParameterInput{Name: r.PhysicalID})
	if isCode(err, "ParameterNotFound") {
		return nil
	}
	return err
}

func isCode(err error, code string) bool {
	var refused *wire.Error
	return errors.As(err, &refused) && refused.Code == code
}

func tagList(tags map[string]string) []Tag {
	var list []Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, Tag{Key: key, Value: tags[key]})
	}
	return list
}

// retag takes away the tags that a template no longer has, and sets those it has.
func (s *Service) retag(of taggable, before, tags []Tag) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.tagLocked(of, tags); err != nil {
		return err
	}
	for _, t := range before {
		if !slices.ContainsFunc(tags, func(kept Tag) bool { return kept.Key == t.Key }) {
			delete(s.tags[of], t.Key)
		}
	}
	return nil
}

// documentProperties are those of AWS::SSM::Document.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-document.html
type documentProperties struct {
	Content        any `aws:",required"` // an object, or text in DocumentFormat
	Name           string
	DocumentType   string
	DocumentFormat string
	UpdateMethod   string // Replace unless given, or NewVersion
	VersionName    string
	TargetType     string
	Tags           []resource.Tag
}

// content is the document's text: an object is written as JSON whatever the
// format, and JSON is YAML too.
func (p *documentProperties) content() (string, error) {
	if text, ok := p.Content.(string); ok {
		return text, nil
	}
	text, err := json.Marshal(p.Content)
	if err != nil {
		return "", fmt.Errorf("encode Content: %w", err)
	}
	return string(text), nil
}

func (p *documentProperties) tags() []Tag {
	var list []Tag
	for _, t := range p.Tags {
		list = append(list, Tag(t))
	}
	return list
}

func (s *Service) createDocument(ctx context.Context, r resource.Request, p *documentProperties) (resource.State, error) {
	name := p.Name
	if name == "" {
		name = r.GeneratedName(128)
	}
	if p.UpdateMethod != "" && p.UpdateMethod != "Replace" && p.UpdateMethod != "NewVersion" {
		return resource.State{}, fmt.Errorf("create document %s: UpdateMethod %q is neither Replace nor NewVersion", name, p.UpdateMethod)
	}
	content, err := p.content()
	if err != nil {
		return resource.State{}, fmt.Errorf("create document %s: %w", name, err)
	}
	_, err = s.CreateDocument(ctx, &CreateDocumentInput{
		Name: name, Content: content, DocumentType: p.DocumentType, DocumentFormat: p.DocumentFormat,
		VersionName: p.VersionName, TargetType: p.TargetType, Tags: p.tags(),
	})
	if err != nil {
		return resource.State{}, fmt.Errorf("create document %s: %w", name, err)
	}
	return resource.State{PhysicalID: name}, nil
}

// updateDocument makes a version and the default of it with NewVersion, and
// another document with Replace, which a document with a name of its own can't
// have.
func (s *Service) updateDocument(ctx context.Context, r resource.Request, p *documentProperties) (resource.State, error) {
	versioned := []string{"Content", "DocumentFormat", "VersionName", "TargetType"}
	if slices.ContainsFunc(versioned, r.Changed) {
		if p.UpdateMethod != "NewVersion" {
			return s.replaceDocument(ctx, r, p)
		}
		if err := s.newVersion(ctx, r.PhysicalID, p); err != nil {
			return resource.State{}, fmt.Errorf("update document %s: %w", r.PhysicalID, err)
		}
	}
	before := new(documentProperties)
	resource.Decode(r.Previous, before)
	if err := s.retag(taggable{"Document", r.PhysicalID}, before.tags(), p.tags()); err != nil {
		return resource.State{}, fmt.Errorf("tag document %s: %w", r.PhysicalID, err)
	}
	return resource.State{PhysicalID: r.PhysicalID}, nil
}

func (s *Service) replaceDocument(ctx context.Context, r resource.Request, p *documentProperties) (resource.State, error) {
	if p.Name != "" {
		return resource.State{}, fmt.Errorf("update document %s: CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again, or set UpdateMethod to NewVersion",
			p.Name, p.Name)
	}
	r.Replaces = r.PhysicalID
	return s.createDocument(ctx, r, p)
}

func (s *Service) newVersion(ctx context.Context, name string, p *documentProperties) error {
	content, err := p.content()
	if err != nil {
		return err
	}
	out, err := s.UpdateDocument(ctx, &UpdateDocumentInput{
		Name: name, Content: content, DocumentVersion: "$LATEST", DocumentFormat: p.DocumentFormat,
		VersionName: p.VersionName, TargetType: p.TargetType,
	})
	if isCode(err, "DuplicateDocumentContent") {
		return nil // the latest version is what the template wants
	}
	if err != nil {
		return err
	}
	_, err = s.UpdateDocumentDefaultVersion(ctx, &UpdateDocumentDefaultVersionInput{
		Name: name, DocumentVersion: out.DocumentDescription.DocumentVersion,
	})
	return err
}

func (s *Service) deleteDocument(ctx context.Context, r resource.Request) error {
	_, err := s.DeleteDocument(ctx, &DeleteDocumentInput{Name: r.PhysicalID})
	if isCode(err, "InvalidDocument") {
		return nil
	}
	return err
}
