package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/lambda"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/credentials"
	iamsdk "github.com/aws/aws-sdk-go-v2/service/iam"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

type handler func(ctx context.Context, payload []byte) ([]byte, error)

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// only is a set of handlers with one for the function named hello.
func only(h handler) map[string]func(map[string]string) lambda.Handler {
	return map[string]func(map[string]string) lambda.Handler{"hello": func(map[string]string) lambda.Handler { return h }}
}

func TestInProcess_RunsInTheRolesSession(t *testing.T) {
	t.Parallel()
	made := 0
	c := start(t, map[string]func(map[string]string) lambda.Handler{"hel": func(env map[string]string) lambda.Handler {
		made++
		client := iamsdk.New(iamsdk.Options{
			Region: env["AWS_REGION"], BaseEndpoint: ptr(env["AWS_ENDPOINT_URL"]), RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]),
		})
		return handler(func(ctx context.Context, _ []byte) ([]byte, error) {
			out, err := client.GetRole(ctx, &iamsdk.GetRoleInput{RoleName: ptr("function")})
			if err != nil {
				return nil, err
			}
			lc, _ := lambdacontext.FromContext(ctx)
			return json.Marshal(map[string]string{"ARN": *out.Role.Arn, "RequestID": lc.AwsRequestID})
		})
	}})
	c.function("hello", nil)
	for range 2 {
		if got := c.invoke("hello", `{}`); got.ARN != role || got.RequestID == "" || got.FunctionError != "" {
			t.Errorf("got %+v, want what its role may see", got)
		}
	}
	if made != 1 {
		t.Errorf("handlers made: got %d, want one for both invocations", made)
	}
	if lines := c.lines("hello"); len(lines) != 6 {
		t.Errorf("log: got %q, want START, END and REPORT twice", lines)
	}
	c.iam.Deny("function", "iam:GetRole")
	if got := c.invoke("hello", `{}`); !strings.Contains(got.ErrorMessage, "AccessDenied") {
		t.Errorf("without the permission: got %+v, want AccessDenied", got)
	}
}

func TestInProcess_Failures(t *testing.T) {
	t.Parallel()
	slow := make(chan struct{})
	c := start(t, only(func(ctx context.Context, payload []byte) ([]byte, error) {
		switch string(payload) {
		case `"fail"`:
			return nil, errors.New("out of luck")
		case `"panic"`:
			panic(errors.New("at the disco"))
		case `"slow"`:
			<-ctx.Done()
			close(slow)
			return nil, ctx.Err()
		case `"garbage"`:
			return []byte("{"), nil
		}
		return []byte(`{"Calls":1}`), nil
	}))
	c.function("hello", func(in *sdk.CreateFunctionInput) { in.Timeout = ptr(int32(1)) })
	for payload, want := range map[string][2]string{
		"fail":    {"errorString", "out of luck"},
		"panic":   {"errorString", "at the disco"},
		"garbage": {"Runtime.InvalidResponse", "not JSON"},
	} {
		got := c.invoke("hello", `"`+payload+`"`)
		if got.FunctionError != "Unhandled" || got.ErrorType != want[0] || !strings.Contains(got.ErrorMessage, want[1]) {
			t.Errorf("%s: got %+v, want %v", payload, got, want)
		}
	}
	if got := c.invoke("hello", `"slow"`); got.ErrorType != "Sandbox.Timedout" {
		t.Errorf("slow: got %+v, want a timeout", got)
	}
	<-slow
	if got := c.invoke("hello", `{}`); got.Calls != 1 {
		t.Errorf("afterwards: got %+v, want an answer", got)
	}
}

func TestInProcess_KillReturnsAtOnce(t *testing.T) {
	t.Parallel()
	var c *cloud
	wound := make(chan error, 1)
	finish := make(chan struct{})
	first := true
	c = start(t, map[string]func(map[string]string) lambda.Handler{"hello": func(env map[string]string) lambda.Handler {
		key := env["AWS_ACCESS_KEY_ID"]
		return handler(func(ctx context.Context, _ []byte) ([]byte, error) {
			if !first {
				return []byte(`{"Calls":1}`), nil
			}
			first = false
			c.lambda.Kill(key)
			<-finish // a handler that does not look at its context
			client := iamsdk.New(iamsdk.Options{Region: "us-east-1", BaseEndpoint: &c.url, RetryMaxAttempts: 1,
				Credentials: credentials.NewStaticCredentialsProvider(key, "secret", "")})
			_, err := client.GetRole(context.WithoutCancel(ctx), &iamsdk.GetRoleInput{RoleName: ptr("function")})
			wound <- err
			return []byte(`{}`), nil
		})
	}})
	c.function("hello", nil)
	if got := c.invoke("hello", `{}`); got.ErrorType != "Runtime.ExitError" || !strings.HasSuffix(got.ErrorMessage, "signal: killed") {
		t.Errorf("killed: got %+v, want Runtime.ExitError", got)
	}
	if got := c.invoke("hello", `{}`); got.Calls != 1 {
		t.Errorf("next: got %+v, want an answer from a new sandbox", got)
	}
	close(finish)
	if err := <-wound; err == nil {
		t.Error("a call of the killed handler: got an answer, want a cut connection")
	}
}

// at notes when, by the clock, an asynchronous event is handled.
type at struct {
	times  []time.Duration
	answer func(n int) error
}

func (a *at) handlers(c **cloud) map[string]func(map[string]string) lambda.Handler {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return only(func(context.Context, []byte) ([]byte, error) {
		a.times = append(a.times, (*c).clock.Now().Sub(began))
		return nil, a.answer(len(a.times))
	})
}

