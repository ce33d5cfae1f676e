package cloudformation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
)

// A world is a service whose types keep things in memory, count what is done to
// them, and fail when told to.
type world struct {
	*cloudformation.Service
	clock *clock.Manual

	mu      sync.Mutex
	things  map[string]map[string]any // properties by physical id
	calls   []string                  // "create A", "update A", "delete a-1"
	fail    map[string]error          // by such a call
	changed [][]string                // properties that each update saw changed

	failOnce map[string]error
	made     int
}

type thingProperties struct {
	Name   *string // create-only
	Value  any
	Weight *int
	Tags   []resource.Tag
}

type roleProperties struct {
	RoleName                 *string
	AssumeRolePolicyDocument any
	ManagedPolicyArns        []string
	Policies                 []any
	Tags                     []resource.Tag
}

func newWorld(objects cloudformation.Objects) *world {
	w := &world{
		clock:  clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		things: map[string]map[string]any{}, fail: map[string]error{},
	}
	w.Service = cloudformation.New(cloudformation.Config{
		Clock: w.clock, Objects: objects,
		Types: []resource.Type{
			resource.Define("Test::Thing", []string{"Name"}, create[thingProperties](w), create[thingProperties](w), w.delete),
			resource.Define("AWS::IAM::Role", []string{"RoleName"}, create[roleProperties](w), create[roleProperties](w), w.delete),
			{Name: "AWS::Lambda::Function", Create: w.put, Update: w.put, Delete: w.delete},
			{Name: "AWS::Lambda::EventInvokeConfig", Create: w.put, Update: w.put, Delete: w.delete},
		},
	})
	return w
}

// create decodes properties strictly, as services do, for creates and updates.
func create[P any](w *world) func(context.Context, resource.Request, *P) (resource.State, error) {
	return func(ctx context.Context, r resource.Request, _ *P) (resource.State, error) { return w.put(ctx, r) }
}

// put creates or updates a thing. A thing's name is its physical id; two of the
// same name cannot be.
func (w *world) put(_ context.Context, r resource.Request) (resource.State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	verb, id := "update", r.PhysicalID
	if id == "" {
		verb, id = "create", r.GeneratedName(64)
		if name, ok := r.Properties["Name"].(string); ok {
			id = name
		}
		if w.things[id] != nil {
			return resource.State{}, wire.Errorf("AlreadyExists", "%s exists", id)
		}
	}
	call := verb + " " + r.LogicalID
	w.calls = append(w.calls, call)
	if verb == "update" {
		w.changed = append(w.changed, changed(r))
	}
	if err := w.failOnce[call]; err != nil {
		delete(w.failOnce, call)
		return resource.State{}, err
	}
	if err := w.fail[call]; err != nil {
		return resource.State{}, err
	}
	w.made++
	w.things[id] = maps.Clone(r.Properties)
	return resource.State{PhysicalID: id, Attributes: map[string]any{"Arn": "arn:" + id, "Revision": fmt.Sprint(w.made)}}, nil
}

func changed(r resource.Request) (names []string) {
	for name := range r.Properties {
		if r.Changed(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (w *world) delete(_ context.Context, r resource.Request) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	call := "delete " + r.LogicalID
	w.calls = append(w.calls, call)
	if err := w.fail[call]; err != nil {
		return err
	}
	if w.things[r.PhysicalID] == nil {
		return fmt.Errorf("%s does not exist", r.PhysicalID)
	}
	delete(w.things, r.PhysicalID)
	return nil
}

// took returns the calls since it was asked last.
func (w *world) took() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := strings.Join(w.calls, ", ")
	w.calls = nil
	return calls
}

// names lists what exists.
func (w *world) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.things))
}

// run moves the clock on: all work that was started ends.
func (w *world) run() { w.clock.Advance(time.Second) }

func (w *world) deploy(t *testing.T, name, template string) {
	t.Helper()
	if err := w.Deploy(t.Context(), cloudformation.Stack{Name: name, Template: []byte(template)}); err != nil {
		t.Fatal(err)
	}
}

// refuses expects a deployment to fail with a text.
func (w *world) refuses(t *testing.T, name, template, want string) {
	t.Helper()
	err := w.Deploy(t.Context(), cloudformation.Stack{Name: name, Template: []byte(template)})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v\nwant one with %q", err, want)
	}
}

func (w *world) stack(t *testing.T, name string) cloudformation.StackDescription {
	t.Helper()
	out, err := w.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Stacks[0]
}

func (w *world) wantStatus(t *testing.T, name, want string) {
	t.Helper()
	if st := w.stack(t, name); st.StackStatus != want {
		t.Errorf("stack %s: got %s (%s), want %s", name, st.StackStatus, st.StackStatusReason, want)
	}
}

// history lists a stack's events as "logical id STATUS", oldest first.
func (w *world) history(t *testing.T, name string) []string {
	t.Helper()
	out, err := w.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: name})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range slices.Backward(out.StackEvents) {
		lines = append(lines, e.LogicalResourceId+" "+e.ResourceStatus)
	}
	return lines
}

func wantCalls(t *testing.T, w *world, want string) {
	t.Helper()
	if got := w.took(); got != want {
		t.Errorf("got calls %q, want %q", got, want)
	}
}

// everybody makes every caller the administrator.
type everybody struct{}

func (everybody) Principal(key string) (wire.Principal, bool) {
	return wire.Principal{ARN: "arn:aws:iam::111122223333:root", AccessKeyID: key}, true
}
func (everybody) Allowed(wire.Principal, wire.Access) bool { return true }

// serve offers a service on loopback.
func serve(t *testing.T, s *cloudformation.Service, c clock.Clock) (url string) {
	t.Helper()
	e := endpoint.New(endpoint.Config{
		Clock: c, IAM: everybody{}, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}, Logger: slog.New(slog.DiscardHandler),
	})
	e.Add(s.Wire())
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL
}

func client(t *testing.T, w *world) *sdk.Client {
	t.Helper()
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(serve(t, w.Service, w.clock)),
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		Retryer:     aws.NopRetryer{},
	})
}

// bucket is an S3 with one bucket.
type bucket map[string]string

func (b bucket) Get(name, key string) ([]byte, error) {
	body, ok := b[name+"/"+key]
	if !ok {
		return nil, errors.New("NoSuchKey")
	}
	return []byte(body), nil
}
