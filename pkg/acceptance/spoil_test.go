package acceptance

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// What is here spoils a world by its services' APIs, as people do by hand.

const userParameters = "UserParameters"

// An edit changes an action in the pipeline's declaration.
type edit func(*world, *types.ActionDeclaration)

// parameters replaces an action's UserParameters; none leaves them out.
func parameters(text string) edit {
	return func(_ *world, a *types.ActionDeclaration) {
		if a.Configuration[userParameters] = text; text == "" {
			delete(a.Configuration, userParameters)
		}
	}
}

// key sets a key of the UserParameters to a value in JSON, before all others.
func key(name, value string) edit {
	return func(_ *world, a *types.ActionDeclaration) {
		a.Configuration[userParameters] = `{"` + name + `":` + value + `,` + a.Configuration[userParameters][1:]
	}
}

// changed replaces text that the UserParameters have once.
func changed(old, new string) edit {
	return func(_ *world, a *types.ActionDeclaration) {
		a.Configuration[userParameters] = replaceOnce(a.Configuration[userParameters], old, new)
	}
}

// renamed gives a key another name.
func renamed(old, new string) edit {
	return changed(`"`+old+`":`, `"`+new+`":`)
}

// all makes several changes.
func all(edits ...edit) edit {
	return func(w *world, a *types.ActionDeclaration) {
		for _, edit := range edits {
			edit(w, a)
		}
	}
}

func (w *world) listeners() []elbtypes.Listener {
	ctx := context.Background()
	balancers, err := w.balancers.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{app}})
	must(err)
	out, err := w.balancers.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: balancers.LoadBalancers[0].LoadBalancerArn})
	must(err)
	return out.Listeners
}

// rule is the pair's on a listener's port.
func (w *world) rule(port int32) elbtypes.Rule {
	for _, l := range w.listeners() {
		if *l.Port != port {
			continue
		}
		rules, err := w.balancers.DescribeRules(context.Background(), &elb.DescribeRulesInput{ListenerArn: l.ListenerArn})
		must(err)
		for _, r := range rules.Rules {
			if *r.Priority == "100" {
				return r
			}
		}
	}
	panic("no such rule")
}

// weigh sets the weights of the rule on a listener's port, by target group name.
func (w *world) weigh(port int32, weights map[string]int32) {
	forward := &elbtypes.ForwardActionConfig{}
	for name, weight := range weights {
		forward.TargetGroups = append(forward.TargetGroups, elbtypes.TargetGroupTuple{TargetGroupArn: aws.String(w.group(name)), Weight: &weight})
	}
	_, err := w.balancers.ModifyRule(context.Background(), &elb.ModifyRuleInput{
		RuleArn: w.rule(port).RuleArn, Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, ForwardConfig: forward}},
	})
	must(err)
}

// group is a target group's ARN.
func (w *world) group(name string) string {
	out, err := w.balancers.DescribeTargetGroups(context.Background(), &elb.DescribeTargetGroupsInput{Names: []string{name}})
	must(err)
	return *out.TargetGroups[0].TargetGroupArn
}

const other = app + "-other"

// otherGroup makes a third target group, behind a listener of its own.
func (w *world) otherGroup() {
	ctx := context.Background()
	like, err := w.balancers.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{idle}})
	must(err)
	g := like.TargetGroups[0]
	made, err := w.balancers.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: aws.String(other), VpcId: g.VpcId, TargetType: g.TargetType, Protocol: g.Protocol, Port: g.Port,
	})
	must(err)
	_, err = w.balancers.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: &g.LoadBalancerArns[0], Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(9000),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: made.TargetGroups[0].TargetGroupArn}},
	})
	must(err)
}

// claim tags a target group with an execution, as a later DeployGreen would.
func (w *world) claim(group, execution string) {
	_, err := w.balancers.AddTags(context.Background(), &elb.AddTagsInput{
		ResourceArns: []string{w.group(group)}, Tags: []elbtypes.Tag{{Key: aws.String("cutover:execution"), Value: &execution}},
	})
	must(err)
}

// service is an ECS service, or nothing if there is none.
func (w *world) service(name string) ecstypes.Service {
	out, err := w.services.DescribeServices(context.Background(), &ecs.DescribeServicesInput{Cluster: aws.String(app), Services: []string{name}})
	must(err)
	if len(out.Services) == 0 {
		return ecstypes.Service{}
	}
	return out.Services[0]
}

