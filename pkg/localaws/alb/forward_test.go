package alb

import (
	"crypto/tls"
	"math"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDeck_DealsExactlyByWeightInEachRound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(0, 999), 1, 5).Draw(t, "weights")
		total := 0
		for _, w := range weights {
			total += w
		}
		d := newDeck(weights)
		if total == 0 {
			if d != nil {
				t.Fatal("all weights are 0: got a deck, want none")
			}
			return
		}
		rounds := 3
		got := make([]int, len(weights))
		for range rounds * len(d.cards) {
			got[d.deal()]++
		}
		for i, w := range weights {
			if want := rounds * len(d.cards) * w / total; got[i] != want {
				t.Fatalf("weights %v: group %d got %d of %d, want %d", weights, i, got[i], rounds*len(d.cards), want)
			}
		}
	})
}

func TestDeck_FallsInStepWithNoPattern(t *testing.T) {
	t.Parallel()
	d := newDeck([]int{1, 1})
	// Two clients that take turns each get half, and change groups as often as by
	// chance: about every other time.
	var first, changes int
	before := -1
	const requests = 20000
	for i := range requests {
		card := d.deal()
		if i%2 == 0 && card == 0 {
			first++
		}
		if before >= 0 && card != before {
			changes++
		}
		before = card
	}
	if got := float64(first) / (requests / 2); math.Abs(got-0.5) > 0.05 {
		t.Errorf("share of the client with every other request: got %.3f, want 0.5", got)
	}
	if got := float64(changes) / requests; math.Abs(got-0.5) > 0.05 {
		t.Errorf("share of changes: got %.3f, want 0.5", got)
	}
}

func TestForward_SharesByWeight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", nil))
	w.group("green", checked, newProgram(t, "green", nil))
	count := func(blue, green int) map[string]int {
		w.rules(forwardTo(WeightedGroup{"blue", blue}, WeightedGroup{"green", green}))
		got := map[string]int{}
		for range 1000 {
			_, body := w.get("/")
			got[body]++
		}
		return got
	}
	if got := count(90, 10); got["blue"] != 900 || got["green"] != 100 {
		t.Errorf("weights 90 and 10: got %v of 1000, want 900 and 100", got)
	}
	if got := count(0, 1); got["green"] != 1000 {
		t.Errorf("weights 0 and 1: got %v, want green alone", got)
	}
}

func TestForward_AllWeightsZeroIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", nil))
	w.rules(forwardTo(WeightedGroup{"blue", 0}))
	if status, _ := w.get("/"); status != http.StatusServiceUnavailable {
		t.Errorf("got %d, want 503", status)
	}
}

func TestForward_DealsOutTargetsInTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "one", nil), newProgram(t, "two", nil), newProgram(t, "three", nil))
	w.rules(only("blue"))
	w.clock.Advance(time.Minute)
	got := map[string]int{}
	for range 30 {
		_, body := w.get("/")
		got[body]++
	}
	if got["one"] != 10 || got["two"] != 10 || got["three"] != 10 {
		t.Errorf("got %v of 30, want 10 each", got)
	}
}

func TestForward_PrefersTheTargetWithFewestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	hold, held := make(chan struct{}), make(chan struct{}, 10)
	slow := newProgram(t, "slow", func(http.ResponseWriter, *http.Request) { held <- struct{}{}; <-hold })
	settings := checked
	settings.LeastOutstanding = true
	w.group("blue", settings, slow)
	w.rules(only("blue"))
	go func() { // occupies the slow target until the end
		if response, err := w.client.Get(w.url); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-held
	defer close(hold)
	w.must(w.Register("blue", newProgram(t, "free", nil).target))
	w.clock.Advance(5 * time.Second)
	for range 10 {
		if _, got := w.get("/"); got != "free" {
			t.Fatalf("got %q, want the free target", got)
		}
	}
}

func TestForward_StickyClientKeepsItsGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", checked, newProgram(t, "blue", nil))
	w.group("green", checked, newProgram(t, "green", nil))
	shift := func(blue, green int) {
		rule := forwardTo(WeightedGroup{"blue", blue}, WeightedGroup{"green", green})
		rule.Action.Forward.Stickiness = time.Hour
		w.rules(rule)
	}
	ask := func(cookies []*http.Cookie) (string, []*http.Cookie) {
		r, err := http.NewRequest(http.MethodGet, w.url, nil)
		w.must(err)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		response := w.do(r)
		_, body := read(t, response)
		return body, response.Cookies()
	}
	shift(1, 0)
	body, cookies := ask(nil)
	if len(cookies) != 2 || cookies[0].Name != "AWSALBTG" || cookies[1].Name != "AWSALBTGCORS" {
		t.Fatalf("cookies: got %v, want AWSALBTG and AWSALBTGCORS", cookies)
	}
	if !cookies[0].Expires.Equal(start.Add(time.Hour)) {
		t.Errorf("cookie expires: got %v, want an hour from now by the clock", cookies[0].Expires)
	}
	shift(0, 1)
	if got, _ := ask(cookies); body != "blue" || got != "blue" {
		t.Errorf("with its cookie after the shift: got %s, want blue as before", got)
	}
	if got, _ := ask(nil); got != "green" {
		t.Errorf("without a cookie after the shift: got %s, want green", got)
	}
	forged := *cookies[0]
	forged.Value = "AAAA" + forged.Value[4:]
	if got, _ := ask([]*http.Cookie{&forged}); got != "green" {
		t.Errorf("with a forged cookie: got %s, want green", got)
	}
	w.clock.Advance(time.Hour)
	if got, _ := ask(cookies); got != "green" {
		t.Errorf("with an expired cookie: got %s, want green", got)
	}
}

func TestHTTPS_ShowsTheCertificateAndSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	address := w.listen(Listener{ID: "https", LoadBalancer: "lb", Port: 443, TLS: true})
	w.group("blue", checked, newProgram(t, "blue", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write([]byte(r.Header.Get("X-Forwarded-Proto") + " " + r.Proto))
	}))
	w.must(w.SetRules("https", []Rule{{Default: true, Action: only("blue").Action}}))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots(t, w.Proxy)}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://" + address)
	w.must(err)
	if _, got := read(t, response); got != "https HTTP/1.1" || response.ProtoMajor != 2 {
		t.Errorf("got %q over HTTP/%d, want https and HTTP/1.1 at the target, HTTP/2 at the client", got, response.ProtoMajor)
	}
	if got := w.record().Type; got != "h2" {
		t.Errorf("record's type: got %q, want h2", got)
	}
}
