package ec2_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ec2"
)

func TestRunInstances_BootsAMachineAndPassesItsChecks(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := p.input(p.amazon())
	in.UserData = encoded("#!/bin/sh\necho hello\n")
	in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("web")}
	in.SecurityGroupIds = []string{p.group}
	in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("builder")}}}}
	out, err := p.client.RunInstances(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	i := out.Instances[0]
	id := *i.InstanceId
	if got := i.State.Name; got != types.InstanceStateNamePending {
		t.Errorf("state: got %s, want pending", got)
	}
	if i.PrivateIpAddress == nil || *i.PrivateIpAddress != "10.0.1.4" {
		t.Errorf("address: got %v, want the first free one of the subnet", i.PrivateIpAddress)
	}
	if i.MetadataOptions.HttpTokens != types.HttpTokensStateRequired {
		t.Errorf("metadata of an Amazon Linux 2023: got tokens %s, want required", i.MetadataOptions.HttpTokens)
	}
	if *i.IamInstanceProfile.Arn != "arn:aws:iam::111122223333:instance-profile/web" || *i.SecurityGroups[0].GroupId != p.group || *i.Tags[0].Value != "builder" {
		t.Errorf("profile, group, tags: got %v, %v, %v", *i.IamInstanceProfile.Arn, i.SecurityGroups, i.Tags)
	}

	p.clock.Advance(14 * time.Second)
	if got := p.state(t, id); got != types.InstanceStateNamePending {
		t.Errorf("after 14 s: got %s, want pending", got)
	}
	p.clock.Advance(time.Second)
	if got := p.state(t, id); got != types.InstanceStateNameRunning {
		t.Errorf("after 15 s: got %s, want running", got)
	}
	status := func() (system, instance types.SummaryStatus) {
		t.Helper()
		out, err := p.client.DescribeInstanceStatus(t.Context(), &sdk.DescribeInstanceStatusInput{InstanceIds: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		return out.InstanceStatuses[0].SystemStatus.Status, out.InstanceStatuses[0].InstanceStatus.Status
	}
	if system, instance := status(); system != types.SummaryStatusInitializing || instance != types.SummaryStatusInitializing {
		t.Errorf("checks of a new instance: got %s and %s, want initializing", system, instance)
	}
	p.clock.Advance(2 * time.Minute)
	if system, instance := status(); system != types.SummaryStatusOk || instance != types.SummaryStatusOk {
		t.Errorf("checks after two minutes: got %s and %s, want ok", system, instance)
	}
	want := []string{"launch " + id + "  #!/bin/sh\necho hello\n", "boot " + id}
	if diff := cmp.Diff(want, p.machines.took()); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
}

func TestInstance_StopsStartsAndTerminatesWithItsMachine(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	p.machines.took()
	ids := []string{id}
	p.machines.hold()
	stopped, err := p.client.StopInstances(t.Context(), &sdk.StopInstancesInput{InstanceIds: ids})
	if err != nil {
		t.Fatal(err)
	}
	if c := stopped.StoppingInstances[0]; c.PreviousState.Name != types.InstanceStateNameRunning || c.CurrentState.Name != types.InstanceStateNameStopping {
		t.Errorf("stop: got %s to %s, want running to stopping", c.PreviousState.Name, c.CurrentState.Name)
	}
	_, err = p.client.StartInstances(t.Context(), &sdk.StartInstancesInput{InstanceIds: ids})
	refused(t, "start an instance that stops", err, "IncorrectInstanceState")
	p.clock.Advance(time.Minute)
	if got := p.state(t, id); got != types.InstanceStateNameStopping {
		t.Errorf("its machine has not stopped: got %s, want stopping", got)
	}
	p.machines.let()
	i := p.instance(t, id)
	if i.State.Name != types.InstanceStateNameStopped || *i.StateReason.Code != "Client.UserInitiatedShutdown" || *i.StateTransitionReason != "User initiated (2026-01-02 12:03:00 GMT)" {
		t.Errorf("stopped: got %s, %v, %q", i.State.Name, i.StateReason, *i.StateTransitionReason)
	}
	if _, err := p.client.StartInstances(t.Context(), &sdk.StartInstancesInput{InstanceIds: ids}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(15 * time.Second)
	if got := p.state(t, id); got != types.InstanceStateNameRunning {
		t.Errorf("started: got %s, want running", got)
	}
	if _, err := p.client.TerminateInstances(t.Context(), &sdk.TerminateInstancesInput{InstanceIds: ids}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(19 * time.Second)
	if got := p.state(t, id); got != types.InstanceStateNameShuttingDown {
		t.Errorf("terminated 19 s ago: got %s, want shutting-down", got)
	}
	p.clock.Advance(time.Second)
	if i := p.instance(t, id); i.State.Name != types.InstanceStateNameTerminated || i.SubnetId != nil || len(i.BlockDeviceMappings) != 0 {
		t.Errorf("terminated: got %s in subnet %v with volumes %v", i.State.Name, i.SubnetId, i.BlockDeviceMappings)
	}
	want := []string{"stop " + id, "start " + id, "terminate " + id}
	if diff := cmp.Diff(want, p.machines.took()); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
	p.clock.Advance(time.Hour)
	_, err = p.client.DescribeInstances(t.Context(), &sdk.DescribeInstancesInput{InstanceIds: ids})
	refused(t, "describe an instance that was terminated an hour ago", err, "InvalidInstanceID.NotFound")
}

func TestInstance_TerminatedWhilePendingNeverRuns(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	out, err := p.client.RunInstances(t.Context(), p.input(p.amazon()))
	if err != nil {
		t.Fatal(err)
	}
	id := *out.Instances[0].InstanceId
	if err := p.service.Terminate(id); err != nil {
		t.Fatal(err)
	}
	if p.clock.AdvanceUntil(time.Minute, func() bool { return p.state(t, id) == types.InstanceStateNameRunning }) {
		t.Error("an instance runs that was terminated while it was pending")
	}
	if got := p.state(t, id); got != types.InstanceStateNameTerminated {
		t.Errorf("after a minute: got %s, want terminated", got)
	}
}

func TestInstance_WhoseMachineFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		broken  string
		state   types.InstanceStateName
		message string
		status  string
	}{
		{"launch", types.InstanceStateNameTerminated, "Server.InternalError: Internal error on launch: launch is broken", "not-applicable"},
		{"boot", types.InstanceStateNameRunning, "", "impaired"},
	} {
		t.Run(c.broken, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.machines.broken = c.broken
			i := p.instance(t, p.run(t, p.input(p.amazon())))
			if i.State.Name != c.state || i.StateReason != nil && *i.StateReason.Message != c.message || i.StateReason == nil && c.message != "" {
				t.Errorf("got %s because of %v, want %s because of %q", i.State.Name, i.StateReason, c.state, c.message)
			}
			if view, ok := p.service.Instance(*i.InstanceId); !ok || view.Status != c.status {
				t.Errorf("status: got %+v, want %s", view, c.status)
			}
		})
	}
}

func TestRunInstances_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	arm := p.service.PublicImages()["/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64"]
	for what, c := range map[string]struct {
		change func(*sdk.RunInstancesInput)
		code   string
	}{
		"an image that is not there":         {func(in *sdk.RunInstancesInput) { in.ImageId = aws.String("ami-0123456789abcdef0") }, "InvalidAMIID.NotFound"},
		"no image id":                        {func(in *sdk.RunInstancesInput) { in.ImageId = aws.String("ami-web") }, "InvalidAMIID.Malformed"},
		"no image":                           {func(in *sdk.RunInstancesInput) { in.ImageId = nil }, "MissingParameter"},
		"another architecture than its type": {func(in *sdk.RunInstancesInput) { in.ImageId = &arm }, "InvalidParameterValue"},
		"the default type with an HVM image": {func(in *sdk.RunInstancesInput) { in.InstanceType = "" }, "InvalidParameterCombination"},
		"a type that nobody knows":           {func(in *sdk.RunInstancesInput) { in.InstanceType = "t9.huge" }, "InvalidParameterValue"},
		"a zone that is not there": {func(in *sdk.RunInstancesInput) {
			in.SubnetId, in.Placement = nil, &types.Placement{AvailabilityZone: aws.String("us-east-1z")}
		}, "InvalidParameterValue"},
		"a zone that the subnet is not in": {func(in *sdk.RunInstancesInput) {
			in.Placement = &types.Placement{AvailabilityZone: aws.String("us-east-1a")}
		}, "InvalidParameterValue"},
		"a subnet that is not there":   {func(in *sdk.RunInstancesInput) { in.SubnetId = aws.String("subnet-1") }, "InvalidSubnetID.NotFound"},
		"a group that is not there":    {func(in *sdk.RunInstancesInput) { in.SecurityGroupIds = []string{"sg-1"} }, "InvalidGroup.NotFound"},
		"user data that is not Base64": {func(in *sdk.RunInstancesInput) { in.UserData = aws.String("#!/bin/sh") }, "InvalidUserData.Malformed"},
		"user data of more than 16 KB": {func(in *sdk.RunInstancesInput) { in.UserData = encoded(strings.Repeat("x", 16385)) }, "InvalidParameterValue"},
		"a profile that is not there": {func(in *sdk.RunInstancesInput) {
			in.IamInstanceProfile = &types.IamInstanceProfileSpecification{Name: aws.String("none")}
		}, "InvalidParameterValue"},
		"a launch template that is not there": {func(in *sdk.RunInstancesInput) {
			in.LaunchTemplate = &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("none")}
		}, "InvalidLaunchTemplateName.NotFoundException"},
		"a parameter that is not there": {func(in *sdk.RunInstancesInput) { in.ImageId = aws.String("resolve:ssm:/golden") }, "InvalidParameterValue"},
		"tags of what is not made": {func(in *sdk.RunInstancesInput) {
			in.TagSpecifications = []types.TagSpecification{{ResourceType: types.ResourceTypeImage}}
		}, "InvalidParameterValue"},
		"a root device of another snapshot": {func(in *sdk.RunInstancesInput) {
			in.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{SnapshotId: aws.String("snap-0123456789abcdef0")}}}
		}, "InvalidBlockDeviceMapping"},
		"a root device smaller than its snapshot": {func(in *sdk.RunInstancesInput) {
			in.BlockDeviceMappings = []types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), Ebs: &types.EbsBlockDevice{VolumeSize: aws.Int32(4)}}}
		}, "InvalidBlockDeviceMapping"},
		"a subnet beside a network interface": {func(in *sdk.RunInstancesInput) {
			in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0), SubnetId: &p.subnet}}
		}, "InvalidParameterCombination"},
		"groups beside a network interface": {func(in *sdk.RunInstancesInput) {
			in.SubnetId, in.SecurityGroupIds = nil, []string{p.group}
			in.NetworkInterfaces = []types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0), SubnetId: &p.subnet}}
		}, "InvalidParameterCombination"},
		"a member that nothing honours": {func(in *sdk.RunInstancesInput) { in.RamdiskId = aws.String("ari-1") }, "InvalidParameterValue"},
	} {
		in := p.input(p.amazon())
		c.change(in)
		_, err := p.client.RunInstances(t.Context(), in)
		refused(t, what, err, c.code)
	}
	if out, err := p.client.DescribeInstances(t.Context(), &sdk.DescribeInstancesInput{}); err != nil || len(out.Reservations) != 0 {
		t.Errorf("instances after refusals: got %v (error %v), want none", out, err)
	}
}

