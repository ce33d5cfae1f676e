package hook_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/hook"
)

type functions func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error)

func (f functions) Invoke(ctx context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	return f(ctx, in)
}

func ptr[T any](v T) *T { return &v }

func TestAsk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payload string
		failed  bool // the function, in an error
		err     error
		status  hook.Status
		says    string
	}{
		"succeeded with a message":     {payload: `{"status":"succeeded","message":"all fine","more":1}`, status: hook.Succeeded, says: "all fine"},
		"succeeded without one":        {payload: `{"status":"succeeded"}`, status: hook.Succeeded},
		"pending":                      {payload: `{"status":"pending","message":"3 of 7"}`, status: hook.Pending, says: "3 of 7"},
		"failed without a message":     {payload: `{"status":"failed"}`, status: hook.Failed, says: "function smoke answered failed"},
		"another status":               {payload: `{"status":"ok"}`, status: hook.Failed, says: `answered "{\"status\":\"ok\"}": its status must be`},
		"null":                         {payload: `null`, status: hook.Failed, says: "its status must be"},
		"nothing":                      {payload: ``, status: hook.Failed, says: "not an object"},
		"no object":                    {payload: `"succeeded"`, status: hook.Failed, says: "not an object"},
		"an error of the function":     {payload: `{"errorMessage":"basket is empty","errorType":"AssertionError"}`, failed: true, status: hook.Failed, says: "AssertionError: basket is empty"},
		"an error without its message": {payload: `boom`, failed: true, status: hook.Failed, says: "ended in an error: boom"},
		"a function that is not there": {err: &types.ResourceNotFoundException{Message: ptr("Function not found: smoke")}, status: hook.Failed, says: "cannot be invoked: ResourceNotFoundException: Function not found"},
		"a throttle":                   {err: &types.TooManyRequestsException{Message: ptr("Rate Exceeded.")}, status: hook.Pending, says: "was not reached"},
		"a fault of Lambda's":          {err: &types.ServiceException{Message: ptr("internal")}, status: hook.Pending, says: "was not reached"},
		"a connection that breaks":     {err: errors.New("connection reset"), status: hook.Pending, says: "connection reset"},
		"an answer that takes long":    {err: context.DeadlineExceeded, status: hook.Pending, says: "has not answered within 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := hook.Ask(t.Context(), functions(func(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
				if _, bounded := ctx.Deadline(); !bounded || *in.FunctionName != "smoke" || in.InvocationType != types.InvocationTypeRequestResponse {
					t.Errorf("invoked %+v, bounded %t, want smoke, RequestResponse, bounded", in, bounded)
				}
				out := &lambda.InvokeOutput{Payload: []byte(c.payload)}
				if c.failed {
					out.FunctionError = ptr("Unhandled")
				}
				return out, c.err
			}), "smoke", hook.Call{})
			if got.Status != c.status || !strings.Contains(got.Message, c.says) {
				t.Errorf("got %+v, want %s with %q", got, c.status, c.says)
			}
		})
	}
}

// What functions are told is an interface: it changes only on purpose.
func TestAsk_TellsTheFunction(t *testing.T) {
	t.Parallel()
	var told string
	hook.Ask(t.Context(), functions(func(_ context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
		told = string(in.Payload)
		return &lambda.InvokeOutput{Payload: []byte(`{"status":"succeeded"}`)}, nil
	}), "smoke", hook.Call{
		Hook: "afterStep", Set: "shop", Execution: "e", Generation: 12, Move: 1, Weight: 12.5, Since: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC),
		Services: []hook.Service{{Name: "web", GreenService: "web-b", GreenTargetGroup: "g", BlueService: "web-a", BlueTargetGroup: "b", TestURL: "http://x:8080"}},
	})
	want := `{"hook":"afterStep","set":"shop","execution":"e","generation":12,"move":1,"weight":12.5,"since":"2026-03-04T12:00:00Z",` +
		`"services":[{"name":"web","greenService":"web-b","greenTargetGroup":"g","blueService":"web-a","blueTargetGroup":"b","testUrl":"http://x:8080"}]}`
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func FuzzAsk(f *testing.F) {
	for _, seed := range []string{`{"status":"failed","message":"` + strings.Repeat("ü", 1000) + `"}`, "\xff", `{"status":1}`, `[]`} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, failed bool) {
		got := hook.Ask(t.Context(), functions(func(context.Context, *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
			out := &lambda.InvokeOutput{Payload: payload}
			if failed {
				out.FunctionError = ptr("Unhandled")
			}
			return out, nil
		}), "smoke", hook.Call{})
		var as struct{ Status hook.Status }
		valid := json.Unmarshal(payload, &as) == nil
		if got.Status != hook.Failed && (failed || !valid || got.Status != as.Status) || len(got.Message) > 4*1024 || !utf8.ValidString(got.Message) {
			t.Errorf("got %+v of %q, failed %t", got, payload, failed)
		}
	})
}
