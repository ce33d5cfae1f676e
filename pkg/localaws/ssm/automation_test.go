package ssm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/automation"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ssm"
)

const token = "01234567-89ab-cdef-0123-456789ABCDEF"

// start starts the runbook Golden.
func (p *place) start(t testing.TB, change func(*sdk.StartAutomationExecutionInput)) (string, error) {
	t.Helper()
	in := &sdk.StartAutomationExecutionInput{DocumentName: aws.String("Golden")}
	if change != nil {
		change(in)
	}
	out, err := p.StartAutomationExecution(t.Context(), in)
	if err != nil {
		return "", err
	}
	return *out.AutomationExecutionId, nil
}

func (p *place) mustStart(t testing.TB, change func(*sdk.StartAutomationExecutionInput)) string {
	t.Helper()
	id, err := p.start(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (p *place) automation(t testing.TB, id string) *types.AutomationExecution {
	t.Helper()
	out, err := p.GetAutomationExecution(t.Context(), &sdk.GetAutomationExecutionInput{AutomationExecutionId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return out.AutomationExecution
}

func TestStartAutomationExecution_Runs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	id := p.mustStart(t, func(in *sdk.StartAutomationExecutionInput) {
		in.DocumentName = aws.String("arn:aws:ssm:us-east-1:111122223333:document/Golden")
		in.Parameters = map[string][]string{"AutomationAssumeRole": {roleARN}}
	})
	if len(id) != 36 {
		t.Errorf("id: got %q, want 36 characters", id)
	}
	got := p.automation(t, id)
	if got.AutomationExecutionStatus != "InProgress" || *got.CurrentStepName != "wait" || *got.CurrentAction != "aws:sleep" {
		t.Errorf("at once: got %s in %s (%s), want InProgress in wait (aws:sleep)", got.AutomationExecutionStatus, aws.ToString(got.CurrentStepName), aws.ToString(got.CurrentAction))
	}
	if want := map[string][]string{"AutomationAssumeRole": {roleARN}, "Instances": {"i-1"}}; !cmp.Equal(got.Parameters, want) {
		t.Errorf("parameters: got %v, want %v with the default", got.Parameters, want)
	}
	p.clock.Advance(2 * time.Minute)
	got = p.automation(t, id)
	if got.AutomationExecutionStatus != "Success" || got.StepExecutions[0].StepStatus != "Success" || *got.DocumentVersion != "1" || got.ExecutionEndTime == nil {
		t.Errorf("at the end: got %+v, want Success of version 1", got)
	}
	var told []string
	for _, e := range p.events.all {
		detail := e.Detail.(map[string]any)
		told = append(told, fmt.Sprint(e.DetailType, ": ", detail["Definition"], " ", detail["DefinitionVersion"], " ", detail["Status"], " ", e.Resources[0]))
	}
	arn := "arn:aws:ssm:us-east-1:111122223333:automation-execution/" + id
	const kind = "EC2 Automation Execution Status-change Notification: Golden 1 "
	if want := []string{kind + "InProgress " + arn, kind + "Success " + arn}; !slices.Equal(slices.Compact(told), want) {
		t.Errorf("events: got %q, want %q", told, want)
	}
}

func TestStartAutomationExecution_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	parameters := func(name string, values ...string) func(*sdk.StartAutomationExecutionInput) {
		return func(in *sdk.StartAutomationExecutionInput) { in.Parameters = map[string][]string{name: values} }
	}
	const wrong = "InvalidAutomationExecutionParametersException"
	for name, c := range map[string]struct {
		change     func(*sdk.StartAutomationExecutionInput)
		code, text string
	}{
		"a document that is not there":  {func(in *sdk.StartAutomationExecutionInput) { in.DocumentName = aws.String("None") }, "AutomationDefinitionNotFoundException", "None"},
		"a document for commands":       {func(in *sdk.StartAutomationExecutionInput) { in.DocumentName = aws.String("AWS-RunShellScript") }, "AutomationDefinitionNotFoundException", "AWS-RunShellScript"},
		"a version that is not there":   {func(in *sdk.StartAutomationExecutionInput) { in.DocumentVersion = aws.String("2") }, "AutomationDefinitionVersionNotFoundException", "2"},
		"a version that is none":        {func(in *sdk.StartAutomationExecutionInput) { in.DocumentVersion = aws.String("two") }, "ValidationException", "two"},
		"a parameter that is not there": {parameters("None", "x"), wrong, "None"},
		"a role that can't be assumed":  {parameters("AutomationAssumeRole", "arn:aws:iam::111122223333:role/none"), wrong, "unable to be assumed"},
		"an empty value":                {parameters("Instances", ""), "ValidationException", "Parameters.Instances"},
		"a value of 513 characters":     {parameters("Instances", strings.Repeat("x", 513)), "ValidationException", "513"},
		"a token that is no UUID":       {func(in *sdk.StartAutomationExecutionInput) { in.ClientToken = aws.String(strings.Repeat("x", 36)) }, "ValidationException", "UUID"},
		"targets":                       {func(in *sdk.StartAutomationExecutionInput) { in.TargetParameterName = aws.String("Instances") }, "ValidationException", "TargetParameterName"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.start(t, c.change)
			wantCode(t, err, c.code, c.text)
		})
	}
	if got := p.automations(t); got != nil {
		t.Errorf("automations: got %v, want none", got)
	}
}

// A token stands for its first automation, also when that one was stopped.
func TestStartAutomationExecution_IsSafeToRepeatWithAToken(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	with := func(token string, instances ...string) func(*sdk.StartAutomationExecutionInput) {
		return func(in *sdk.StartAutomationExecutionInput) {
			in.ClientToken, in.Parameters = &token, map[string][]string{"Instances": instances}
		}
	}
	first := p.mustStart(t, with(token, "i-1"))
	if _, err := p.StopAutomationExecution(t.Context(), &sdk.StopAutomationExecutionInput{AutomationExecutionId: &first}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Hour)
	if got := p.automation(t, first).AutomationExecutionStatus; got != "Cancelled" {
		t.Fatalf("stopped: got %s, want Cancelled", got)
	}
	if again := p.mustStart(t, with(strings.ToLower(token), "i-1")); again != first {
		t.Errorf("the same again, in lower case: got %s, want %s", again, first)
	}
	_, err := p.start(t, with(token, "i-2"))
	wantCode(t, err, "IdempotentParameterMismatch", "token")
	if other := p.mustStart(t, with("11111111-1111-1111-1111-111111111111", "i-1")); other == first {
		t.Error("another token: got the same automation")
	}
}

func TestStartAutomationExecution_TakesATokenOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	ids := make([]string, 8)
	var calls sync.WaitGroup
	for i := range ids {
		calls.Go(func() {
			out, err := p.service.StartAutomationExecution(t.Context(), &ssm.StartAutomationExecutionInput{DocumentName: "Golden", ClientToken: token})
			if err == nil {
				ids[i] = out.AutomationExecutionId
			}
		})
	}
	calls.Wait()
	if got := slices.Compact(slices.Clone(ids)); len(got) != 1 || got[0] == "" {
		t.Errorf("got automations %v, want all calls to name one", got)
	}
	if got := p.automations(t); len(got) != 1 {
		t.Errorf("got %d automations, want one", len(got))
	}
}

