package ecs_test

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/localaws/alb"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ecs"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/workload"
)

// answers is a program that answers every request with a word.
func answers(word string) workload.App {
	return func(*workload.Task) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, word) })
	}
}

// A rolling deployment behind the real load balancer, with real programs and
// requests all the while: none fails.
func TestService_RollsUnderTrafficWithoutLosingARequest(t *testing.T) {
	t.Parallel()
	c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	proxy := alb.New(alb.Config{Clock: c})
	t.Cleanup(proxy.Close)
	balancers := elbv2.New(elbv2.Config{Clock: c, Region: "us-east-1", Account: "111122223333", Plane: proxy})
	runner := workload.NewInProcess(c, workload.Images{"one": answers("one"), "two": answers("two")})
	t.Cleanup(func() { runner.Close() })
	p := &place{clock: c, service: ecs.New(ecs.Config{Clock: c, Region: "us-east-1", Account: "111122223333", Runner: runner, LoadBalancing: balancers})}
	t.Cleanup(p.service.Close)
	config, _ := endpointtest.Serve(t, c, p.service.Wire())
	p.client = sdk.NewFromConfig(config)
	ctx := t.Context()
	if _, err := p.client.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("main")}); err != nil {
		t.Fatal(err)
	}
	g, err := balancers.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{Name: "web", Protocol: "HTTP", Port: new(8080), VpcId: "vpc-1", TargetType: "ip"})
	if err != nil {
		t.Fatal(err)
	}
	arn := g.TargetGroups[0].TargetGroupArn
	in := input(p.register(t, "one"), 2)
	in.LoadBalancers[0].TargetGroupArn = &arn
	_, err = p.client.CreateService(ctx, in)
	wantCode(t, err, "InvalidParameterException", "does not have an associated load balancer.")
	lb, err := balancers.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{Name: "web", Subnets: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := balancers.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Port: new(80), Protocol: "HTTP", DefaultActions: []elbv2.Action{{Type: "forward", TargetGroupArn: arn}},
	}); err != nil {
		t.Fatal(err)
	}
	p.create(t, in)
	p.until(t, 10*time.Minute, "steady", steady)
	address, _ := balancers.Listens("web", 80)

	var stop atomic.Bool
	var sent, lost atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for !stop.Load() {
				if body, err := fetch(transport, "http://"+address+"/"); err != nil || (body != "one" && body != "two") {
					t.Logf("lost: %q, %v", body, err)
					lost.Add(1)
				}
				sent.Add(1)
			}
		})
	}
	two := p.register(t, "two")
	p.update(t, &sdk.UpdateServiceInput{TaskDefinition: &two})
	v := p.until(t, 30*time.Minute, "steady again", func(v types.Service) bool { return steady(v) && *v.TaskDefinition == two })
	stop.Store(true)
	clients.Wait()
	t.Logf("%d requests", sent.Load())
	if body, err := fetch(http.DefaultTransport, "http://"+address+"/"); err != nil || body != "two" {
		t.Errorf("in the end: got %q, %v, want two; %s", body, err, summary(v))
	}
	if lost.Load() > 0 || sent.Load() == 0 {
		t.Errorf("requests: got %d lost of %d, want none of many", lost.Load(), sent.Load())
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func fetch(transport http.RoundTripper, url string) (string, error) {
	response, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
