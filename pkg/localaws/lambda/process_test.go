package lambda_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

func TestInvoke_StartsColdAndStaysWarm(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.function("hello", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"COLOUR": "green"}}
	})
	before := time.Now()
	first := c.invoke("hello", `{"Env":["COLOUR","AWS_REGION","AWS_LAMBDA_FUNCTION_NAME","AWS_ENDPOINT_URL","AWS_XRAY_DAEMON_ADDRESS","_HANDLER","HOME"],"Print":["one","two"]}`)
	want := map[string]string{
		"COLOUR": "green", "AWS_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "hello", "AWS_ENDPOINT_URL": c.url,
		"AWS_XRAY_DAEMON_ADDRESS": c.xray.Address(), "_HANDLER": "bootstrap", "HOME": "",
	}
	if diff := cmp.Diff(want, first.Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	for _, variable := range first.All {
		name, _, _ := strings.Cut(variable, "=")
		if !slices.Contains(known(), name) {
			t.Errorf("environment: got %s from outside", name)
		}
	}
	if got, want := first.ARN, "arn:aws:lambda:us-east-1:111122223333:function:hello"; got != want {
		t.Errorf("ARN: got %s, want %s", got, want)
	}
	if left := first.Deadline.Sub(before); left < 19*time.Second || left > 40*time.Second {
		t.Errorf("deadline: got %v from now on the wall, want about 20s", left)
	}
	second := c.invoke("hello", `{"Print":["three"]}`)
	if second.PID != first.PID || second.Calls != 2 {
		t.Errorf("second: got call %d of process %d, want call 2 of %d", second.Calls, second.PID, first.PID)
	}

	lines := c.lines("hello")
	wantLines := []string{
		"START RequestId: " + first.RequestID + " Version: $LATEST", "one", "two",
		"END RequestId: " + first.RequestID, "REPORT",
		"START RequestId: " + second.RequestID + " Version: $LATEST", "three",
		"END RequestId: " + second.RequestID, "REPORT",
	}
	report := regexp.MustCompile(`^REPORT RequestId: [0-9a-f-]{36}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: [1-9]\d* MB\t(Init Duration: [\d.]+ ms\t)?$`)
	var got []string
	for _, line := range lines {
		if report.MatchString(line) {
			line = "REPORT"
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(wantLines, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if !strings.Contains(lines[4], "Init Duration") || strings.Contains(lines[8], "Init Duration") {
		t.Errorf("Init Duration: got %q and %q, want it in the first only", lines[4], lines[8])
	}

	c.clock.Advance(11 * time.Minute)
	if !gone(first.PID) {
		t.Errorf("idle process %d lives after 11 minutes, want it gone", first.PID)
	}
	if third := c.invoke("hello", `{}`); third.Calls != 1 {
		t.Errorf("after the idle time: got call %d of its process, want a cold start", third.Calls)
	}
	records := c.lambda.Invocations()
	if len(records) != 3 || !records[0].Cold || records[1].Cold || !records[2].Cold || records[0].Init <= 0 || records[1].Duration <= 0 {
		t.Errorf("invocations: got %+v, want cold, warm, cold with their times", records)
	}
	if got := c.metrics.of("hello Invocations"); got != 3 {
		t.Errorf("Invocations: got %v, want 3", got)
	}
}

// known are the variables that Lambda or the function's settings give.
func known() []string {
	return []string{"PATH", "LANG", "TZ", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "_HANDLER",
		"AWS_XRAY_CONTEXT_MISSING", "AWS_ENDPOINT_URL", "AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_PORT",
		"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "TMPDIR", "COLOUR", "_X_AMZN_TRACE_ID"}
}

func TestInvoke_Failures(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.function("hello", func(in *sdk.CreateFunctionInput) { in.Timeout = ptr(int32(1)) })
	tests := []struct {
		name, payload  string
		kind, message  string
		log            []string
		nextStartsAnew bool
	}{
		{name: "an error of the handler leaves the process warm", payload: `{"Do":"fail"}`, kind: "errorString", message: "out of luck"},
		{name: "a panic ends the process after its answer", payload: `{"Do":"panic"}`, kind: "string", message: "at the disco", nextStartsAnew: true},
		{name: "an exit is Runtime.ExitError", payload: `{"Do":"exit","Print":["last words"]}`, kind: "Runtime.ExitError", message: "Error: Runtime exited with error: exit status 7",
			log: []string{"last words", "Runtime exited with error: exit status 7\nRuntime.ExitError", "Status: error\tError Type: Runtime.ExitError"}, nextStartsAnew: true},
		{name: "a timeout kills the process", payload: `{"Sleep":60000000000,"Print":["waiting"]}`, kind: "Sandbox.Timedout", message: "Error: Task timed out after 1.00 seconds",
			log: []string{"waiting", "Task timed out after 1.00 seconds", "Duration: 1000.00 ms", "Status: timeout"}, nextStartsAnew: true},
	}
	for _, test := range tests {
		before := c.invoke("hello", `{}`)
		from := len(c.lines("hello"))
		got := c.invoke("hello", test.payload)
		if got.FunctionError != "Unhandled" || got.ErrorType != test.kind || !strings.HasSuffix(got.ErrorMessage, test.message) {
			t.Errorf("%s: got %q %s %q, want Unhandled %s ...%q", test.name, got.FunctionError, got.ErrorType, got.ErrorMessage, test.kind, test.message)
		}
		lines := c.lines("hello")[from:]
		for _, want := range test.log {
			if !contains(lines, want) {
				t.Errorf("%s: log\n%s\nlacks %q", test.name, strings.Join(lines, "\n"), want)
			}
		}
		if end := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "END") }); end != len(lines)-2 {
			t.Errorf("%s: got END at line %d of\n%s\nwant it before REPORT alone", test.name, end, strings.Join(lines, "\n"))
		}
		after := c.invoke("hello", `{}`)
		if anew := after.PID != before.PID; anew != test.nextStartsAnew {
			t.Errorf("%s: got a new process %v, want %v", test.name, anew, test.nextStartsAnew)
		}
		if test.nextStartsAnew && !gone(before.PID) {
			t.Errorf("%s: process %d lives, want it gone", test.name, before.PID)
		}
	}
	if got := c.metrics.of("hello Errors"); got != float64(len(tests)) {
		t.Errorf("Errors: got %v, want %d", got, len(tests))
	}
}

func TestInvoke_InitFailures(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.function("exits", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"INIT": "exit"}}
	})
	for name, zip := range map[string]struct {
		file string
		mode os.FileMode
	}{"misnamed": {"main", 0o755}, "unexecutable": {"bootstrap", 0o644}} {
		raw, err := zipped(zip.mode, map[string][]byte{zip.file: []byte("#!/bin/sh\n")})
		if err != nil {
			t.Fatal(err)
		}
		c.function(name, func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{ZipFile: raw} })
		if got := c.invoke(name, `{}`); got.ErrorType != "Runtime.InvalidEntrypoint" {
			t.Errorf("%s: got %+v, want Runtime.InvalidEntrypoint", name, got)
		}
	}
	got := c.invoke("exits", `{}`)
	if got.ErrorType != "Runtime.ExitError" || !strings.HasSuffix(got.ErrorMessage, "exit status 3") {
		t.Errorf("exit at init: got %+v, want Runtime.ExitError with status 3", got)
	}
	if !contains(c.lines("exits"), "no settings") {
		t.Errorf("log: got %q, want what the process said", c.lines("exits"))
	}
}