func TestRunInstances_WithoutASubnetUsesTheDefaultVPC(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := p.input(p.amazon())
	in.SubnetId, in.Placement = nil, &types.Placement{AvailabilityZone: aws.String("us-east-1c")}
	i := p.instance(t, p.run(t, in))
	vpcs, err := p.client.DescribeVpcs(t.Context(), &sdk.DescribeVpcsInput{VpcIds: []string{*i.VpcId}})
	if err != nil {
		t.Fatal(err)
	}
	if !*vpcs.Vpcs[0].IsDefault || *i.Placement.AvailabilityZone != "us-east-1c" || *i.PrivateIpAddress != "172.31.32.4" || *i.SecurityGroups[0].GroupName != "default" {
		t.Errorf("got %s of VPC %s in %s with groups %v", *i.PrivateIpAddress, *i.VpcId, *i.Placement.AvailabilityZone, i.SecurityGroups)
	}
}

func TestRunInstances_IsIdempotent(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := p.input(p.amazon())
	in.ClientToken = aws.String("once")
	first, second := p.run(t, in), p.run(t, in)
	if first != second {
		t.Errorf("the same token: got instances %s and %s, want one", first, second)
	}
	in.InstanceType = types.InstanceTypeT3Small
	_, err := p.client.RunInstances(t.Context(), in)
	refused(t, "the token again for another type", err, "IdempotentParameterMismatch")
}

