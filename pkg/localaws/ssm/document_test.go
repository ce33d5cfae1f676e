package ssm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"cutover/pkg/localaws/ssm"
)

// runbook is a document that waits; its description makes its content differ.
func runbook(description string) string {
	return fmt.Sprintf(`schemaVersion: '0.3'
description: %s
assumeRole: '{{ AutomationAssumeRole }}'
parameters:
  AutomationAssumeRole:
    type: String
    description: The role to run in
    default: ''
  Instances:
    type: StringList
    default: [i-1]
mainSteps:
  - name: wait
    action: aws:sleep
    inputs:
      Duration: PT1M
`, description)
}

func (p *place) createDocument(t testing.TB, name, content string) {
	t.Helper()
	_, err := p.CreateDocument(t.Context(), &sdk.CreateDocumentInput{
		Name: &name, Content: &content, DocumentType: types.DocumentTypeAutomation, DocumentFormat: types.DocumentFormatYaml,
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDocument_Describes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	out, err := p.DescribeDocument(t.Context(), &sdk.DescribeDocumentInput{Name: aws.String("Golden")})
	if err != nil {
		t.Fatal(err)
	}
	d := out.Document
	if *d.Description != "first" || d.Status != "Active" || *d.SchemaVersion != "0.3" || *d.DocumentVersion != "1" || *d.Owner != "111122223333" || len(d.Tags) != 1 {
		t.Errorf("document: got %+v", d)
	}
	var parameters []string
	for _, q := range d.Parameters {
		parameters = append(parameters, fmt.Sprint(*q.Name, " ", q.Type, " ", aws.ToString(q.DefaultValue)))
	}
	if want := []string{"AutomationAssumeRole String ", `Instances StringList ["i-1"]`}; !slices.Equal(parameters, want) {
		t.Errorf("parameters: got %q, want %q", parameters, want)
	}
	content, err := p.GetDocument(t.Context(), &sdk.GetDocumentInput{Name: aws.String("arn:aws:ssm:us-east-1:111122223333:document/Golden")})
	if err != nil || *content.Content != runbook("first") || content.DocumentFormat != types.DocumentFormatYaml {
		t.Errorf("content: got %+v, %v, want what was created", content, err)
	}
}

func TestDocument_HasVersions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	update := func(description, version, name string) error {
		in := &sdk.UpdateDocumentInput{
			Name: aws.String("Golden"), Content: aws.String(runbook(description)), DocumentFormat: types.DocumentFormatYaml, DocumentVersion: &version,
		}
		if name != "" {
			in.VersionName = &name
		}
		_, err := p.UpdateDocument(t.Context(), in)
		return err
	}
	wantCode(t, update("first", "$LATEST", ""), "DuplicateDocumentContent", "")
	if err := update("second", "$LATEST", "release-2"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, update("third", "1", ""), "InvalidDocumentVersion", "not latest")
	wantCode(t, update("third", "7", ""), "InvalidDocumentVersion", "does not exist")
	wantCode(t, update("third", "2", "release-2"), "DuplicateDocumentVersionName", "")
	if err := update("first", "2", ""); err != nil {
		t.Errorf("the content of a version before the latest: got %v, want it to be a version", err)
	}
	description := func(version, name *string) string {
		out, err := p.DescribeDocument(t.Context(), &sdk.DescribeDocumentInput{Name: aws.String("Golden"), DocumentVersion: version, VersionName: name})
		if err != nil {
			t.Fatal(err)
		}
		return *out.Document.Description + " " + *out.Document.DocumentVersion
	}
	if got := description(nil, nil); got != "first 1" {
		t.Errorf("default: got %s, want first 1", got)
	}
	if got := description(nil, aws.String("release-2")); got != "second 2" {
		t.Errorf("by version name: got %s, want second 2", got)
	}
	if got := description(aws.String("$LATEST"), nil); got != "first 3" {
		t.Errorf("latest: got %s, want first 3", got)
	}
	if _, err := p.UpdateDocumentDefaultVersion(t.Context(), &sdk.UpdateDocumentDefaultVersionInput{Name: aws.String("Golden"), DocumentVersion: aws.String("2")}); err != nil {
		t.Fatal(err)
	}
	if got := description(nil, nil); got != "second 2" {
		t.Errorf("new default: got %s, want second 2", got)
	}
	_, err := p.DeleteDocument(t.Context(), &sdk.DeleteDocumentInput{Name: aws.String("Golden"), DocumentVersion: aws.String("2")})
	wantCode(t, err, "InvalidDocumentOperation", "Default")
	if _, err := p.DeleteDocument(t.Context(), &sdk.DeleteDocumentInput{Name: aws.String("Golden"), DocumentVersion: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	list, err := p.ListDocumentVersions(t.Context(), &sdk.ListDocumentVersionsInput{Name: aws.String("Golden")})
	if err != nil || len(list.DocumentVersions) != 2 || *list.DocumentVersions[0].DocumentVersion != "3" || !list.DocumentVersions[1].IsDefaultVersion {
		t.Errorf("versions: got %+v, %v, want 3 and 2, which is the default", list, err)
	}
}

func TestCreateDocument_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(*sdk.CreateDocumentInput)
		code, text string
	}{
		"a name that is taken":         {func(in *sdk.CreateDocumentInput) { in.Name = aws.String("Taken") }, "DocumentAlreadyExists", "Taken"},
		"a name of AWS's own":          {func(in *sdk.CreateDocumentInput) { in.Name = aws.String("AWS-Mine") }, "ValidationException", "reserves"},
		"a short name":                 {func(in *sdk.CreateDocumentInput) { in.Name = aws.String("ab") }, "ValidationException", "3 to 128"},
		"a command document":           {func(in *sdk.CreateDocumentInput) { in.DocumentType = types.DocumentTypeCommand }, "ValidationException", "Automation only"},
		"content that is no runbook":   {func(in *sdk.CreateDocumentInput) { in.Content = aws.String("schemaVersion: '2.2'") }, "InvalidDocumentContent", ""},
		"content beyond 64 KB":         {func(in *sdk.CreateDocumentInput) { in.Content = aws.String(runbook(strings.Repeat("x", 65536))) }, "MaxDocumentSizeExceeded", "64 KB"},
		"attachments":                  {func(in *sdk.CreateDocumentInput) { in.Attachments = []types.AttachmentsSource{{Name: aws.String("x")}} }, "ValidationException", "Attachments"},
		"another format than it is in": {func(in *sdk.CreateDocumentInput) { in.DocumentFormat = types.DocumentFormatText }, "ValidationException", "TEXT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.createDocument(t, "Taken", runbook("first"))
			in := &sdk.CreateDocumentInput{
				Name: aws.String("Golden"), Content: aws.String(runbook("x")), DocumentType: types.DocumentTypeAutomation, DocumentFormat: types.DocumentFormatYaml,
			}
			c.change(in)
			_, err := p.CreateDocument(t.Context(), in)
			wantCode(t, err, c.code, c.text)
			if list := p.documents(t, types.DocumentKeyValuesFilter{Key: aws.String("Owner"), Values: []string{"Self"}}); !slices.Equal(list, []string{"Taken"}) {
				t.Errorf("documents: got %v, want Taken only", list)
			}
		})
	}
}

