package ecs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"
)

// Whatever is asked of a service and whatever happens to its tasks, it ends with
// the desired count of healthy tasks of the last task definition asked for, and
// with nothing else.
func TestService_AlwaysConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := newPlace(t)
		definitions := []string{p.register(t, "good:1"), p.register(t, "good:2"), p.register(t, "good:3")}
		broken := []string{p.register(t, "sick:1"), p.register(t, "crash"), p.register(t, "missing")}
		in := input(definitions[0], int32(rapid.IntRange(0, 4).Draw(rt, "desired")))
		in.DeploymentConfiguration = &types.DeploymentConfiguration{
			MinimumHealthyPercent: aws.Int32(rapid.SampledFrom([]int32{0, 50, 100}).Draw(rt, "minimum")),
			MaximumPercent:        aws.Int32(rapid.SampledFrom([]int32{150, 200}).Draw(rt, "maximum")),
		}
		p.create(t, in)
		wanted, desired := definitions[0], int(*in.DesiredCount)
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				desired = rapid.IntRange(0, 4).Draw(rt, "desired")
				p.update(t, &sdk.UpdateServiceInput{DesiredCount: aws.Int32(int32(desired))})
			case 1:
				wanted = rapid.SampledFrom(slices.Concat(definitions, broken)).Draw(rt, "definition")
				p.update(t, &sdk.UpdateServiceInput{TaskDefinition: aws.String(wanted)})
			case 2:
				p.crashOne(rt)
			case 3:
				p.clock.Advance(time.Duration(rapid.IntRange(1, 200).Draw(rt, "seconds")) * time.Second)
			}
		}
		if slices.Contains(broken, wanted) {
			wanted = definitions[2]
			p.update(t, &sdk.UpdateServiceInput{TaskDefinition: aws.String(wanted)})
		}
		// A deployment can't go on where rounding leaves it no room, as in ECS.
		if *in.DeploymentConfiguration.MinimumHealthyPercent > 0 && desired == 1 {
			desired = 2
			p.update(t, &sdk.UpdateServiceInput{DesiredCount: aws.Int32(2)})
		}
		p.clock.Advance(time.Hour)
		v := p.describe(t)
		if !steady(v) || *v.TaskDefinition != wanted || int(v.RunningCount) != desired || len(p.programs.running) != desired {
			rt.Fatalf("got %d programs and %s\nwant %d tasks of %s", len(p.programs.running), summary(v), desired, wanted)
		}
		for key, e := range p.balancer.targets {
			if e.state != "healthy" {
				rt.Errorf("target %s: got %s, want healthy", key, e.state)
			}
		}
		if len(p.balancer.targets) != desired {
			rt.Errorf("targets: got %d, want %d", len(p.balancer.targets), desired)
		}
	})
}

// crashOne ends the program of one port, if there is any.
func (p *place) crashOne(rt *rapid.T) {
	var ports []int
	for port := range p.programs.running {
		ports = append(ports, port)
	}
	if len(ports) == 0 {
		return
	}
	slices.Sort(ports)
	p.programs.running[rapid.SampledFrom(ports).Draw(rt, "port")].end(137)
}
