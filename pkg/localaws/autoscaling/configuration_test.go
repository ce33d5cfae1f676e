package autoscaling_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cutover/pkg/localaws/autoscaling"
)

func TestConfiguration_IsDescribedWithEveryMember(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	in := &sdk.CreateLaunchConfigurationInput{
		LaunchConfigurationName: aws.String("web-1"), ImageId: aws.String("ami-1"), InstanceType: aws.String("t3.micro"), SecurityGroups: []string{"sg-1", "sg-2"},
		UserData: aws.String("IyEvYmluL3No"), SpotPrice: aws.String("0.01"), IamInstanceProfile: aws.String("web"), EbsOptimized: aws.Bool(true),
		AssociatePublicIpAddress: aws.Bool(true), PlacementTenancy: aws.String("default"),
		MetadataOptions: &types.InstanceMetadataOptions{HttpTokens: types.InstanceMetadataHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(1), HttpEndpoint: types.InstanceMetadataEndpointStateEnabled},
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: aws.String("/dev/xvda"), Ebs: &types.Ebs{VolumeSize: aws.Int32(20), VolumeType: aws.String("gp3"), Iops: aws.Int32(3000), Throughput: aws.Int32(125), Encrypted: aws.Bool(true), DeleteOnTermination: aws.Bool(true)}},
			{DeviceName: aws.String("/dev/xvdb"), NoDevice: aws.Bool(true)},
		},
	}
	if _, err := w.CreateLaunchConfiguration(ctx, in); err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeLaunchConfigurations(ctx, &sdk.DescribeLaunchConfigurationsInput{LaunchConfigurationNames: []string{"web-1", "nobody"}})
	if err != nil || len(out.LaunchConfigurations) != 1 {
		t.Fatalf("describe: got %v (%v), want web-1", out, err)
	}
	got := out.LaunchConfigurations[0]
	want := types.LaunchConfiguration{
		LaunchConfigurationName: in.LaunchConfigurationName, ImageId: in.ImageId, InstanceType: in.InstanceType, SecurityGroups: in.SecurityGroups, UserData: in.UserData,
		SpotPrice: in.SpotPrice, IamInstanceProfile: in.IamInstanceProfile, EbsOptimized: in.EbsOptimized, AssociatePublicIpAddress: in.AssociatePublicIpAddress,
		PlacementTenancy: in.PlacementTenancy, MetadataOptions: in.MetadataOptions, BlockDeviceMappings: in.BlockDeviceMappings,
		InstanceMonitoring: &types.InstanceMonitoring{Enabled: aws.Bool(true)}, CreatedTime: aws.Time(w.clock.Now()),
		KernelId: aws.String(""), RamdiskId: aws.String(""), KeyName: aws.String(""),
	}
	opts := []cmp.Option{cmpopts.IgnoreFields(types.LaunchConfiguration{}, "LaunchConfigurationARN", "ClassicLinkVPCSecurityGroups"),
		cmpopts.IgnoreUnexported(types.LaunchConfiguration{}, types.InstanceMonitoring{}, types.InstanceMetadataOptions{}, types.BlockDeviceMapping{}, types.Ebs{})}
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if arn := *got.LaunchConfigurationARN; !strings.HasPrefix(arn, "arn:aws:autoscaling:us-east-1:111122223333:launchConfiguration:") || !strings.HasSuffix(arn, ":launchConfigurationName/web-1") {
		t.Errorf("ARN: got %s", arn)
	}
	_, err = w.CreateLaunchConfiguration(ctx, in)
	wantCode(t, "the same name again", err, "AlreadyExists")
	in.LaunchConfigurationName, in.KernelId = aws.String("web-2"), aws.String("")
	_, err = w.CreateLaunchConfiguration(ctx, in)
	wantCode(t, "an empty kernel", err, "ValidationError")
}

