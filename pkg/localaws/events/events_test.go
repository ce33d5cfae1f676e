package events

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

const (
	pipelineARN = "arn:aws:codepipeline:us-east-1:111122223333:release"
	functionARN = "arn:aws:lambda:us-east-1:111122223333:function:note"
	roleARN     = "arn:aws:iam::111122223333:role/trigger"
	repoARN     = "arn:aws:codecommit:us-east-1:111122223333:hello"
	pushPattern = `{"source":["aws.codecommit"],"resources":["` + repoARN + `"],"detail":{"referenceName":["main"]}}`
)

type everybody struct{}

func (everybody) Principal(key string) (wire.Principal, bool) {
	return wire.Principal{ARN: "arn:aws:iam::111122223333:user/" + key, AccessKeyID: key}, true
}
func (everybody) Allowed(wire.Principal, wire.Access) bool { return true }

type pipelines struct {
	started [][2]string
	refuse  error
}

func (p *pipelines) Trigger(pipelineARN, ruleARN string) (string, error) {
	if p.refuse != nil {
		return "", p.refuse
	}
	p.started = append(p.started, [2]string{pipelineARN, ruleARN})
	return "id", nil
}

type functions struct{ got map[string][]string }

func (f functions) Deliver(_ context.Context, arn string, event []byte) error {
	f.got[arn] = append(f.got[arn], string(event))
	return nil
}

type roles struct{ denied bool }

func (r *roles) RoleAllows(role string, a wire.Access) bool {
	return !r.denied && role == roleARN && a.Action == "codepipeline:StartPipelineExecution" && a.Resource == pipelineARN
}

type world struct {
	clock     *clock.Manual
	service   *Service
	pipelines *pipelines
	functions functions
	roles     *roles
	client    *eventbridge.Client
}

func newWorld(t *testing.T) *world {
	w := &world{
		clock:     clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		pipelines: &pipelines{}, functions: functions{map[string][]string{}}, roles: &roles{},
	}
	w.service = New(Config{
		Clock: w.clock, Region: "us-east-1", Account: "111122223333",
		Pipelines: w.pipelines, Targets: map[string]Target{"lambda": w.functions}, Roles: w.roles,
	})
	e := endpoint.New(endpoint.Config{
		Clock: w.clock, IAM: everybody{}, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}, Logger: slog.New(slog.DiscardHandler),
	})
	e.Add(w.service.Wire())
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	w.client = eventbridge.New(eventbridge.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("KEY", "SECRET", ""),
	})
	return w
}

// rule makes a rule with both kinds of target.
func (w *world) rule(t *testing.T, name string) {
	t.Helper()
	ctx := t.Context()
	out, err := w.client.PutRule(ctx, &eventbridge.PutRuleInput{Name: &name, EventPattern: aws.String(pushPattern), Description: aws.String("on push")})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:events:us-east-1:111122223333:rule/" + name; *out.RuleArn != want {
		t.Errorf("rule ARN: got %s, want %s", *out.RuleArn, want)
	}
	put, err := w.client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, Targets: []types.Target{
		{Id: aws.String("pipeline"), Arn: aws.String(pipelineARN), RoleArn: aws.String(roleARN)},
		{Id: aws.String("note"), Arn: aws.String(functionARN)},
		{Id: aws.String("constant"), Arn: aws.String(functionARN + "2"), Input: aws.String(`{"a":1}`)},
	}})
	if err != nil || put.FailedEntryCount != 0 {
		t.Fatalf("put targets: got %+v, %v", put, err)
	}
}

func (w *world) push(branch string) {
	w.service.Publish("aws.codecommit", "CodeCommit Repository State Change", []string{repoARN}, map[string]any{"referenceName": branch})
	w.clock.Advance(0)
}