func TestDescribeInstances_FiltersAndPages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	in := p.input(p.amazon())
	in.MinCount, in.MaxCount = aws.Int32(7), aws.Int32(7)
	last := ""
	first := p.run(t, in)
	other := p.run(t, p.input(p.amazon()))
	if _, err := p.client.CreateTags(t.Context(), &sdk.CreateTagsInput{Resources: []string{other}, Tags: []types.Tag{{Key: aws.String("role"), Value: aws.String("web-1")}}}); err != nil {
		t.Fatal(err)
	}
	if err := p.service.Terminate(other); err != nil {
		t.Fatal(err)
	}
	count := func(filters ...types.Filter) (n int) {
		t.Helper()
		pages := sdk.NewDescribeInstancesPaginator(p.client, &sdk.DescribeInstancesInput{MaxResults: aws.Int32(5), Filters: filters})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Reservations {
				n += len(r.Instances)
				last = *r.Instances[len(r.Instances)-1].InstanceId
			}
		}
		return n
	}
	filter := func(name string, values ...string) types.Filter { return types.Filter{Name: &name, Values: values} }
	if got := count(); got != 8 || last != other {
		t.Errorf("all: got %d instances, the last %s, want 8 and %s", got, last, other)
	}
	for _, c := range []struct {
		what   string
		filter types.Filter
		want   int
	}{
		{"a tag's value with a wildcard", filter("tag:role", "web-?"), 1},
		{"a tag's key", filter("tag-key", "role", "none"), 1},
		{"state", filter("instance-state-name", "running", "pending"), 7},
		{"image", filter("image-id", p.amazon()), 8},
		{"id", filter("instance-id", first), 1},
		{"subnet", filter("subnet-id", p.subnet), 8},
		{"group", filter("instance.group-id", p.group), 0},
		{"a wildcard that is meant", filter("tag:role", `web-\*`), 0},
	} {
		if got := count(c.filter); got != c.want {
			t.Errorf("%s: got %d instances, want %d", c.what, got, c.want)
		}
	}
	p.clock.Advance(time.Minute)
	if got := count(filter("subnet-id", p.subnet)); got != 7 {
		t.Errorf("subnet, after one was terminated: got %d instances, want 7", got)
	}
	_, err := p.client.DescribeInstances(t.Context(), &sdk.DescribeInstancesInput{Filters: []types.Filter{filter("colour", "red")}})
	refused(t, "a filter that nobody knows", err, "InvalidParameterValue")
	_, err = p.client.DescribeInstances(t.Context(), &sdk.DescribeInstancesInput{MaxResults: aws.Int32(5), InstanceIds: []string{first}})
	refused(t, "a page of ids", err, "InvalidParameterCombination")
}

