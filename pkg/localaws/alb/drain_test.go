package alb

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func delayed(delay time.Duration) TargetGroup {
	settings := checked
	settings.DeregistrationDelay = &delay
	return settings
}

func TestDeregister_DrainsForTheDelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	leaving := newProgram(t, "leaving", func(rw http.ResponseWriter, _ *http.Request) {
		held <- struct{}{}
		<-hold
		_, _ = io.WriteString(rw, "leaving")
	})
	w.group("blue", delayed(time.Minute), leaving)
	w.rules(only("blue"))
	w.clock.Advance(time.Second)
	answer := make(chan string, 1)
	go func() {
		response, err := w.client.Get(w.url)
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		answer <- string(body)
	}()
	<-held
	w.must(w.Register("blue", newProgram(t, "staying", nil).target))
	w.must(w.Deregister("blue", leaving.target))
	w.must(w.Deregister("blue", leaving.target)) // again changes nothing
	if h := w.health("blue")[0]; h.State != Draining || h.Reason != DeregistrationInProgress || h.InFlight != 1 {
		t.Errorf("after deregistration: got %+v, want draining with one request in flight", h)
	}
	for range 10 {
		if _, got := w.get("/"); got != "staying" {
			t.Fatalf("new request: got %q, want the target that stays", got)
		}
	}
	w.clock.Advance(59 * time.Second)
	if got := len(w.health("blue")); got != 2 {
		t.Errorf("before the delay has passed: got %d targets, want 2", got)
	}
	w.clock.Advance(time.Second)
	if got := len(w.health("blue")); got != 1 {
		t.Errorf("after the delay: got %d targets, want 1", got)
	}
	close(hold)
	if got := <-answer; got != "leaving" {
		t.Errorf("request in flight: got %q, want its answer", got)
	}
}

func TestDeregister_UnusedOrUndelayedTargetIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := newProgram(t, "p", nil)
	w.group("unused", delayed(time.Minute), p)
	w.group("undelayed", delayed(0), p)
	w.rules(only("undelayed"))
	for _, id := range []string{"unused", "undelayed"} {
		w.must(w.Deregister(id, p.target))
		if got := w.state(id); got != "0 targets" {
			t.Errorf("%s: got %s, want none", id, got)
		}
	}
	if err := w.RemoveTargetGroup("undelayed"); err == nil {
		t.Error("remove a group in use: got no error, want one")
	}
	w.must(w.RemoveTargetGroup("unused"))
	if _, err := w.Health("unused"); err == nil {
		t.Error("health of a removed group: got no error, want one")
	}
}

func TestRegister_DrainingTargetStartsAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	p := newProgram(t, "p", nil)
	w.group("blue", delayed(time.Minute), p)
	w.rules(only("blue"))
	w.clock.Advance(time.Second)
	w.must(w.Deregister("blue", p.target))
	w.must(w.Register("blue", p.target))
	if got := w.state("blue"); got != "initial Elb.RegistrationInProgress" {
		t.Errorf("got %s, want initial", got)
	}
	w.clock.Advance(2 * time.Minute)
	if got := w.state("blue"); got != "healthy" {
		t.Errorf("after the old one's delay: got %s, want healthy", got)
	}
}

func TestUnlisten_FinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	hold, held := make(chan struct{}), make(chan struct{})
	w.group("blue", checked, newProgram(t, "blue", func(rw http.ResponseWriter, _ *http.Request) { close(held); <-hold }))
	w.rules(only("blue"))
	done := make(chan error, 1)
	go func() {
		response, err := w.client.Get(w.url)
		if err == nil {
			_ = response.Body.Close()
		}
		done <- err
	}()
	<-held
	w.Unlisten("http")
	w.Unlisten("http")
	if got := w.state("blue"); got != "unused Target.NotInUse" {
		t.Errorf("the group afterwards: got %s, want unused", got)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Errorf("request in flight: got %v, want its answer", err)
	}
	if _, ok := w.Addr("http"); ok {
		t.Error("address of a closed listener: got one, want none")
	}
}

var loadRequests = flag.Int("requests", 10000, "how many requests TestShift_LosesNoRequest makes")

// TestShift_LosesNoRequest shifts traffic back and forth and replaces targets, as
// releases do, while clients ask without pause.
func TestShift_LosesNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.group("blue", delayed(time.Minute), newProgram(t, "blue", echo))
	w.group("green", delayed(time.Minute), newProgram(t, "green", echo))
	w.rules(forwardTo(WeightedGroup{"blue", 1}, WeightedGroup{"green", 0}))
	w.clock.Advance(time.Second)

	var left, failed atomic.Int64
	left.Store(int64(*loadRequests))
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if err := w.ask(left.Load()%4 == 0); err != nil {
					failed.Add(1)
					t.Logf("request: %v", err)
				}
			}
		})
	}
	shifts := 0
	for ; left.Load() > 0; shifts++ {
		w.release(t, shifts)
	}
	clients.Wait()
	if n := failed.Load(); n != 0 {
		t.Errorf("failed requests: got %d of %d over %d releases, want 0", n, *loadRequests, shifts)
	}
	if shifts < 3 {
		t.Errorf("releases under load: got %d, want at least 3", shifts)
	}
}

// echo answers with the request's body.
func echo(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
	}
	_, _ = rw.Write(body)
}

// ask makes one request, with or without a body.
func (w *world) ask(post bool) error {
	response, err := w.client.Get(w.url)
	if post {
		if err == nil {
			_ = response.Body.Close()
		}
		response, err = w.client.Post(w.url, "text/plain", strings.NewReader("hello"))
	}
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err == nil && (response.StatusCode != 200 || post && string(body) != "hello") {
		return errors.New(response.Status + " " + string(body))
	}
	return err
}

// release puts a new program on the idle group, waits until it is healthy, shifts
// over in steps and takes the old program of the other side away for good.
func (w *world) release(t *testing.T, n int) {
	idle, live := "green", "blue"
	if n%2 == 1 {
		idle, live = live, idle
	}
	fresh := newProgram(t, idle, echo)
	w.must(w.Register(idle, fresh.target))
	w.clock.Advance(2 * time.Second)
	for _, share := range []int{10, 50, 90, 100} {
		w.rules(forwardTo(WeightedGroup{live, 100 - share}, WeightedGroup{idle, share}))
		await(t, "requests between steps", w.oneMore())
	}
	old := w.health(live)
	for _, h := range old {
		w.must(w.Deregister(live, h.Target))
	}
	await(t, "last answer of the old program", func() bool {
		for _, h := range w.health(live) {
			if h.InFlight > 0 {
				return false
			}
		}
		return true
	})
	w.clock.Advance(2 * time.Minute)
}

// oneMore tells when another 50 requests were dealt with, or the load is over.
func (w *world) oneMore() func() bool {
	w.mu.Lock()
	counter := &w.balancers["lb"].counters.requests
	w.mu.Unlock()
	before, until := counter.Load(), time.Now().Add(200*time.Millisecond)
	return func() bool { n := counter.Load(); return n < before || n >= before+50 || time.Now().After(until) }
}
