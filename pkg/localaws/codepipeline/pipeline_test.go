package codepipeline

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/resource"
)

func TestCreatePipeline_RefusesByName(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	for _, c := range []struct {
		name   string
		change func(*Declaration)
		code   string
		says   string
	}{
		{"another provider", func(d *Declaration) {
			d.Stages[1].Actions[0].ActionTypeId = ActionType{"Deploy", "AWS", "S3", "1"}
		}, "InvalidActionDeclarationException", "does not serve actions of type Deploy/AWS/S3/1"},
		{"a version of a provider that is not there", func(d *Declaration) {
			d.Stages[1].Actions[0].ActionTypeId.Version = "2"
		}, "InvalidActionDeclarationException", "Invoke/AWS/Lambda/2"},
		{"an unknown configuration key", func(d *Declaration) {
			d.Stages[1].Actions[0].Configuration["Timeout"] = "5"
		}, "InvalidActionDeclarationException", "configuration Timeout is unknown"},
		{"a missing configuration key", func(d *Declaration) {
			delete(d.Stages[1].Actions[0].Configuration, "FunctionName")
		}, "InvalidActionDeclarationException", "configuration FunctionName is required"},
		{"user parameters of 1001 characters", func(d *Declaration) {
			d.Stages[1].Actions[0].Configuration["UserParameters"] = strings.Repeat("x", 1001)
		}, "InvalidActionDeclarationException", "UserParameters is 1001 characters long"},
		{"a polling source", func(d *Declaration) {
			delete(d.Stages[0].Actions[0].Configuration, "PollForSourceChanges")
		}, "InvalidActionDeclarationException", "PollForSourceChanges is not false"},
		{"an input that nothing makes", func(d *Declaration) {
			d.Stages[1].Actions[0].InputArtifacts = []ArtifactName{{"Image"}}
		}, "InvalidActionDeclarationException", "input artifact Image is the output of no action before it"},
		{"an input made in the same run order", func(d *Declaration) {
			other := invoke("other", "")
			other.OutputArtifacts = []ArtifactName{{"Image"}}
			d.Stages[1].Actions = append(d.Stages[1].Actions, other)
			d.Stages[1].Actions[0].InputArtifacts = []ArtifactName{{"Image"}}
		}, "InvalidActionDeclarationException", "input artifact Image is the output of no action before it"},
		{"an artifact made twice", func(d *Declaration) {
			d.Stages[1].Actions[0].OutputArtifacts = []ArtifactName{{"SourceOutput"}}
		}, "InvalidActionDeclarationException", `output artifact "SourceOutput"`},
		{"a namespace used twice", func(d *Declaration) { d.Stages[1].Actions[0].Namespace = "Source" }, "InvalidActionDeclarationException", `namespace "Source"`},
		{"a reserved namespace", func(d *Declaration) { d.Stages[1].Actions[0].Namespace = "codepipeline" }, "InvalidActionDeclarationException", `namespace "codepipeline"`},
		{"a namespace named like an artifact", func(d *Declaration) { d.Stages[1].Actions[0].Namespace = "SourceOutput" }, "InvalidActionDeclarationException", "also the name of an artifact"},
		{"a timeout of an action that is no approval", func(d *Declaration) { d.Stages[1].Actions[0].TimeoutInMinutes = number(60) }, "InvalidActionDeclarationException", "manual approvals only"},
		{"another region", func(d *Declaration) { d.Stages[1].Actions[0].Region = "eu-west-1" }, "InvalidActionDeclarationException", "region eu-west-1"},
		{"run order 1000", func(d *Declaration) { d.Stages[1].Actions[0].RunOrder = number(1000) }, "InvalidActionDeclarationException", "runOrder 1000"},
		{"a source in a later stage", func(d *Declaration) { d.Stages[1].Actions[0] = source().Actions[0] }, "InvalidStageDeclarationException", "source actions belong into the first stage"},
		{"two stages of one name", func(d *Declaration) { d.Stages[1].Name = "Source" }, "InvalidStageDeclarationException", `stage name "Source"`},
		{"two actions of one name", func(d *Declaration) {
			d.Stages[1].Actions = append(d.Stages[1].Actions, d.Stages[1].Actions[0])
		}, "InvalidStageDeclarationException", "two actions named swap"},
		{"a stage without actions", func(d *Declaration) { d.Stages[1].Actions = nil }, "InvalidStageDeclarationException", "0 actions"},
		{"SKIP on failure", func(d *Declaration) { d.Stages[1].OnFailure = &OnFailure{Result: "SKIP"} }, "InvalidStageDeclarationException", `"SKIP" is neither ROLLBACK nor RETRY`},
		{"ROLLBACK of a source stage", func(d *Declaration) { d.Stages[0].OnFailure = &OnFailure{Result: "ROLLBACK"} }, "InvalidStageDeclarationException", "source stages"},
		{"ROLLBACK of a parallel pipeline", func(d *Declaration) {
			d.ExecutionMode = ModeParallel
			d.Stages[1].OnFailure = &OnFailure{Result: "ROLLBACK"}
		}, "InvalidStageDeclarationException", "PARALLEL"},
		{"a single stage", func(d *Declaration) { d.Stages = d.Stages[:1] }, "InvalidStructureException", "1 stages"},
		{"QUEUED in V1", func(d *Declaration) { d.PipelineType, d.ExecutionMode = "V1", ModeQueued }, "InvalidStructureException", "type V2"},
		{"an unknown mode", func(d *Declaration) { d.ExecutionMode = "SERIAL" }, "InvalidStructureException", "SERIAL"},
		{"environment variables that are no list", func(d *Declaration) {
			d.Stages[1] = build()
			d.Stages[1].Actions[0].Configuration["EnvironmentVariables"] = "A=b"
		}, "InvalidActionDeclarationException", "EnvironmentVariables is not a JSON list"},
		{"an environment variable from the parameter store", func(d *Declaration) {
			d.Stages[1] = build()
			d.Stages[1].Actions[0].Configuration["EnvironmentVariables"] = `[{"name":"A","value":"/a","type":"PARAMETER_STORE"}]`
		}, "InvalidActionDeclarationException", "type PARAMETER_STORE of A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := pipelineOf(deploy(invoke("swap", "")))
			c.change(&d)
			_, err := w.service.CreatePipeline(t.Context(), &CreatePipelineInput{Pipeline: d})
			wantCode(t, err, c.code)
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("message: got %q, want %q in it", err, c.says)
			}
			if n := len(w.service.pipelines); n != 0 {
				t.Errorf("pipelines: got %d, want none", n)
			}
		})
	}
}

