package codedeploy

import (
	"slices"
	"strings"

	"cutover/pkg/localaws/wire"
)

// Settings are what a deployment group's creator chooses besides its names and
// its Auto Scaling groups. In an update, what is left out stays as it is.
type Settings struct {
	ServiceRoleArn                   string
	DeploymentConfigName             string
	DeploymentStyle                  *DeploymentStyle
	BlueGreenDeploymentConfiguration *BlueGreenDeploymentConfiguration
	LoadBalancerInfo                 *LoadBalancerInfo
	AlarmConfiguration               *AlarmConfiguration
	AutoRollbackConfiguration        *AutoRollbackConfiguration
	TriggerConfigurations            []TriggerConfig
	OutdatedInstancesStrategy        string // UPDATE or IGNORE
}

// DeploymentStyle is how a group is deployed to.
type DeploymentStyle struct {
	DeploymentType   string // IN_PLACE or BLUE_GREEN
	DeploymentOption string // WITH_TRAFFIC_CONTROL or WITHOUT_TRAFFIC_CONTROL
}

// BlueGreenDeploymentConfiguration says where a blue/green deployment's new
// instances come from, and what becomes of the original ones.
type BlueGreenDeploymentConfiguration struct {
	TerminateBlueInstancesOnDeploymentSuccess *BlueInstanceTerminationOption
	DeploymentReadyOption                     *DeploymentReadyOption
	GreenFleetProvisioningOption              *GreenFleetProvisioningOption
}

// BlueInstanceTerminationOption says what becomes of the original instances.
type BlueInstanceTerminationOption struct {
	Action                       string // TERMINATE or KEEP_ALIVE
	TerminationWaitTimeInMinutes int
}

// DeploymentReadyOption says what happens before traffic is rerouted.
type DeploymentReadyOption struct {
	ActionOnTimeout   string // CONTINUE_DEPLOYMENT or STOP_DEPLOYMENT
	WaitTimeInMinutes int    // for STOP_DEPLOYMENT only
}

// GreenFleetProvisioningOption says where new instances come from.
type GreenFleetProvisioningOption struct{ Action string }

// LoadBalancerInfo names the target groups that instances serve.
type LoadBalancerInfo struct{ TargetGroupInfoList []TargetGroupInfo }

// TargetGroupInfo names a target group.
type TargetGroupInfo struct{ Name string }

// AlarmConfiguration names alarms that stop a deployment.
type AlarmConfiguration struct {
	Enabled                bool
	IgnorePollAlarmFailure bool
	Alarms                 []Alarm
}

// Alarm names an alarm of CloudWatch.
type Alarm struct{ Name string }

// AutoRollbackConfiguration says when a deployment is rolled back.
type AutoRollbackConfiguration struct {
	Enabled bool
	Events  []string
}

// The events that a deployment may be rolled back on.
const (
	onFailure = "DEPLOYMENT_FAILURE"
	onAlarm   = "DEPLOYMENT_STOP_ON_ALARM"
	onRequest = "DEPLOYMENT_STOP_ON_REQUEST"
)

// TriggerConfig has a topic told of events.
type TriggerConfig struct {
	TriggerName      string
	TriggerTargetArn string
	TriggerEvents    []string
}

func (a *AlarmConfiguration) names() []string {
	if a == nil || !a.Enabled {
		return nil
	}
	var names []string
	for _, alarm := range a.Alarms {
		names = append(names, alarm.Name)
	}
	return names
}

func (a *AutoRollbackConfiguration) on(event string) bool {
	return a != nil && a.Enabled && slices.Contains(a.Events, event)
}

func (s Settings) blueGreen() bool { return s.DeploymentStyle.DeploymentType == "BLUE_GREEN" }

func (s Settings) traffic() bool { return s.DeploymentStyle.DeploymentOption == "WITH_TRAFFIC_CONTROL" }

// merge returns s with what other gives.
func (s Settings) merge(other Settings) Settings {
	for _, text := range []struct{ to, from *string }{
		{&s.ServiceRoleArn, &other.ServiceRoleArn}, {&s.DeploymentConfigName, &other.DeploymentConfigName},
		{&s.OutdatedInstancesStrategy, &other.OutdatedInstancesStrategy},
	} {
		if *text.from != "" {
			*text.to = *text.from
		}
	}
	replace(&s.DeploymentStyle, other.DeploymentStyle)
	replace(&s.BlueGreenDeploymentConfiguration, other.BlueGreenDeploymentConfiguration)
	replace(&s.LoadBalancerInfo, other.LoadBalancerInfo)
	replace(&s.AlarmConfiguration, other.AlarmConfiguration)
	replace(&s.AutoRollbackConfiguration, other.AutoRollbackConfiguration)
	if other.TriggerConfigurations != nil {
		s.TriggerConfigurations = other.TriggerConfigurations
	}
	return s
}

