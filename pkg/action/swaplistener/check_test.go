package swaplistener

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	cptypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/job"
)

const checked = `checks:
  - {path: /health}
  - {service: s1, path: "/version?x=1", status: 203, body: "v[0-9]+"}
`

func TestChecks_AskTheTestRouteBeforeAnythingMoves(t *testing.T) {
	t.Parallel()
	const root = "http://hello-1.us-east-1.elb.amazonaws.com:8080"
	s := newShop(t, 2, checked)
	s.outside.site = func(r *http.Request) (*http.Response, error) {
		s.wantShares("0/100")
		if r.URL.Path == "/version" {
			return page(203, "this is v12"), nil
		}
		return page(200, ""), nil
	}
	if _, _, err := s.follow(nil); err != nil {
		t.Fatal(err)
	}
	slices.Sort(s.outside.asked)
	if got := strings.Join(s.outside.asked, " "); got != root+"/health "+root+"/version?x=1" {
		t.Errorf("asked: got %s", got)
	}
	s.wantShares("100/100")
}

func TestChecks_TellAllFailuresAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		site func(*http.Request) (*http.Response, error)
		want []string
	}{
		"of status and body": {func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/version" {
				return page(203, strings.Repeat(" ", checkBody)+"v12"), nil
			}
			return page(302, ""), nil
		}, []string{"2 of 2 checks", "s0: GET http", "/health answered status 302, want 200", `s1: GET`, `does not match "v[0-9]+" in its first 65536 bytes`}},
		"of the connection": {func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("i/o timeout")}
		}, []string{"2 of 2 checks", "i/o timeout; the function must be able to reach the test route", "VPC"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 2, checked)
			s.outside.site = c.site
			_, _, err := s.follow(nil)
			failure, ok := errors.AsType[*job.Failure](err)
			if !ok || failure.Type != cptypes.FailureTypeConfigurationError {
				t.Fatalf("got error %v, want a ConfigurationError", err)
			}
			for _, want := range c.want {
				if !strings.Contains(failure.Message, want) {
					t.Errorf("message: got %s\nwant it to have %q", failure.Message, want)
				}
			}
			s.wantShares("0/100")
			s.outside.site = func(r *http.Request) (*http.Response, error) {
				return page(map[string]int{"/health": 200, "/version": 203}[r.URL.Path], "v1"), nil
			}
			if _, _, err := s.follow(nil); err != nil {
				t.Errorf("retried when the answers are right: got error %v", err)
			}
			s.wantShares("100/100")
		})
	}
}

func TestChecks_DoNotAskTheWrongSide(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1, "checks: [{path: /}]\n")
	for i, rule := range s.world.Rules[fake.Listener8080] {
		for _, g := range rule.Actions[0].ForwardConfig.TargetGroups {
			if *g.TargetGroupArn == s.greens[0] {
				s.world.Rules[fake.Listener8080][i].Actions = fake.Forward(s.blues[0], 100)
			}
		}
	}
	_, _, err := s.follow(nil)
	if err == nil || !strings.Contains(err.Error(), "does not forward to green alone") || len(s.outside.asked) > 0 {
		t.Errorf("got error %v and requests %q, want none asked", err, s.outside.asked)
	}
}

func TestCheckClient_KeepsTheFirstAnswerAndGoesThroughProxies(t *testing.T) {
	t.Parallel()
	c := checkClient()
	if err := c.CheckRedirect(nil, nil); !errors.Is(err, http.ErrUseLastResponse) {
		t.Errorf("redirects: got %v, want them not followed", err)
	}
	if c.Transport.(*http.Transport).Proxy == nil {
		t.Error("got no proxy of the environment")
	}
}
