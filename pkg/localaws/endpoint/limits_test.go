package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"

	"cutover/pkg/localaws/clock"
	localcloudwatch "cutover/pkg/localaws/cloudwatch"
	localec2 "cutover/pkg/localaws/ec2"
	localecs "cutover/pkg/localaws/ecs"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/endpoint/endpointtest"
	locallambda "cutover/pkg/localaws/lambda"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// services serves some real services under limits to clients that do not retry.
func services(t *testing.T, c clock.Clock, limits ...endpoint.Limit) (aws.Config, *endpoint.Endpoint) {
	t.Helper()
	const region, account = "us-east-1", "111122223333"
	metrics := localcloudwatch.New(localcloudwatch.Config{Clock: c})
	t.Cleanup(metrics.Close)
	config, e := endpointtest.Serve(t, c,
		elbv2.New(elbv2.Config{Clock: c, Region: region, Account: account}).Wire(),
		localecs.New(localecs.Config{Clock: c, Region: region, Account: account}).Wire(),
		localec2.New(localec2.Config{Clock: c, Region: region, Account: account}).Wire(),
		locallambda.New(locallambda.Config{Clock: c}).Wire(),
		metrics.Wire(),
	)
	e.Limits = &endpoint.Limits{}
	e.Limits.Set(limits...)
	config.RetryMaxAttempts = 1
	return config, e
}

// granted is how many of n calls went through before one was throttled; any
// other error fails the test.
func granted(t *testing.T, n int, call func() error) int {
	t.Helper()
	for i := range n {
		if err := call(); err != nil {
			if !throttled(err) {
				t.Fatal(err)
			}
			return i
		}
	}
	return n
}

// throttled asks the SDK, as its retries do.
func throttled(err error) bool {
	throttle := retry.IsErrorThrottles(retry.DefaultThrottles)
	return throttle.IsErrorThrottle(err) == aws.TrueTernary
}

func TestLimits_OfLoadBalancing(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(noon)
	config, e := services(t, now, endpoint.AWSLimits()...)
	client := elb.NewFromConfig(config)
	read := func() error {
		_, err := client.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
		return err
	}
	readGroups := func() error {
		_, err := client.DescribeTargetGroups(t.Context(), &elb.DescribeTargetGroupsInput{})
		return err
	}
	if got := granted(t, 30, read) + granted(t, 30, readGroups); got != 40 {
		t.Errorf("reads in a burst: got %d, want 40 of both kinds together", got)
	}
	now.Advance(time.Second)
	if got := granted(t, 20, read); got != 10 {
		t.Errorf("reads a second later: got %d, want 10", got)
	}
	now.Advance(time.Hour)
	if got := granted(t, 60, read); got != 40 {
		t.Errorf("reads an hour later: got %d, want no more than the 40 that the bucket holds", got)
	}
	name := aws.String("blue")
	write := func() error { // takes no token of the reads', and reaches the service
		_, err := client.CreateTargetGroup(t.Context(), &elb.CreateTargetGroupInput{Name: name})
		var refused smithy.APIError
		if errors.As(err, &refused) && refused.ErrorCode() == "ValidationError" {
			return nil
		}
		return err
	}
	if got := granted(t, 30, write); got != 20 {
		t.Errorf("writes in a burst: got %d, want 20", got)
	}
	if err := read(); err == nil || !strings.Contains(err.Error(), "Throttling: Rate exceeded") {
		t.Errorf("a read with no token: got %v, want Throttling", err)
	}
	e.Limits.Set()
	if got := granted(t, 100, read); got != 100 {
		t.Errorf("reads without limits: got %d, want 100", got)
	}
}

