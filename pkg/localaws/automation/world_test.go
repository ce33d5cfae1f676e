package automation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

const testID = "11111111-2222-4333-8444-555555555555"

// world is an engine on a clock that a test moves, over a scripted AWS.
type world struct {
	t     *testing.T
	clock *clock.Manual
	e     *Engine
	aws   *scripted

	changes []Execution
	roles   []string
}

// scripted is an AWS whose answers a test writes.
type scripted struct {
	mu      sync.Mutex
	answers map[string]func(in map[string]any) (any, error) // by "ec2 RunInstances"
	calls   []string
	inputs  map[string][]map[string]any
}

func (s *scripted) call(ctx context.Context, service, operation string, in map[string]any) (any, error) {
	name := service + " " + operation
	s.mu.Lock()
	answer := s.answers[name]
	s.calls = append(s.calls, name)
	s.inputs[name] = append(s.inputs[name], in)
	s.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if answer == nil {
		return nil, fmt.Errorf("the script has no answer for %s", name)
	}
	return answer(in)
}

// on sets the answer to an operation.
func (s *scripted) on(name string, f func(in map[string]any) (any, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name] = f
}

// count is how often an operation was called.
func (s *scripted) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.inputs[name])
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, clock: clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)),
		aws: &scripted{answers: map[string]func(map[string]any) (any, error){}, inputs: map[string][]map[string]any{}},
	}
	w.e = New(Config{
		Clock: w.clock, Region: "us-east-1", Account: "111122223333",
		AWS: func(role string, caller wire.Principal, session string) (aws.Config, error) {
			w.roles = append(w.roles, role+" "+caller.ARN+" "+session)
			if strings.HasSuffix(role, "/absent") {
				return aws.Config{}, errors.New("role absent is not there")
			}
			return aws.Config{}, nil
		},
		Changed: func(x Execution) { w.changes = append(w.changes, x) },
	})
	w.e.dial = func(aws.Config) caller { return w.aws }
	t.Cleanup(w.e.Close)
	return w
}

// parse reads a document that must be right.
func parse(t testing.TB, content string) *Document {
	t.Helper()
	d, err := Parse(content, "YAML")
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return d
}

// file reads a document of testdata.
func file(t testing.TB, name string) *Document {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	format := "YAML"
	if strings.HasSuffix(name, ".json") {
		format = "JSON"
	}
	d, err := Parse(string(content), format)
	if err != nil {
		t.Fatalf("Parse %s: %v", name, err)
	}
	return d
}

// start begins an execution of a document.
func (w *world) start(d *Document, given map[string][]string) {
	w.t.Helper()
	parameters, err := d.Resolve(given, func(name string) (string, bool) {
		return "ami-public", strings.HasPrefix(name, "/aws/service/")
	})
	if err != nil {
		w.t.Fatalf("Resolve: %v", err)
	}
	caller := wire.Principal{ARN: "arn:aws:iam::111122223333:user/ada"}
	if err := w.e.Start(Start{ID: testID, DocumentName: "doc", DocumentVersion: "1", Document: d, Parameters: parameters, Caller: caller, ExecutedBy: caller.ARN}); err != nil {
		w.t.Fatalf("Start: %v", err)
	}
}

func (w *world) now() Execution {
	w.t.Helper()
	x, ok := w.e.Execution(testID)
	if !ok {
		w.t.Fatal("Execution: got none")
	}
	return x
}

// until moves the clock until a condition holds.
func (w *world) until(limit time.Duration, what string, ok func(Execution) bool) Execution {
	w.t.Helper()
	if !w.clock.AdvanceUntil(limit, func() bool { return ok(w.now()) }) {
		w.t.Fatalf("%s: did not come within %v; got %s", what, limit, outline(w.now()))
	}
	return w.now()
}

// end moves the clock until the execution is over.
func (w *world) end() Execution {
	w.t.Helper()
	return w.until(30*24*time.Hour, "the end", Execution.Over)
}

// run starts a document and waits for its end.
func (w *world) run(content string) Execution {
	w.t.Helper()
	w.start(parse(w.t, content), nil)
	return w.end()
}

// outline is an execution in a line: "Failed: a=Success b=Failed c=Pending".
func outline(x Execution) string {
	var b strings.Builder
	b.WriteString(x.Status + ":")
	for _, s := range x.Steps {
		fmt.Fprintf(&b, " %s=%s", s.Name, s.Status)
		if s.Attempts > 1 {
			fmt.Fprintf(&b, "(%d)", s.Attempts)
		}
	}
	return b.String()
}

func step(x Execution, name string) StepExecution {
	return x.Steps[slices.IndexFunc(x.Steps, func(s StepExecution) bool { return s.Name == name })]
}

// refused is an error of AWS.
func refused(service, operation, code, message string, status int) error {
	return &callError{service: service, operation: operation, code: code, message: message, status: status, requestID: "req-1"}
}

// obj makes a tree of pairs.
func obj(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}