func TestKill_EndsTheProcessAndItsChildren(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.function("hello", nil)
	first := c.invoke("hello", `{"Do":"child","Env":["AWS_ACCESS_KEY_ID"]}`)
	key := first.Env["AWS_ACCESS_KEY_ID"]
	answers := make(chan answer)
	go func() {
		a, err := c.tryInvoke("hello", `{"Sleep":60000000000,"Print":["asleep"]}`)
		a.ErrorMessage = fmt.Sprint(a.ErrorMessage, err)
		answers <- a
	}()
	await(t, "the second invocation", func() bool { return contains(c.lines("hello"), "asleep") })
	if c.lambda.Dead(key) {
		t.Error("Dead before Kill: got true, want false")
	}
	c.lambda.Kill(key)
	if !c.lambda.Dead(key) {
		t.Error("Dead after Kill: got false, want true")
	}
	if a := <-answers; a.ErrorType != "Runtime.ExitError" || !strings.Contains(a.ErrorMessage, "signal: killed") {
		t.Errorf("killed invocation: got %+v, want Runtime.ExitError", a)
	}
	if !gone(first.PID) || !groupGone(first.PID) {
		t.Errorf("process group %d lives, want it gone", first.PID)
	}
	if next := c.invoke("hello", `{}`); next.PID == first.PID || next.Calls != 1 {
		t.Errorf("next: got %+v, want a new process", next)
	}
}

func groupGone(pid int) bool {
	for range 2000 {
		if gone(-pid) {
			return true
		}
		time.Sleep(time.Millisecond) // children of a killed process are reaped by init
	}
	return false
}

