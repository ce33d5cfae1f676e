package fleet

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	fake "cutover/pkg/fleet/fleettest"
)

const (
	older = "ami-0a"
	newer = "ami-0b"
)

// pruned is what goes of two images of which one is kept.
func pruned(t *testing.T, w *fake.World) []Deletion {
	t.Helper()
	h, err := ReadHoldings(context.Background(), apis(w), w.SSM(), Holdings{Images: []HeldImage{
		{ID: older, Created: time.Unix(1, 0)}, {ID: newer, Created: time.Unix(2, 0)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return Prune(h, 1)
}

func version(template string, number int64, image, description string, byDefault bool) ec2types.LaunchTemplateVersion {
	data := fake.Data(image)
	return ec2types.LaunchTemplateVersion{
		LaunchTemplateId: &template, VersionNumber: &number, VersionDescription: &description, DefaultVersion: &byDefault, LaunchTemplateData: &data,
	}
}

func TestReadHoldings_FindsEveryReference(t *testing.T) {
	t.Parallel()
	for name, refer := range map[string]func(w *fake.World){
		"the default version of a template that no group has": func(w *fake.World) {
			w.Templates["lt-0x"] = []ec2types.LaunchTemplateVersion{version("lt-0x", 1, older, ours, true), version("lt-0x", 2, newer, ours, false)}
		},
		"the latest version of a template that no group has": func(w *fake.World) {
			w.Templates["lt-0x"] = []ec2types.LaunchTemplateVersion{version("lt-0x", 1, newer, ours, true), version("lt-0x", 2, older, ours, false)}
		},
		"a version of the fleet's template that was made by hand": func(w *fake.World) {
			w.Templates[fake.Template] = append(w.Templates[fake.Template], version(fake.Template, 2, older, "by hand", false), version(fake.Template, 3, newer, ours, false))
		},
		"a version that another group pins": func(w *fake.World) {
			w.Templates["lt-0x"] = []ec2types.LaunchTemplateVersion{version("lt-0x", 1, newer, ours, true), version("lt-0x", 2, older, ours, false), version("lt-0x", 3, newer, ours, false)}
			w.AddGroup("other", &types.AutoScalingGroup{LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: ptr("lt-0x"), Version: ptr("2")}}, newer)
		},
		"a version that an instance of a group was launched from": func(w *fake.World) {
			w.Templates[fake.Template] = append(w.Templates[fake.Template], version(fake.Template, 2, older, ours, false), version(fake.Template, 3, newer, ours, false))
			w.Groups[fake.Group].Instances[0].LaunchTemplate = &types.LaunchTemplateSpecification{LaunchTemplateId: ptr(fake.Template), Version: ptr("2")}
		},
		"an override that pins it": func(w *fake.World) {
			g := w.Groups[fake.Group]
			g.MixedInstancesPolicy = &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
				LaunchTemplateSpecification: g.LaunchTemplate, Overrides: []types.LaunchTemplateOverrides{{ImageId: ptr(older)}},
			}}
			g.LaunchTemplate = nil
		},
		"a launch configuration made by hand": func(w *fake.World) {
			w.Configurations["lc"] = &types.LaunchConfiguration{LaunchConfigurationName: ptr("lc"), ImageId: ptr(older)}
		},
		"a launch configuration made here that a group has": func(w *fake.World) {
			w.Configurations["lc-"+older] = &types.LaunchConfiguration{LaunchConfigurationName: ptr("lc-" + older), ImageId: ptr(older)}
			w.Groups["other"] = &types.AutoScalingGroup{AutoScalingGroupName: ptr("other"), LaunchConfigurationName: ptr("lc-" + older)}
		},
		"an instance of no group": func(w *fake.World) {
			w.Instances["i-1"] = &ec2types.Instance{InstanceId: ptr("i-1"), ImageId: ptr(older), State: &ec2types.InstanceState{Name: ec2types.InstanceStateNameRunning}}
		},
		"a parameter for images": func(w *fake.World) { w.Store("/image", older, "aws:ec2:image") },
		"a parameter that a template takes its image from": func(w *fake.World) {
			w.Store("/text", older, "text")
			w.Templates["lt-0x"] = []ec2types.LaunchTemplateVersion{version("lt-0x", 1, "resolve:ssm:/text", "", true)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			refer(w)
			if all := pruned(t, w); len(all) > 0 {
				t.Errorf("got %v, want nothing to go", all)
			}
		})
	}
}

func TestReadHoldings_LetsGoWhatWasMadeHere(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Templates[fake.Template] = append(w.Templates[fake.Template], version(fake.Template, 2, older, ours, false), version(fake.Template, 3, newer, ours, false))
	w.Configurations["lc-"+older] = &types.LaunchConfiguration{LaunchConfigurationName: ptr("lc-" + older), ImageId: ptr(older)}
	w.Store("/text", older, "text") // nothing takes an image from it
	diff(t, "what goes", pruned(t, w), []Deletion{
		{Kind: DeleteVersion, Name: fake.Template, Number: 2}, {Kind: DeleteConfiguration, Name: "lc-" + older}, {Kind: DeleteImage, Name: older},
	})
}
