package cloudformation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/cloudformation"
)

const three = `
Resources:
  C: {Type: Test::Thing, DependsOn: B, Properties: {Value: 1}}
  B: {Type: Test::Thing, Properties: {Value: !GetAtt A.Arn}}
  A: {Type: Test::Thing, Properties: {Name: a-1, Value: 1}}
Outputs:
  A: {Value: !Ref A}
`

// edited replaces pieces of a template.
func edited(template string, oldNew ...string) string {
	return strings.NewReplacer(oldNew...).Replace(template)
}

func TestDeploy_CreatesInDependencyOrderAndDeletesInReverse(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.deploy(t, "demo", three)
	wantCalls(t, w, "create A, create B, create C")
	w.wantStatus(t, "demo", "CREATE_COMPLETE")
	if diff := cmp.Diff(map[string]string{"A": "a-1"}, w.Outputs("demo")); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	want := []string{
		"demo CREATE_IN_PROGRESS",
		"A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS", "A CREATE_COMPLETE",
		"B CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS", "B CREATE_COMPLETE",
		"C CREATE_IN_PROGRESS", "C CREATE_IN_PROGRESS", "C CREATE_COMPLETE",
		"demo CREATE_COMPLETE",
	}
	if diff := cmp.Diff(want, w.history(t, "demo")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	id := w.stack(t, "demo").StackId
	if _, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: "demo"}); err != nil {
		t.Fatal(err)
	}
	w.wantStatus(t, "demo", "DELETE_IN_PROGRESS")
	w.run()
	wantCalls(t, w, "delete C, delete B, delete A")
	w.wantStatus(t, id, "DELETE_COMPLETE")
	if _, err := w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: "demo"}); err == nil {
		t.Error("a deleted stack is found by its name, want only by its id")
	}
}

func TestDeploy_TouchesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, template, want string }{
		{"nothing", three, ""},
		{"only the text: comments, order, quotes", edited(three, "{Name: a-1, Value: 1}", "{Value: '1', Name: 'a-1'}", "Outputs:", "# note\nOutputs:"), ""},
		{"a value", edited(three, "Value: 1}}\n  B", "Value: 2}}\n  B"), "update C"},
		{"a value that others refer to, but whose attribute stays", edited(three, "a-1, Value: 1", "a-1, Value: 2"), "update A"},
		{"an output alone", edited(three, "A: {Value: !Ref A}", "B: {Value: !Ref B}"), ""},
		{"metadata alone", edited(three, "C: {Type", "C: {Metadata: {a: b}, Type"), ""},
		{"a deletion policy with a value elsewhere", edited(three, "C: {Type: Test::Thing,", "C: {DeletionPolicy: Retain, Type: Test::Thing,", "a-1, Value: 1", "a-1, Value: 2"), "update A"},
		{"a resource more", edited(three, "Outputs:", "  D: {Type: Test::Thing}\nOutputs:"), "create D"},
		{"a resource less", edited(three, "  C: {Type: Test::Thing, DependsOn: B, Properties: {Value: 1}}\n", ""), "delete C"},
		{"a name, which replaces", edited(three, "a-1", "a-2"), "create A, update B, delete A"},
		{"a property less", edited(three, "{Name: a-1, Value: 1}", "{Name: a-1}"), "update A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(nil)
			w.deploy(t, "demo", three)
			w.took()
			// Changed out of band: only an update that touches A may undo this.
			w.things["a-1"]["Weight"] = 90
			w.deploy(t, "demo", c.template)
			wantCalls(t, w, c.want)
			if !strings.Contains(c.want, " A") && w.things["a-1"]["Weight"] != 90 {
				t.Errorf("got weight %v, want 90 as set out of band", w.things["a-1"]["Weight"])
			}
			w.took()
			w.deploy(t, "demo", c.template)
			wantCalls(t, w, "")
		})
	}
}

func TestDeploy_KeepsParametersAndChangesOnlyThoseGiven(t *testing.T) {
	t.Parallel()
	const template = `
Parameters: {P: {Type: String, Default: p}, Q: {Type: String, Default: q}}
Resources:
  A: {Type: Test::Thing, Properties: {Value: !Ref P}}
  B: {Type: Test::Thing, Properties: {Value: !Ref Q}}
`
	w := newWorld(nil)
	for _, step := range []struct {
		parameters map[string]string
		want       string
	}{
		{map[string]string{"P": "p2"}, "create A, create B"},
		{nil, ""},
		{map[string]string{"Q": "q2"}, "update B"},
		{map[string]string{"P": "p", "Q": "q2"}, "update A"},
	} {
		if err := w.Deploy(t.Context(), cloudformation.Stack{Name: "demo", Template: []byte(template), Parameters: step.parameters}); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, w, step.want)
	}
}

func TestCreate_RollsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.fail["create C"] = errors.New("no capacity")
	w.refuses(t, "demo", three, "it ended in ROLLBACK_COMPLETE: C (Test::Thing) CREATE_FAILED: no capacity; The following resource(s) failed to create: [C]. ")
	wantCalls(t, w, "create A, create B, create C, delete B, delete A")
	if names := w.names(); len(names) > 0 {
		t.Errorf("got %v left over, want nothing", names)
	}
	w.refuses(t, "demo", three, "is in ROLLBACK_COMPLETE state and can not be updated")
}