func code(err error) string {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestPublish_ReachesTheTargetsOfMatchingRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(t, "push")
	w.push("main")
	w.push("dev")
	if diff := cmp.Diff([][2]string{{pipelineARN, "arn:aws:events:us-east-1:111122223333:rule/push"}}, w.pipelines.started); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	if n := len(w.functions.got[functionARN]); n != 1 {
		t.Fatalf("events at the function: got %d, want 1", n)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(w.functions.got[functionARN][0]), &got); err != nil {
		t.Fatal(err)
	}
	if id, _ := got["id"].(string); len(id) != 36 {
		t.Errorf("id: got %q, want a UUID", id)
	}
	delete(got, "id")
	want := map[string]any{
		"version": "0", "detail-type": "CodeCommit Repository State Change", "source": "aws.codecommit", "account": "111122223333",
		"time": "2026-03-01T12:00:00Z", "region": "us-east-1", "resources": []any{repoARN}, "detail": map[string]any{"referenceName": "main"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if got := w.functions.got[functionARN+"2"]; len(got) != 1 || got[0] != `{"a":1}` {
		t.Errorf("event with a constant input: got %q", got)
	}

	if _, err := w.client.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("push"), EventPattern: aws.String(pushPattern), State: types.RuleStateDisabled}); err != nil {
		t.Fatal(err)
	}
	w.push("main")
	if n := len(w.pipelines.started); n != 1 {
		t.Errorf("started by a disabled rule: got %d more, want none", n-1)
	}
}

func TestDeliver_FailuresAreKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(*world)
		says    string
	}{
		{"the role does not allow it", func(w *world) { w.roles.denied = true }, roleARN + " is not authorized to perform: codepipeline:StartPipelineExecution on resource: " + pipelineARN},
		{"the pipeline does not exist", func(w *world) { w.pipelines.refuse = errors.New("no pipeline release") }, "no pipeline release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.rule(t, "push")
			c.prepare(w)
			w.push("main")
			all := w.service.Deliveries()
			if len(all) != 3 || !strings.Contains(all[0].Error, c.says) || all[1].Error != "" {
				t.Errorf("deliveries: got %+v, want the first of three to fail with %q", all, c.says)
			}
		})
	}
}

func TestAPI_LifeOfARule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, name := t.Context(), aws.String("push")
	w.rule(t, "push")
	w.rule(t, "push") // again changes nothing
	shown, err := w.client.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if shown.State != types.RuleStateEnabled || *shown.EventPattern != pushPattern || *shown.Description != "on push" {
		t.Errorf("rule: got %+v", shown)
	}
	w.rule(t, "push-2")
	first, err := w.client.ListRules(ctx, &eventbridge.ListRulesInput{NamePrefix: name, Limit: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.client.ListRules(ctx, &eventbridge.ListRulesInput{NamePrefix: name, Limit: aws.Int32(1), NextToken: first.NextToken})
	if err != nil {
		t.Fatal(err)
	}
	if *first.Rules[0].Name != "push" || *second.Rules[0].Name != "push-2" || second.NextToken != nil {
		t.Errorf("rules: got %+v and %+v", first, second)
	}
	_, err = w.client.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name})
	if got := code(err); got != "ValidationException" {
		t.Errorf("delete a rule with targets: got %q, want ValidationException", got)
	}
	if _, err := w.client.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"note", "constant"}}); err != nil {
		t.Fatal(err)
	}
	targets, err := w.client.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: name})
	if err != nil || len(targets.Targets) != 1 || *targets.Targets[0].RoleArn != roleARN {
		t.Errorf("targets: got %+v, %v, want the pipeline", targets, err)
	}
	if _, err := w.client.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"pipeline"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.client.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.client.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: name})
	if got := code(err); got != "ResourceNotFoundException" {
		t.Errorf("describe a rule that is gone: got %q, want ResourceNotFoundException", got)
	}
}

