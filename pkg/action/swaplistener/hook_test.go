package swaplistener

import (
	"errors"
	"strings"
	"testing"

	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/hook"
	"cutover/pkg/job"
	"cutover/pkg/record"
)

const asking = "traffic: {canary: {percent: 10, interval: 1m}}\nalarms: [shop-5xx]\n" +
	"hooks: {beforeShift: {function: smoke}, afterStep: {function: step, timeout: 2m}, afterShift: {function: done}, onRollback: {function: sorry, timeout: 1m}}\n"

func newAsking(t *testing.T, answer func(hook.Call) string) *shop {
	s := newShop(t, 2, asking)
	s.metrics.alarms["shop-5xx"] = "OK"
	s.outside.answer = answer
	return s
}

// asked are the hooks in the order in which they were asked, with the weights that
// they were told.
func (s *shop) asked() []string {
	var all []string
	for _, c := range s.outside.calls {
		all = append(all, strings.Join([]string{c.Hook, formatPercent(c.Weight)}, " "))
	}
	return all
}

func formatPercent(w float64) string {
	return map[float64]string{0: "0", 10: "10", 100: "100"}[w]
}

func TestHooks_AreAskedAlongTheWay(t *testing.T) {
	t.Parallel()
	pending := 0
	s := newAsking(t, func(c hook.Call) string {
		if c.Hook == "beforeShift" {
			if pending++; pending < 3 {
				return `{"status":"pending","message":"warming caches"}`
			}
		}
		return `{"status":"succeeded"}`
	})
	said, _, err := s.follow(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"beforeShift 0", "beforeShift 0", "beforeShift 0", "afterStep 10", "afterStep 100", "afterShift 100"}
	if diff := cmp.Diff(want, s.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if said[1] != "hook beforeShift: warming caches" {
		t.Errorf("second summary: got %q, want the hook's message", said[1])
	}
	first := s.outside.calls[0]
	if first.Set != "shop" || first.Execution != execution || first.Generation != 1 || first.Move != -1 || len(first.Services) != 2 ||
		first.Services[1].GreenTargetGroup != s.greens[1] || first.Services[1].BlueService != "s1-a" || first.Services[1].TestURL == "" || first.Services[1].Image != "s1:v2" {
		t.Errorf("told: got %+v", first)
	}
	if since := s.outside.calls[2].Since; !since.Equal(first.Since) {
		t.Errorf("since: got %s and later %s, want the same", first.Since, since)
	}
}

func TestHooks_ThatFailTakeItBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hook, answer string
		kind         cptypes.FailureType
		want         string
	}{
		"before the shift nothing moves":       {"beforeShift", `{"status":"failed","message":"login is broken"}`, cptypes.FailureTypeConfigurationError, "does not start: hook beforeShift: login is broken; so nothing was moved"},
		"after a step it goes back":            {"afterStep", `{"status":"failed","message":"too slow"}`, cptypes.FailureTypeJobFailed, "was rolled back at 10 %: hook afterStep/0: too slow"},
		"after the shift it goes back":         {"afterShift", `{"status":"failed"}`, cptypes.FailureTypeJobFailed, "was rolled back at 100 %: hook afterShift: function done answered failed"},
		"an answer of another form is no yes":  {"afterStep", `true`, cptypes.FailureTypeJobFailed, `hook afterStep/0: function step answered "true"`},
		"one that is never done has its limit": {"afterStep", `{"status":"pending"}`, cptypes.FailureTypeJobFailed, "hook afterStep/0: not done after 2m0s: function step answered pending"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAsking(t, func(call hook.Call) string {
				if call.Hook == c.hook {
					return c.answer
				}
				return `{"status":"succeeded"}`
			})
			_, _, err := s.follow(nil)
			failure, ok := errors.AsType[*job.Failure](err)
			if !ok || failure.Type != c.kind || !strings.Contains(failure.Message, c.want) {
				t.Fatalf("got error %v, want %s with %q", err, c.kind, c.want)
			}
			s.wantShares("0/100")
			sorry := strings.Count(strings.Join(s.asked(), ","), "onRollback")
			if moved := c.hook != "beforeShift"; moved != (sorry == 1) {
				t.Errorf("onRollback was asked %d times", sorry)
			}
		})
	}
}

// Whatever onRollback does, production is back before it is asked, and the job ends.
func TestHooks_OnRollbackChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"succeeded":     {`{"status":"succeeded","message":"ticket 7"}`, "; hook onRollback: ticket 7"},
		"failed":        {`{"status":"failed","message":"no ticket"}`, "; hook onRollback: no ticket"},
		"never done":    {`{"status":"pending","message":"wait"}`, "; hook onRollback: not done after 1m0s: wait"},
		"without words": {`{"status":"succeeded"}`, "Threshold Crossed: 12.0 > 5.0\nProduction is back on blue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *shop
			s = newAsking(t, func(call hook.Call) string {
				if call.Hook != "onRollback" {
					return `{"status":"succeeded"}`
				}
				if call.Why == "" {
					t.Error("it was not told why")
				}
				s.wantShares("0/100")
				return c.answer
			})
			_, _, err := s.follow(func(n int) {
				if n == 1 {
					s.metrics.alarms["shop-5xx"] = "ALARM"
				}
			})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "was rolled back") {
				t.Fatalf("got error %v, want a rollback with %q", err, c.want)
			}
			r := s.latest()
			if r.Verdict != record.RolledBack || r.Restored == nil || !r.Restored.Equal(*r.Detected) {
				t.Errorf("record: got %+v, want production back at once", r)
			}
		})
	}
}
