package deploygreen

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"cutover/pkg/bluegreen"
)

// sparing lets a set be observed without a call for the health of each target
// group, of which AWS answers ten a second. Only while a set's deployments are
// followed, and once ECS says that all of them are complete, are the greens asked
// for: what is seen then, is seen of all at once.
type sparing struct {
	ELB
	ECS
	execution string
	follow    bool

	services map[string]types.Service // by target group
	claimed  []string                 // target groups that carry the execution
	asked    map[string]bool          // target groups whose health was read
}

// DescribeServices implements bluegreen.ECS.
func (s *sparing) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, options ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	out, err := s.ECS.DescribeServices(ctx, in, options...)
	if err != nil {
		return nil, err
	}
	if s.services == nil {
		s.services = map[string]types.Service{}
	}
	for _, service := range out.Services {
		for _, b := range service.LoadBalancers {
			s.services[str(b.TargetGroupArn)] = service
		}
	}
	return out, nil
}

// DescribeTags implements bluegreen.ELB.
func (s *sparing) DescribeTags(ctx context.Context, in *elb.DescribeTagsInput, options ...func(*elb.Options)) (*elb.DescribeTagsOutput, error) {
	out, err := s.ELB.DescribeTags(ctx, in, options...)
	if err != nil {
		return nil, err
	}
	for _, d := range out.TagDescriptions {
		for _, t := range d.Tags {
			if str(t.Key) == bluegreen.TagExecution && str(t.Value) == s.execution {
				s.claimed = append(s.claimed, str(d.ResourceArn))
			}
		}
	}
	return out, nil
}

// DescribeTargetHealth implements bluegreen.ELB: where the health is not asked
// for, there are no targets to see.
func (s *sparing) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, options ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	if s.asked == nil {
		s.asked = map[string]bool{}
		for _, group := range s.claimed {
			s.asked[group] = s.follow && s.complete()
		}
	}
	if !s.asked[str(in.TargetGroupArn)] {
		return &elb.DescribeTargetHealthOutput{}, nil
	}
	return s.ELB.DescribeTargetHealth(ctx, in, options...)
}

// complete tells whether ECS has finished with all greens.
func (s *sparing) complete() bool {
	for _, group := range s.claimed {
		side := bluegreen.Side{Service: s.services[group]}
		if len(side.Incomplete()) > 0 || side.Service.RunningCount != side.Service.DesiredCount {
			return false
		}
	}
	return true
}
