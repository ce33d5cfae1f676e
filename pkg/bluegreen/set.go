package bluegreen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// An Observation is a pair as it was read.
type Observation struct {
	Pair Pair
	// Faults lists, in a fixed order, everything about the world that keeps the
	// pair from being released; the pair is then filled as far as it could be
	// read.
	Faults []string
}

// ObserveSet reads many pairs together. Load balancers, listeners and rules are
// read once each, services ten and tags twenty in a call; only the health of
// targets takes a call for each target group, as AWS has no other. shifting
// allows both sides of a pair to be live: a release is on its way.
func ObserveSet(ctx context.Context, elbAPI ELB, ecsAPI ECS, all []Params, shifting bool) ([]Observation, error) {
	b := &batch{elb: elbAPI, ecs: ecsAPI}
	observations := make([]*observation, len(all))
	for i, p := range all {
		observations[i] = &observation{elb: b, ecs: b, params: p, shifting: shifting}
		b.wanted(p)
	}
	for _, step := range []func(*observation, context.Context) error{
		(*observation).balancer, (*observation).listeners, (*observation).services, (*observation).routes, (*observation).groups,
	} {
		for _, o := range observations {
			if err := step(o, ctx); err != nil {
				return results(observations), withFaults(err, observations)
			}
		}
	}
	return results(observations), nil
}

func results(all []*observation) []Observation {
	out := make([]Observation, len(all))
	for i, o := range all {
		out[i] = Observation{o.pair, o.faults}
	}
	return out
}

// withFaults adds to a failed call what was found wrong before it.
func withFaults(err error, all []*observation) error {
	var faults []string
	for _, o := range all {
		faults = append(faults, o.faults...)
	}
	if len(faults) == 0 {
		return err
	}
	return fmt.Errorf("%w; besides, %s", err, strings.Join(faults, "; "))
}

// A batch answers the questions of many observations from few calls. It lives
// as long as one ObserveSet.
type batch struct {
	elb ELB
	ecs ECS

	balancers map[string]answer[*elb.DescribeLoadBalancersOutput]
	listeners map[string]answer[*elb.DescribeListenersOutput]
	rules     map[string]answer[*elb.DescribeRulesOutput]

	clusters map[string][]string // services that are asked for, by cluster
	services map[string]answer[*ecs.DescribeServicesOutput]
	groups   []string // of all services that were found
	tags     map[string][]elbtypes.Tag
}

type answer[T any] struct {
	out T
	err error
}

// once remembers the answer to a question.
func once[T any](memory *map[string]answer[T], key string, ask func() (T, error)) (T, error) {
	if known, ok := (*memory)[key]; ok {
		return known.out, known.err
	}
	if *memory == nil {
		*memory = map[string]answer[T]{}
	}
	out, err := ask()
	(*memory)[key] = answer[T]{out, err}
	return out, err
}

func (b *batch) wanted(p Params) {
	if b.clusters == nil {
		b.clusters = map[string][]string{}
	}
	for _, s := range p.Services {
		if !slices.Contains(b.clusters[p.Cluster], s) {
			b.clusters[p.Cluster] = append(b.clusters[p.Cluster], s)
		}
	}
}

// DescribeLoadBalancers implements ELB.
func (b *batch) DescribeLoadBalancers(ctx context.Context, in *elb.DescribeLoadBalancersInput, _ ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error) {
	return once(&b.balancers, strings.Join(slices.Concat(in.Names, in.LoadBalancerArns), " "), func() (*elb.DescribeLoadBalancersOutput, error) {
		return b.elb.DescribeLoadBalancers(ctx, in)
	})
}

// DescribeListeners implements ELB.
func (b *batch) DescribeListeners(ctx context.Context, in *elb.DescribeListenersInput, _ ...func(*elb.Options)) (*elb.DescribeListenersOutput, error) {
	return once(&b.listeners, str(in.LoadBalancerArn)+" "+str(in.Marker), func() (*elb.DescribeListenersOutput, error) {
		return b.elb.DescribeListeners(ctx, in)
	})
}