func TestUpdate_TakesEffectWithTheNextInvocation(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	ctx := context.Background()
	c.function("hello", nil)
	first := c.invoke("hello", `{"Env":["COLOUR"]}`)
	_, err := c.client.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{
		FunctionName: ptr("hello"), Environment: &types.Environment{Variables: map[string]string{"COLOUR": "blue"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !gone(first.PID) {
		t.Errorf("idle process of the old settings lives, want it gone")
	}
	second := c.invoke("hello", `{"Env":["COLOUR"]}`)
	if second.Env["COLOUR"] != "blue" || second.PID == first.PID {
		t.Errorf("after the update: got %+v, want blue from a new process", second)
	}
	_, err = c.client.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: ptr("hello"), S3Bucket: ptr("code"), S3Key: ptr("v2.zip")})
	wantCode(t, err, "InvalidParameterValueException")
	if third := c.invoke("hello", `{}`); third.PID != second.PID {
		t.Error("after a refused update: got a new process, want the warm one")
	}
	if _, err := c.client.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: ptr("hello"), ZipFile: c.objects["code/v1.zip"]}); err != nil {
		t.Fatal(err)
	}
	if fourth := c.invoke("hello", `{}`); fourth.PID == second.PID {
		t.Error("after new code: got the old process, want a new one")
	}
	if _, err := c.client.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: ptr("hello")}); err != nil {
		t.Fatal(err)
	}
	_, err = c.tryInvoke("hello", `{}`)
	wantCode(t, err, "ResourceNotFoundException")
}

func TestInvoke_RunsSandboxesSideBySideUpToTheReservation(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	ctx := context.Background()
	c.function("hello", nil)
	if _, err := c.client.PutFunctionConcurrency(ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: ptr("hello"), ReservedConcurrentExecutions: ptr(int32(2))}); err != nil {
		t.Fatal(err)
	}
	answers := make(chan answer)
	for i := range 2 {
		go func() {
			a, err := c.tryInvoke("hello", fmt.Sprintf(`{"Sleep":60000000000,"Print":["run %d"],"Env":["AWS_ACCESS_KEY_ID"]}`, i))
			if err != nil {
				a.ErrorMessage = err.Error()
			}
			answers <- a
		}()
	}
	await(t, "two invocations", func() bool { return contains(c.lines("hello"), "run 0") && contains(c.lines("hello"), "run 1") })
	_, err := c.tryInvoke("hello", `{}`)
	wantCode(t, err, "TooManyRequestsException")
	if got := c.metrics.of("hello Throttles"); got != 1 {
		t.Errorf("Throttles: got %v, want 1", got)
	}
	// Close must end what runs, at once.
	if err := c.lambda.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a := <-answers; a.ErrorType != "Runtime.ExitError" {
			t.Errorf("invocation at Close: got %+v, want Runtime.ExitError", a)
		}
	}
}

func TestInvoke_TailsLogsAndPassesTraces(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.function("hello", func(in *sdk.CreateFunctionInput) {
		in.TracingConfig = &types.TracingConfig{Mode: types.TracingModeActive}
	})
	out, err := c.client.Invoke(context.Background(), &sdk.InvokeInput{FunctionName: ptr("hello"), Payload: []byte(`{"Print":["hi"]}`), LogType: types.LogTypeTail})
	if err != nil {
		t.Fatal(err)
	}
	tail, err := base64.StdEncoding.DecodeString(*out.LogResult)
	if err != nil || !strings.HasPrefix(string(tail), "START RequestId: ") || !strings.Contains(string(tail), "\nhi\nEND ") || !strings.Contains(string(tail), "XRAY TraceId: 1-") {
		t.Errorf("log tail: got %q (%v), want START to REPORT with the trace", tail, err)
	}
	traced := c.invoke("hello", `{}`)
	header := regexp.MustCompile(`^Root=(1-[0-9a-f]{8}-[0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=1$`).FindStringSubmatch(traced.Trace)
	if header == nil {
		t.Fatalf("trace header: got %q, want a root, a parent and sampled", traced.Trace)
	}
	traces := c.xray.Traces(header[1])
	if len(traces) != 1 || len(traces[0].Segments) != 2 || traces[0].Segments[1].Id != header[2] {
		t.Errorf("trace: got %+v, want the service's and the function's segment %s", traces, header[2])
	}
}

func TestLogs_NeedTheRolesPermission(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	c.function("hello", nil)
	lift := c.iam.Deny("function", "logs:PutLogEvents")
	c.invoke("hello", `{"Print":["unheard"]}`)
	lift()
	c.invoke("hello", `{"Print":["heard"]}`)
	if lines := c.lines("hello"); contains(lines, "unheard") || !contains(lines, "heard") {
		t.Errorf("log: got %q, want the second invocation only", lines)
	}
}
