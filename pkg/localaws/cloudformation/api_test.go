package cloudformation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

const withSecret = `
Description: a demo
Parameters:
  Secret: {Type: String, NoEcho: true, Description: not shown}
  Kind: {Type: String, Default: small, AllowedValues: [small, large]}
Resources:
  A: {Type: Test::Thing, Metadata: {Note: hello}, Properties: {Value: !Sub "${Kind}-${Secret}"}}
Outputs:
  Arn: {Value: !GetAtt A.Arn, Description: its ARN, Export: {Name: !Sub "${AWS::StackName}-arn"}}
`

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return "" // no answer of the service
}

func TestAPI_StackFromBirthToDeath(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	c, ctx := client(t, w), t.Context()
	made, err := c.CreateStack(ctx, &sdk.CreateStackInput{
		StackName: aws.String("demo"), TemplateBody: aws.String(withSecret),
		Parameters: []types.Parameter{{ParameterKey: aws.String("Secret"), ParameterValue: aws.String("hush")}},
		Tags:       []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(*made.StackId, "arn:aws:cloudformation:us-east-1:111122223333:stack/demo/") {
		t.Errorf("got stack id %s", *made.StackId)
	}
	if _, err := c.CreateStack(ctx, &sdk.CreateStackInput{StackName: aws.String("demo"), TemplateBody: aws.String(withSecret)}); code(err) != "AlreadyExistsException: Stack [demo] already exists" {
		t.Errorf("second CreateStack: got error %v", err)
	}
	_, err = c.UpdateStack(ctx, &sdk.UpdateStackInput{StackName: aws.String("demo"), TemplateBody: aws.String(withSecret),
		Parameters: []types.Parameter{{ParameterKey: aws.String("Secret"), UsePreviousValue: aws.Bool(true)}}})
	if want := "ValidationError: Stack:" + *made.StackId + " is in CREATE_IN_PROGRESS state and can not be updated."; code(err) != want {
		t.Errorf("UpdateStack during creation: got error %v, want %s", err, want)
	}
	w.run()
	described, err := c.DescribeStacks(ctx, &sdk.DescribeStacksInput{StackName: aws.String("demo")})
	if err != nil {
		t.Fatal(err)
	}
	st := described.Stacks[0]
	physical := w.names()[0]
	got := []string{string(st.StackStatus), *st.Description, *st.Parameters[0].ParameterValue, *st.Parameters[1].ParameterValue,
		*st.Outputs[0].OutputValue, *st.Outputs[0].ExportName, *st.Tags[0].Value, st.CreationTime.Format("2006")}
	if diff := cmp.Diff([]string{"CREATE_COMPLETE", "a demo", "****", "small", "arn:" + physical, "demo-arn", "web", "2026"}, got); diff != "" {
		t.Errorf("stack (-want +got):\n%s", diff)
	}
	_, err = c.UpdateStack(ctx, &sdk.UpdateStackInput{StackName: aws.String("demo"), UsePreviousTemplate: aws.Bool(true),
		Parameters: []types.Parameter{{ParameterKey: aws.String("Secret"), UsePreviousValue: aws.Bool(true)}}})
	if code(err) != "ValidationError: No updates are to be performed." {
		t.Errorf("unchanged UpdateStack: got error %v", err)
	}
	readEverything(t, c, physical)
	if _, err := c.DeleteStack(ctx, &sdk.DeleteStackInput{StackName: aws.String("demo")}); err != nil {
		t.Fatal(err)
	}
	w.run()
	_, err = c.DescribeStacks(ctx, &sdk.DescribeStacksInput{StackName: aws.String("demo")})
	if code(err) != "ValidationError: Stack with id demo does not exist" {
		t.Errorf("DescribeStacks of a deleted stack: got error %v", err)
	}
	list, err := c.ListStacks(ctx, &sdk.ListStacksInput{StackStatusFilter: []types.StackStatus{types.StackStatusDeleteComplete}})
	if err != nil || len(list.StackSummaries) != 1 || *list.StackSummaries[0].StackId != *made.StackId {
		t.Errorf("ListStacks: got %+v (error %v), want the deleted stack", list, err)
	}
}

// readEverything asks what can be asked of stack demo.
func readEverything(t *testing.T, c *sdk.Client, physical string) {
	t.Helper()
	ctx := t.Context()
	demo := aws.String("demo")
	events, err := c.DescribeStackEvents(ctx, &sdk.DescribeStackEventsInput{StackName: demo})
	if err != nil || len(events.StackEvents) != 5 || events.StackEvents[0].ResourceStatus != types.ResourceStatusCreateComplete || *events.StackEvents[0].LogicalResourceId != "demo" {
		t.Errorf("DescribeStackEvents: got %+v (error %v), want five, the stack's completion first", events, err)
	}
	detail, err := c.DescribeStackResource(ctx, &sdk.DescribeStackResourceInput{StackName: demo, LogicalResourceId: aws.String("A")})
	if err != nil || *detail.StackResourceDetail.PhysicalResourceId != physical || *detail.StackResourceDetail.Metadata != `{"Note":"hello"}` {
		t.Errorf("DescribeStackResource: got %+v (error %v)", detail, err)
	}
	resources, err := c.DescribeStackResources(ctx, &sdk.DescribeStackResourcesInput{PhysicalResourceId: &physical})
	if err != nil || len(resources.StackResources) != 1 || *resources.StackResources[0].ResourceType != "Test::Thing" {
		t.Errorf("DescribeStackResources: got %+v (error %v)", resources, err)
	}
	summaries, err := c.ListStackResources(ctx, &sdk.ListStackResourcesInput{StackName: demo})
	if err != nil || len(summaries.StackResourceSummaries) != 1 {
		t.Errorf("ListStackResources: got %+v (error %v)", summaries, err)
	}
	text, err := c.GetTemplate(ctx, &sdk.GetTemplateInput{StackName: demo})
	if err != nil || *text.TemplateBody != withSecret {
		t.Errorf("GetTemplate: got %+v (error %v), want the text as given", text, err)
	}
	summary, err := c.GetTemplateSummary(ctx, &sdk.GetTemplateSummaryInput{StackName: demo})
	if err != nil || len(summary.Parameters) != 2 || !cmp.Equal(summary.ResourceTypes, []string{"Test::Thing"}) ||
		!cmp.Equal(summary.Parameters[1].ParameterConstraints.AllowedValues, []string{"small", "large"}) {
		t.Errorf("GetTemplateSummary: got %+v (error %v)", summary, err)
	}
	exports, err := c.ListExports(ctx, &sdk.ListExportsInput{})
	if err != nil || len(exports.Exports) != 1 || *exports.Exports[0].Name != "demo-arn" {
		t.Errorf("ListExports: got %+v (error %v)", exports, err)
	}
	_, err = c.ListImports(ctx, &sdk.ListImportsInput{ExportName: aws.String("demo-arn")})
	if code(err) != "ValidationError: Export 'demo-arn' is not imported by any stack." {
		t.Errorf("ListImports: got error %v", err)
	}
}

func TestAPI_RefusesBadTemplatesWithEveryFault(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	c := client(t, w)
	const bad = "Resources:\n  A: {Type: Test::Thing, Properties: {Valu: !Ref B}}\n  C: {Type: Test::Nothing}\n"
	_, err := c.ValidateTemplate(t.Context(), &sdk.ValidateTemplateInput{TemplateBody: aws.String(bad)})
	want := "ValidationError: Template error: " +
		"line 2: Resources.A.Properties.Valu: unknown property\n" +
		"line 2: Resources.A.Properties.Valu.Ref: unknown parameter or resource B\n" +
		"line 3: Resources.C.Type: unknown resource type Test::Nothing"
	if code(err) != want {
		t.Errorf("got error %v\nwant %s", err, want)
	}
	_, err = c.CreateStack(t.Context(), &sdk.CreateStackInput{StackName: aws.String("demo"), TemplateBody: aws.String(three), NotificationARNs: []string{"arn:x"}, TimeoutInMinutes: aws.Int32(3)})
	if want := "ValidationError: NotificationARNs: is unknown to the embedded AWS; TimeoutInMinutes: is unknown to the embedded AWS"; code(err) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	_, err = c.CreateStack(t.Context(), &sdk.CreateStackInput{StackName: aws.String("demo"), TemplateBody: aws.String(strings.Repeat("#", 51_201))})
	if !strings.Contains(code(err), "less than or equal to 51200") {
		t.Errorf("got error %v, want one of the size", err)
	}
}

func TestAPI_AsksForCapabilities(t *testing.T) {
	t.Parallel()
	const role = "Resources:\n  R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}\n"
	const named = "Resources:\n  R: {Type: AWS::IAM::Role, Properties: {RoleName: r}}\n"
	const serverless = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: s3://b/k, Role: arn:x}\n"
	for _, c := range []struct {
		name, template string
		given          []types.Capability
		want           string
	}{
		{"a role needs CAPABILITY_IAM", role, nil, "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]"},
		{"a role with CAPABILITY_IAM", role, []types.Capability{"CAPABILITY_IAM"}, ""},
		{"a role with CAPABILITY_NAMED_IAM", role, []types.Capability{"CAPABILITY_NAMED_IAM"}, ""},
		{"a named role with CAPABILITY_IAM", named, []types.Capability{"CAPABILITY_IAM"}, "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]"},
		{"a transform needs CAPABILITY_AUTO_EXPAND", serverless, nil, "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_AUTO_EXPAND]"},
		{"a transform with CAPABILITY_AUTO_EXPAND", serverless, []types.Capability{"CAPABILITY_AUTO_EXPAND"}, ""},
		{"a capability that there is not", role, []types.Capability{"CAPABILITY_FLY"}, "ValidationError: Value '[CAPABILITY_FLY]' at 'capabilities' failed to satisfy constraint: Member must satisfy enum value set: [CAPABILITY_NAMED_IAM, CAPABILITY_IAM, CAPABILITY_AUTO_EXPAND]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, newWorld(nil)).CreateStack(t.Context(), &sdk.CreateStackInput{
				StackName: aws.String("demo"), TemplateBody: aws.String(c.template), Capabilities: c.given,
			})
			if code(err) != c.want {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}

func TestAPI_ReadsTemplatesFromS3(t *testing.T) {
	t.Parallel()
	w := newWorld(bucket{"templates/a/demo.yaml": three})
	c := client(t, w)
	for _, url := range []string{
		"http://127.0.0.1:4566/templates/a/demo.yaml",
		"https://s3.us-east-1.amazonaws.com/templates/a/demo.yaml",
		"https://templates.s3.us-east-1.amazonaws.com/a/demo.yaml",
		"https://templates.s3.amazonaws.com/a/demo.yaml",
	} {
		if _, err := c.ValidateTemplate(t.Context(), &sdk.ValidateTemplateInput{TemplateURL: &url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	_, err := c.ValidateTemplate(t.Context(), &sdk.ValidateTemplateInput{TemplateURL: aws.String("https://s3.amazonaws.com/templates/other")})
	if want := "ValidationError: TemplateURL must reference a valid S3 object to which you have access: NoSuchKey"; code(err) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestAPI_ChangeSets(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	c, ctx := client(t, w), t.Context()
	propose := func(name, kind, template string) *sdk.DescribeChangeSetOutput {
		t.Helper()
		made, err := c.CreateChangeSet(ctx, &sdk.CreateChangeSetInput{
			StackName: aws.String("demo"), ChangeSetName: &name, ChangeSetType: types.ChangeSetType(kind), TemplateBody: &template,
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.DescribeChangeSet(ctx, &sdk.DescribeChangeSetInput{ChangeSetName: made.Id})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	execute := func(name string) error {
		_, err := c.ExecuteChangeSet(ctx, &sdk.ExecuteChangeSetInput{StackName: aws.String("demo"), ChangeSetName: &name, DisableRollback: aws.Bool(false)})
		w.run()
		return err
	}
	wantChanges(t, propose("first", "CREATE", three), "Add A", "Add B", "Add C")
	w.wantStatus(t, "demo", "REVIEW_IN_PROGRESS")
	wantCalls(t, w, "")
	if err := execute("first"); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, "create A, create B, create C")
	w.wantStatus(t, "demo", "CREATE_COMPLETE")
	if err := execute("first"); !strings.HasPrefix(code(err), "InvalidChangeSetStatus: ") {
		t.Errorf("second execution: got error %v, want InvalidChangeSetStatus", err)
	}

	empty := propose("empty", "UPDATE", three)
	if empty.Status != types.ChangeSetStatusFailed || !strings.HasPrefix(*empty.StatusReason, "The submitted information didn't contain changes.") {
		t.Errorf("unchanged: got %s (%s), want FAILED for want of changes", empty.Status, *empty.StatusReason)
	}
	replacing := edited(three, "a-1", "a-2", "  C: {Type: Test::Thing, DependsOn: B, Properties: {Value: 1}}\n", "  D: {Type: Test::Thing}\n")
	wantChanges(t, propose("second", "UPDATE", replacing), "Add D", "Modify A True", "Modify B False", "Remove C")
	propose("third", "UPDATE", edited(three, "Value: 1}}\n", "Value: 2}}\n"))
	if err := execute("second"); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, "create D, create A, update B, delete C, delete A")
	if err := execute("third"); !strings.Contains(code(err), "execution status of [OBSOLETE]") {
		t.Errorf("execution of an outdated change set: got error %v", err)
	}
	if _, err := c.DeleteChangeSet(ctx, &sdk.DeleteChangeSetInput{StackName: aws.String("demo"), ChangeSetName: aws.String("third")}); err != nil {
		t.Fatal(err)
	}
	_, err := c.DescribeChangeSet(ctx, &sdk.DescribeChangeSetInput{StackName: aws.String("demo"), ChangeSetName: aws.String("third")})
	if code(err) != "ChangeSetNotFound: ChangeSet [third] does not exist" {
		t.Errorf("got error %v, want ChangeSetNotFound", err)
	}
}

func wantChanges(t *testing.T, set *sdk.DescribeChangeSetOutput, want ...string) {
	t.Helper()
	if set.Status != types.ChangeSetStatusCreateComplete || set.ExecutionStatus != types.ExecutionStatusAvailable {
		t.Errorf("got %s, %s (%v), want CREATE_COMPLETE, AVAILABLE", set.Status, set.ExecutionStatus, aws.ToString(set.StatusReason))
	}
	var got []string
	for _, c := range set.Changes {
		r := c.ResourceChange
		line := string(r.Action) + " " + *r.LogicalResourceId
		if r.Replacement != "" {
			line += " " + string(r.Replacement)
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestDeploy_WorksOnAStackThatWasMadeByTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	c := client(t, w)
	if _, err := c.CreateStack(t.Context(), &sdk.CreateStackInput{StackName: aws.String("demo"), TemplateBody: aws.String(withSecret),
		Parameters: []types.Parameter{{ParameterKey: aws.String("Secret"), ParameterValue: aws.String("hush")}}}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.took()
	w.deploy(t, "demo", edited(withSecret, "${Kind}-", "${Kind}+"))
	wantCalls(t, w, "update A")
	if got := w.things[w.names()[0]]["Value"]; got != "small+hush" {
		t.Errorf("got value %v, want small+hush", got)
	}
}
