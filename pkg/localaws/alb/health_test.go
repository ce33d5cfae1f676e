package alb

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHealth_FollowsTheChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := newProgram(t, "blue", nil)
	w.group("blue", checked, p)
	want := func(when, state string) {
		t.Helper()
		if got := w.state("blue"); got != state {
			t.Errorf("%s: got %s, want %s", when, got, state)
		}
	}
	want("before a listener uses the group", "unused Target.NotInUse")
	w.clock.Advance(time.Hour)
	if got := p.checked(); got != 0 {
		t.Errorf("checks of an unused target: got %d, want 0", got)
	}
	w.rules(only("blue"))
	want("as soon as a listener uses it", "initial Elb.RegistrationInProgress")
	w.clock.Advance(time.Second)
	want("after one passed check", "healthy")
	p.setHealth(500)
	w.clock.Advance(10 * time.Second)
	want("after one failed check of two", "healthy")
	w.clock.Advance(10 * time.Second)
	want("after two failed checks", "unhealthy Target.ResponseCodeMismatch")
	if got := w.health("blue")[0].Reason.Description; got != "Health checks failed with these codes: [500]" {
		t.Errorf("description: got %q, want the code", got)
	}
	p.setHealth(200)
	w.clock.Advance(20 * time.Second)
	want("after two passed checks of three", "unhealthy Target.ResponseCodeMismatch")
	w.clock.Advance(10 * time.Second)
	want("after three passed checks", "healthy")
	w.rules(Rule{Action: fixed("x")})
	want("when no listener uses it any more", "unused Target.NotInUse")
	before := p.checked()
	w.clock.Advance(time.Hour)
	if got := p.checked(); got != before {
		t.Errorf("checks after the group fell out of use: got %d more, want none", got-before)
	}
	if got := p.last.Get("User-Agent"); got != "ELB-HealthChecker/2.0" {
		t.Errorf("user agent: got %q, want AWS's", got)
	}
}

func TestHealth_GroupAtWeightZeroIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", nil))
	w.group("green", checked, newProgram(t, "green", nil))
	w.rules(forwardTo(WeightedGroup{"blue", 1}, WeightedGroup{"green", 0}))
	w.clock.Advance(time.Second)
	if got := w.state("green"); got != "healthy" {
		t.Errorf("got %s, want healthy", got)
	}
}

func TestHealth_NewTargetThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Patience: 20 * time.Millisecond})
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) }) // before the server waits for it
	hanging := newProgram(t, "hanging", nil)
	hanging.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	gone := newProgram(t, "gone", nil)
	gone.Close()
	for _, c := range []struct {
		name string
		p    *program
		want string
	}{
		{"a target that does not answer in time", hanging, "Target.Timeout"},
		{"a target that refuses connections", gone, "Target.FailedHealthChecks"},
	} {
		w.group(c.name, checked, c.p)
		w.rules(only(c.name))
		w.clock.Advance(time.Second)
		if got := w.state(c.name); got != "initial Elb.InitialHealthChecking" {
			t.Errorf("%s, after one check: got %s, want initial", c.name, got)
		}
		w.clock.Advance(10 * time.Second)
		if got, want := w.state(c.name), "unhealthy "+c.want; got != want {
			t.Errorf("%s, after two checks: got %s, want %s", c.name, got, want)
		}
	}
}

func TestHealth_PortPathAndCodesOfTheCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	traffic := newProgram(t, "traffic", nil)
	admin := newProgram(t, "admin", nil)
	admin.setHealth(404)
	codes, err := ParseCodes("200-299,404")
	w.must(err)
	w.group("blue", TargetGroup{HealthCheck: HealthCheck{Path: "/health?deep=1", Port: admin.target.Port, Codes: codes}}, traffic)
	w.rules(only("blue"))
	w.clock.Advance(time.Second)
	if got := w.state("blue"); got != "healthy" || admin.checked() != 1 || traffic.checked() != 0 {
		t.Errorf("got %s after %d checks at the fixed port and %d at the traffic port, want healthy, 1, 0", got, admin.checked(), traffic.checked())
	}
	if got := w.health("blue")[0].HealthCheckPort; got != admin.target.Port {
		t.Errorf("health check port: got %d, want %d", got, admin.target.Port)
	}
}