func TestLimits_ThrottleAsEachServiceDoes(t *testing.T) {
	t.Parallel()
	var limits []endpoint.Limit
	for _, service := range []string{"elasticloadbalancing", "ecs", "ec2", "lambda", "monitoring"} {
		limits = append(limits, endpoint.Limit{Service: service, Operations: []string{"*"}}) // an empty bucket
	}
	config, e := services(t, clock.NewManual(noon), limits...)
	cases := map[string]struct {
		call   func(context.Context) error
		code   string
		status int
	}{
		"load balancing by the query protocol": {func(ctx context.Context) error {
			_, err := elb.NewFromConfig(config).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
			return err
		}, "Throttling", http.StatusBadRequest},
		"ECS by JSON": {func(ctx context.Context) error {
			_, err := ecs.NewFromConfig(config).ListClusters(ctx, &ecs.ListClustersInput{})
			return err
		}, "ThrottlingException", http.StatusBadRequest},
		"CloudWatch by CBOR": {func(ctx context.Context) error {
			_, err := cloudwatch.NewFromConfig(config).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{})
			return err
		}, "ThrottlingException", http.StatusBadRequest},
		"Lambda by REST": {func(ctx context.Context) error {
			_, err := lambda.NewFromConfig(config).ListFunctions(ctx, &lambda.ListFunctionsInput{})
			return err
		}, "TooManyRequestsException", http.StatusTooManyRequests},
		"EC2 by its own query protocol": {func(ctx context.Context) error {
			_, err := ec2.NewFromConfig(config).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
			return err
		}, "RequestLimitExceeded", http.StatusServiceUnavailable},
	}
	for name, c := range cases {
		err := c.call(t.Context())
		var refused smithy.APIError
		var answer *awshttp.ResponseError
		if !errors.As(err, &refused) || refused.ErrorCode() != c.code {
			t.Errorf("%s: got %v, want code %s", name, err, c.code)
		}
		if !errors.As(err, &answer) || answer.HTTPStatusCode() != c.status {
			t.Errorf("%s: got %v, want status %d", name, err, c.status)
		}
		if !throttled(err) {
			t.Errorf("%s: the SDK takes %v for no throttling", name, err)
		}
	}
	for _, call := range e.Calls.All() {
		if call.Error == "" || call.Fault != "" {
			t.Errorf("record of %s:%s: got error %q and fault %q, want the error only", call.Service, call.Operation, call.Error, call.Fault)
		}
	}
}

// An SDK that backs off by the wall gets through on a clock that runs faster.
func TestLimits_RetriesGetThroughOnAScaledClock(t *testing.T) {
	t.Parallel()
	config, e := services(t, clock.NewScaled(50), endpoint.Limit{Service: "ecs", Operations: []string{"List*"}, Burst: 1, Refill: 0.2})
	config.RetryMaxAttempts = 0
	config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = 1000, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
		})
	}
	client := ecs.NewFromConfig(config)
	for range 3 {
		if _, err := client.ListClusters(t.Context(), &ecs.ListClustersInput{}); err != nil {
			t.Fatal(err)
		}
	}
	refused := 0
	for _, call := range e.Calls.All() {
		if call.Error == "ThrottlingException" {
			refused++
		}
	}
	if refused == 0 {
		t.Error("calls: got none throttled, want the SDK to have retried some")
	}
}

// On a manual clock no time passes while an SDK waits; a test that wants its
// retries to get through lets them move the clock.
func TestLimits_RetriesMoveAManualClock(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(noon)
	config, _ := services(t, now, endpoint.Limit{Service: "ecs", Operations: []string{"List*"}, Burst: 1, Refill: 1})
	config.RetryMaxAttempts = 0
	config.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				now.Advance(500 * time.Millisecond)
				return 0, nil
			})
		})
	}
	client := ecs.NewFromConfig(config)
	for range 4 {
		if _, err := client.ListClusters(t.Context(), &ecs.ListClustersInput{}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := now.Now().Sub(noon), 3*time.Second; got != want {
		t.Errorf("time that four calls took: got %v, want %v", got, want)
	}
}

// Whatever the calls' times, no span of time sees more of them than a full bucket
// and what came in meanwhile; and a call is refused only when there is no token.
func TestLimits_Property(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := endpoint.Limit{
			Service: "s", Operations: []string{"Do"},
			Burst: float64(rapid.IntRange(1, 20).Draw(t, "burst")), Refill: rapid.Float64Range(0.1, 50).Draw(t, "refill"),
		}
		var l endpoint.Limits
		l.Set(limit)
		var calls []time.Duration
		at, tokens := time.Duration(0), limit.Burst
		for _, wait := range rapid.SliceOfN(rapid.IntRange(0, 3000), 1, 60).Draw(t, "waits") {
			passed := time.Duration(wait) * time.Millisecond
			at += passed
			tokens = min(limit.Burst, tokens+passed.Seconds()*limit.Refill)
			if endpoint.Take(&l, noon.Add(at), "s", "Do") {
				calls, tokens = append(calls, at), tokens-1
			} else if tokens > 1.001 {
				t.Fatalf("at %v: refused with %v tokens left", at, tokens)
			}
		}
		for i, from := range calls {
			for j, to := range calls[i:] {
				if most := limit.Burst + (to-from).Seconds()*limit.Refill; float64(j+1) > most+0.001 {
					t.Fatalf("%d calls from %v to %v, want at most %v", j+1, from, to, most)
				}
			}
		}
	})
}