func (p *place) documents(t testing.TB, filters ...types.DocumentKeyValuesFilter) (names []string) {
	t.Helper()
	out, err := p.ListDocuments(t.Context(), &sdk.ListDocumentsInput{Filters: filters})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range out.DocumentIdentifiers {
		names = append(names, *d.Name)
	}
	return names
}

func TestListDocuments_Filters(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden-One", runbook("one"))
	p.createDocument(t, "Golden-Two", runbook("two"))
	filter := func(key, value string) types.DocumentKeyValuesFilter {
		return types.DocumentKeyValuesFilter{Key: &key, Values: []string{value}}
	}
	for _, c := range []struct {
		filters []types.DocumentKeyValuesFilter
		want    []string
	}{
		{nil, []string{"AWS-RunShellScript", "Golden-One", "Golden-Two"}},
		{[]types.DocumentKeyValuesFilter{filter("Owner", "Amazon")}, []string{"AWS-RunShellScript"}},
		{[]types.DocumentKeyValuesFilter{filter("Name", "Golden-T")}, []string{"Golden-Two"}},
		{[]types.DocumentKeyValuesFilter{filter("DocumentType", "Automation"), filter("tag:team", "blue")}, []string{"Golden-One", "Golden-Two"}},
		{[]types.DocumentKeyValuesFilter{filter("tag:team", "green")}, nil},
	} {
		if got := p.documents(t, c.filters...); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.filters, got, c.want)
		}
	}
}

func TestDocument_OfAWSStays(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	out, err := p.DescribeDocument(t.Context(), &sdk.DescribeDocumentInput{Name: aws.String("AWS-RunShellScript")})
	if err != nil || *out.Document.Owner != "Amazon" || out.Document.DocumentType != types.DocumentTypeCommand || len(out.Document.Parameters) != 3 {
		t.Errorf("got %+v, %v, want Amazon's command with three parameters", out, err)
	}
	_, err = p.DeleteDocument(t.Context(), &sdk.DeleteDocumentInput{Name: aws.String("AWS-RunShellScript")})
	wantCode(t, err, "InvalidDocument", "owned")
	if got, want := p.access(t, "SendCommand", &ssm.SendCommandInput{DocumentName: "AWS-RunShellScript", InstanceIds: []string{"i-1"}}), []string{
		"ssm:SendCommand arn:aws:ssm:us-east-1::document/AWS-RunShellScript", "ssm:SendCommand arn:aws:ec2:us-east-1:111122223333:instance/i-1",
	}; !slices.Equal(got, want) {
		t.Errorf("access: got %q, want %q", got, want)
	}
}
