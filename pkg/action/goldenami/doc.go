// Package goldenami is the BuildGoldenAMI action: it has an image baked by an
// SSM Automation, unless one that would be the same exists, and makes an Auto
// Scaling group launch it.
//
// In this order, one change a tick, each only if the world does not show it
// already:
//
//  1. Stop bakes of the same fleet that earlier executions left running, if
//     stopOrphans says so. Otherwise they are reported.
//  2. Start the Automation, with the parameters' {{ssm:NAME}} resolved, with a
//     token of this attempt and with tags: see below.
//  3. Follow it. Its image must be available, of this account (or of owners),
//     and fit the group's instance types.
//  4. Tag the image and its snapshots: what it was made from, and for whom.
//  5. Put its id into the parameter publishTo and read it back until stored.
//  6. Make the next launch template version from the one in use, or a full copy
//     of the launch configuration; an equal one is used again.
//  7. Update the group to it, pinned by number; or, with rollout
//     "instance-refresh", start a refresh to it and follow that.
//  8. Mark the image as released.
//  9. Remove older images of the fleet beyond keep, with their snapshots, and
//     the template versions and configurations made here for them; never one
//     that a template version, configuration, group, instance or parameter
//     refers to. To be able to go back, keep 2 or more.
//
// All of it is safe to repeat, at once or later. A duplicate delivery replays
// the attempt's token, so AWS answers with the Automation that it has. A retry
// of the stage adopts a bake of the same execution that runs or has succeeded,
// and starts a new one in place of one that failed. A fault of step 9 never
// fails the job, since by then the image is live.
//
// # How a bake is found again
//
// AWS finds Automations by the keys of their tags, not by values, and does not
// tell the tags of those it lists. So the execution is in the key:
// "cutover:execution:EXECUTION:FLEET" and "cutover:fleet:FLEET", where FLEET is
// a digest of the group's or deployment group's name; the values are for
// people.
//
// # When an image is used again
//
// Its fingerprint, tag cutover:fingerprint, is a digest of the document's name
// and content, the source image and the parameters (without those named in
// reuse.except and those that hold the execution's id). It must be available,
// at most reuse.maxAgeDays old, not tagged cutover:revoked (whatever the value),
// and have been released: tagged cutover:released, or what all of the group's
// instances in service run now. The tag is set after a refresh, and after step
// 7 for a group given by its name. With a deployment group it is the later
// deployment that proves the image: it is set when a later run finds it live.
//
// # UserParameters
//
//	{"execution":"#{codepipeline.PipelineExecutionId}",
//	 "document":"cutover-golden-ami",
//	 "parameters":{"Commit":"#{Source.CommitId}","SubnetId":"subnet-1"},
//	 "application":"webapp","deploymentGroup":"webapp",
//	 "publishTo":"/cutover/webapp/image",
//	 "reuse":{"maxAgeDays":7,"except":["Commit"]},
//	 "keep":3,"stopOrphans":true}
//
// Output variables: ImageId, PreviousImageId, SourceImageId (if known),
// AutomationExecutionId ("" when reused), Image ("built" or "reused"),
// AutoScalingGroupName, LaunchTemplateId and LaunchTemplateVersion or
// LaunchConfigurationName, InstanceRefreshId (if there was one), Execution.
//
// # Calls to AWS, for the function's policy
//
// Always:
//
//	ssm:DescribeDocument               on document/NAME (document owned by AWS: account field empty)
//	ssm:StartAutomationExecution       on document/NAME, automation-definition/NAME:* and automation-execution/*
//	ssm:AddTagsToResource              on automation-execution/*, for the tags at the start
//	ssm:GetAutomationExecution         on automation-execution/*
//	ssm:DescribeAutomationExecutions   on *
//	ssm:GetParameter                   on parameter/aws/service/* (account field empty) or wherever the document's {{ssm:...}} point
//	iam:PassRole                       on the Automation's role, to ssm.amazonaws.com; without such a role, what its steps do
//	ec2:DescribeImages, DescribeInstances, DescribeInstanceTypes, DescribeLaunchTemplateVersions  on *
//	ec2:CreateTags                     on image/* and snapshot/*
//	autoscaling:DescribeAutoScalingGroups  on *
//	autoscaling:UpdateAutoScalingGroup on autoScalingGroup:*:autoScalingGroupName/NAME; a deployment group's copies are CodeDeploy_DEPLOYMENTGROUP_*
//
// With a launch template, also for the update and the refresh:
//
//	ec2:CreateLaunchTemplateVersion    on launch-template/ID
//	ec2:RunInstances                   on * (checked by Auto Scaling, not called)
//	iam:PassRole                       on the instances' role, to ec2.amazonaws.com
//
// With a launch configuration:
//
//	autoscaling:DescribeLaunchConfigurations  on *
//	autoscaling:CreateLaunchConfiguration     on launchConfiguration:*:launchConfigurationName/*
//	iam:PassRole                              on the instances' role, to ec2.amazonaws.com
//
// With application and deploymentGroup:
//
//	codedeploy:GetDeploymentGroup      on deploymentgroup:APPLICATION/GROUP
//
// With publishTo, or imageParameter (GetParameter only):
//
//	ssm:GetParameter, PutParameter     on parameter/NAME
//	ssm:GetParameters                  on parameter/NAME, which AWS asks for to check type aws:ec2:image
//
// With rollout "instance-refresh":
//
//	autoscaling:DescribeInstanceRefreshes  on *
//	autoscaling:StartInstanceRefresh       on autoScalingGroup:*:autoScalingGroupName/NAME
//	cloudwatch:DescribeAlarms              on *, with refresh.alarms
//
// With stopOrphans:
//
//	ssm:StopAutomationExecution        on automation-execution/*
//
// With keep:
//
//	autoscaling:DescribeLaunchConfigurations  on *
//	ssm:DescribeParameters             on *
//	ssm:GetParameters                  on parameter/*: those of type aws:ec2:image, and those that templates resolve
//	ec2:DeregisterImage                on image/*, condition ec2:ResourceTag/cutover:fleet
//	ec2:DeleteSnapshot                 on snapshot/*, condition ec2:ResourceTag/cutover:fleet
//	ec2:DeleteLaunchTemplateVersions   on launch-template/ID
//	autoscaling:DeleteLaunchConfiguration     on launchConfiguration:*:launchConfigurationName/*, with a launch configuration
package goldenami