// What a call says stands in for the same member of its launch template; tags of
// both are set.
func TestRunInstances_OfATemplate(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	data := p.request()
	data.BlockDeviceMappings[0].Ebs.SnapshotId = nil
	p.template(t, data)
	i := p.instance(t, p.run(t, &sdk.RunInstancesInput{
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("web")},
		InstanceType: types.InstanceTypeM5Large, TagSpecifications: []types.TagSpecification{tagged(types.ResourceTypeInstance, "team", "web")},
	}))
	tags := map[string]string{}
	for _, tag := range i.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if i.InstanceType != types.InstanceTypeM5Large || *i.KeyName != "ops" || *i.SubnetId != p.subnet || *i.SecurityGroups[0].GroupId != p.group || tags["Name"] != "web" || tags["team"] != "web" {
		t.Errorf("got %s, key %s, subnet %s, groups %v, tags %v", i.InstanceType, *i.KeyName, *i.SubnetId, i.SecurityGroups, tags)
	}
	if i.Monitoring.State != types.MonitoringStateEnabled || !*i.EbsOptimized || len(i.BlockDeviceMappings) != 1 || !*i.BlockDeviceMappings[0].Ebs.DeleteOnTermination {
		t.Errorf("got monitoring %s, EBS optimized %v, volumes %+v", i.Monitoring.State, *i.EbsOptimized, i.BlockDeviceMappings)
	}
}

