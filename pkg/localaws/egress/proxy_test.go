package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// fetch names a variable with addresses that this program, run once more, asks
// with Go's usual client in the environment that it finds.
const fetch = "EGRESS_TEST_FETCH"

func TestMain(m *testing.M) {
	if addresses := os.Getenv(fetch); addresses != "" {
		for address := range strings.FieldsSeq(addresses) {
			fmt.Println(read(http.Get(address)))
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// read is an answer's status and body, or the error.
func read(response *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(response.StatusCode) + " " + strings.TrimSpace(string(body))
}

const balancer = "web-0123456789.us-east-1.elb.localhost"

// balancers are listeners' addresses by NAME:PORT.
type balancers map[string]string

func (b balancers) Listens(name string, port int) (string, bool) {
	address, ok := b[fmt.Sprintf("%s:%d", strings.ToLower(name), port)]
	return address, ok
}

// serve serves the proxy and returns its address.
func serve(t *testing.T, b balancers) (*Proxy, *url.URL) {
	t.Helper()
	p := New(b, nil)
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		p.Close()
		server.Close()
	})
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return p, at
}

// through makes a client that asks by the proxy.
func through(t *testing.T, proxy *url.URL) *http.Client {
	t.Helper()
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// target is a server that tells what it was asked.
func target(t *testing.T, name string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		fmt.Fprintln(w, name, r.Method, r.Host, r.URL, r.Header["X-Forwarded-For"], r.Header["Proxy-Connection"], string(body))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestProxy_LeadsToTheListenerOfThePort(t *testing.T) {
	t.Parallel()
	_, at := serve(t, balancers{balancer + ":80": target(t, "production"), balancer + ":8080": target(t, "test")})
	client := through(t, at)
	cases := map[string]struct{ method, url, body, forwarded, want string }{
		"no port is port 80":          {"GET", "http://" + balancer + "/a?b=c", "", "", "200 production GET " + balancer + " /a?b=c [] []"},
		"the port is the listener's":  {"GET", "http://" + balancer + ":8080/", "", "", "200 test GET " + balancer + ":8080 / [] []"},
		"a name in capitals":          {"GET", "http://" + strings.ToUpper(balancer), "", "", "200 production GET " + strings.ToUpper(balancer) + " / [] []"},
		"a body is passed on":         {"POST", "http://" + balancer + "/orders", "tea", "", "200 production POST " + balancer + " /orders [] [] tea"},
		"what others noted is left":   {"GET", "http://" + balancer, "", "192.0.2.7", "200 production GET " + balancer + " / [192.0.2.7] []"},
		"an escaped path stays so":    {"GET", "http://" + balancer + "/a%2Fb", "", "", "200 production GET " + balancer + " /a%2Fb [] []"},
		"a query that is no query":    {"GET", "http://" + balancer + "/?a;b", "", "", "200 production GET " + balancer + " /?a;b [] []"},
		"a listener that nobody made": {"GET", "http://" + balancer + ":8443/", "", "", "403 no listener of a load balancer at " + balancer + ":8443: " + only},
		"a load balancer's bare name": {"GET", "http://web/", "", "", "403 no listener of a load balancer at web: " + only},
		"the internet":                {"GET", "http://example.com/", "", "", "403 no listener of a load balancer at example.com: " + only},
		"this machine":                {"GET", "http://127.0.0.1:" + at.Port() + "/", "", "", "403 no listener of a load balancer at 127.0.0.1:" + at.Port() + ": " + only},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequest(c.method, c.url, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			if got := read(client.Do(r)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

const only = "functions and tasks of the embedded AWS reach its own load balancers only, at NAME.REGION.elb.localhost and a listener's port"

func TestProxy_SaysThatAListenerIsGone(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	_, at := serve(t, balancers{balancer + ":80": gone.Addr().String(), balancer + ":443": gone.Addr().String()})
	client := through(t, at)
	if got := read(client.Get("http://" + balancer)); !strings.HasPrefix(got, "502 reach load balancer "+balancer) {
		t.Errorf("a request: got %s, want 502", got)
	}
	if got := read(client.Get("https://" + balancer)); !strings.Contains(got, "Bad Gateway") {
		t.Errorf("a tunnel: got %s, want Bad Gateway", got)
	}
}

func TestProxy_TunnelsTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	t.Cleanup(server.Close)
	_, at := serve(t, balancers{balancer + ":443": server.Listener.Addr().String()})
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(at)
	transport.TLSClientConfig.ServerName = "example.com" // as in the server's certificate
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	if got, want := read(client.Get("https://"+balancer+"/")), "200 "+balancer; got != want {
		t.Errorf("through the tunnel: got %s, want %s", got, want)
	}
	if got := read(client.Get("https://example.com/")); !strings.Contains(got, "Forbidden") {
		t.Errorf("a tunnel to the internet: got %s, want Forbidden", got)
	}
}

// A side that has said all it had to say can still hear the other.
func TestTunnel_EndsOneDirectionAtATime(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		heard, err := io.ReadAll(c) // until the client's end
		if err == nil {
			fmt.Fprintf(c, "heard %s", heard)
		}
	}()
	_, at := serve(t, balancers{balancer + ":443": listener.Addr().String()})
	c, answer := connect(t, at)
	if _, err := io.WriteString(c, "all"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(answer); err != nil || string(got) != "heard all" {
		t.Errorf("after the client's end: got %q, %v, want the listener's answer", got, err)
	}
}

func TestClose_EndsTunnels(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // accepts nothing, says nothing
	p, at := serve(t, balancers{balancer + ":443": listener.Addr().String()})
	_, answer := connect(t, at)
	p.Close()
	if got, err := io.ReadAll(answer); len(got) > 0 {
		t.Errorf("after Close: got %q, %v, want the end of the tunnel", got, err)
	}
}

// connect opens a tunnel to the load balancer's port 443.
func connect(t *testing.T, proxy *url.URL) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", balancer)
	answer := bufio.NewReader(c)
	response, err := http.ReadResponse(answer, &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("tunnel: got %s, want it open", response.Status)
	}
	return c, answer
}

// A Go program with these variables asks load balancers by the proxy and the
// embedded AWS's own address by itself. Both listen on loopback, which Go never
// asks by a proxy; NO_PROXY says so to programs in other languages.
func TestEnvironment_IsWhatProgramsHeed(t *testing.T) {
	t.Parallel()
	_, at := serve(t, balancers{balancer + ":8080": target(t, "balancer")})
	direct := target(t, "direct")
	command := exec.Command(os.Args[0])
	command.Env = []string{fetch + "=http://" + balancer + ":8080/ http://" + direct + "/ http://example.com/"}
	for name, value := range Environment(at) {
		command.Env = append(command.Env, name+"="+value)
	}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out)
	}
	want := []string{
		"200 balancer GET " + balancer + ":8080 / [] []",
		"200 direct GET " + direct + " / [] []",
		"403 no listener of a load balancer at example.com: " + only,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(out)), "\n")); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func TestEnvironment_ExemptsTheHostOfTheProxyOnly(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"127.0.0.1:4566": "127.0.0.1,::1", "[::1]:4566": "127.0.0.1,::1", "192.0.2.1:4566": "127.0.0.1,::1,192.0.2.1", "localhost:4566": "127.0.0.1,::1",
	} {
		got := Environment(&url.URL{Scheme: "http", Host: host})
		if got["NO_PROXY"] != want || got["no_proxy"] != want {
			t.Errorf("proxy at %s: got %v, want direct to %s", host, got, want)
		}
		if want := "http://" + host; got["HTTP_PROXY"] != want || got["http_proxy"] != want || got["HTTPS_PROXY"] != want || got["https_proxy"] != want {
			t.Errorf("proxy at %s: got %v", host, got)
		}
	}
}