func (p *place) automations(t testing.TB, filters ...types.AutomationExecutionFilter) (ids []string) {
	t.Helper()
	pages := sdk.NewDescribeAutomationExecutionsPaginator(p, &sdk.DescribeAutomationExecutionsInput{Filters: filters, MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.AutomationExecutionMetadataList {
			ids = append(ids, *e.AutomationExecutionId)
		}
	}
	return ids
}

func TestDescribeAutomationExecutions_Filters(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	p.createDocument(t, "Golden-Two", runbook("second"))
	one := p.mustStart(t, func(in *sdk.StartAutomationExecutionInput) {
		in.Tags = []types.Tag{{Key: aws.String("cutover:job"), Value: aws.String("1")}}
	})
	p.clock.Advance(time.Hour)
	two := p.mustStart(t, func(in *sdk.StartAutomationExecutionInput) { in.DocumentName = aws.String("Golden-Two") })
	three := p.mustStart(t, nil)
	filter := func(key types.AutomationExecutionFilterKey, values ...string) types.AutomationExecutionFilter {
		return types.AutomationExecutionFilter{Key: key, Values: values}
	}
	for name, c := range map[string]struct {
		filters []types.AutomationExecutionFilter
		want    []string
	}{
		"none, in two pages":     {nil, []string{three, two, one}},
		"by document":            {[]types.AutomationExecutionFilter{filter("DocumentNamePrefix", "Golden-")}, []string{two}},
		"by status":              {[]types.AutomationExecutionFilter{filter("ExecutionStatus", "InProgress", "Failed")}, []string{three, two}},
		"by id":                  {[]types.AutomationExecutionFilter{filter("ExecutionId", one)}, []string{one}},
		"by a tag's key":         {[]types.AutomationExecutionFilter{filter("TagKey", "cutover:job")}, []string{one}},
		"by current action":      {[]types.AutomationExecutionFilter{filter("CurrentAction", "aws:sleep")}, []string{three, two}},
		"by start":               {[]types.AutomationExecutionFilter{filter("StartTimeAfter", "2026-01-02T12:30:00Z")}, []string{three, two}},
		"by start and by status": {[]types.AutomationExecutionFilter{filter("StartTimeBefore", "2026-01-02T12:30:00Z"), filter("ExecutionStatus", "InProgress")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.automations(t, c.filters...); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	_, err := p.DescribeAutomationExecutions(t.Context(), &sdk.DescribeAutomationExecutionsInput{Filters: []types.AutomationExecutionFilter{filter("OpsItemId", "x")}})
	wantCode(t, err, "InvalidFilterKey", "") // its shape has no message
	tags, err := p.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingAutomation, ResourceId: &one})
	if err != nil || len(tags.TagList) != 1 || *tags.TagList[0].Value != "1" {
		t.Errorf("tags: got %+v, %v, want those of the start", tags, err)
	}
}

// Beyond twenty steps, the rest is found in DescribeAutomationStepExecutions.
func TestGetAutomationExecution_TruncatesSteps(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	text := "schemaVersion: '0.3'\nmainSteps:\n"
	for i := range 25 {
		text += fmt.Sprintf("  - {name: step%02d, action: 'aws:sleep', inputs: {Duration: PT1S}}\n", i)
	}
	p.createDocument(t, "Golden", text)
	id := p.mustStart(t, nil)
	p.clock.Advance(10 * time.Second)
	if got := p.automation(t, id); len(got.StepExecutions) != 20 || !got.StepExecutionsTruncated {
		t.Errorf("got %d steps, truncated %v, want 20 of them", len(got.StepExecutions), got.StepExecutionsTruncated)
	}
	steps := func(filters ...types.StepExecutionFilter) (names []string) {
		pages := sdk.NewDescribeAutomationStepExecutionsPaginator(p, &sdk.DescribeAutomationStepExecutionsInput{
			AutomationExecutionId: &id, Filters: filters, MaxResults: aws.Int32(10),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.StepExecutions {
				names = append(names, *s.StepName)
			}
		}
		return names
	}
	if got := steps(); len(got) != 25 || got[24] != "step24" {
		t.Errorf("steps: got %v, want 25", got)
	}
	done := steps(types.StepExecutionFilter{Key: "StepExecutionStatus", Values: []string{"Success"}})
	if len(done) == 0 || len(done) > 10 || done[0] != "step00" {
		t.Errorf("steps that are done after ten seconds: got %v", done)
	}
	if got := steps(types.StepExecutionFilter{Key: "StepName", Values: []string{"step07"}}); !slices.Equal(got, []string{"step07"}) {
		t.Errorf("by name: got %v", got)
	}
}

func TestStopAutomationExecution_OnlyWhatRuns(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	id := p.mustStart(t, nil)
	p.clock.Advance(time.Hour)
	_, err := p.StopAutomationExecution(t.Context(), &sdk.StopAutomationExecutionInput{AutomationExecutionId: &id, Type: types.StopTypeCancel})
	wantCode(t, err, "InvalidAutomationStatusUpdateException", "Success")
	_, err = p.StopAutomationExecution(t.Context(), &sdk.StopAutomationExecutionInput{AutomationExecutionId: aws.String("00000000-0000-0000-0000-000000000000")})
	wantCode(t, err, "AutomationExecutionNotFoundException", "00000000")
}

func TestSendAutomationSignal_ResumesAPause(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", "schemaVersion: '0.3'\nmainSteps:\n  - {name: hold, action: 'aws:pause', inputs: {}}\n")
	id := p.mustStart(t, nil)
	p.clock.Advance(time.Hour)
	_, err := p.SendAutomationSignal(t.Context(), &sdk.SendAutomationSignalInput{AutomationExecutionId: &id, SignalType: types.SignalTypeApprove})
	wantCode(t, err, "InvalidAutomationSignalException", "wait")
	if _, err := p.SendAutomationSignal(t.Context(), &sdk.SendAutomationSignalInput{AutomationExecutionId: &id, SignalType: types.SignalTypeResume}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Minute)
	if got := p.automation(t, id).AutomationExecutionStatus; got != "Success" {
		t.Errorf("got %s, want Success", got)
	}
}

func TestStartAutomationExecution_NeedsDocumentAutomationAndRole(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.createDocument(t, "Golden", runbook("first"))
	in := &ssm.StartAutomationExecutionInput{DocumentName: "Golden", Parameters: map[string][]string{"AutomationAssumeRole": {roleARN}}, Tags: []ssm.Tag{{Key: "a", Value: "b"}}}
	want := []string{
		"ssm:StartAutomationExecution arn:aws:ssm:us-east-1:111122223333:document/Golden",
		"ssm:StartAutomationExecution arn:aws:ssm:us-east-1:111122223333:automation-execution/*",
		"ssm:AddTagsToResource arn:aws:ssm:us-east-1:111122223333:automation-execution/*",
		"iam:PassRole " + roleARN,
	}
	if got := p.access(t, "StartAutomationExecution", in); !slices.Equal(got, want) {
		t.Errorf("access: got %q, want %q", got, want)
	}
	put := &ssm.PutParameterInput{Name: "/golden/image", Value: goldenImage, DataType: "aws:ec2:image"}
	want = []string{"ssm:PutParameter arn:aws:ssm:us-east-1:111122223333:parameter/golden/image", "ec2:DescribeImages *"}
	if got := p.access(t, "PutParameter", put); !slices.Equal(got, want) {
		t.Errorf("access: got %q, want %q", got, want)
	}
	want = []string{"ssm:GetParameter arn:aws:ssm:us-east-1::parameter" + publicName}
	if got := p.access(t, "GetParameter", &ssm.GetParameterInput{Name: publicName + ":1"}); !slices.Equal(got, want) {
		t.Errorf("access: got %q, want %q", got, want)
	}
}

// stuck is an engine that starts nothing until it is mended.
type stuck struct {
	ssm.Automations
	mended bool
	last   automation.Start
}

func (s *stuck) Start(start automation.Start) error {
	if !s.mended {
		return errors.New("out of order")
	}
	s.last = start
	return nil
}

// A token of an automation that never started stands for none.
func TestStartAutomationExecution_ForgetsWhatDidNotStart(t *testing.T) {
	t.Parallel()
	engine := &stuck{}
	s := ssm.New(ssm.Config{Clock: clock.NewManual(time.Unix(0, 0)), Region: "us-east-1", Account: "111122223333", Automations: engine})
	if _, err := s.CreateDocument(t.Context(), &ssm.CreateDocumentInput{Name: "Golden", Content: runbook("first"), DocumentType: "Automation", DocumentFormat: "YAML"}); err != nil {
		t.Fatal(err)
	}
	in := &ssm.StartAutomationExecutionInput{DocumentName: "Golden", ClientToken: token}
	if _, err := s.StartAutomationExecution(t.Context(), in); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("got %v, want the engine's error", err)
	}
	engine.mended = true
	out, err := s.StartAutomationExecution(t.Context(), in)
	if err != nil || out.AutomationExecutionId != engine.last.ID {
		t.Errorf("again: got %+v, %v, want the automation %s", out, err, engine.last.ID)
	}
}
