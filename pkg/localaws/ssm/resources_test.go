package ssm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/resource"
)

func (p *place) typeOf(t testing.TB, name string) resource.Type {
	t.Helper()
	for _, r := range p.service.Resources() {
		if r.Name == "AWS::SSM::"+name {
			return r
		}
	}
	t.Fatalf("there is no resource type %s", name)
	return resource.Type{}
}

// A stacked is a resource of a stack.
type stacked struct {
	kind    resource.Type
	request resource.Request
}

func (p *place) create(t testing.TB, kind string, properties map[string]any) (*stacked, resource.State) {
	t.Helper()
	s := &stacked{kind: p.typeOf(t, kind), request: resource.Request{StackName: "app", StackID: "id", LogicalID: kind, Properties: properties}}
	state, err := s.kind.Create(t.Context(), s.request)
	if err != nil {
		t.Fatal(err)
	}
	s.request.PhysicalID = state.PhysicalID
	return s, state
}

func (s *stacked) update(t testing.TB, properties map[string]any) (resource.State, error) {
	t.Helper()
	r := s.request
	r.Previous, r.Properties = r.Properties, properties
	state, err := s.kind.Update(t.Context(), r)
	if err == nil {
		s.request.Properties, s.request.PhysicalID = properties, state.PhysicalID
	}
	return state, err
}

func TestParameterResource_FollowsItsTemplate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r, state := p.create(t, "Parameter", map[string]any{
		"Name": "/app/image", "Type": "String", "Value": "one", "Tags": map[string]any{"team": "blue", "old": "x"},
	})
	want := resource.State{PhysicalID: "/app/image", Attributes: map[string]any{"Type": "String", "Value": "one"}}
	if diff := cmp.Diff(want, state); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	// Another put this value; an update of the tags leaves it.
	p.put(t, "/app/image", "by hand")
	if _, err := r.update(t, map[string]any{"Name": "/app/image", "Type": "String", "Value": "one", "Tags": map[string]any{"team": "green"}}); err != nil {
		t.Fatal(err)
	}
	if got := p.value(t, "/app/image"); got != "by hand" {
		t.Errorf("after an update of tags: got %s, want the value left alone", got)
	}
	if _, err := r.update(t, map[string]any{"Name": "/app/image", "Type": "String", "Value": "two", "Tags": map[string]any{"team": "green"}}); err != nil {
		t.Fatal(err)
	}
	if got := p.value(t, "/app/image"); got != "two" {
		t.Errorf("after an update of the value: got %s, want two", got)
	}
	tags, err := p.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/app/image")})
	if err != nil || len(tags.TagList) != 1 || *tags.TagList[0].Value != "green" {
		t.Errorf("tags: got %+v, %v, want team=green only", tags, err)
	}
	for range 2 { // a deletion is safe to repeat
		if err := r.kind.Delete(t.Context(), r.request); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	if got := p.value(t, "/app/image"); got != "ParameterNotFound" {
		t.Errorf("after deletion: got %s", got)
	}
}

func TestParameterResource_NamesItself(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, state := p.create(t, "Parameter", map[string]any{"Type": "StringList", "Value": "a,b"})
	if !strings.HasPrefix(state.PhysicalID, "app-Parameter-") {
		t.Errorf("name: got %s, want it made of stack and logical id", state.PhysicalID)
	}
	_, err := p.typeOf(t, "Parameter").Create(t.Context(), resource.Request{Properties: map[string]any{"Type": "SecureString", "Value": "x"}})
	if err == nil || !strings.Contains(err.Error(), "SecureString") {
		t.Errorf("a secure string: got %v, want it refused", err)
	}
}

