package acceptance

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/endpoint"
)

const (
	fleetStack = "webapp-fleet"
	fleetFile  = "infra/web-fleet.yaml"
)

// A stackStep is something that is done with the stack of the fleet, and has the
// custom resource's function called.
type stackStep struct {
	name string
	// made is a world in which it can be done.
	made func(t testing.TB) *world
	// do does it; the error is the stack's.
	do func(w *world) error
	// again brings the stack to where it can be done once more after a failure.
	again func(w *world)
	// gone says that nothing is to be left, instead of one deployment group.
	gone bool
}

var stackSteps = []stackStep{
	{
		name: "create",
		made: func(t testing.TB) *world {
			p := goldenProduct
			p.stacks = p.stacks[:2]
			return newWorld(t, options{product: &p})
		},
		do:    func(w *world) error { return w.deployStack(options{}, fleetStack, fleetFile, nil) },
		again: func(w *world) { must(w.deleteStack(fleetStack)) },
	},
	{
		name: "update", made: unreleased,
		do: func(w *world) error {
			return w.deployStack(options{}, fleetStack, fleetFile, map[string]string{"TerminationWaitMinutes": "7"})
		},
		again: func(*world) {},
	},
	{
		name: "delete", gone: true,
		made: func(t testing.TB) *world {
			w := goldenReleased(t, options{}) // the group is a copy of CodeDeploy's, and in no stack
			w.watcher.disarm()
			must(w.deleteStack("webapp-pipeline"))
			return w
		},
		do:    func(w *world) error { return w.deleteStack(fleetStack) },
		again: func(*world) {},
	},
}

// unreleased is a world with a fleet and no pipeline.
func unreleased(t testing.TB) *world {
	p := goldenProduct
	p.stacks = slices.DeleteFunc(slices.Clone(p.stacks), func(s stack) bool {
		return !slices.Contains([]string{"hello-network", "hello-functions", fleetStack}, s.name)
	})
	return newWorld(t, options{product: &p})
}

// TestCrashMatrix_DeploymentGroup meets each call that the custom resource's
// function makes with each fault. The stack always comes to an end, by itself or
// once what failed is asked for again, with one deployment group as the template
// has it, or with nothing left.
func TestCrashMatrix_DeploymentGroup(t *testing.T) {
	t.Parallel()
	for _, step := range stackSteps {
		t.Run(step.name, func(t *testing.T) {
			t.Parallel()
			w := step.made(t)
			calls := len(w.functionCalls())
			if err := step.do(w); err != nil {
				t.Fatalf("clean: %v", err)
			}
			want := w.deploymentGroup()
			if (want == "") != step.gone {
				t.Fatalf("deployment group: got %q", want)
			}
			all := points(slices.DeleteFunc(w.functionCalls()[calls:], func(c endpoint.Call) bool { return functionOf(c) != "DeploymentGroup" }))
			for i, p := range sparse(all) {
				for n, f := range faults {
					if !f.worthwhile(p) || !whole && n != i%len(faults) {
						continue
					}
					t.Run(fmt.Sprintf("%s, %s", p, f.name), func(t *testing.T) {
						t.Parallel()
						step.crash(t, p, f, want)
					})
				}
			}
		})
	}
}

// crash takes the step with one fault.
func (s stackStep) crash(t *testing.T, p point, f fault, want string) {
	w := s.made(t)
	// It lasts as long as one delivery tries. One that lasted through the rollback
	// of an update too would leave the stack to ContinueUpdateRollback, as in AWS.
	times := min(f.times, 3)
	w.cloud.Faults.Add(endpoint.Fault{Service: p.service, Operation: p.operation, Role: w.resourceRole(), Nth: p.nth, Times: times, Kind: f.kind})
	hit := w.after(f.kind, func() {})
	err := s.do(w)
	w.cloud.Faults.Clear()
	if !hit() && binaries == "" {
		t.Errorf("the fault met no call")
	}
	if err != nil {
		s.again(w)
		if again := s.do(w); again != nil {
			t.Fatalf("once more: %v, after %v", again, err)
		}
	}
	if diff := cmp.Diff(want, w.deploymentGroup()); diff != "" {
		t.Errorf("deployment group (-want +got):\n%s", diff)
	}
	if s.gone {
		w.clock.Advance(time.Hour)
		if left := w.copies(); len(left) > 0 {
			t.Errorf("groups: got %v left, want none", left)
		}
		for _, i := range w.cloud.EC2.Instances() {
			if i.State != "terminated" {
				t.Errorf("instance %s is %s, want all terminated", i.ID, i.State)
			}
		}
	}
}

// deploymentGroup is all of it that does not differ from world to world; "" when
// there is none.
func (w *world) deploymentGroup() string {
	got, err := codedeploy.NewFromConfig(w.config()).GetDeploymentGroup(context.Background(), &codedeploy.GetDeploymentGroupInput{
		ApplicationName: aws.String(webapp), DeploymentGroupName: aws.String(webapp),
	})
	if err != nil {
		return ""
	}
	g := got.DeploymentGroupInfo
	g.DeploymentGroupId, g.ServiceRoleArn = nil, nil
	for i := range g.AutoScalingGroups {
		g.AutoScalingGroups[i].Hook = nil
	}
	return asJSON(g)
}

// copies are the Auto Scaling groups that there are.
func (w *world) copies() (names []string) {
	found, err := autoscaling.NewFromConfig(w.config()).DescribeAutoScalingGroups(context.Background(), &autoscaling.DescribeAutoScalingGroupsInput{})
	must(err)
	for _, g := range found.AutoScalingGroups {
		names = append(names, *g.AutoScalingGroupName)
	}
	return names
}

// resourceRole is the name of the role of the custom resource's function.
func (w *world) resourceRole() string {
	client := cloudformation.NewFromConfig(w.config())
	got, err := client.DescribeStackResource(context.Background(), &cloudformation.DescribeStackResourceInput{
		StackName: aws.String("hello-functions"), LogicalResourceId: aws.String("DeploymentGroupRole"),
	})
	must(err)
	return *got.StackResourceDetail.PhysicalResourceId
}

// deleteStack deletes a stack and waits until it is gone.
func (w *world) deleteStack(name string) error {
	ctx, client := context.Background(), cloudformation.NewFromConfig(w.config())
	found, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return err
	}
	id := found.Stacks[0].StackId // by which it is found when it is gone
	if _, err := client.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
		return err
	}
	status := ""
	w.clock.AdvanceUntil(3*time.Hour, func() bool {
		found, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: id})
		must(err)
		status = string(found.Stacks[0].StackStatus)
		return !strings.HasSuffix(status, "_IN_PROGRESS")
	})
	if status != "DELETE_COMPLETE" {
		return fmt.Errorf("delete stack %s: it is %s", name, strconv.Quote(status))
	}
	return nil
}
