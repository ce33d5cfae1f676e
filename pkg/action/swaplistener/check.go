package swaplistener

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"cutover/pkg/release"
	"cutover/pkg/rollout"
)

// Limits of checks.
const (
	checkTimeout = 5 * time.Second  // of one, unless the file says otherwise
	checkTime    = 20 * time.Second // of all together
	checkBody    = 64 << 10         // bytes that the pattern is matched against
	checksAtOnce = 8
)

// checkClient asks test routes. It goes through the proxy of the environment, and
// does not follow redirects: the status that is asked for is the first one. The
// certificate is not verified, since a load balancer's own name, by which it is
// asked, is in no certificate; checks carry no secret.
func checkClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
			DialContext:     (&net.Dialer{Timeout: checkTimeout}).DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// check makes all checks at once, so that all of their failures are told at once.
func (t *setTick) check(ctx context.Context) rollout.Answer {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	client, faults := t.clients.HTTP(), make([]string, len(t.file.Checks))
	free := make(chan struct{}, checksAtOnce)
	var all sync.WaitGroup
	for i, c := range t.file.Checks {
		all.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			faults[i] = t.checkOne(ctx, client, c)
		})
	}
	all.Wait()
	var failed []string
	for _, fault := range faults {
		if fault != "" {
			failed = append(failed, fault)
		}
	}
	if len(failed) > 0 {
		return rollout.Answer{Failed: true, Why: fmt.Sprintf("%d of %d checks of the test route failed: %s", len(failed), len(faults), strings.Join(failed, "; "))}
	}
	return rollout.Answer{Done: true}
}

// checkOne asks one test route, and says what is wrong with its answer.
func (t *setTick) checkOne(ctx context.Context, client *http.Client, c release.Check) string {
	i := t.service(c.Service)
	name, pair := t.file.Services[i].Name, t.pairs[i]
	if !pair.Test.PointsTo(t.greens[i].TargetGroup) {
		return fmt.Sprintf("%s: the test route (%s) does not forward to green alone: deploy green again", name, pair.Test)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout.Or(checkTimeout))
	defer cancel()
	address := pair.TestURL() + c.Path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Sprintf("%s: %v", name, err)
	}
	req.Header.Set("User-Agent", "cutover")
	if c.Host != "" {
		req.Host = c.Host
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Sprintf("%s: %s", name, unreachable(address, err))
	}
	defer res.Body.Close() // what is left of it is not wanted
	if want := cmp.Or(c.Status, http.StatusOK); res.StatusCode != want {
		return fmt.Sprintf("%s: GET %s answered status %d, want %d", name, address, res.StatusCode, want)
	}
	if c.Body == "" {
		return ""
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, checkBody))
	if err != nil {
		return fmt.Sprintf("%s: GET %s: read body: %v", name, address, err)
	}
	pattern, err := regexp.Compile(c.Body)
	if err != nil {
		return fmt.Sprintf("%s: pattern %q: %v", name, c.Body, err)
	}
	if !pattern.Match(body) {
		return fmt.Sprintf("%s: GET %s: the body does not match %q in its first %d bytes", name, address, c.Body, len(body))
	}
	return ""
}

// unreachable tells of a test route that gave no answer.
func unreachable(address string, err error) string {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return fmt.Sprintf("GET %s: %v; the function must be able to reach the test route: put it into the load balancer's VPC, and let it in by the security groups", address, err)
}

// service is the index of a service by its name, the first one's by none.
func (t *setTick) service(name string) int {
	for i, s := range t.file.Services {
		if s.Name == name {
			return i
		}
	}
	return 0
}