func TestCreatePipeline_NamesEveryFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := pipelineOf(deploy(invoke("swap", "")), Stage{Name: "After", Actions: []Action{invoke("check", "")}})
	delete(d.Stages[1].Actions[0].Configuration, "FunctionName")
	d.Stages[2].Actions[0].Configuration["Colour"] = "blue"
	d.PipelineType = "V3"
	_, err := w.service.CreatePipeline(t.Context(), &CreatePipelineInput{Pipeline: d})
	wantCode(t, err, "InvalidStructureException")
	for _, says := range []string{"V3", "FunctionName is required", "Colour is unknown"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("message: got %q, want %q in it", err, says)
		}
	}
}

func TestUpdatePipeline_CancelsWhatIsInProgressUnlessNothingChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := pipelineOf(deploy(invoke("swap", "")))
	id := w.create(d)
	got, err := w.service.GetPipeline(t.Context(), &GetPipelineInput{Name: "release"})
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range []Declaration{d, *got.Pipeline} {
		out, err := w.service.UpdatePipeline(t.Context(), &UpdatePipelineInput{Pipeline: same})
		if err != nil {
			t.Fatal(err)
		}
		if *out.Pipeline.Version != 1 {
			t.Errorf("version after the same structure: got %d, want 1", *out.Pipeline.Version)
		}
	}
	w.wantStatus(id, ExecutionInProgress)

	d.Stages[1].Actions[0].Configuration["UserParameters"] = "new"
	out, err := w.service.UpdatePipeline(t.Context(), &UpdatePipelineInput{Pipeline: d})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Pipeline.Version != 2 {
		t.Errorf("version: got %d, want 2", *out.Pipeline.Version)
	}
	w.wantStatus(id, ExecutionCancelled)
	w.wantAction("Deploy", "swap", ActionAbandoned)
	wantCode(t, w.succeed(w.functions.last(t)), "InvalidJobStateException")
	one := 1
	old, err := w.service.GetPipeline(t.Context(), &GetPipelineInput{Name: "release", Version: &one})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.Pipeline, old.Pipeline); diff != "" {
		t.Errorf("version 1 (-want +got):\n%s", diff)
	}
	next := w.start()
	wantCode(t, w.succeed(w.functions.last(t)), "")
	w.wantStatus(next, ExecutionSucceeded)
}

func TestDeletePipeline_ThenCreateAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := pipelineOf(deploy(invoke("swap", "")))
	w.create(d)
	_, err := w.service.CreatePipeline(t.Context(), &CreatePipelineInput{Pipeline: d})
	wantCode(t, err, "PipelineNameInUseException")
	for range 2 {
		_, err = w.service.DeletePipeline(t.Context(), &DeletePipelineInput{Name: "release"})
		wantCode(t, err, "")
	}
	wantCode(t, w.succeed(w.functions.last(t)), "InvalidJobStateException")
	_, err = w.service.GetPipelineState(t.Context(), &GetPipelineStateInput{Name: "release"})
	wantCode(t, err, "PipelineNotFoundException")
	id := w.create(d)
	wantCode(t, w.succeed(w.functions.last(t)), "")
	w.wantStatus(id, ExecutionSucceeded)
}

