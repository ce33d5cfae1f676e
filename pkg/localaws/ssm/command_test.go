package ssm_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// send sends lines to instance i-1.
func (p *place) send(t testing.TB, change func(*sdk.SendCommandInput), lines ...string) string {
	t.Helper()
	in := &sdk.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{"i-1"}, Parameters: map[string][]string{"commands": lines},
	}
	if change != nil {
		change(in)
	}
	out, err := p.SendCommand(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.Command.CommandId
}

func (p *place) invocation(t testing.TB, id, instance string) *sdk.GetCommandInvocationOutput {
	t.Helper()
	out, err := p.GetCommandInvocation(t.Context(), &sdk.GetCommandInvocationInput{CommandId: &id, InstanceId: &instance})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSendCommand_Ends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines   []string
		change  func(*sdk.SendCommandInput)
		offline bool // right after the command was sent
		advance time.Duration
		status  types.CommandInvocationStatus
		details string
		exit    int32
		stdout  string
		stderr  string
	}{
		"well, with what it printed": {lines: []string{"hello"}, status: "Success", details: "Success", stdout: "hello"},
		"badly, with its exit code":  {lines: []string{"exit 3"}, status: "Failed", details: "Failed", exit: 3, stderr: "failed to run commands: exit status 3"},
		"late, when it takes longer than it may": {lines: []string{"sleep 2m"}, status: "TimedOut", details: "ExecutionTimedOut", exit: 137,
			change: func(in *sdk.SendCommandInput) { in.Parameters["executionTimeout"] = []string{"60"} }},
		"undelivered, when the instance stays away": {lines: []string{"hello"}, offline: true, status: "TimedOut", details: "DeliveryTimedOut", exit: -1,
			change: func(in *sdk.SendCommandInput) { in.TimeoutSeconds = aws.Int32(60) }},
		"not yet, while the instance is away": {lines: []string{"hello"}, offline: true, advance: time.Minute, status: "Delayed", details: "Delayed", exit: -1},
		"not yet, while it runs":              {lines: []string{"sleep 5m"}, advance: time.Minute, status: "InProgress", details: "InProgress", exit: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			id := p.send(t, c.change, c.lines...)
			p.instances.online["i-1"] = !c.offline
			if c.advance == 0 {
				c.advance = 10 * time.Minute
			}
			p.clock.Advance(c.advance)
			got := p.invocation(t, id, "i-1")
			if got.Status != c.status || *got.StatusDetails != c.details || got.ResponseCode != c.exit {
				t.Errorf("got %s (%s) with code %d, want %s (%s) with %d", got.Status, *got.StatusDetails, got.ResponseCode, c.status, c.details, c.exit)
			}
			if *got.StandardOutputContent != c.stdout || *got.StandardErrorContent != c.stderr {
				t.Errorf("got output %q and %q, want %q and %q", *got.StandardOutputContent, *got.StandardErrorContent, c.stdout, c.stderr)
			}
		})
	}
}

func TestSendCommand_RunsOneScriptOfAllItsLines(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.send(t, func(in *sdk.SendCommandInput) { in.Parameters["workingDirectory"] = []string{"/opt"} }, "set -e", "echo done")
	p.clock.Advance(time.Minute)
	if want := []string{"/opt: set -e\necho done\n"}; !slices.Equal(p.instances.scripts, want) {
		t.Errorf("scripts: got %q, want %q", p.instances.scripts, want)
	}
}

// An instance that comes back in time gets the command then.
func TestSendCommand_WaitsForTheInstance(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.send(t, nil, "hello")
	p.instances.online["i-1"] = false
	p.clock.Advance(5 * time.Minute)
	p.instances.online["i-1"] = true
	p.clock.Advance(time.Minute)
	if got := p.invocation(t, id, "i-1"); got.Status != "Success" {
		t.Errorf("got %s, want Success", got.Status)
	}
}

func TestGetCommandInvocation_ComesAfterTheCommand(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.send(t, nil, "hello")
	_, err := p.GetCommandInvocation(t.Context(), &sdk.GetCommandInvocationInput{CommandId: &id, InstanceId: aws.String("i-1")})
	wantCode(t, err, "InvocationDoesNotExist", "")
	p.clock.Advance(time.Second)
	if got := p.invocation(t, id, "i-1"); got.Status != "InProgress" || *got.ExecutionStartDateTime != "2026-01-02T12:00:01.000Z" {
		t.Errorf("a second later: got %s since %v, want InProgress", got.Status, *got.ExecutionStartDateTime)
	}
	p.clock.Advance(time.Minute)
	if got := p.invocation(t, id, "i-1"); *got.ExecutionElapsedTime != "PT1.000S" || *got.ExecutionEndDateTime != "2026-01-02T12:00:02.000Z" {
		t.Errorf("at the end: got %s until %s, want PT1.000S", *got.ExecutionElapsedTime, *got.ExecutionEndDateTime)
	}
	_, err = p.GetCommandInvocation(t.Context(), &sdk.GetCommandInvocationInput{CommandId: &id, InstanceId: aws.String("i-2")})
	wantCode(t, err, "InvocationDoesNotExist", "")
}