// A stack waits for the check of an image, and fails when it can't be used.
func TestParameterResource_WaitsForItsImage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	properties := func(name, image string) map[string]any {
		return map[string]any{"Name": name, "Type": "String", "Value": image, "DataType": "aws:ec2:image"}
	}
	p.create(t, "Parameter", properties("/golden", goldenImage))
	if got := p.value(t, "/golden"); got != goldenImage {
		t.Errorf("got %s at once, want %s", got, goldenImage)
	}
	_, err := p.typeOf(t, "Parameter").Create(t.Context(), resource.Request{Properties: properties("/none", "ami-0cccccccccccccccc")})
	if err == nil || !strings.Contains(err.Error(), "not an image that is available") {
		t.Errorf("an image that is not there: got %v, want the creation to fail", err)
	}
	if got := p.value(t, "/none"); got != "ParameterNotFound" {
		t.Errorf("an image that is not there: got %s, want no parameter", got)
	}
}

// content is a runbook as a template's object.
func content(description string) map[string]any {
	return map[string]any{
		"schemaVersion": "0.3", "description": description,
		"mainSteps": []any{map[string]any{"name": "wait", "action": "aws:sleep", "inputs": map[string]any{"Duration": "PT1M"}}},
	}
}

func (p *place) described(t testing.TB, name string) string {
	t.Helper()
	out, err := p.DescribeDocument(t.Context(), &sdk.DescribeDocumentInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *out.Document.Description + " " + *out.Document.DocumentVersion
}

func TestDocumentResource_MakesVersions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	properties := func(description string) map[string]any {
		return map[string]any{
			"Name": "Golden", "DocumentType": "Automation", "UpdateMethod": "NewVersion", "Content": content(description),
			"Tags": []any{map[string]any{"Key": "for", "Value": description}},
		}
	}
	r, _ := p.create(t, "Document", properties("first"))
	state, err := r.update(t, properties("second"))
	if err != nil || state.PhysicalID != "Golden" {
		t.Fatalf("update: got %+v, %v, want Golden to stay", state, err)
	}
	if got := p.described(t, "Golden"); got != "second 2" {
		t.Errorf("got %s, want second 2 as the default", got)
	}
	if _, err := r.update(t, map[string]any{"Name": "Golden", "DocumentType": "Automation", "UpdateMethod": "NewVersion", "Content": map[string]any{"schemaVersion": "0.3"}}); err == nil {
		t.Error("a document without steps: got no error")
	}
	if err := r.kind.Delete(t.Context(), r.request); err != nil {
		t.Fatal(err)
	}
	if err := r.kind.Delete(t.Context(), r.request); err != nil {
		t.Errorf("delete again: %v", err)
	}
}

// Replacing a document makes another, which a name of one's own forbids.
func TestDocumentResource_Replaces(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	unnamed, state := p.create(t, "Document", map[string]any{"DocumentType": "Automation", "Content": content("first")})
	next, err := unnamed.update(t, map[string]any{"DocumentType": "Automation", "Content": content("second")})
	if err != nil || next.PhysicalID == state.PhysicalID {
		t.Fatalf("update: got %+v, %v, want another document than %s", next, err, state.PhysicalID)
	}
	if got, before := p.described(t, next.PhysicalID), p.described(t, state.PhysicalID); got != "second 1" || before != "first 1" {
		t.Errorf("got %s, and %s before, want second 1 and first 1", got, before)
	}
	named, _ := p.create(t, "Document", map[string]any{"Name": "Golden", "DocumentType": "Automation", "DocumentFormat": "YAML", "Content": runbook("first")})
	_, err = named.update(t, map[string]any{"Name": "Golden", "DocumentType": "Automation", "DocumentFormat": "YAML", "Content": runbook("second")})
	if err == nil || !strings.Contains(err.Error(), "custom-named resource requires replacing") {
		t.Errorf("a named document: got %v, want the replacement refused", err)
	}
	if got := p.described(t, "Golden"); got != "first 1" {
		t.Errorf("a named document: got %s, want it as it was", got)
	}
	if got := p.typeOf(t, "Document").CreateOnly; !slices.Equal(got, []string{"Name", "DocumentType"}) {
		t.Errorf("create-only properties: got %v", got)
	}
}