func TestCreate_OnFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ onFailure, calls, status string }{
		{"ROLLBACK", "create A, create B, create C, delete B, delete A", "ROLLBACK_COMPLETE"},
		{"DELETE", "create A, create B, create C, delete B, delete A", "DELETE_COMPLETE"},
		{"DO_NOTHING", "create A, create B, create C", "CREATE_FAILED"},
	} {
		t.Run(c.onFailure, func(t *testing.T) {
			t.Parallel()
			w := newWorld(nil)
			w.fail["create C"] = errors.New("no capacity")
			out, err := w.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: "demo", TemplateBody: three, OnFailure: c.onFailure})
			if err != nil {
				t.Fatal(err)
			}
			w.run()
			wantCalls(t, w, c.calls)
			w.wantStatus(t, out.StackId, c.status)
			if c.onFailure != "DO_NOTHING" {
				return
			}
			w.fail = nil
			w.deploy(t, "demo", three)
			wantCalls(t, w, "create C")
		})
	}
}

func TestUpdate_RollsBackInReverse(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.deploy(t, "demo", three)
	w.took()
	before := w.names()
	w.fail["update C"] = errors.New("refused")
	// A is replaced, B follows, D is new, C fails.
	next := edited(three, "a-1", "a-2", "Value: 1}}\n  B", "Value: !Ref D}}\n  B", "Outputs:", "  D: {Type: Test::Thing}\nOutputs:")
	w.refuses(t, "demo", next, "UPDATE_ROLLBACK_FAILED")
	wantCalls(t, w, "create A, update B, create D, update C, update C, update B")

	w = newWorld(nil)
	w.deploy(t, "demo", three)
	w.took()
	w.fail["create E"] = errors.New("refused")
	next = edited(next, "Outputs:", "  E: {Type: Test::Thing, DependsOn: C}\nOutputs:")
	w.refuses(t, "demo", next, "it ended in UPDATE_ROLLBACK_COMPLETE: E (Test::Thing) CREATE_FAILED: refused")
	wantCalls(t, w, "create A, update B, create D, update C, create E, update C, update B, delete D, delete A")
	if diff := cmp.Diff(before, w.names()); diff != "" {
		t.Errorf("things after rollback (-want +got):\n%s", diff)
	}
	if got := w.Outputs("demo")["A"]; got != "a-1" {
		t.Errorf("got output %s, want a-1", got)
	}
	w.deploy(t, "demo", three)
	wantCalls(t, w, "")
}

func TestUpdate_WithoutRollbackGoesOnLater(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.deploy(t, "demo", three)
	w.took()
	w.fail["update B"] = errors.New("refused")
	yes := true
	next := edited(three, "a-1", "a-2")
	if _, err := w.UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: "demo", TemplateBody: next, DisableRollback: &yes}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.wantStatus(t, "demo", "UPDATE_FAILED")
	wantCalls(t, w, "create A, update B")
	w.fail = nil
	w.deploy(t, "demo", next)
	wantCalls(t, w, "update B, delete A")
	w.wantStatus(t, "demo", "UPDATE_COMPLETE")
	if names := w.names(); strings.Contains(strings.Join(names, " "), "a-1") || len(names) != 3 {
		t.Errorf("got %v, want a-2 and the two others", names)
	}
}

// TestUpdate_RevertsWhatFailed holds that a resource whose own update failed is
// told to go back from what was attempted.
func TestUpdate_RevertsWhatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.deploy(t, "demo", three)
	w.took()
	w.failOnce = map[string]error{"update C": errors.New("half done")}
	w.refuses(t, "demo", edited(three, "Value: 1}}\n  B", "Value: 2}}\n  B"), "it ended in UPDATE_ROLLBACK_COMPLETE: C (Test::Thing) UPDATE_FAILED: half done")
	wantCalls(t, w, "update C, update C")
	if got, want := fmt.Sprint(w.changed), "[[Value] [Value]]"; got != want {
		t.Errorf("got changed properties %s, want %s", got, want)
	}
	w.deploy(t, "demo", three)
	wantCalls(t, w, "")
}

func TestDeploy_ExpandsServerlessFunctions(t *testing.T) {
	t.Parallel()
	const serverless = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n" +
		"    Properties: {CodeUri: s3://code/f.zip, Handler: bootstrap, Runtime: provided.al2023, EventInvokeConfig: {MaximumRetryAttempts: 0}}\n"
	w := newWorld(nil)
	w.deploy(t, "demo", serverless)
	wantCalls(t, w, "create FRole, create F, create FEventInvokeConfig")
	w.deploy(t, "demo", edited(serverless, "f.zip", "g.zip"))
	wantCalls(t, w, "update F")
	processed, err := w.GetTemplate(t.Context(), &cloudformation.GetTemplateInput{StackName: "demo", TemplateStage: "Processed"})
	if err != nil || !strings.Contains(processed.TemplateBody, `"S3Key":"g.zip"`) {
		t.Errorf("got processed template %+v (error %v), want the Lambda function's code in it", processed, err)
	}
}

