package alb

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cutover/pkg/localaws/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a load balancer "lb" with one listener "http", and a client of it.
type world struct {
	*Proxy
	t      *testing.T
	clock  *clock.Manual
	url    string
	client *http.Client
}

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, config Config) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewManual(start)}
	config.Clock = w.clock
	w.Proxy = New(config)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	w.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() { transport.CloseIdleConnections(); w.Close() })
	w.url = "http://" + w.listen(Listener{ID: "http", LoadBalancer: "lb", Port: 80})
	return w
}

func (w *world) listen(l Listener) string {
	w.t.Helper()
	l.Address = "127.0.0.1:0"
	addr, err := w.Listen(l)
	if err != nil {
		w.t.Fatalf("listen: %v", err)
	}
	return addr.String()
}

// group makes a target group of programs.
func (w *world) group(id string, settings TargetGroup, programs ...*program) {
	w.t.Helper()
	w.must(w.SetTargetGroup(id, settings))
	for _, p := range programs {
		w.must(w.Register(id, p.target))
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// rules sets the listener's rules; the last is the default.
func (w *world) rules(rules ...Rule) {
	w.t.Helper()
	for i := range rules {
		rules[i].Priority = i + 1
		rules[i].Default = i == len(rules)-1
	}
	w.must(w.SetRules("http", rules))
}

func forwardTo(groups ...WeightedGroup) Rule {
	return Rule{ID: "forward", Action: Action{Forward: &Forward{TargetGroups: groups}}}
}

func only(group string) Rule { return forwardTo(WeightedGroup{group, 1}) }

// get asks the listener for a path and gives status and body.
func (w *world) get(path string) (int, string) {
	w.t.Helper()
	response, err := w.client.Get(w.url + path)
	if err != nil {
		w.t.Fatalf("get %s: %v", path, err)
	}
	return read(w.t, response)
}

func (w *world) do(r *http.Request) *http.Response {
	w.t.Helper()
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return response
}

func read(t *testing.T, response *http.Response) (int, string) {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	_ = response.Body.Close()
	return response.StatusCode, string(body)
}

func (w *world) health(group string) []TargetHealth {
	w.t.Helper()
	health, err := w.Health(group)
	w.must(err)
	return health
}

// state gives the one target's state and reason code.
func (w *world) state(group string) string {
	w.t.Helper()
	health := w.health(group)
	if len(health) != 1 {
		return fmt.Sprintf("%d targets", len(health))
	}
	if health[0].Reason.Code == "" {
		return string(health[0].State)
	}
	return string(health[0].State) + " " + health[0].Reason.Code
}

// record is the latest access record. The client may read an answer before its
// record is made.
func (w *world) record() Record {
	w.t.Helper()
	var last Record
	await(w.t, "access record", func() bool {
		records := w.Records("lb")
		if len(records) > 0 {
			last = records[len(records)-1]
		}
		return len(records) > 0
	})
	return last
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("await %s: it did not come", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// program is a target: it answers with its name, and its health with a status
// that the test sets.
type program struct {
	*httptest.Server
	target Target

	mu     sync.Mutex
	health int
	checks int
	last   http.Header // of the last health check
}

func newProgram(t *testing.T, name string, handler http.HandlerFunc) *program {
	t.Helper()
	p := &program{health: http.StatusOK}
	if handler == nil {
		handler = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			handler(w, r)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.checks, p.last = p.checks+1, r.Header
		w.WriteHeader(p.health)
	}))
	t.Cleanup(p.Close)
	p.target = targetAt(t, p.Listener.Addr().String())
	return p
}

func (p *program) setHealth(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.health = status
}

func (p *program) checked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checks
}

func targetAt(t testing.TB, address string) Target {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return Target{ID: host, Port: number}
}

// checked are settings with a health check that programs answer.
var checked = TargetGroup{HealthCheck: HealthCheck{
	Path: "/health", Interval: 10 * time.Second, HealthyThreshold: 3, UnhealthyThreshold: 2,
}}