func TestResource_LifeOfAPipeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kind := w.service.Resources()[0]
	properties := func(parameters string, disabled ...any) map[string]any {
		return map[string]any{
			"RoleArn": roleARN, "PipelineType": "V2", "ExecutionMode": "QUEUED",
			"ArtifactStore": map[string]any{"Type": "S3", "Location": bucket},
			"Tags":          []any{map[string]any{"Key": "team", "Value": parameters}},
			"Stages": []any{
				map[string]any{"Name": "Source", "Actions": []any{map[string]any{
					"Name": "Fetch", "ActionTypeId": map[string]any{"Category": "Source", "Owner": "AWS", "Provider": "CodeCommit", "Version": 1},
					"Configuration":   map[string]any{"RepositoryName": "hello", "BranchName": "main", "PollForSourceChanges": false},
					"OutputArtifacts": []any{map[string]any{"Name": "SourceOutput"}},
				}}},
				map[string]any{"Name": "Deploy", "OnFailure": map[string]any{"Result": "ROLLBACK"}, "Actions": []any{map[string]any{
					"Name": "swap", "ActionTypeId": map[string]any{"Category": "Invoke", "Owner": "AWS", "Provider": "Lambda", "Version": "1"},
					"Configuration": map[string]any{"FunctionName": "swap", "UserParameters": parameters},
				}}},
			},
			"DisableInboundStageTransitions": disabled,
		}
	}
	r := resource.Request{StackName: "infra", StackID: "id", LogicalID: "Pipeline",
		Properties: properties("one", map[string]any{"StageName": "Deploy", "Reason": "not yet"})}
	state, err := kind.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(state.PhysicalID, "infra-Pipeline-") || state.Attributes["Version"] != "1" {
		t.Errorf("state: got %+v, want a generated name and version 1", state)
	}
	w.settle()
	p := w.service.pipelines[state.PhysicalID]
	if n := len(w.functions.jobs); n != 0 || p.gate("Deploy").enabled() {
		t.Errorf("got %d invocations with the transition enabled %v, want none and a disabled one", n, p.gate("Deploy").enabled())
	}
	r.PhysicalID, r.Previous = state.PhysicalID, r.Properties
	r.Properties = properties("two")
	r.Properties["RestartExecutionOnUpdate"] = true
	if state, err = kind.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if state.Attributes["Version"] != "2" || !p.gate("Deploy").enabled() || p.tags[0].Value != "two" || len(p.executions) != 2 {
		t.Errorf("after the update: got %+v, enabled %v, tags %v, %d executions", state, p.gate("Deploy").enabled(), p.tags, len(p.executions))
	}
	if got := w.functions.last(t).Data.ActionConfiguration.Configuration["UserParameters"]; got != "two" {
		t.Errorf("parameters: got %q, want two", got)
	}
	if kind.Replaces(r.Previous, r.Properties) {
		t.Error("the update replaces the pipeline, want it changed in place")
	}
	if err := kind.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Properties["Triggers"] = []any{}
	r.Properties["Stages"].([]any)[1].(map[string]any)["BeforeEntry"] = map[string]any{}
	_, err = kind.Create(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "Triggers: is unknown") || !strings.Contains(err.Error(), "BeforeEntry: is unknown") {
		t.Errorf("error: got %v, want Triggers and BeforeEntry named", err)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(pipelineOf(approve()))
	ctx, arn := t.Context(), "arn:aws:codepipeline:us-east-1:111122223333:release"
	for _, tags := range [][]Tag{{{Key: "a", Value: "1"}, {Key: "b", Value: "1"}}, {{Key: "b", Value: "2"}, {Key: "c", Value: "2"}}} {
		_, err := w.service.TagResource(ctx, &TagResourceInput{arn, tags})
		wantCode(t, err, "")
	}
	_, err := w.service.UntagResource(ctx, &UntagResourceInput{arn, []string{"a"}})
	wantCode(t, err, "")
	out, err := w.service.ListTagsForResource(ctx, &ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tag{{Key: "b", Value: "2"}, {Key: "c", Value: "2"}}, out.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	_, err = w.service.ListTagsForResource(ctx, &ListTagsForResourceInput{ResourceArn: arn + "/Deploy"})
	wantCode(t, err, "InvalidArnException")
	_, err = w.service.ListTagsForResource(ctx, &ListTagsForResourceInput{ResourceArn: arn + "s"})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestPage_FitsTogetherThoughTheListGrowsAtItsFront(t *testing.T) {
	t.Parallel()
	two := 2
	id := func(s string) string { return s }
	first, token, err := page([]string{"c", "b", "a"}, id, &two, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	second, last, err := page([]string{"d", "c", "b", "a"}, id, &two, 10, token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, append(first, second...)); diff != "" || last != "" {
		t.Errorf("pages (-want +got), last token %q:\n%s", last, diff)
	}
	_, _, err = page([]string{"a"}, id, &two, 10, "z")
	wantCode(t, err, "InvalidNextTokenException")
}
