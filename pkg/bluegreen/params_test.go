package bluegreen_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/bluegreen"
	"cutover/pkg/bluegreen/bluegreentest"
)

const execution = "7f1c6b3e-0d0e-4b59-9d5a-0c6f6f0d7a11"

func params() bluegreen.Params {
	return bluegreen.Params{Execution: execution, LoadBalancer: "hello", Cluster: "main", Services: []string{"hello-a", "hello-b"}}
}

func TestParamsFaults(t *testing.T) {
	t.Parallel()
	const other = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/other/60dc6c495c0c9188/1"
	for name, c := range map[string]struct {
		change func(*bluegreen.Params)
		want   []string
	}{
		"a pair by load balancer name is complete": {func(p *bluegreen.Params) {}, nil},
		"both routes by ARN need no load balancer": {func(p *bluegreen.Params) {
			p.LoadBalancer, p.ProductionRuleARN, p.TestListenerARN = "", bluegreentest.ProductionRule, bluegreentest.Listener8080
		}, nil},
		"nothing given names everything that is missing": {func(p *bluegreen.Params) { *p = bluegreen.Params{} }, []string{
			`execution is missing: set it to "#{codepipeline.PipelineExecutionId}"`,
			"loadBalancer is missing: name it, or name both routes by productionListenerArn or productionRuleArn and testListenerArn or testRuleArn",
			"cluster is missing",
			"services is missing: give the names of the pair's two ECS services",
		}},
		"an unresolved execution is refused": {func(p *bluegreen.Params) { p.Execution = "#{codepipeline.PipelineExecutionId}" }, []string{
			`execution "#{codepipeline.PipelineExecutionId}" is not a pipeline execution id: set it to "#{codepipeline.PipelineExecutionId}"`,
		}},
		"one route by ARN is not enough": {func(p *bluegreen.Params) { p.LoadBalancer, p.TestRuleARN = "", bluegreentest.TestRule }, []string{
			"loadBalancer is missing: name it, or name both routes by productionListenerArn or productionRuleArn and testListenerArn or testRuleArn",
		}},
		"two ways to name one route are refused": {func(p *bluegreen.Params) {
			p.ProductionListenerARN, p.ProductionRuleARN = bluegreentest.Listener80, bluegreentest.ProductionRule
			p.TestListenerARN, p.TestRuleARN = bluegreentest.Listener8080, bluegreentest.TestRule
		}, []string{
			"productionListenerArn and productionRuleArn are both set: give one",
			"testListenerArn and testRuleArn are both set: give one",
		}},
		"ARNs of the wrong kind or of another load balancer are refused": {func(p *bluegreen.Params) {
			p.LoadBalancer, p.ProductionListenerARN, p.TestListenerARN = bluegreentest.LoadBalancer, bluegreentest.ProductionRule, other
		}, []string{
			`productionListenerArn "` + bluegreentest.ProductionRule + `" is not the ARN of an Application Load Balancer's listener`,
			`testListenerArn "` + other + `" belongs to another load balancer than ` + bluegreentest.LoadBalancer,
		}},
		"a network load balancer's ARN is refused": {func(p *bluegreen.Params) {
			p.LoadBalancer = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/hello/50dc6c495c0c9188"
		}, []string{
			`loadBalancer "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/hello/50dc6c495c0c9188" is not the ARN of an Application Load Balancer`,
		}},
		"one rule for both routes is refused": {func(p *bluegreen.Params) {
			p.ProductionRuleARN, p.TestRuleARN = bluegreentest.TestRule, bluegreentest.TestRule
		}, []string{"productionRuleArn and testRuleArn are the same rule"}},
		"one service twice, by name and by ARN, is refused": {func(p *bluegreen.Params) {
			p.Services = []string{"hello-a", bluegreentest.ServiceA}
		}, []string{`services names "hello-a" twice: a pair is two services`}},
		"an empty service name is refused": {func(p *bluegreen.Params) { p.Services = []string{"hello-a", ""} }, []string{
			"services has an empty name: give the names of the pair's two ECS services",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := params()
			c.change(&p)
			if diff := cmp.Diff(c.want, p.Faults()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