func TestConfiguration_IsLaunchedAndKeptWhileInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	create := func(name string) error {
		_, err := w.CreateLaunchConfiguration(ctx, &sdk.CreateLaunchConfigurationInput{LaunchConfigurationName: &name, ImageId: aws.String("ami-lc"), InstanceType: aws.String("t2.micro")})
		return err
	}
	remove := func(name string) error {
		_, err := w.DeleteLaunchConfiguration(ctx, &sdk.DeleteLaunchConfigurationInput{LaunchConfigurationName: &name})
		return err
	}
	if err := create("web-1"); err != nil {
		t.Fatal(err)
	}
	w.fleet(t, 1, func(in *sdk.CreateAutoScalingGroupInput) {
		in.LaunchTemplate, in.LaunchConfigurationName = nil, aws.String("web-1")
	})
	if i := w.group(t).Instances[0]; *i.LaunchConfigurationName != "web-1" || i.LaunchTemplate != nil || *i.ImageId != "ami-lc" {
		t.Errorf("instance: got configuration %v, template %v, image %s", i.LaunchConfigurationName, i.LaunchTemplate, *i.ImageId)
	}
	wantCode(t, "a delete while in use", remove("web-1"), "ResourceInUse")
	if _, err := w.UpdateAutoScalingGroup(ctx, &sdk.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("fleet"), LaunchTemplate: template("1")}); err != nil {
		t.Fatal(err)
	}
	if g := w.group(t); g.LaunchConfigurationName != nil || g.LaunchTemplate == nil {
		t.Errorf("group: got configuration %v and template %v, want the template alone", g.LaunchConfigurationName, g.LaunchTemplate)
	}
	if err := remove("web-1"); err != nil {
		t.Error(err)
	}
	wantCode(t, "a delete of what is not there", remove("web-1"), "ValidationError")
	for n := range 200 {
		if err := create(fmt.Sprintf("many-%d", n)); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "one more than 200", create("too-many"), "LimitExceeded")
}

func TestConfiguration_IsRefusedToAccountsMadeTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *autoscaling.Config) { c.NoLaunchConfigurations = true })
	_, err := w.CreateLaunchConfiguration(t.Context(), &sdk.CreateLaunchConfigurationInput{LaunchConfigurationName: aws.String("x"), ImageId: aws.String("ami-1"), InstanceType: aws.String("t2.micro")})
	wantCode(t, "a new account", err, "UnsupportedOperation")
}

func TestCopy_IsLikeItsModelWithoutTargetGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fleet(t, 3)
	ctx := t.Context()
	if _, err := w.PutLifecycleHook(ctx, &sdk.PutLifecycleHookInput{AutoScalingGroupName: aws.String("fleet"), LifecycleHookName: aws.String("deploy"),
		LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"), DefaultResult: aws.String("CONTINUE"), HeartbeatTimeout: aws.Int32(60)}); err != nil {
		t.Fatal(err)
	}
	arn := w.policy(t, sdk.PutScalingPolicyInput{AdjustmentType: aws.String("ChangeInCapacity"), ScalingAdjustment: aws.Int32(1)})
	if err := w.service.Copy("fleet", "CodeDeploy_web_d-1", 2); err != nil {
		t.Fatal(err)
	}
	if err := w.service.Copy("fleet", "CodeDeploy_web_d-1", 2); err == nil {
		t.Error("a second copy of the name: got no error")
	}
	w.await(t, 10*time.Minute, "the copy in service", func() bool { return len(w.service.InService("CodeDeploy_web_d-1")) == 2 })
	out, err := w.DescribeAutoScalingGroups(ctx, &sdk.DescribeAutoScalingGroupsInput{})
	if err != nil || len(out.AutoScalingGroups) != 2 {
		t.Fatalf("groups: got %v (%v), want both", out, err)
	}
	model, copied := out.AutoScalingGroups[0], out.AutoScalingGroups[1]
	ignore := []cmp.Option{cmpopts.IgnoreUnexported(types.AutoScalingGroup{}, types.LaunchTemplateSpecification{}),
		cmpopts.IgnoreFields(types.AutoScalingGroup{}, "AutoScalingGroupName", "AutoScalingGroupARN", "CreatedTime", "Instances", "DesiredCapacity", "TargetGroupARNs")}
	if diff := cmp.Diff(model, copied, ignore...); diff != "" {
		t.Errorf("copy (-model +copy):\n%s", diff)
	}
	if len(copied.TargetGroupARNs) != 0 || w.elb.count() != 3 || *copied.AutoScalingGroupARN == *model.AutoScalingGroupARN {
		t.Errorf("copy: got target groups %v, %d targets", copied.TargetGroupARNs, w.elb.count())
	}
	if arns := w.service.PolicyARNs("CodeDeploy_web_d-1"); arns["scale"] == "" || arns["scale"] == arn {
		t.Errorf("policies: got %v, want scale with an ARN of its own", arns)
	}
	if err := w.service.AttachTargetGroups("CodeDeploy_web_d-1", []string{web}); err != nil {
		t.Fatal(err)
	}
	w.await(t, time.Minute, "five targets", func() bool { return w.elb.count() == 5 })
	if err := w.service.Delete("fleet"); err != nil {
		t.Fatal(err)
	}
	w.await(t, time.Minute, "the copy alone", func() bool { return w.ec2.live()["ami-1"] == 2 })
	if w.service.Exists("fleet") || !w.service.Exists("CodeDeploy_web_d-1") || w.service.Delete("fleet") != nil {
		t.Error("after the delete: got the model, want the copy alone, and a delete that can be repeated")
	}
}