func TestAsync_RetriesByTheRules(t *testing.T) {
	t.Parallel()
	failing := func(int) error { return errors.New("no") }
	tests := []struct {
		name   string
		rules  *sdk.PutFunctionEventInvokeConfigInput
		answer func(n int) error
		want   []time.Duration
		drops  float64
	}{
		{"success needs no retry", nil, func(int) error { return nil }, []time.Duration{0}, 0},
		{"two retries after one and two minutes", nil, failing, []time.Duration{0, time.Minute, 3 * time.Minute}, 1},
		{"a retry that succeeds is the last", nil, func(n int) error {
			if n == 1 {
				return errors.New("no")
			}
			return nil
		}, []time.Duration{0, time.Minute}, 0},
		{"MaximumRetryAttempts 0", &sdk.PutFunctionEventInvokeConfigInput{MaximumRetryAttempts: ptr(int32(0))}, failing, []time.Duration{0}, 1},
		{"MaximumEventAgeInSeconds cuts retries off", &sdk.PutFunctionEventInvokeConfigInput{MaximumEventAgeInSeconds: ptr(int32(90))}, failing, []time.Duration{0, time.Minute}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &at{answer: test.answer}
			var c *cloud
			c = start(t, a.handlers(&c))
			c.function("hello", nil)
			if test.rules != nil {
				test.rules.FunctionName = ptr("hello")
				if _, err := c.client.PutFunctionEventInvokeConfig(context.Background(), test.rules); err != nil {
					t.Fatal(err)
				}
			}
			out, err := c.client.Invoke(context.Background(), &sdk.InvokeInput{FunctionName: ptr("hello"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{}`)})
			if err != nil || out.StatusCode != 202 {
				t.Fatalf("Invoke: got %v (%v), want 202", out, err)
			}
			c.clock.Advance(7 * time.Hour)
			if diff := cmp.Diff(test.want, a.times); diff != "" {
				t.Errorf("handled at (-want +got):\n%s", diff)
			}
			if got := c.metrics.of("hello AsyncEventsDropped"); got != test.drops {
				t.Errorf("AsyncEventsDropped: got %v, want %v", got, test.drops)
			}
			ids := map[string]bool{}
			for i, rec := range c.lambda.Invocations() {
				ids[rec.RequestID] = true
				if rec.Attempt != i+1 {
					t.Errorf("attempt: got %d, want %d", rec.Attempt, i+1)
				}
			}
			if len(ids) != 1 {
				t.Errorf("request ids: got %d, want one for all attempts", len(ids))
			}
		})
	}
}

func TestAsync_ThrottlesAreTriedAgain(t *testing.T) {
	t.Parallel()
	var c *cloud
	a := &at{answer: func(n int) error {
		if n == 1 { // while it runs there is no room for another
			if err := c.lambda.InvokeAsync("arn:aws:lambda:us-east-1:111122223333:function:hello", []byte(`{}`)); err != nil {
				return err
			}
			c.clock.Advance(2500 * time.Millisecond)
		}
		return nil
	}}
	c = start(t, a.handlers(&c))
	c.function("hello", nil)
	_, err := c.client.PutFunctionConcurrency(context.Background(), &sdk.PutFunctionConcurrencyInput{FunctionName: ptr("hello"), ReservedConcurrentExecutions: ptr(int32(1))})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.lambda.InvokeAsync("hello", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	c.clock.Advance(time.Hour)
	// Throttled at 0 and 1 s; the third try, at 3 s, finds room.
	if diff := cmp.Diff([]time.Duration{0, 3 * time.Second}, a.times); diff != "" {
		t.Errorf("handled at (-want +got):\n%s", diff)
	}
	if got := c.metrics.of("hello Throttles"); got != 2 {
		t.Errorf("Throttles: got %v, want 2", got)
	}
	_, err = c.client.PutFunctionConcurrency(context.Background(), &sdk.PutFunctionConcurrencyInput{FunctionName: ptr("hello"), ReservedConcurrentExecutions: ptr(int32(0))})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.lambda.InvokeAsync("hello", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	c.clock.Advance(time.Second)
	if got := c.metrics.of("hello AsyncEventsDropped"); got != 1 {
		t.Errorf("with no concurrency reserved: got %v dropped events, want 1 at once", got)
	}
}

// On a clock that runs, events are handled side by side, sandboxes come and go,
// and Close ends all of it.
func TestAsync_OnARunningClock(t *testing.T) {
	t.Parallel()
	var handled atomic.Int32
	c := startOn(t, clock.NewScaled(6000), only(func(_ context.Context, payload []byte) ([]byte, error) {
		if handled.Add(1)%5 == 0 {
			return nil, errors.New("now and then")
		}
		return payload, nil
	}))
	c.function("hello", nil)
	const events = 100
	for range events {
		if err := c.lambda.InvokeAsync("hello", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all events", func() bool {
		done := 0
		for _, rec := range c.lambda.Invocations() {
			if rec.Error == "" || rec.Attempt == 3 {
				done++
			}
		}
		return done == events
	})
	for range events {
		if err := c.lambda.InvokeAsync("hello", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.lambda.Close(); err != nil {
		t.Fatal(err)
	}
	after := handled.Load()
	if err := c.lambda.InvokeAsync("hello", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	c.lambda.Close()
	if got := handled.Load(); got != after {
		t.Errorf("handled after Close: got %d more, want none", got-after)
	}
}
