package deploymentgroup

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"cutover/pkg/customresource"
)

// Properties are the resource's, named as those of AWS::CodeDeploy::DeploymentGroup
// where that has them. Changing ApplicationName or DeploymentGroupName replaces
// the resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-codedeploy-deploymentgroup.html
type Properties struct {
	// ApplicationName and DeploymentGroupName are 1 to 100 characters. Required.
	ApplicationName, DeploymentGroupName string

	// ServiceRoleArn is the role that CodeDeploy works with. Required.
	ServiceRoleArn string

	// AutoScalingGroups names the one group that is copied first. Required.
	AutoScalingGroups []string

	// LoadBalancerInfo names the target groups whose traffic moves, 1 to 10.
	// Required.
	LoadBalancerInfo LoadBalancerInfo

	// DeploymentConfigName. Default: CodeDeployDefault.AllAtOnce.
	DeploymentConfigName string

	// BlueGreenDeploymentConfiguration. Default: traffic moves at once, the
	// original instances are terminated at once.
	BlueGreenDeploymentConfiguration BlueGreenDeploymentConfiguration

	// AutoRollbackConfiguration. Default: a deployment that fails is rolled back.
	AutoRollbackConfiguration *AutoRollbackConfiguration

	// AlarmConfiguration. Default: no alarms.
	AlarmConfiguration *AlarmConfiguration

	// DeleteCopies says whether a delete of the resource also deletes the Auto
	// Scaling groups that CodeDeploy copied, with their instances. Default: true.
	DeleteCopies *bool
}

// LoadBalancerInfo names target groups.
type LoadBalancerInfo struct{ TargetGroupInfoList []Named }

// Named is something by its name.
type Named struct{ Name string }

// BlueGreenDeploymentConfiguration says when traffic moves to the copy and what
// then becomes of the original instances.
type BlueGreenDeploymentConfiguration struct {
	DeploymentReadyOption                     DeploymentReadyOption
	TerminateBlueInstancesOnDeploymentSuccess TerminationOption
}

// DeploymentReadyOption says whether traffic moves at once (CONTINUE_DEPLOYMENT,
// the default) or has to be let go within a time in minutes (STOP_DEPLOYMENT).
type DeploymentReadyOption struct {
	ActionOnTimeout   string
	WaitTimeInMinutes int32
}

// TerminationOption says whether the original instances are terminated
// (TERMINATE, the default), after so many minutes, or left running (KEEP_ALIVE).
type TerminationOption struct {
	Action                       string
	TerminationWaitTimeInMinutes int32
}

// AutoRollbackConfiguration says which events roll a deployment back.
type AutoRollbackConfiguration struct {
	Enabled bool
	Events  []string
}

// AlarmConfiguration names alarms, at most 10, that stop a deployment.
type AlarmConfiguration struct {
	Enabled                bool
	IgnorePollAlarmFailure bool
	Alarms                 []Named
}

const longestWait = 2880 // minutes that CodeDeploy waits for anything

var (
	// name leaves out the slash, which parts the two names of a physical id.
	name    = regexp.MustCompile(`^[A-Za-z0-9._+=,@-]{1,100}$`)
	roleARN = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+$`)
	events  = []string{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}
)

// read decodes properties, fills in defaults and joins every fault.
func read(properties json.RawMessage) (Properties, error) {
	var p Properties
	if err := customresource.Decode(properties, &p); err != nil {
		// What could not be read must not be reported as missing, too.
		return Properties{}, fmt.Errorf("read properties: %w", err)
	}
	p = p.withDefaults()
	if err := p.validate(); err != nil {
		return Properties{}, fmt.Errorf("read properties: %w", err)
	}
	return p, nil
}

func (p Properties) withDefaults() Properties {
	set := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	set(&p.DeploymentConfigName, "CodeDeployDefault.AllAtOnce")
	set(&p.BlueGreenDeploymentConfiguration.DeploymentReadyOption.ActionOnTimeout, "CONTINUE_DEPLOYMENT")
	set(&p.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.Action, "TERMINATE")
	if p.AutoRollbackConfiguration == nil {
		p.AutoRollbackConfiguration = &AutoRollbackConfiguration{Enabled: true, Events: events[:1:1]}
	}
	if p.AlarmConfiguration == nil {
		p.AlarmConfiguration = &AlarmConfiguration{}
	}
	return p
}

func (p Properties) validate() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for _, n := range []struct{ property, value string }{
		{"ApplicationName", p.ApplicationName}, {"DeploymentGroupName", p.DeploymentGroupName},
	} {
		fault(!name.MatchString(n.value), "%s is %q, not 1 to 100 letters, digits and . _ + = , @ -", n.property, n.value)
	}
	fault(!roleARN.MatchString(p.ServiceRoleArn), "ServiceRoleArn is %q, not the ARN of a role", p.ServiceRoleArn)
	fault(len(p.AutoScalingGroups) != 1 || p.AutoScalingGroups[0] == "", "AutoScalingGroups must name exactly one group: CodeDeploy copies one")
	groups := p.LoadBalancerInfo.TargetGroupInfoList
	fault(len(groups) == 0 || len(groups) > 10 || slices.Contains(groups, Named{}), "LoadBalancerInfo.TargetGroupInfoList must name 1 to 10 target groups")

	ready, end := p.BlueGreenDeploymentConfiguration.DeploymentReadyOption, p.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess
	const at = "BlueGreenDeploymentConfiguration."
	fault(ready.ActionOnTimeout != "CONTINUE_DEPLOYMENT" && ready.ActionOnTimeout != "STOP_DEPLOYMENT",
		at+"DeploymentReadyOption.ActionOnTimeout is %q, neither CONTINUE_DEPLOYMENT nor STOP_DEPLOYMENT", ready.ActionOnTimeout)
	fault(ready.ActionOnTimeout == "CONTINUE_DEPLOYMENT" && ready.WaitTimeInMinutes != 0,
		at+"DeploymentReadyOption.WaitTimeInMinutes is %d: only STOP_DEPLOYMENT waits", ready.WaitTimeInMinutes)
	fault(ready.WaitTimeInMinutes < 0 || ready.WaitTimeInMinutes > longestWait,
		at+"DeploymentReadyOption.WaitTimeInMinutes is %d, not 0 to %d", ready.WaitTimeInMinutes, longestWait)
	fault(end.Action != "TERMINATE" && end.Action != "KEEP_ALIVE",
		at+"TerminateBlueInstancesOnDeploymentSuccess.Action is %q, neither TERMINATE nor KEEP_ALIVE", end.Action)
	fault(end.TerminationWaitTimeInMinutes < 0 || end.TerminationWaitTimeInMinutes > longestWait,
		at+"TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes is %d, not 0 to %d", end.TerminationWaitTimeInMinutes, longestWait)

	fault(p.AutoRollbackConfiguration.Enabled && len(p.AutoRollbackConfiguration.Events) == 0, "AutoRollbackConfiguration.Events must name an event when Enabled is true")
	for _, e := range p.AutoRollbackConfiguration.Events {
		fault(!slices.Contains(events, e), "AutoRollbackConfiguration.Events has %q, which is none of %v", e, events)
	}
	alarms := p.AlarmConfiguration.Alarms
	fault(p.AlarmConfiguration.Enabled && len(alarms) == 0, "AlarmConfiguration.Alarms must name an alarm when Enabled is true")
	fault(len(alarms) > 10 || slices.Contains(alarms, Named{}), "AlarmConfiguration.Alarms must name at most 10 alarms")
	return errors.Join(faults...)
}

func (p Properties) deleteCopies() bool { return p.DeleteCopies == nil || *p.DeleteCopies }
