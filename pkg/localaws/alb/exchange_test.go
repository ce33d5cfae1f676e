package alb

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func roots(t *testing.T, p *Proxy) *x509.CertPool {
	t.Helper()
	pem, err := p.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("certificate: got no PEM")
	}
	return pool
}

func TestForward_TellsTheTargetWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	var got *http.Request
	w.group("blue", checked, newProgram(t, "blue", func(_ http.ResponseWriter, r *http.Request) { got = r }))
	w.rules(only("blue"))
	port := w.url[strings.LastIndex(w.url, ":")+1:]
	ask := func(path string, header http.Header) http.Header {
		r, err := http.NewRequest(http.MethodGet, w.url+path, nil)
		w.must(err)
		r.Host, r.Header = "shop.example", header
		read(t, w.do(r))
		return got.Header
	}

	header := ask("/a%2Fb//c?x=1;y&z=%zz", http.Header{"Connection": {"X-Hop"}, "X-Hop": {"1"}, "X-Forwarded-Host": {"front"}})
	if got.Host != "shop.example" || got.RequestURI != "/a%2Fb//c?x=1;y&z=%zz" {
		t.Errorf("request: got host %s and %s, want them as they came", got.Host, got.RequestURI)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Port": port,
		"X-Forwarded-Host": "front", "X-Hop": "", "Connection": "",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if trace := header.Get("X-Amzn-Trace-Id"); !strings.HasPrefix(trace, "Root=1-695661c0-") || len(trace) != len("Root=1-695661c0-")+24 {
		t.Errorf("trace of a request without one: got %q, want a root of the clock's time", trace)
	}

	header = ask("/", http.Header{
		"X-Forwarded-For": {"10.1.1.1", "10.2.2.2"}, "X-Forwarded-Proto": {"gopher"}, "X-Forwarded-Port": {"70"},
		"X-Amzn-Trace-Id": {"Self=1-2-3;Root=1-67891233-abcdef012345678912345678;Lineage=a:1"},
	})
	if got, want := header.Get("X-Forwarded-For"), "10.1.1.1, 10.2.2.2, 127.0.0.1"; got != want {
		t.Errorf("X-Forwarded-For behind others: got %q, want %q", got, want)
	}
	if got := header.Get("X-Forwarded-Proto") + header.Get("X-Forwarded-Port"); got != "http"+port {
		t.Errorf("protocol and port: got %q, want our own", got)
	}
	self, rest, _ := strings.Cut(header.Get("X-Amzn-Trace-Id"), ";")
	if !strings.HasPrefix(self, "Self=1-695661c0-") || rest != "Root=1-67891233-abcdef012345678912345678;Lineage=a:1" {
		t.Errorf("trace of a request with one: got %q;%q, want our own Self before what came", self, rest)
	}
}

// raw is a target that answers each connection with these bytes.
func raw(t *testing.T, answer string) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return targetAt(t, l.Addr().String())
}

func TestForward_FaultsOfTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{IdleTimeout: 50 * time.Millisecond})
	gone := newProgram(t, "gone", nil)
	gone.Close()
	slow := newProgram(t, "slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, c := range []struct {
		name   string
		target []Target
		want   int
	}{
		{"a group without targets", nil, 503},
		{"a target that refuses the connection", []Target{gone.target}, 502},
		{"a target that answers nonsense", []Target{raw(t, "hello\r\n\r\n")}, 502},
		{"a target that closes without an answer", []Target{raw(t, "")}, 502},
		{"a target that closes within its headers", []Target{raw(t, "HTTP/1.1 200 OK\r\nContent-")}, 502},
		{"a target that is too slow", []Target{slow.target}, 504},
	} {
		w.group(c.name, checked)
		w.must(w.Register(c.name, c.target...))
		w.rules(only(c.name))
		before := len(w.Records("lb"))
		status, body := w.get("/")
		if status != c.want || !strings.Contains(body, fmt.Sprint(c.want)) {
			t.Errorf("%s: got %d, want %d", c.name, status, c.want)
		}
		await(t, "record", func() bool { return len(w.Records("lb")) > before })
		if r := w.record(); r.Status != c.want || r.TargetStatus != 0 || r.Fault == "" {
			t.Errorf("%s: got record %d, target %d, fault %q; want %d, 0 and a fault", c.name, r.Status, r.TargetStatus, r.Fault, c.want)
		}
	}
}

func TestForward_AnswerThatBreaksOffReachesTheClientBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked)
	w.must(w.Register("blue", raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")))
	w.rules(only("blue"))
	response, err := w.client.Get(w.url)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("half an answer: got it as a whole one, want a broken connection")
	}
	if got := w.record().TargetStatus; got != 200 {
		t.Errorf("record: got target status %d, want 200", got)
	}
	if got := w.health("blue")[0].InFlight; got != 0 {
		t.Errorf("in flight afterwards: got %d, want 0", got)
	}
}