func (w *world) updateService(in ecs.UpdateServiceInput) {
	in.Cluster = aws.String(app)
	_, err := w.services.UpdateService(context.Background(), &in)
	must(err)
	w.clock.Advance(5 * time.Minute)
}

// onGroup puts a service on a target group.
func onGroup(service, group string) func(*world) {
	return func(w *world) {
		if group == other {
			w.otherGroup()
		}
		balancers := w.service(service).LoadBalancers
		balancers[0].TargetGroupArn = aws.String(w.group(group))
		w.updateService(ecs.UpdateServiceInput{Service: &service, LoadBalancers: balancers})
	}
}

// controlled replaces the idle service by one of another deployment controller.
func controlled(controller ecstypes.DeploymentControllerType) func(*world) {
	return func(w *world) {
		ctx := context.Background()
		s := w.service(idle)
		_, err := w.services.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String(app), Service: aws.String(idle), Force: aws.Bool(true)})
		must(err)
		w.clock.Advance(5 * time.Minute)
		in := &ecs.CreateServiceInput{
			Cluster: aws.String(app), ServiceName: aws.String(idle), LaunchType: s.LaunchType,
			DeploymentController: &ecstypes.DeploymentController{Type: controller},
			DesiredCount:         aws.Int32(2), TaskDefinition: s.TaskDefinition, LoadBalancers: s.LoadBalancers, NetworkConfiguration: s.NetworkConfiguration,
		}
		if controller == ecstypes.DeploymentControllerTypeExternal { // all of it is its task sets'
			in.TaskDefinition, in.LoadBalancers, in.NetworkConfiguration, in.LaunchType = nil, nil, nil, ""
		}
		_, err = w.services.CreateService(ctx, in)
		must(err)
		w.clock.Advance(5 * time.Minute)
	}
}

// stopTasks stops a service's tasks; ECS starts others.
func (w *world) stopTasks(service string) {
	ctx := context.Background()
	tasks, err := w.services.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String(app), ServiceName: &service})
	must(err)
	for _, arn := range tasks.TaskArns {
		_, err := w.services.StopTask(ctx, &ecs.StopTaskInput{Cluster: aws.String(app), Task: &arn})
		must(err)
	}
}

// failChecks has a target group's health checks want an answer that no task gives.
func (w *world) failChecks(group string) {
	w.clock.Advance(time.Minute) // past the grace period
	_, err := w.balancers.ModifyTargetGroup(context.Background(), &elb.ModifyTargetGroupInput{
		TargetGroupArn: aws.String(w.group(group)), Matcher: &elbtypes.Matcher{HttpCode: aws.String("204")},
	})
	must(err)
	if !w.clock.AdvanceUntil(2*time.Minute, func() bool { return w.look().healthy[group] == 0 }) {
		w.t.Fatal("the target group stays healthy")
	}
}

func (w *world) deleteListener(port int32) {
	for _, l := range w.listeners() {
		if *l.Port == port {
			_, err := w.balancers.DeleteListener(context.Background(), &elb.DeleteListenerInput{ListenerArn: l.ListenerArn})
			must(err)
		}
	}
}

func (w *world) deleteRule(port int32) {
	_, err := w.balancers.DeleteRule(context.Background(), &elb.DeleteRuleInput{RuleArn: w.rule(port).RuleArn})
	must(err)
}

// unknownRule sets a key to the ARN of a rule that a listener does not have.
func unknownRule(name string, port int32) edit {
	return func(w *world, a *types.ActionDeclaration) {
		arn := *w.rule(port).RuleArn
		key(name, `"`+arn[:strings.LastIndexByte(arn, '/')+1]+`0123456789abcdef"`)(w, a)
	}
}

// stopExecution presses Stop and abandon in the console.
func (w *world) stopExecution(id string) {
	_, err := w.pipelines.StopPipelineExecution(context.Background(), &codepipeline.StopPipelineExecutionInput{
		PipelineName: &w.product.name, PipelineExecutionId: &id, Abandon: true, Reason: aws.String("not this one"),
	})
	must(err)
}