// DescribeRules implements ELB.
func (b *batch) DescribeRules(ctx context.Context, in *elb.DescribeRulesInput, _ ...func(*elb.Options)) (*elb.DescribeRulesOutput, error) {
	return once(&b.rules, str(in.ListenerArn)+" "+str(in.Marker), func() (*elb.DescribeRulesOutput, error) {
		return b.elb.DescribeRules(ctx, in)
	})
}

// DescribeServices implements ECS: the first question about a cluster is asked
// for all of its services.
func (b *batch) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, _ ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	out, err := once(&b.services, *in.Cluster, func() (*ecs.DescribeServicesOutput, error) { return b.cluster(ctx, *in.Cluster) })
	if err != nil {
		return nil, err
	}
	return &ecs.DescribeServicesOutput{Services: slices.DeleteFunc(slices.Clone(out.Services), func(s ecstypes.Service) bool {
		return !slices.ContainsFunc(in.Services, func(asked string) bool { return names(s, asked) })
	})}, nil
}

func names(s ecstypes.Service, asked string) bool {
	return str(s.ServiceArn) == asked || str(s.ServiceName) == serviceName(asked)
}

// perCall are the most that a call takes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
const (
	servicesPerCall = 10
	tagsPerCall     = 20
)

func (b *batch) cluster(ctx context.Context, name string) (*ecs.DescribeServicesOutput, error) {
	all := &ecs.DescribeServicesOutput{}
	for part := range slices.Chunk(b.clusters[name], servicesPerCall) {
		out, err := b.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &name, Services: part})
		if err != nil {
			return nil, err
		}
		all.Services = append(all.Services, out.Services...)
	}
	for _, s := range all.Services {
		for _, g := range candidates(s) {
			if !slices.Contains(b.groups, g) {
				b.groups = append(b.groups, g)
			}
		}
	}
	return all, nil
}

// DescribeTags implements ELB: the first question is asked for the target groups
// of all services.
func (b *batch) DescribeTags(ctx context.Context, in *elb.DescribeTagsInput, _ ...func(*elb.Options)) (*elb.DescribeTagsOutput, error) {
	if b.tags == nil {
		tags := map[string][]elbtypes.Tag{}
		for part := range slices.Chunk(b.groups, tagsPerCall) {
			out, err := b.elb.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: part})
			if err != nil {
				return nil, err
			}
			for _, d := range out.TagDescriptions {
				tags[str(d.ResourceArn)] = d.Tags
			}
		}
		b.tags = tags
	}
	out := &elb.DescribeTagsOutput{}
	for _, arn := range in.ResourceArns {
		tags, ok := b.tags[arn]
		if !ok {
			return nil, errors.New("describe tags: " + arn + " is not a target group of the set")
		}
		out.TagDescriptions = append(out.TagDescriptions, elbtypes.TagDescription{ResourceArn: &arn, Tags: tags})
	}
	return out, nil
}

// DescribeTargetHealth implements ELB.
func (b *batch) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return b.elb.DescribeTargetHealth(ctx, in)
}

// Share is how much of production's traffic goes to a side, in thousandths. If
// the route forwards to anything but the two sides, or to shares that are no
// whole thousandths, foreign says what it does.
func (p Pair) Share(s Side) (thousandths int, foreign string) {
	shares := p.Production.Weights()
	own, other := shares[s.TargetGroup], shares[p.Other(s).TargetGroup]
	for _, g := range slices.Sorted(maps.Keys(shares)) {
		if g != p.Sides[0].TargetGroup && g != p.Sides[1].TargetGroup {
			return 0, fmt.Sprintf("the production route (%s) also forwards to %s", p.Production, GroupName(g))
		}
	}
	sum := int(own) + int(other)
	if sum == 0 || int(own)*1000%sum != 0 {
		return 0, fmt.Sprintf("the production route (%s) forwards to %s", p.Production, describeWeights(shares))
	}
	return int(own) * 1000 / sum, ""
}
