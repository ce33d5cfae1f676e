package machine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cutover/pkg/localaws/workload"
)

// metadata serves instance metadata to who has a token, and gives the environment
// that leads to it.
func metadata(t *testing.T) func(string) map[string]string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ours := strings.CutPrefix(r.URL.Path, "/imds/"+id+"/latest/")
		switch {
		case !ours || r.Host != "169.254.169.254":
			http.NotFound(w, r)
		case rest == "api/token" && r.Method == http.MethodPut && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
			fmt.Fprint(w, "TOKEN")
		case r.Header.Get("X-aws-ec2-metadata-token") != "TOKEN":
			w.WriteHeader(http.StatusUnauthorized)
		case rest == "meta-data/instance-id":
			fmt.Fprint(w, id)
		case rest == "meta-data/placement/availability-zone":
			fmt.Fprint(w, "us-east-1a")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return func(instance string) map[string]string {
		return map[string]string{"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL + "/imds/" + instance}
	}
}

// various is an app that answers in several ways.
func various(*workload.Task) http.Handler {
	flaky := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/landed", http.StatusFound)
		case "/broken":
			http.Error(w, "broken", http.StatusInternalServerError)
		case "/flaky":
			if flaky++; flaky < 3 {
				http.Error(w, "later", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, "at last")
		default:
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-A"), r.FormValue("d"))
		}
	})
}

func TestCurl_ReachesTheMachineAndItsMetadata(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, workload.Images{"/opt/web": various}, Config{Dir: t.TempDir(), Environment: metadata(t)})
	w.launch(Launch{ID: id})
	w.must(`printf '\0' > /opt/web; chmod +x /opt/web; printf '[Service]\nEnvironment=PORT=8080\nExecStart=/opt/web\n' > /etc/systemd/system/web.service`)
	for _, c := range []struct {
		name, script string
		code         int
		stdout       string
	}{
		{"a service that waits to be started", "curl -s localhost:8080/x", 7, ""},
		{"one that is being started", "(sleep 3; systemctl start web) & curl -s --retry 5 --retry-connrefused --retry-delay 2 http://127.0.0.1:8080/up; wait", 0, "GET /up  "},
		{"one that asks for more time", "curl -sf --retry 5 localhost:8080/flaky", 0, "at last"},
		{"an answer", "curl -s -X PUT -H 'X-A: 1' 'http://localhost:8080/p?d=2'", 0, "PUT /p?d=2 1 2"},
		{"data", "curl -s -d d=3 localhost:8080/p", 0, "POST /p  3"},
		{"its code", "curl -s -o /dev/null -w '%{http_code}\\n' localhost:8080/broken", 0, "500\n"},
		{"a failure", "curl -fsS localhost:8080/broken", 22, ""},
		{"a redirect", "curl -sL localhost:8080/redirect; curl -s -o /out -w '%{http_code}' localhost:8080/redirect", 0, "GET /landed  302"},
		{"a file", "cd /tmp; curl -sO localhost:8080/name?x; cat name; wget -q -O - localhost:8080/w", 0, "GET /name?x  GET /w  "},
		{"another port", "curl -s localhost:9090/", 7, ""},
		{"the world", "curl -s https://example.com/", 6, ""},
		{"another machine", "curl -s http://10.0.0.1/", 6, ""},
		{"metadata without a token", "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.254/latest/meta-data/instance-id", 0, "401"},
		{"metadata with a token", `T=$(curl -sX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')
curl -s -H "X-aws-ec2-metadata-token: $T" http://169.254.169.254/latest/meta-data/instance-id`, 0, id},
		{"metadata by its tool", "ec2-metadata -i -z; ec2-metadata --quiet -i", 0, "instance-id: " + id + "\nplacement: us-east-1a\n" + id + "\n"},
		{"metadata that is not there", "ec2-metadata -a", 1, "ami-id: not available\n"},
		{"wget of the world", "wget https://example.com/", 4, ""},
		{"an option that is not known", "curl --fancy http://x", 2, ""},
	} {
		got := w.run(c.script)
		if got.ExitCode != c.code || got.Stdout != c.stdout {
			t.Errorf("%s: got %+v, want %d and %q", c.name, got, c.code, c.stdout)
		}
	}
}

// A port of the host's loopback is not one of the machine's.
func TestCurl_DoesNotReachTheHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("got a request of the host, want none") }))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "127.1.2.3"} {
		if got := w.run("curl -s http://" + host + ":" + port + "/"); got.ExitCode != 7 {
			t.Errorf("%s: got %+v, want 7", host, got)
		}
	}
}

func TestCurl_HasNoMetadataUnlessThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.launch(Launch{ID: id})
	before := w.clock.Now()
	if got := w.run("curl -s http://169.254.169.254/"); got.ExitCode != 28 {
		t.Errorf("got %+v, want 28", got)
	}
	if w.clock.Now().Sub(before) > time.Minute {
		t.Error("got a wait, want an answer at once")
	}
}
