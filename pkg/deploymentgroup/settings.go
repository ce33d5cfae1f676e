package deploymentgroup

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

func (p Properties) create(id identity, group string, tags []types.Tag) *codedeploy.CreateDeploymentGroupInput {
	return &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: &id.application, DeploymentGroupName: &id.group,
		ServiceRoleArn: &p.ServiceRoleArn, DeploymentConfigName: &p.DeploymentConfigName, AutoScalingGroups: []string{group},
		DeploymentStyle: style(), BlueGreenDeploymentConfiguration: p.blueGreen(), LoadBalancerInfo: p.loadBalancer(),
		AutoRollbackConfiguration: p.rollback(), AlarmConfiguration: p.alarms(), Tags: tags,
	}
}

// update leaves the Auto Scaling group as it is unless one is given.
func (p Properties) update(id identity, group ...string) *codedeploy.UpdateDeploymentGroupInput {
	return &codedeploy.UpdateDeploymentGroupInput{
		ApplicationName: &id.application, CurrentDeploymentGroupName: &id.group,
		ServiceRoleArn: &p.ServiceRoleArn, DeploymentConfigName: &p.DeploymentConfigName, AutoScalingGroups: group,
		DeploymentStyle: style(), BlueGreenDeploymentConfiguration: p.blueGreen(), LoadBalancerInfo: p.loadBalancer(),
		AutoRollbackConfiguration: p.rollback(), AlarmConfiguration: p.alarms(),
	}
}

func style() *types.DeploymentStyle {
	return &types.DeploymentStyle{DeploymentType: types.DeploymentTypeBlueGreen, DeploymentOption: types.DeploymentOptionWithTrafficControl}
}

func (p Properties) blueGreen() *types.BlueGreenDeploymentConfiguration {
	ready, end := p.BlueGreenDeploymentConfiguration.DeploymentReadyOption, p.BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess
	c := &types.BlueGreenDeploymentConfiguration{
		DeploymentReadyOption: &types.DeploymentReadyOption{
			ActionOnTimeout: types.DeploymentReadyAction(ready.ActionOnTimeout), WaitTimeInMinutes: ready.WaitTimeInMinutes,
		},
		GreenFleetProvisioningOption: &types.GreenFleetProvisioningOption{Action: types.GreenFleetProvisioningActionCopyAutoScalingGroup},
		TerminateBlueInstancesOnDeploymentSuccess: &types.BlueInstanceTerminationOption{
			Action: types.InstanceAction(end.Action),
		},
	}
	if end.Action == "TERMINATE" { // to what is kept the wait does not apply
		c.TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes = end.TerminationWaitTimeInMinutes
	}
	return c
}

func (p Properties) loadBalancer() *types.LoadBalancerInfo {
	info := &types.LoadBalancerInfo{}
	for _, g := range p.LoadBalancerInfo.TargetGroupInfoList {
		info.TargetGroupInfoList = append(info.TargetGroupInfoList, types.TargetGroupInfo{Name: aws.String(g.Name)})
	}
	return info
}

func (p Properties) rollback() *types.AutoRollbackConfiguration {
	c := &types.AutoRollbackConfiguration{Enabled: p.AutoRollbackConfiguration.Enabled}
	for _, e := range p.AutoRollbackConfiguration.Events {
		c.Events = append(c.Events, types.AutoRollbackEvent(e))
	}
	return c
}

func (p Properties) alarms() *types.AlarmConfiguration {
	c := &types.AlarmConfiguration{Enabled: p.AlarmConfiguration.Enabled, IgnorePollAlarmFailure: p.AlarmConfiguration.IgnorePollAlarmFailure}
	for _, a := range p.AlarmConfiguration.Alarms {
		c.Alarms = append(c.Alarms, types.Alarm{Name: aws.String(a.Name)})
	}
	return c
}
