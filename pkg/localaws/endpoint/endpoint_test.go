package endpoint_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// A world is an endpoint with one service that counts, and two callers: the
// administrator ADMIN and the function FUNC, whose role may only Count.
type world struct {
	url string

	mu     sync.Mutex // a call whose connection was cut may still be under way
	count  int
	killed []string

	faults *endpoint.Faults
	calls  *endpoint.Calls
}

type in struct{ By int }
type out struct{ Total int }

func (w *world) Principal(key string) (wire.Principal, bool) {
	switch key {
	case "ADMIN":
		return wire.Principal{ARN: "arn:aws:iam::111122223333:user/admin", AccessKeyID: key}, true
	case "FUNC":
		return wire.Principal{ARN: "arn:aws:sts::111122223333:assumed-role/counter/f", RoleARN: "arn:aws:iam::111122223333:role/counter", AccessKeyID: key}, true
	}
	return wire.Principal{}, false
}

func (w *world) Allowed(p wire.Principal, a wire.Access) bool { return a.Action == "abacus:Count" }

func newWorld(t *testing.T) *world {
	w := &world{faults: &endpoint.Faults{}, calls: &endpoint.Calls{}}
	e := endpoint.New(endpoint.Config{
		Clock: clock.NewScaled(1000), IAM: w, Faults: w.faults, Calls: w.calls, Logger: slog.New(slog.DiscardHandler),
		Kill: func(key string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.killed = append(w.killed, key)
		},
		Dead: func(key string) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Contains(w.killed, key)
		},
	})
	add := func(_ context.Context, in *in) (*out, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.count += in.By
		return &out{w.count}, nil
	}
	e.Add(wire.Service{
		Name:      "abacus",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "Abacus", Naming: wire.LowerFirst}},
		Operations: []wire.Operation{
			wire.Op("Count", add),
			wire.Op("Reset", func(context.Context, *in) (*out, error) { return &out{}, nil }),
			wire.Op("Break", func(context.Context, *in) (*out, error) { return nil, errors.New("beads lost") }),
		},
	})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) counted() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// call returns the answer's status and body, or "cut" when there was none.
func (w *world) call(t *testing.T, key, operation, body string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "Abacus."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20260102/us-east-1/abacus/aws4_request, SignedHeaders=host, Signature=00")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "cut"
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.Status[:3] + " " + string(text)
}

func TestEndpoint_RefusesLoudly(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ key, operation, body, want string }{
		"an unknown key":         {"NOBODY", "Count", `{}`, "UnrecognizedClientException"},
		"an unknown operation":   {"ADMIN", "Divide", `{}`, "the embedded AWS does not serve abacus:Divide"},
		"an unknown member":      {"ADMIN", "Count", `{"by":1,"from":2}`, "from: is unknown to the embedded AWS"},
		"a body that is no JSON": {"ADMIN", "Count", `{`, "parse JSON"},
		"what IAM does not allow": {"FUNC", "Reset", `{}`,
			"is not authorized to perform: abacus:Reset on resource: * because no identity-based policy allows the abacus:Reset action"},
		"what breaks inside": {"ADMIN", "Break", `{}`, "InternalFailure"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if got := w.call(t, c.key, c.operation, c.body); !strings.Contains(got, c.want) {
				t.Errorf("got %s, want it to contain %s", got, c.want)
			}
			if got := w.counted(); got != 0 {
				t.Errorf("count: got %d, want 0: a refused call took effect", got)
			}
		})
	}
}

func TestEndpoint_Faults(t *testing.T) {
	t.Parallel()
	const served = `200 {"total":1}`
	cases := map[endpoint.Kind]struct {
		answer string
		effect int
	}{
		endpoint.Throttle:    {`400 {"__type":"ThrottlingException","message":"Rate exceeded"}`, 0},
		endpoint.ServerError: {`500 {"__type":"InternalFailure","message":"The request processing has failed because of an unknown error, exception or failure"}`, 0},
		endpoint.DropBefore:  {"cut", 0},
		endpoint.DropAfter:   {"cut", 1},
		endpoint.KillBefore:  {"cut", 0},
		endpoint.KillAfter:   {"cut", 1},
		endpoint.Latency:     {served, 1},
		endpoint.Denied: {`403 {"__type":"AccessDeniedException","message":"User: arn:aws:sts::111122223333:assumed-role/counter/f is not authorized to perform: ` +
			`abacus:Count on resource: * because no identity-based policy allows the abacus:Count action"}`, 0},
	}
	for kind, c := range cases {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults.Add(endpoint.Fault{Service: "abacus", Operation: "Count", Role: "counter", Nth: 2, Kind: kind})
			w.call(t, "ADMIN", "Count", `{"by":0}`) // not by the role: not counted
			if got := w.call(t, "FUNC", "Count", `{"by":0}`); got != `200 {"total":0}` {
				t.Errorf("first call: got %s, want it served", got)
			}
			if got := w.call(t, "FUNC", "Count", `{"by":1}`); got != c.answer {
				t.Errorf("second call: got %s, want %s", got, c.answer)
			}
			if got := w.counted(); got != c.effect {
				t.Errorf("effect: got %d, want %d", got, c.effect)
			}
			killed := kind == endpoint.KillBefore || kind == endpoint.KillAfter
			if got := w.call(t, "FUNC", "Count", `{"by":1}`); (got == "cut") != killed {
				t.Errorf("third call: got %s; the caller was killed: %v", got, killed)
			}
			var marked []endpoint.Kind
			for _, call := range w.calls.Of("counter") {
				if call.Fault != "" {
					marked = append(marked, call.Fault)
				}
			}
			if diff := cmp.Diff([]endpoint.Kind{kind}, marked); diff != "" {
				t.Errorf("faults in the record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEndpoint_UnsignedRequestsGoByPath(t *testing.T) {
	t.Parallel()
	e := endpoint.New(endpoint.Config{Clock: clock.NewScaled(1), Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{}})
	e.AddUnsigned("/v2/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for path, want := range map[string]int{"/v2/hello": http.StatusTeapot, "/": http.StatusForbidden} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
	}
}