func TestUpdate_ReplacesUnderAGeneratedName(t *testing.T) {
	t.Parallel()
	const template = "Resources:\n  A: {Type: AWS::IAM::Role, Properties: {ManagedPolicyArns: [x]}}"
	w := newWorld(nil)
	w.deploy(t, "demo", template)
	first := w.names()[0]
	w.deploy(t, "demo", edited(template, "ManagedPolicyArns: [x]", "RoleName: r"))
	w.deploy(t, "demo", template)
	if names := w.names(); len(names) != 1 || names[0] == first || !strings.HasPrefix(names[0], "demo-A-") {
		t.Errorf("got %v, want one role with a new generated name (the first was %s)", names, first)
	}
}

func TestPolicies_Retain(t *testing.T) {
	t.Parallel()
	const template = "Resources:\n  A: {Type: Test::Thing, DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {Name: a-1}}\n  B: {Type: Test::Thing}"
	w := newWorld(nil)
	w.deploy(t, "demo", template)
	w.deploy(t, "demo", edited(template, "a-1", "a-2"))
	w.took()
	if _, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: "demo"}); err != nil {
		t.Fatal(err)
	}
	w.run()
	wantCalls(t, w, "delete B")
	if diff := cmp.Diff([]string{"a-1", "a-2"}, w.names()); diff != "" {
		t.Errorf("retained (-want +got):\n%s", diff)
	}
}

func TestDelete_TellsWhatIsInUseAndSparesWhatItNeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.deploy(t, "demo", three)
	w.took()
	w.fail["delete B"] = errors.New("ResourceInUse: B has tasks")
	remove := func(retain ...string) error {
		_, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: "demo", RetainResources: retain})
		w.run()
		return err
	}
	if err := remove("B"); err == nil {
		t.Error("RetainResources of a healthy stack: got no error, want one")
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, "delete C, delete B")
	w.wantStatus(t, "demo", "DELETE_FAILED")
	if got, want := w.stack(t, "demo").StackStatusReason, "The following resource(s) failed to delete: [B]. "; got != want {
		t.Errorf("got reason %q, want %q", got, want)
	}
	r, err := w.DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{StackName: "demo", LogicalResourceId: "B"})
	if err != nil || !strings.Contains(r.StackResourceDetail.ResourceStatusReason, "ResourceInUse: B has tasks") {
		t.Errorf("got %+v (error %v), want the reason that the type gave", r, err)
	}
	if err := remove("B"); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, w, "delete A")
	if len(w.names()) != 1 {
		t.Errorf("got %v left, want only the retained one", w.names())
	}
}

func TestExports(t *testing.T) {
	t.Parallel()
	const exporting = "Resources:\n  A: {Type: Test::Thing, Properties: {Name: a-1}}\nOutputs:\n  A: {Value: !Ref A, Export: {Name: shared}}"
	const importing = "Resources:\n  B: {Type: Test::Thing, Properties: {Value: !ImportValue shared}}"
	w := newWorld(nil)
	w.refuses(t, "early", importing, "no export named shared found")
	w.deploy(t, "network", exporting)
	w.deploy(t, "app", importing)
	w.refuses(t, "other", edited(exporting, "a-1", "a-9"), "Export with name shared is already exported by stack network")
	w.refuses(t, "network", edited(exporting, "Name: shared", "Name: renamed"), "Export shared cannot be deleted as it is in use by app")
	w.refuses(t, "network", edited(exporting, "a-1", "a-2"), "Export shared cannot be updated as it is in use by app")
	w.wantStatus(t, "network", "UPDATE_ROLLBACK_COMPLETE")
	imports, err := w.ListImports(t.Context(), &cloudformation.ListImportsInput{ExportName: "shared"})
	if err != nil || !cmp.Equal(imports.Imports, []string{"app"}) {
		t.Errorf("got imports %v (error %v), want app", imports, err)
	}
	remove := func(name string) {
		t.Helper()
		if _, err := w.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: name}); err != nil {
			t.Fatal(err)
		}
		w.run()
	}
	remove("network")
	w.wantStatus(t, "network", "UPDATE_ROLLBACK_COMPLETE")
	if got, want := w.stack(t, "network").StackStatusReason, "Delete canceled. Export shared cannot be deleted as it is in use by app"; got != want {
		t.Errorf("got reason %q, want %q", got, want)
	}
	remove("app")
	remove("network")
	exports, err := w.ListExports(t.Context(), &cloudformation.ListExportsInput{})
	if err != nil || len(exports.Exports) > 0 {
		t.Errorf("got exports %v (error %v), want none", exports, err)
	}
}

func TestUpdate_RefusesAnotherType(t *testing.T) {
	t.Parallel()
	w := newWorld(nil)
	w.deploy(t, "demo", "Resources:\n  A: {Type: Test::Thing}")
	w.refuses(t, "demo", "Resources:\n  A: {Type: AWS::IAM::Role}", "Update of resource type is not permitted. The new template modifies resource type of the following resources: [A]")
	w.wantStatus(t, "demo", "CREATE_COMPLETE")
}