func TestRunInstances_OfAnImageThatAParameterNames(t *testing.T) {
	t.Parallel()
	var image string
	p := newPlace(t, func(c *ec2.Config) {
		c.Parameter = func(name string) (string, bool) { return image, name == "/golden/web:3" }
	})
	image = p.amazon()
	if got := *p.instance(t, p.run(t, p.input("resolve:ssm:/golden/web:3"))).ImageId; got != image {
		t.Errorf("image: got %s, want %s", got, image)
	}
	id := p.template(t, &types.RequestLaunchTemplateData{ImageId: aws.String("resolve:ssm:/golden/web:3")})
	for resolve, want := range map[bool]string{true: image, false: "resolve:ssm:/golden/web:3"} {
		v := p.versions(t, &sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"1"}, ResolveAlias: &resolve})
		if got := *v[0].LaunchTemplateData.ImageId; got != want {
			t.Errorf("described with ResolveAlias %v: got image %s, want %s", resolve, got, want)
		}
	}
}

func TestLaunch_OfATemplateForAnotherService(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	out, err := p.client.CreateLaunchTemplate(t.Context(), &sdk.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("web"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{
			ImageId: aws.String(p.amazon()), InstanceType: types.InstanceTypeT3Small, SecurityGroupIds: []string{p.group},
			TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.service.Launch(t.Context(), ec2.Launch{
		TemplateID: *out.LaunchTemplate.LaunchTemplateId, TemplateVersion: "1", SubnetID: p.subnet,
		Data: ec2.LaunchTemplateData{InstanceType: "t3.large"}, Tags: []ec2.Tag{{Key: "aws:autoscaling:groupName", Value: "web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	view, ok := p.service.Instance(id)
	want := ec2.Instance{
		ID: id, State: "pending", StateReason: "pending", ImageID: p.amazon(), Type: "t3.large", SubnetID: p.subnet, VPCID: p.vpc, Zone: "us-east-1b",
		PrivateIPAddress: "10.0.1.4", LaunchTime: p.clock.Now(), Status: "not-applicable",
		Tags: map[string]string{
			"team": "web", "aws:autoscaling:groupName": "web",
			"aws:ec2launchtemplate:id": *out.LaunchTemplate.LaunchTemplateId, "aws:ec2launchtemplate:version": "1",
		},
	}
	if diff := cmp.Diff(want, view); !ok || diff != "" {
		t.Errorf("instance (-want +got):\n%s", diff)
	}
}

// On a clock that runs by itself, with everything at once: one token makes one
// instance, and each image is whole though its instance is terminated meanwhile.
func TestInstances_OnARunningClock(t *testing.T) {
	t.Parallel()
	machines := &machines{}
	running := clock.NewScaled(1000)
	s := ec2.New(ec2.Config{Region: "us-east-1", Account: "111122223333", Clock: running, Machines: machines})
	defer s.Close()
	in := ec2.RunInstancesInput{
		ImageId: s.PublicImages()["/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"], InstanceType: "t4g.micro",
		MinCount: 1, MaxCount: 1, ClientToken: "once",
	}
	ids := make([]string, 8)
	var calls sync.WaitGroup
	for n := range ids {
		calls.Go(func() {
			again := in
			out, err := s.RunInstances(t.Context(), &again)
			if err != nil {
				t.Error(err)
				return
			}
			ids[n] = out.InstancesSet[0].InstanceId
		})
	}
	calls.Wait()
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
		t.Fatalf("one token: got instances %v, want one", ids)
	}
	await(t, "the instance is ok", func() bool { i, _ := s.Instance(ids[0]); return i.Status == "ok" })
	images := make([]string, 4)
	for n := range images {
		out, err := s.CreateImage(t.Context(), &ec2.CreateImageInput{InstanceId: ids[0], Name: fmt.Sprint("web ", n)})
		if err != nil {
			t.Fatal(err)
		}
		images[n] = out.ImageId
	}
	if err := s.Terminate(ids[0]); err != nil {
		t.Fatal(err)
	}
	for _, id := range images {
		await(t, "the images are available", func() bool { i, _ := s.Image(id); return i.ImageState == "available" })
	}
	got := machines.took()
	if last := got[len(got)-1]; len(got) != 2+3*len(images)+1 || last != "terminate "+ids[0] {
		t.Errorf("machines: got %q, want a launch, four images, and the end", got)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("within 30 s never: %s", what)
		}
		runtime.Gosched()
	}
}
