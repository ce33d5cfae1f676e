package bluegreen

import (
	"fmt"
	"regexp"
	"strings"
)

// Params name a pair. They are keys of an action's UserParameters.
type Params struct {
	// Execution is the pipeline execution that releases, in templates
	// "#{codepipeline.PipelineExecutionId}". Required.
	Execution string `json:"execution"`

	// LoadBalancer is the Application Load Balancer's name or ARN. Its
	// production listener is the one on port 443, else 80; its test listener
	// the one on 8443, else 8080. Required unless the ARNs below name both
	// routes.
	LoadBalancer string `json:"loadBalancer,omitempty"`

	// ProductionListenerARN and ProductionRuleARN name the production route
	// itself, in place of the port rule. Give at most one: on a listener the
	// route is the one rule, or the default action, that forwards to the pair.
	ProductionListenerARN string `json:"productionListenerArn,omitempty"`
	ProductionRuleARN     string `json:"productionRuleArn,omitempty"`

	// TestListenerARN and TestRuleARN name the test route in the same way.
	TestListenerARN string `json:"testListenerArn,omitempty"`
	TestRuleARN     string `json:"testRuleArn,omitempty"`

	// Cluster is the ECS cluster's name or ARN. Required.
	Cluster string `json:"cluster"`

	// Services are the names (or ARNs) of the pair's two ECS services, in any
	// order. Required.
	Services []string `json:"services"`
}

// executionID is what CodePipeline's ids and tag values both allow, up to 128
// characters of it. A count in the expression would be compiled as that many
// copies, at each cold start.
var executionID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Faults lists everything that is wrong with the parameters by themselves,
// in a fixed order.
func (p Params) Faults() []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }

	if why := ExecutionFault(p.Execution); why != "" {
		fault("%s", why)
	}
	if p.LoadBalancer == "" && !(p.namesProduction() && p.namesTest()) {
		fault("loadBalancer is missing: name it, or name both routes by productionListenerArn or productionRuleArn and testListenerArn or testRuleArn")
	}
	if p.ProductionListenerARN != "" && p.ProductionRuleARN != "" {
		fault("productionListenerArn and productionRuleArn are both set: give one")
	}
	if p.TestListenerARN != "" && p.TestRuleARN != "" {
		fault("testListenerArn and testRuleArn are both set: give one")
	}
	faults = append(faults, p.arnFaults()...)
	if p.ProductionRuleARN != "" && p.ProductionRuleARN == p.TestRuleARN {
		fault("productionRuleArn and testRuleArn are the same rule")
	}
	if p.Cluster == "" {
		fault("cluster is missing")
	}
	return append(faults, p.serviceFaults()...)
}

// ExecutionFault says what is wrong with a pipeline execution's id, if anything.
func ExecutionFault(id string) string {
	switch {
	case id == "":
		return `execution is missing: set it to "#{codepipeline.PipelineExecutionId}"`
	case len(id) > 128, !executionID.MatchString(id):
		return fmt.Sprintf(`execution %q is not a pipeline execution id: set it to "#{codepipeline.PipelineExecutionId}"`, id)
	}
	return ""
}

func (p Params) serviceFaults() []string {
	if len(p.Services) != 2 {
		count := map[int]string{0: "is missing", 1: "has one name"}[len(p.Services)]
		if count == "" {
			count = fmt.Sprintf("has %d names", len(p.Services))
		}
		return []string{"services " + count + ": give the names of the pair's two ECS services"}
	}
	a, b := serviceName(p.Services[0]), serviceName(p.Services[1])
	switch {
	case a == "" || b == "":
		return []string{"services has an empty name: give the names of the pair's two ECS services"}
	case a == b:
		return []string{fmt.Sprintf("services names %q twice: a pair is two services", a)}
	}
	return nil
}

func (p Params) arnFaults() []string {
	var faults []string
	balancer := ""
	if isARN(p.LoadBalancer) {
		balancer = p.LoadBalancer
		if !strings.Contains(balancer, ":loadbalancer/app/") {
			faults = append(faults, fmt.Sprintf("loadBalancer %q is not the ARN of an Application Load Balancer", balancer))
			balancer = ""
		}
	}
	for _, named := range []struct{ key, arn, kind string }{
		{"productionListenerArn", p.ProductionListenerARN, "listener"},
		{"productionRuleArn", p.ProductionRuleARN, "listener-rule"},
		{"testListenerArn", p.TestListenerARN, "listener"},
		{"testRuleArn", p.TestRuleARN, "listener-rule"},
	} {
		if named.arn == "" {
			continue
		}
		of := balancerOf(named.kind, named.arn)
		switch {
		case of == "":
			faults = append(faults, fmt.Sprintf("%s %q is not the ARN of an Application Load Balancer's %s", named.key, named.arn, strings.ReplaceAll(named.kind, "-", " ")))
		case balancer == "":
			balancer = of
		case balancer != of:
			faults = append(faults, fmt.Sprintf("%s %q belongs to another load balancer than %s", named.key, named.arn, balancer))
		}
	}
	return faults
}

func (p Params) namesProduction() bool {
	return p.ProductionListenerARN != "" || p.ProductionRuleARN != ""
}
func (p Params) namesTest() bool { return p.TestListenerARN != "" || p.TestRuleARN != "" }

// balancer is the load balancer's name or ARN, from whichever parameter tells it.
func (p Params) balancer() string {
	if p.LoadBalancer != "" {
		return p.LoadBalancer
	}
	for _, named := range []struct{ kind, arn string }{
		{"listener", p.ProductionListenerARN},
		{"listener-rule", p.ProductionRuleARN},
	} {
		if of := balancerOf(named.kind, named.arn); of != "" {
			return of
		}
	}
	return ""
}