func TestGetCommandInvocation_CutsOutput(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.send(t, nil, strings.Repeat("ü", 30000))
	p.clock.Advance(time.Minute)
	if got := p.invocation(t, id, "i-1"); *got.StandardOutputContent != strings.Repeat("ü", 24000) {
		t.Errorf("got %d bytes, want 24000 characters of two bytes", len(*got.StandardOutputContent))
	}
	list, err := p.ListCommandInvocations(t.Context(), &sdk.ListCommandInvocationsInput{CommandId: &id, Details: true})
	if err != nil || *list.CommandInvocations[0].CommandPlugins[0].Output != strings.Repeat("ü", 2500) {
		t.Errorf("plugin's output: got %+v, %v, want 2500 characters", list, err)
	}
}

func TestCancelCommand_EndsWhatRuns(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.send(t, func(in *sdk.SendCommandInput) { in.InstanceIds = []string{"i-1", "i-2"} }, "sleep 10m")
	p.clock.Advance(time.Minute)
	if p.instances.running != 2 {
		t.Fatalf("got %d scripts that run, want 2", p.instances.running)
	}
	if _, err := p.CancelCommand(t.Context(), &sdk.CancelCommandInput{CommandId: &id, InstanceIds: []string{"i-2"}}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Hour)
	if one, two := p.invocation(t, id, "i-1").Status, p.invocation(t, id, "i-2").Status; one != "Success" || two != "Cancelled" || p.instances.running != 0 {
		t.Errorf("got %s and %s with %d running, want Success and Cancelled with none", one, two, p.instances.running)
	}
	list, err := p.ListCommands(t.Context(), &sdk.ListCommandsInput{CommandId: &id})
	if err != nil || list.Commands[0].Status != "Cancelled" || list.Commands[0].CompletedCount != 2 || list.Commands[0].TargetCount != 2 {
		t.Errorf("command: got %+v, %v, want Cancelled, 2 of 2", list, err)
	}
	_, err = p.CancelCommand(t.Context(), &sdk.CancelCommandInput{CommandId: aws.String("00000000-0000-0000-0000-000000000000")})
	wantCode(t, err, "InvalidCommandId", "")
}

func TestCancelCommand_BeforeDelivery(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.send(t, nil, "hello")
	if _, err := p.CancelCommand(t.Context(), &sdk.CancelCommandInput{CommandId: &id}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Hour)
	if got := p.invocation(t, id, "i-1").Status; got != "Cancelled" || len(p.instances.scripts) != 0 {
		t.Errorf("got %s and %d scripts, want Cancelled and none", got, len(p.instances.scripts))
	}
}

func TestSendCommand_Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(*sdk.SendCommandInput)
		code, text string
	}{
		"an instance that is not online": {func(in *sdk.SendCommandInput) { in.InstanceIds = []string{"i-1", "i-gone"} }, "InvalidInstanceId", "[[i-gone]] not in a valid state for account 111122223333"},
		"an instance twice":              {func(in *sdk.SendCommandInput) { in.InstanceIds = []string{"i-1", "i-1"} }, "DuplicateInstanceId", ""},
		"another document":               {func(in *sdk.SendCommandInput) { in.DocumentName = aws.String("AWS-RunPatchBaseline") }, "InvalidDocument", "AWS-RunPatchBaseline"},
		"a version that is not there":    {func(in *sdk.SendCommandInput) { in.DocumentVersion = aws.String("2") }, "InvalidDocumentVersion", ""},
		"no commands and another parameter": {func(in *sdk.SendCommandInput) { in.Parameters = map[string][]string{"command": {"x"}} },
			"InvalidParameters", "command is not a parameter of AWS-RunShellScript; commands is required"},
		"a time out of range":          {func(in *sdk.SendCommandInput) { in.Parameters["executionTimeout"] = []string{"0"} }, "InvalidParameters", "executionTimeout"},
		"a delivery time out of range": {func(in *sdk.SendCommandInput) { in.TimeoutSeconds = aws.Int32(29) }, "ValidationException", "TimeoutSeconds"},
		"output to a bucket":           {func(in *sdk.SendCommandInput) { in.OutputS3BucketName = aws.String("bucket") }, "ValidationException", "OutputS3BucketName"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			in := &sdk.SendCommandInput{
				DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{"i-1"}, Parameters: map[string][]string{"commands": {"x"}},
			}
			c.change(in)
			_, err := p.SendCommand(t.Context(), in)
			wantCode(t, err, c.code, c.text)
			p.clock.Advance(time.Minute)
			if len(p.instances.scripts) != 0 {
				t.Errorf("scripts: got %q, want none to have run", p.instances.scripts)
			}
		})
	}
}

func TestDescribeInstanceInformation_TellsWhoIsOnline(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.instances.online["i-2"] = false
	list := func(ctx context.Context, filters ...types.InstanceInformationStringFilter) (got []string) {
		out, err := p.DescribeInstanceInformation(ctx, &sdk.DescribeInstanceInformationInput{Filters: filters})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.InstanceInformationList {
			got = append(got, *i.InstanceId+" "+string(i.PingStatus))
		}
		return got
	}
	if got, want := list(t.Context()), []string{"i-1 Online", "i-2 ConnectionLost"}; !slices.Equal(got, want) {
		t.Errorf("all: got %v, want %v", got, want)
	}
	online := types.InstanceInformationStringFilter{Key: aws.String("PingStatus"), Values: []string{"Online"}}
	if got, want := list(t.Context(), online), []string{"i-1 Online"}; !slices.Equal(got, want) {
		t.Errorf("online: got %v, want %v", got, want)
	}
	one := types.InstanceInformationStringFilter{Key: aws.String("InstanceIds"), Values: []string{"i-2"}}
	if got := list(t.Context(), one, online); got != nil {
		t.Errorf("i-2 if online: got %v, want none", got)
	}
}