func TestForward_ClientThatDoesNotWaitIsA460(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	asked := make(chan struct{})
	w.group("blue", checked, newProgram(t, "blue", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done() // the load balancer tells the target
	}))
	w.rules(only("blue"))
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-asked; cancel() }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	w.must(err)
	if response, err := w.client.Do(r); err == nil {
		_ = response.Body.Close()
		t.Fatal("got an answer, want none")
	}
	if got := w.record().Status; got != 460 {
		t.Errorf("record: got %d, want 460", got)
	}
}

// closer is a target that closes each connection while it lies idle after its
// first answer, and tells when the closing has reached the load balancer's side.
func closer(t *testing.T, closed chan<- struct{}) (Target, *sync.Map) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bodies := &sync.Map{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				body, _ := io.ReadAll(r.Body)
				bodies.Store(string(body), true)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				_ = conn.Close()
				closed <- struct{}{}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return targetAt(t, l.Addr().String()), bodies
}

func TestForward_ConnectionThatTheTargetClosedIdleCostsNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	closed := make(chan struct{}, 1)
	target, bodies := closer(t, closed)
	w.group("blue", checked)
	w.must(w.Register("blue", target))
	w.rules(only("blue"))
	const requests = 200
	for i := range requests {
		body := fmt.Sprintf("body %d", i)
		response, err := w.client.Post(w.url, "text/plain", strings.NewReader(body))
		w.must(err)
		if status, _ := read(t, response); status != 200 {
			t.Fatalf("POST %d on a connection that was closed idle: got %d, want 200", i, status)
		}
		<-closed
		if _, ok := bodies.Load(body); !ok {
			t.Fatalf("POST %d: the target did not get its body", i)
		}
	}
}

func TestForward_LargeAndChunkedBodiesPassWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", echo))
	w.rules(only("blue"))
	large := strings.Repeat("0123456789abcdef", 20000)
	for name, body := range map[string]io.Reader{
		"small": strings.NewReader(large[:100]), "large": strings.NewReader(large),
		"chunked": struct{ io.Reader }{strings.NewReader(large)},
	} {
		response, err := w.client.Post(w.url, "text/plain", body)
		w.must(err)
		want := large
		if name == "small" {
			want = large[:100]
		}
		if _, got := read(t, response); got != want {
			t.Errorf("%s body: got %d bytes back, want the %d that were sent", name, len(got), len(want))
		}
	}
}

func TestForward_UpgradePasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "Upgrade")
		rw.Header().Set("Upgrade", "echo")
		rw.WriteHeader(http.StatusSwitchingProtocols)
		conn, stream, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := stream.ReadString('\n')
		_, _ = stream.WriteString("echo " + line)
		_ = stream.Flush()
	}))
	w.rules(only("blue"))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	w.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	w.must(err)
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	w.must(err)
	_, err = io.WriteString(conn, "hello\n")
	w.must(err)
	line, err := reader.ReadString('\n')
	w.must(err)
	if response.StatusCode != 101 || line != "echo hello\n" {
		t.Errorf("got %d and %q, want 101 and the echo", response.StatusCode, line)
	}
	_ = conn.Close()
	if r := w.record(); r.Type != "ws" || r.Status != 101 {
		t.Errorf("record: got %s %d, want ws 101", r.Type, r.Status)
	}
}

func TestClose_BreaksUpgradedConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "Upgrade")
		rw.Header().Set("Upgrade", "echo")
		rw.WriteHeader(http.StatusSwitchingProtocols)
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}))
	w.rules(only("blue"))
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	w.must(err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	w.must(err)
	reader := bufio.NewReader(conn)
	_, err = http.ReadResponse(reader, nil)
	w.must(err)
	w.Close()
	if _, err := reader.ReadByte(); err == nil {
		t.Error("after Close: got a byte, want the connection's end")
	}
}

func TestRecords_KeepTheLastRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{AccessRecords: 3})
	blue := newProgram(t, "blue", nil)
	w.group("blue", checked, blue)
	w.rules(Rule{ID: "fixed", Conditions: []Condition{{Field: PathPattern, Values: []string{"/fixed"}}}, Action: fixed("x")}, only("blue"))
	for _, path := range []string{"/0", "/1", "/2", "/fixed", "/4?q=1"} {
		w.get(path)
		await(t, "record of "+path, func() bool {
			records := w.Records("lb")
			return len(records) > 0 && records[len(records)-1].URL == path
		})
	}
	type entry struct {
		URL, Rule, Group, Target string
		Status, TargetStatus     int
	}
	var got []entry
	for _, r := range w.Records("lb") {
		got = append(got, entry{r.URL, r.Rule, r.TargetGroup, r.Target, r.Status, r.TargetStatus})
	}
	address := blue.Listener.Addr().String()
	want := []entry{{"/2", "forward", "blue", address, 200, 200}, {"/fixed", "fixed", "", "", 200, 0}, {"/4?q=1", "forward", "blue", address, 200, 200}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if r := w.record(); r.Sent != 4 || r.Method != "GET" || r.TargetTime < 0 || r.RequestTime < 0 || !r.Time.Equal(start) {
		t.Errorf("record: got %+v, want 4 bytes sent, times, and the clock's time", r)
	}
}