func TestForward_OnlyToHealthyTargetsWhileThereAreAny(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	good, bad := newProgram(t, "good", nil), newProgram(t, "bad", nil)
	bad.setHealth(503)
	w.group("blue", checked, good, bad)
	w.rules(only("blue"))
	w.clock.Advance(time.Minute)
	seen := func() map[string]bool {
		bodies := map[string]bool{}
		for range 20 {
			_, body := w.get("/")
			bodies[body] = true
		}
		return bodies
	}
	if diff := cmp.Diff(map[string]bool{"good": true}, seen()); diff != "" {
		t.Errorf("with one healthy target (-want +got):\n%s", diff)
	}
	good.setHealth(503)
	w.clock.Advance(time.Minute)
	if diff := cmp.Diff(map[string]bool{"good": true, "bad": true}, seen()); diff != "" {
		t.Errorf("with none, failing open (-want +got):\n%s", diff)
	}
}

func TestParseCodes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]map[int]bool{
		"":            {200: true, 201: false},
		"200,202":     {200: true, 201: false, 202: true},
		"200-204,301": {199: false, 200: true, 204: true, 205: false, 301: true},
	} {
		codes, err := ParseCodes(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		for code, match := range want {
			if got := codes.Match(code); got != match {
				t.Errorf("%q matches %d: got %v, want %v", text, code, got, match)
			}
		}
	}
	for _, text := range []string{",", "200,", "20", "2000", "299-200", "a", "200-", "+20", "199", "500"} {
		if _, err := ParseCodes(text); err == nil {
			t.Errorf("%q: got no error, want one", text)
		}
	}
}

func FuzzParseCodes(f *testing.F) {
	for _, seed := range []string{"200", "200,202", "200-299", "", "200-,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		codes, err := ParseCodes(text)
		if err != nil {
			return
		}
		again, err := ParseCodes(codes.String())
		if err != nil {
			t.Fatalf("%q: its own text is refused: %v", text, err)
		}
		for code := range 600 {
			if codes.Match(code) != again.Match(code) {
				t.Fatalf("%q: parsed again, %d matches otherwise", text, code)
			}
			if codes.Match(code) && (code < 200 || code > 499 || !strings.ContainsAny(text, "-,0123456789") && text != "") {
				t.Fatalf("%q matches %d", text, code)
			}
		}
	})
}

func TestHealth_InstancesAreLookedUpForEachConnection(t *testing.T) {
	t.Parallel()
	where := map[string]string{}
	w := newWorld(t, Config{Locate: func(id string, port int) (string, bool) {
		address, ok := where[net.JoinHostPort(id, strconv.Itoa(port))]
		return address, ok
	}})
	first, second := newProgram(t, "first", nil), newProgram(t, "second", nil)
	w.group("fleet", checked)
	w.must(w.Register("fleet", Target{ID: "i-0123", Port: 8080}))
	w.rules(only("fleet"))
	w.clock.Advance(10 * time.Minute)
	if got := w.state("fleet"); !strings.HasPrefix(got, "unhealthy") {
		t.Errorf("before its program runs: got %s, want unhealthy", got)
	}
	for _, p := range []*program{first, second} { // the program starts again elsewhere
		where["i-0123:8080"] = net.JoinHostPort(p.target.ID, strconv.Itoa(p.target.Port))
		w.clock.Advance(10 * time.Minute)
		if got := w.state("fleet"); got != "healthy" {
			t.Errorf("with its program on %s: got %s, want healthy", where["i-0123:8080"], got)
		}
		if got := p.checked(); got == 0 {
			t.Error("its program was not checked")
		}
	}
}