func TestAPI_Refusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rule(t, "push")
	put := func(target types.Target) func() error {
		return func() error {
			target.Id = aws.String("x")
			_, err := w.client.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("push"), Targets: []types.Target{target}})
			return err
		}
	}
	rule := func(in *eventbridge.PutRuleInput) func() error {
		return func() error {
			_, err := w.client.PutRule(t.Context(), in)
			return err
		}
	}
	for _, c := range []struct {
		name       string
		call       func() error
		code, says string
	}{
		{"a target of a service that takes no events", put(types.Target{Arn: aws.String("arn:aws:sqs:us-east-1:111122223333:q")}), "ValidationException", "delivers no events to arn:aws:sqs"},
		{"a target that is no ARN", put(types.Target{Arn: aws.String("release")}), "ValidationException", "delivers no events to release"},
		{"a pipeline without a role", put(types.Target{Arn: aws.String(pipelineARN)}), "ValidationException", "RoleArn is required"},
		{"an input path", put(types.Target{Arn: aws.String(functionARN), InputPath: aws.String("$.detail")}), "ValidationException", "Targets[0].InputPath: is unknown"},
		{"an input that is no JSON", put(types.Target{Arn: aws.String(functionARN), Input: aws.String("x")}), "ValidationException", "Input"},
		{"a schedule", rule(&eventbridge.PutRuleInput{Name: aws.String("r"), ScheduleExpression: aws.String("rate(1 day)"), EventPattern: aws.String(pushPattern)}), "ValidationException", "ScheduleExpression: is unknown"},
		{"a bus that is not there", rule(&eventbridge.PutRuleInput{Name: aws.String("r"), EventBusName: aws.String("mine"), EventPattern: aws.String(pushPattern)}), "ResourceNotFoundException", "mine"},
		{"a bad pattern", rule(&eventbridge.PutRuleInput{Name: aws.String("r"), EventPattern: aws.String(`{"source":[{"suffix":"x"}]}`)}), "InvalidEventPatternException", "suffix"},
		{"an unknown operation", func() error {
			_, err := w.client.ListEventBuses(t.Context(), &eventbridge.ListEventBusesInput{})
			return err
		}, "UnknownOperationException", "ListEventBuses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.call()
			if code(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error: got %v, want %s with %q", err, c.code, c.says)
			}
		})
	}
}

func TestPutEvents_TakesEachEntryByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, name := t.Context(), aws.String("mine")
	if _, err := w.client.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: aws.String(`{"source":["my.app"]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: aws.String("n"), Arn: aws.String(functionARN)}}}); err != nil {
		t.Fatal(err)
	}
	entry := func(source, detail string) types.PutEventsRequestEntry {
		return types.PutEventsRequestEntry{Source: &source, DetailType: aws.String("t"), Detail: &detail}
	}
	out, err := w.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		entry("my.app", `{"n":1}`), entry("aws.codecommit", `{}`), entry("my.app", `[]`), entry("", `{}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(0)
	var codes []string
	for _, e := range out.Entries {
		codes = append(codes, aws.ToString(e.ErrorCode))
	}
	if diff := cmp.Diff([]string{"", "NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument"}, codes); diff != "" || out.FailedEntryCount != 3 {
		t.Errorf("entries, %d failed (-want +got):\n%s", out.FailedEntryCount, diff)
	}
	if n := len(w.functions.got[functionARN]); n != 1 {
		t.Errorf("delivered: got %d, want 1", n)
	}
}

func TestResource_LifeOfARule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kind := w.service.Resources()[0]
	properties := func(targets ...any) map[string]any {
		return map[string]any{
			"EventPattern": map[string]any{"source": []any{"aws.codecommit"}, "detail": map[string]any{"size": []any{map[string]any{"numeric": []any{">", 1}}}}},
			"Targets":      targets,
		}
	}
	pipeline := map[string]any{"Id": "p", "Arn": pipelineARN, "RoleArn": roleARN}
	function := map[string]any{"Id": "f", "Arn": functionARN}
	r := resource.Request{StackName: "infra", StackID: "id", LogicalID: "Push", Properties: properties(pipeline, function)}
	state, err := kind.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(state.PhysicalID, "infra-Push-") || state.Attributes["Arn"] != "arn:aws:events:us-east-1:111122223333:rule/"+state.PhysicalID {
		t.Errorf("state: got %+v, want a generated name and its ARN", state)
	}
	r.PhysicalID, r.Previous, r.Properties = state.PhysicalID, r.Properties, properties(function)
	if _, err := kind.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.service.Publish("aws.codecommit", "t", nil, map[string]any{"size": 2})
	w.service.Publish("aws.codecommit", "t", nil, map[string]any{"size": 1})
	w.clock.Advance(0)
	if len(w.pipelines.started) != 0 || len(w.functions.got[functionARN]) != 1 {
		t.Errorf("after the update: got %d pipelines started and %d functions called, want 0 and 1", len(w.pipelines.started), len(w.functions.got[functionARN]))
	}
	if err := kind.Delete(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if len(w.service.rules) != 0 {
		t.Errorf("rules after delete: got %d, want none", len(w.service.rules))
	}
	r.Properties = properties(map[string]any{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:111122223333:q"})
	if _, err := kind.Create(t.Context(), r); err == nil || len(w.service.rules) != 0 {
		t.Errorf("create with an unknown target: got %v and %d rules, want an error and none", err, len(w.service.rules))
	}
}
