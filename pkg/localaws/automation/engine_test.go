package automation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// hanging is an AWS that answers only when its caller gives up.
type hanging struct{ asked chan struct{} }

func (h hanging) call(ctx context.Context, _, _ string, _ map[string]any) (any, error) {
	h.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// scaled is an engine on a clock that runs by itself.
func scaled(t *testing.T, c caller, changed func(Execution)) *Engine {
	t.Helper()
	e := New(Config{
		Clock: clock.NewScaled(10000), Region: "us-east-1", Account: "111122223333", Changed: changed,
		AWS: func(string, wire.Principal, string) (aws.Config, error) { return aws.Config{}, nil },
	})
	e.dial = func(aws.Config) caller { return c }
	t.Cleanup(e.Close)
	return e
}

func TestEngine_GivesUpCallsUnderWay(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		more   string
		end    func(t *testing.T, e *Engine)
		status string
	}{
		"when the step times out": {"  timeoutSeconds: 600\n", func(*testing.T, *Engine) {}, "TimedOut"},
		"when it is cancelled": {"", func(t *testing.T, e *Engine) {
			if err := e.Stop(testID, "Cancel"); err != nil {
				t.Errorf("Stop: %v", err)
			}
		}, "Cancelled"},
		"when the engine closes": {"", func(_ *testing.T, e *Engine) { e.Close() }, "InProgress"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hanging{make(chan struct{}, 1)}
			over := make(chan Execution, 10)
			e := scaled(t, h, func(x Execution) {
				if x.Over() {
					over <- x
				}
			})
			if err := e.Start(Start{ID: testID, Document: parse(t, steps(call("a", tc.more)))}); err != nil {
				t.Fatal(err)
			}
			<-h.asked
			tc.end(t, e)
			if tc.status != "InProgress" {
				select {
				case <-over:
				case <-time.After(30 * time.Second):
					t.Fatal("the execution did not end within 30 s of the wall")
				}
			}
			e.Close() // waits for the call
			if x, _ := e.Execution(testID); x.Status != tc.status {
				t.Errorf("execution: got %s, want %s", outline(x), tc.status)
			}
		})
	}
}

func TestEngine_RunsManyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failing(w, map[string]int{"bad": -1})
	var over sync.WaitGroup
	var ended sync.Map
	e := scaled(t, w.aws, func(x Execution) {
		if !x.Over() {
			return
		}
		if _, told := ended.LoadOrStore(x.ID, true); !told {
			over.Done()
		}
	})
	d := parse(t, steps(call("a", "")+"- {name: nap, action: 'aws:sleep', onCancel: 'step:end', inputs: {Duration: PT30M}}\n"+call("bad", "  maxAttempts: 2\n  onFailure: step:end\n")+call("end", "")))
	const n = 50
	over.Add(n)
	var starts sync.WaitGroup
	for i := range n {
		starts.Go(func() {
			id := fmt.Sprint("execution-", i)
			if err := e.Start(Start{ID: id, Document: d}); err != nil {
				t.Errorf("Start: %v", err)
			}
			if i%2 == 0 {
				if err := e.Stop(id, "Cancel"); err != nil && !errors.Is(err, ErrOver) {
					t.Errorf("Stop: %v", err)
				}
			}
		})
	}
	starts.Wait()
	over.Wait()
	for _, x := range e.Executions() {
		if want := map[bool]string{true: "Failed", false: "Cancelled"}[x.Steps[2].Status == "Failed"]; x.Status != want {
			t.Errorf("execution %s: got %s, want %s", x.ID, outline(x), want)
		}
	}
}
