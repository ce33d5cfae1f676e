package fleet

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	fake "cutover/pkg/fleet/fleettest"
)

func apis(w *fake.World) APIs {
	return APIs{AutoScaling: w.AutoScaling(), EC2: w.EC2(), CodeDeploy: func() CodeDeploy { return w.CodeDeploy() }}
}

func observe(t *testing.T, w *fake.World, target Target) Fleet {
	t.Helper()
	f, faults, err := Observe(context.Background(), apis(w), target)
	if err != nil || len(faults) > 0 {
		t.Fatalf("observe: %v, faults %v", err, faults)
	}
	return f
}

// carryOut makes what is missing and updates the group.
func carryOut(t *testing.T, w *fake.World, image string) Plan {
	t.Helper()
	ctx := context.Background()
	i, found, err := FindImage(ctx, w.EC2(), image)
	if err != nil || !found {
		t.Fatalf("find %s: %t, %v", image, found, err)
	}
	for range 10 {
		f := observe(t, w, Target{Group: fake.Group})
		if err := f.Prepare(ctx, apis(w), i); err != nil {
			t.Fatal(err)
		}
		switch p := f.Plan(i); {
		case p.Version != nil:
			_, _, err = CreateVersion(ctx, w.EC2(), *p.Version, "attempt")
		case p.Configuration != nil:
			err = CreateConfiguration(ctx, w.AutoScaling(), p.Configuration)
		case p.Update != nil:
			err = Update(ctx, w.AutoScaling(), p)
		default:
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the plan is never carried out")
	return Plan{}
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	plain := func(v any) any {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var out any
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if d := cmp.Diff(plain(want), plain(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestPlan_PinsWhateverTheGroupRefersTo(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]*string{"a number": ptr("1"), "$Latest": ptr("$Latest"), "$Default": ptr("$Default"), "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			w.AddImage("ami-0new", nil)
			w.Groups[fake.Group].LaunchTemplate.Version = version
			if version == nil {
				w.Groups[fake.Group].LaunchTemplate.Version = ptr("$Default")
			}
			p := carryOut(t, w, "ami-0new")
			diff(t, "launches", p.Launches, []string{"lt-0web:2"})
			diff(t, "version", w.Groups[fake.Group].LaunchTemplate.Version, "2")
		})
	}
}

func TestPlan_UsesAnEqualVersionAgain(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.AddImage("ami-0new", nil)
	carryOut(t, w, "ami-0new")
	w.Groups[fake.Group].LaunchTemplate.Version = ptr("1")
	carryOut(t, w, "ami-0new")
	diff(t, "versions", len(w.Templates[fake.Template]), 2)

	// One with other settings is not equal.
	w.Templates[fake.Template][1].LaunchTemplateData.KeyName = ptr("another")
	w.Groups[fake.Group].LaunchTemplate.Version = ptr("1")
	w.Tokens = map[string]string{}
	p := carryOut(t, w, "ami-0new")
	diff(t, "launches", p.Launches, []string{"lt-0web:3"})
}

func TestPlan_MixedInstancesPolicyIsKeptWhole(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.AddImage("ami-0new", nil)
	second := fake.Data(fake.OldImage)
	second.UserData = ptr("c2Vjb25k")
	w.Templates["lt-0second"] = []ec2types.LaunchTemplateVersion{{
		LaunchTemplateId: ptr("lt-0second"), VersionNumber: ptr(int64(5)), LaunchTemplateData: &second, DefaultVersion: ptr(true),
	}}
	spec := func(id, version string) *types.LaunchTemplateSpecification {
		return &types.LaunchTemplateSpecification{LaunchTemplateId: &id, Version: &version}
	}
	policy := func(web, other, image string) *types.MixedInstancesPolicy {
		return &types.MixedInstancesPolicy{
			InstancesDistribution: &types.InstancesDistribution{OnDemandBaseCapacity: ptr(int32(1)), SpotAllocationStrategy: ptr("price-capacity-optimized")},
			LaunchTemplate: &types.LaunchTemplate{
				LaunchTemplateSpecification: spec(fake.Template, web),
				Overrides: []types.LaunchTemplateOverrides{
					{InstanceType: ptr("t3.micro"), WeightedCapacity: ptr("2")},
					{InstanceType: ptr("t3.micro"), LaunchTemplateSpecification: spec("lt-0second", other)},
					{InstanceType: ptr("t3.micro"), ImageId: &image},
					{InstanceRequirements: &types.InstanceRequirements{MemoryMiB: &types.MemoryMiBRequest{Min: ptr(int32(512))}, VCpuCount: &types.VCpuCountRequest{Min: ptr(int32(1))}}},
				},
			},
		}
	}
	g := w.Groups[fake.Group]
	g.LaunchTemplate, g.MixedInstancesPolicy = nil, policy("$Latest", "5", fake.OldImage)
	p := carryOut(t, w, "ami-0new")
	diff(t, "launches", p.Launches, []string{"lt-0web:2", "lt-0second:6"})
	diff(t, "policy", g.MixedInstancesPolicy, policy("2", "6", "ami-0new"))
	diff(t, "the second template's user data", w.Templates["lt-0second"][1].LaunchTemplateData.UserData, "c2Vjb25k")
}

func TestPlan_ReadingNamesIsNoDifference(t *testing.T) {
	t.Parallel()
	w := fake.New()
	f := observe(t, w, Target{Group: fake.Group})
	if p := f.Pin(); p.Update != nil {
		t.Errorf("got update %v of a group that is pinned, want none", p.Update)
	}
}

// launchConfiguration has every setting that a configuration can have.
func launchConfiguration() *types.LaunchConfiguration {
	return &types.LaunchConfiguration{
		LaunchConfigurationName: ptr("web-lc"), ImageId: ptr(fake.OldImage), InstanceType: ptr("t3.micro"), KeyName: ptr("ops"), KernelId: ptr(""),
		SecurityGroups: []string{"sg-1", "sg-2"}, UserData: ptr("IyEvYmluL3No"), SpotPrice: ptr("0.01"), IamInstanceProfile: ptr("web"),
		EbsOptimized: ptr(true), AssociatePublicIpAddress: ptr(false), PlacementTenancy: ptr("dedicated"),
		InstanceMonitoring: &types.InstanceMonitoring{Enabled: ptr(false)},
		MetadataOptions:    &types.InstanceMetadataOptions{HttpTokens: types.InstanceMetadataHttpTokensStateRequired, HttpPutResponseHopLimit: ptr(int32(2))},
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: ptr("/dev/xvda"), Ebs: &types.Ebs{SnapshotId: ptr("snap-old-root"), VolumeSize: ptr(int32(20)), Iops: ptr(int32(3000))}},
			{DeviceName: ptr("/dev/xvdb"), Ebs: &types.Ebs{SnapshotId: ptr("snap-data")}},
			{DeviceName: ptr("/dev/xvdc"), NoDevice: ptr(true)},
		},
	}
}

func configured() *fake.World {
	w := fake.New()
	w.Configurations["web-lc"] = launchConfiguration()
	w.Groups[fake.Group].LaunchTemplate, w.Groups[fake.Group].LaunchConfigurationName = nil, ptr("web-lc")
	w.AddImage("ami-0new", nil)
	w.AddImage("ami-0newer", nil)
	return w
}

func TestPlan_LaunchConfigurationIsCopiedWhole(t *testing.T) {
	t.Parallel()
	w := configured()
	carryOut(t, w, "ami-0new")
	want := launchConfiguration()
	want.LaunchConfigurationName, want.ImageId, want.KernelId = ptr("web-lc-ami-0new"), ptr("ami-0new"), nil
	want.BlockDeviceMappings[0].Ebs.SnapshotId = nil
	want.CreatedTime = &w.Now
	diff(t, "configuration", w.Configurations["web-lc-ami-0new"], want)
	diff(t, "group", w.Groups[fake.Group].LaunchConfigurationName, "web-lc-ami-0new")
}

func TestPlan_ConfigurationNamesDoNotGrow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ base, want string }{
		"by hand":            {"web", "web-ami-0123"},
		"made here":          {"web-ami-0abc", "web-ami-0123"},
		"not an image's id":  {"web-ami-x86", "web-ami-x86-ami-0123"},
		"as long as it gets": {strings.Repeat("w", 255), strings.Repeat("w", 246) + "-ami-0123"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := configurationName(c.base, "ami-0123"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPlan_RefusesAConfigurationWithOtherSettings(t *testing.T) {
	t.Parallel()
	w := configured()
	other := launchConfiguration()
	other.LaunchConfigurationName, other.ImageId, other.UserData = ptr("web-lc-ami-0new"), ptr("ami-0new"), ptr("b3RoZXI=")
	w.Configurations["web-lc-ami-0new"] = other
	f := observe(t, w, Target{Group: fake.Group})
	i := Image{*w.Images["ami-0new"]}
	if err := f.Prepare(context.Background(), apis(w), i); err != nil {
		t.Fatal(err)
	}
	p := f.Plan(i)
	if !strings.Contains(p.Conflict, "web-lc-ami-0new exists and is not a copy of web-lc") || p.Ready() {
		t.Errorf("got conflict %q, ready %t", p.Conflict, p.Ready())
	}
}

func TestObserve_SaysWhatIsWrongWithTheTarget(t *testing.T) {
	t.Parallel()
	group := Target{Group: fake.Group}
	deployment := Target{Application: "webapp", DeploymentGroup: "webapp"}
	for name, c := range map[string]struct {
		target Target
		spoil  func(w *fake.World)
		want   string
	}{
		"no group":             {Target{Group: "other"}, func(*fake.World) {}, "there is no Auto Scaling group other"},
		"no application":       {Target{Application: "other", DeploymentGroup: "webapp"}, func(*fake.World) {}, "there is no CodeDeploy application other"},
		"no deployment group":  {Target{Application: "webapp", DeploymentGroup: "other"}, func(*fake.World) {}, "CodeDeploy application webapp has no deployment group other"},
		"two groups":           {deployment, func(w *fake.World) { w.Deployment.Groups = []string{"a", "b"} }, "must have exactly one Auto Scaling group (it has a, b)"},
		"no groups":            {deployment, func(w *fake.World) { w.Deployment.Groups = nil }, "must have exactly one Auto Scaling group (it has none)"},
		"a group that is gone": {deployment, func(w *fake.World) { w.Deployment.Groups = []string{"a"} }, "there is no Auto Scaling group a, which deployment group webapp/webapp names"},
		"no template":          {group, func(w *fake.World) { w.Groups[fake.Group].LaunchTemplate = nil }, "group web has no launch template and no launch configuration"},
		"no such version":      {group, func(w *fake.World) { w.Groups[fake.Group].LaunchTemplate.Version = ptr("9") }, "launch template lt-0web:9 of group web does not exist"},
		"no configuration": {group, func(w *fake.World) {
			w.Groups[fake.Group].LaunchTemplate, w.Groups[fake.Group].LaunchConfigurationName = nil, ptr("gone")
		}, "launch configuration gone of group web does not exist"},
		"a group that is being deleted": {group, func(w *fake.World) { w.Groups[fake.Group].Status = ptr("Delete in progress") }, "group web is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			c.spoil(w)
			_, faults, err := Observe(context.Background(), apis(w), c.target)
			if err != nil || !strings.Contains(strings.Join(faults, "; "), c.want) {
				t.Errorf("got faults %q and error %v, want %q", faults, err, c.want)
			}
		})
	}
}

func TestUnfit_ComparesArchitectureAndVirtualisation(t *testing.T) {
	t.Parallel()
	image := Image{ec2types.Image{ImageId: ptr("ami-0"), Architecture: "x86_64", VirtualizationType: "hvm"}}
	info := func(architecture ec2types.ArchitectureType, virtualization ec2types.VirtualizationType) []ec2types.InstanceTypeInfo {
		return []ec2types.InstanceTypeInfo{{
			InstanceType: "t", ProcessorInfo: &ec2types.ProcessorInfo{SupportedArchitectures: []ec2types.ArchitectureType{"i386", architecture}},
			SupportedVirtualizationTypes: []ec2types.VirtualizationType{virtualization},
		}}
	}
	diff(t, "fits", Unfit(image, info("x86_64", "hvm")), nil)
	diff(t, "architecture", Unfit(image, info("arm64", "hvm")), []string{"image ami-0 is for x86_64, and instance type t runs i386, arm64"})
	diff(t, "virtualisation", Unfit(image, info("x86_64", "paravirtual")), []string{"image ami-0 is virtualised as hvm, and instance type t takes paravirtual"})
}