func replace[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// complete gives what is left out its default, as AWS answers it.
func (s Settings) complete() Settings {
	if s.DeploymentConfigName == "" {
		s.DeploymentConfigName = oneAtATime
	}
	if s.OutdatedInstancesStrategy == "" {
		s.OutdatedInstancesStrategy = "UPDATE"
	}
	style := DeploymentStyle{"IN_PLACE", "WITHOUT_TRAFFIC_CONTROL"}
	if given := s.DeploymentStyle; given != nil {
		style = DeploymentStyle{def(given.DeploymentType, "IN_PLACE"), def(given.DeploymentOption, "WITHOUT_TRAFFIC_CONTROL")}
	}
	s.DeploymentStyle = &style
	if b := s.BlueGreenDeploymentConfiguration; b != nil {
		full := *b
		if full.TerminateBlueInstancesOnDeploymentSuccess == nil {
			full.TerminateBlueInstancesOnDeploymentSuccess = &BlueInstanceTerminationOption{Action: "TERMINATE"}
		}
		if full.DeploymentReadyOption == nil {
			full.DeploymentReadyOption = &DeploymentReadyOption{ActionOnTimeout: "CONTINUE_DEPLOYMENT"}
		}
		s.BlueGreenDeploymentConfiguration = &full
	}
	return s
}

func def(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// check finds what AWS would refuse of completed settings.
func (s Settings) check(groups []string) error {
	if _, err := configNamed(s.DeploymentConfigName); err != nil {
		return err
	}
	switch {
	case s.ServiceRoleArn == "":
		return wire.Errorf("RoleRequiredException", "Service role is required")
	case !strings.HasPrefix(s.ServiceRoleArn, "arn:aws:iam::") || !strings.Contains(s.ServiceRoleArn, ":role/"):
		return wire.Errorf("InvalidRoleException", "The service role ARN %s is not the ARN of a role", s.ServiceRoleArn)
	case s.OutdatedInstancesStrategy != "UPDATE" && s.OutdatedInstancesStrategy != "IGNORE":
		return wire.Errorf("InvalidInputException", "The outdated instances strategy is %q, neither UPDATE nor IGNORE", s.OutdatedInstancesStrategy)
	case slices.Contains(groups, ""):
		return wire.Errorf("InvalidAutoScalingGroupException", "The name of an Auto Scaling group is empty")
	case len(groups) > 10:
		return wire.Errorf("InvalidAutoScalingGroupException", "A deployment group can have at most 10 Auto Scaling groups")
	}
	for _, check := range []func() error{s.checkStyle, func() error { return s.checkBlueGreen(groups) }, s.checkAlarms, s.checkRollback, s.checkTriggers} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s Settings) checkStyle() error {
	style := *s.DeploymentStyle
	if !slices.Contains([]string{"IN_PLACE", "BLUE_GREEN"}, style.DeploymentType) ||
		!slices.Contains([]string{"WITH_TRAFFIC_CONTROL", "WITHOUT_TRAFFIC_CONTROL"}, style.DeploymentOption) {
		return wire.Errorf("InvalidDeploymentStyleException", "The deployment style %s, %s is invalid", style.DeploymentType, style.DeploymentOption)
	}
	var named []TargetGroupInfo
	if s.LoadBalancerInfo != nil {
		named = s.LoadBalancerInfo.TargetGroupInfoList
	}
	switch {
	case s.traffic() && len(named) == 0:
		return wire.Errorf("InvalidLoadBalancerInfoException", "For deployments with traffic control, load balancer information must name a target group")
	case len(named) > 10 || slices.Contains(named, TargetGroupInfo{}):
		return wire.Errorf("InvalidLoadBalancerInfoException", "Load balancer information must name at most 10 target groups, each by its name")
	}
	return nil
}

// checkBlueGreen checks the blue/green configuration.
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_BlueGreenDeploymentConfiguration.html
func (s Settings) checkBlueGreen(groups []string) error {
	refuse := func(format string, args ...any) error {
		return wire.Errorf("InvalidBlueGreenDeploymentConfigurationException", format, args...)
	}
	b := s.BlueGreenDeploymentConfiguration
	if b == nil {
		if s.blueGreen() {
			return refuse("For BLUE_GREEN deployment type, blue green deployment configuration must be specified")
		}
		return nil
	}
	if !s.blueGreen() {
		return refuse("BlueGreenDeploymentConfiguration is not allowed for the deployment type IN_PLACE")
	}
	ready, end, fleet := b.DeploymentReadyOption, b.TerminateBlueInstancesOnDeploymentSuccess, b.GreenFleetProvisioningOption
	switch {
	case fleet == nil:
		return refuse("The green fleet provisioning option must be specified")
	case fleet.Action == "DISCOVER_EXISTING":
		return refuse("The green fleet provisioning option DISCOVER_EXISTING is not served by the embedded AWS, only COPY_AUTO_SCALING_GROUP is")
	case fleet.Action != "COPY_AUTO_SCALING_GROUP":
		return refuse("The green fleet provisioning option %q is invalid", fleet.Action)
	case len(groups) != 1:
		return refuse("Exactly one AutoScaling group must be specified for selected green fleet provisioning option COPY_AUTO_SCALING_GROUP")
	case !slices.Contains([]string{"CONTINUE_DEPLOYMENT", "STOP_DEPLOYMENT"}, ready.ActionOnTimeout):
		return refuse("The deployment ready option's action on timeout is %q, neither CONTINUE_DEPLOYMENT nor STOP_DEPLOYMENT", ready.ActionOnTimeout)
	case ready.WaitTimeInMinutes < 0 || ready.ActionOnTimeout == "CONTINUE_DEPLOYMENT" && ready.WaitTimeInMinutes != 0:
		return refuse("The deployment ready option's wait time is %d minutes, which its action %s does not allow", ready.WaitTimeInMinutes, ready.ActionOnTimeout)
	case !slices.Contains([]string{"TERMINATE", "KEEP_ALIVE"}, end.Action):
		return refuse("The action on the original instances is %q, neither TERMINATE nor KEEP_ALIVE", end.Action)
	case end.TerminationWaitTimeInMinutes < 0 || end.TerminationWaitTimeInMinutes > 2880:
		return refuse("The termination wait time is %d minutes, not within 0 to 2880", end.TerminationWaitTimeInMinutes)
	}
	return nil
}

func (s Settings) checkAlarms() error {
	a := s.AlarmConfiguration
	switch {
	case a == nil:
		return nil
	case a.Enabled && len(a.Alarms) == 0:
		return wire.Errorf("InvalidAlarmConfigException", "Alarms cannot be enabled without naming one")
	case slices.Contains(a.Alarms, Alarm{}):
		return wire.Errorf("InvalidAlarmConfigException", "The name of an alarm is empty")
	case len(a.Alarms) > 10:
		return wire.Errorf("AlarmsLimitExceededException", "A deployment group can have at most 10 alarms")
	}
	return nil
}

func (s Settings) checkRollback() error {
	a := s.AutoRollbackConfiguration
	if a == nil {
		return nil
	}
	if a.Enabled && len(a.Events) == 0 {
		return wire.Errorf("InvalidAutoRollbackConfigException", "Automatic rollback cannot be enabled without an event")
	}
	for _, event := range a.Events {
		if !slices.Contains([]string{onFailure, onAlarm, onRequest}, event) {
			return wire.Errorf("InvalidAutoRollbackConfigException", "The event %q of automatic rollback is invalid", event)
		}
	}
	return nil
}

func (s Settings) checkTriggers() error {
	for _, t := range s.TriggerConfigurations {
		if t.TriggerName == "" || !strings.HasPrefix(t.TriggerTargetArn, "arn:aws:sns:") || len(t.TriggerEvents) == 0 {
			return wire.Errorf("InvalidTriggerConfigException", "The trigger %q must have a name, the ARN of a topic, and events", t.TriggerName)
		}
		for _, event := range t.TriggerEvents {
			if !slices.Contains(triggerEvents(), event) {
				return wire.Errorf("InvalidTriggerConfigException", "The event %q of the trigger %s is invalid", event, t.TriggerName)
			}
		}
	}
	if len(s.TriggerConfigurations) > 10 {
		return wire.Errorf("TriggerTargetsLimitExceededException", "A deployment group can have at most 10 triggers")
	}
	return nil
}

func triggerEvents() []string {
	return []string{
		"DeploymentStart", "DeploymentSuccess", "DeploymentFailure", "DeploymentStop", "DeploymentRollback", "DeploymentReady",
		"InstanceStart", "InstanceSuccess", "InstanceFailure", "InstanceReady",
	}
}
