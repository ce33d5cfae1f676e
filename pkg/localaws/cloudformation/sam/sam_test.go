package sam_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/cloudformation/sam"
	"cutover/pkg/localaws/cloudformation/template"
)

var update = flag.Bool("update", false, "rewrite golden files")

// transform expands a template and lists its faults.
func transform(source string) (*template.Node, error) {
	var faults template.Faults
	root := template.Read([]byte(source), &faults)
	sam.Transform(root, &faults)
	_, err := template.Build(root, &faults, template.Options{
		Type: func(name string) (reflect.Type, bool) {
			return nil, slices.Contains([]string{"AWS::Lambda::Function", "AWS::Lambda::EventInvokeConfig", "AWS::IAM::Role", "AWS::SQS::Queue"}, name)
		},
		Transforms: []string{sam.Name},
	})
	return root, err
}

func TestTransform_ExpandsFunctions(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/functions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	root, err := transform(string(source))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/functions.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("expanded template (-want +got):\n%s", diff)
	}
}

func TestTransform_ListsEveryFault(t *testing.T) {
	t.Parallel()
	const source = `Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Timeout: 3, Events: {}}
  Api: {}
Resources:
  Local:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ./build
      AutoPublishAlias: live
      Tags: [a]
  Object:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: {Bucket: b, Path: k}}
  Policed:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: s3://b/k
      Policies:
        - S3ReadPolicy: {BucketName: b}
        - [1]
      EventInvokeConfig: {Retries: 0, DestinationConfig: {OnFailure: {Type: SQS}, Always: {}}}
  Both:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: s3://b/k, Role: arn:x, Policies: [X]}
  Bare: {Type: AWS::Serverless::Function}
  BareRole: {Type: AWS::SQS::Queue}
  Api: {Type: AWS::Serverless::Api}
`
	_, err := transform(source)
	want := `line 3: Globals.Function.Events: unknown property of Globals.Function
line 4: Globals.Api: unknown section of Globals
line 9: Resources.Local.Properties.CodeUri: must be an s3://bucket/key address or have Bucket and Key; package the template first
line 10: Resources.Local.Properties.AutoPublishAlias: unknown property of AWS::Serverless::Function
line 11: Resources.Local.Properties.Tags: is not a map
line 14: Resources.Object.Properties.CodeUri.Key: is required
line 14: Resources.Object.Properties.CodeUri.Path: is unknown
line 20: Resources.Policed.Properties.Policies[0]: unknown SAM policy template S3ReadPolicy
line 21: Resources.Policed.Properties.Policies[1]: is neither a managed policy nor a policy document
line 22: Resources.Policed.Properties.EventInvokeConfig.DestinationConfig.Always: is unknown
line 22: Resources.Policed.Properties.EventInvokeConfig.DestinationConfig.OnFailure: Destination is required: the embedded AWS makes no queue or topic by itself
line 22: Resources.Policed.Properties.EventInvokeConfig.Retries: is unknown
line 23: Resources.Both: Policies has no effect beside Role
line 26: Resources.Bare: makes a resource BareRole, which the template defines too
line 26: Resources.Bare.Properties.CodeUri: is required
line 28: Resources.Api.Type: unknown resource type AWS::Serverless::Api`
	if err == nil {
		t.Fatal("got no error, want one")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestPackage_PointsFunctionsToTheirCode(t *testing.T) {
	t.Parallel()
	const source = `Transform: AWS::Serverless-2016-10-31
Resources:
  Local:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {CodeUri: ., Timeout: 3, Role: !GetAtt Role.Arn}
  Bare: {Type: AWS::Serverless::Function}
  Inline: {Type: AWS::Serverless::Function, Properties: {InlineCode: x}}
  Role: {Type: AWS::IAM::Role}
`
	packaged, err := sam.Package([]byte(source), func(id string) (string, error) { return "s3://code/" + id + ".zip", nil })
	if err != nil {
		t.Fatal(err)
	}
	root, err := transform(string(packaged))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range root.Get("Resources").Pairs {
		if key := p.Value.Get("Properties").Get("Code").Get("S3Key"); key != nil {
			got[p.Key] = key.Text
		}
	}
	if diff := cmp.Diff(map[string]string{"Local": "Local.zip", "Bare": "Bare.zip"}, got); diff != "" {
		t.Errorf("code (-want +got):\n%s", diff)
	}
	_, err = sam.Package([]byte(source), func(string) (string, error) { return "", errors.New("not built") })
	if err == nil || err.Error() != "package function Local: not built" {
		t.Errorf("got error %v, want the function that is not built", err)
	}
}

// FuzzTransform holds that no template makes the transform panic.
func FuzzTransform(f *testing.F) {
	source, err := os.ReadFile("testdata/functions.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(source))
	f.Add("Globals: {Function: {Tags: {a: b}, Policies: x}}\nResources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: !Sub x, Tags: {c: !Ref F}, VpcConfig: {}}}}")
	f.Fuzz(func(t *testing.T, source string) {
		var faults template.Faults
		root := template.Read([]byte(source), &faults)
		if root == nil {
			return
		}
		sam.Transform(root, &faults)
		if text, err := json.Marshal(root.Literal()); err == nil && faults.Err() == nil && strings.Contains(string(text), `"Type":"AWS::Serverless::Function"`) && resourceLeft(root) {
			t.Errorf("a serverless function is left: %s", text)
		}
	})
}

func resourceLeft(root *template.Node) bool {
	resources := root.Get("Resources")
	if resources == nil || resources.Kind != template.Dict {
		return false
	}
	return slices.ContainsFunc(resources.Pairs, func(p template.Pair) bool {
		kind, _ := p.Value.Get("Type").IsString()
		return kind == "AWS::Serverless::Function"
	})
}
