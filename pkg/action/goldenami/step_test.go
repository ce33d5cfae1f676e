package goldenami

import (
	"fmt"
	"testing"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	fake "cutover/pkg/fleet/fleettest"
)

func TestStep_BakesAndMakesTheGroupLaunchTheImage(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Store(publishTo, fake.OldImage, "aws:ec2:image")
	out, summary := run(t, w, params(), "attempt-1")
	image := out["ImageId"]
	equal(t, "outputs", out, map[string]string{
		"ImageId": image, "PreviousImageId": fake.OldImage, "SourceImageId": fake.Source, "Image": "built",
		"AutomationExecutionId": *w.Bakes[0].AutomationExecutionId, "AutoScalingGroupName": fake.Group,
		"LaunchTemplateId": fake.Template, "LaunchTemplateVersion": "2", "Execution": params().Execution,
	})
	contains(t, summary, image, "was built", "group web launches", "before it was ami-0old", "parameter /webapp/image holds it")
	equal(t, "what the group launches", w.Launched(fake.Group), image)
	equal(t, "the group's version", *w.Groups[fake.Group].LaunchTemplate.Version, "2")
	equal(t, "the parameter", *w.Parameters[publishTo].Value, image)
	equal(t, "parameters of the bake", w.Bakes[0].Parameters, map[string][]string{"SourceAmiId": {fake.Source}, "Commit": {"abc123"}})
	for key, want := range map[string]string{
		TagFleet: fake.Group, TagExecution: params().Execution, TagSource: fake.Source, TagPrevious: fake.OldImage, TagReleased: params().Execution,
	} {
		equal(t, "tag "+key, w.Tag(image, key), want)
	}
	equal(t, "writes", w.Writes(), []string{"StartAutomationExecution", "CreateTags", "PutParameter", "CreateLaunchTemplateVersion", "UpdateAutoScalingGroup", "CreateTags"})
}

func TestStep_NextVersionDiffersInTheImageOnly(t *testing.T) {
	t.Parallel()
	w := fake.New()
	out, _ := run(t, w, params(), "attempt-1")
	want := fake.Data(out["ImageId"])
	want.BlockDeviceMappings[0].Ebs.SnapshotId = nil // the old image's root disk
	equal(t, "settings", w.Templates[fake.Template][1].LaunchTemplateData, &want, ignoreUnexported)
}

func TestStep_FollowsWithStepAndPercent(t *testing.T) {
	t.Parallel()
	w := fake.New()
	a := begin(t, w, params(), "attempt-1")
	var seen []string
	for range 4 {
		r, err := a.tick()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%d%% %s", r.Percent(), r.Summary()))
		equal(t, "external id", r.ExternalID(), *w.Bakes[0].AutomationExecutionId)
		a.state = r.State()
		w.Advance()
	}
	id := *w.Bakes[0].AutomationExecutionId
	equal(t, "summaries", seen, []string{
		"3% started Automation " + id + " from source image ami-0source",
		"19% Automation " + id + " runs step updateOSSoftware (2 of 4)",
		"36% Automation " + id + " runs step createImage (3 of 4)",
		"53% Automation " + id + " runs step terminateInstance (4 of 4)",
	})
}

func TestStep_UnchangedRerunTakesOneTickAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := fake.New()
	first, _ := run(t, w, params(), "attempt-1")
	w.Calls()
	p := next(params(), 2)
	p.Parameters = map[string]Values{"Commit": {"another"}}
	r, err := begin(t, w, p, "attempt-2").tick()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "done at once", r.Done(), true)
	equal(t, "writes", len(w.Writes()), 0)
	equal(t, "image", r.Outputs()["ImageId"], first["ImageId"])
	equal(t, "how", r.Outputs()["Image"], "reused")
	equal(t, "previous", r.Outputs()["PreviousImageId"], fake.OldImage)
}

func TestStep_ReuseBakesWhenTheImageMayNotBeUsedAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *fake.World, p *Params, image string){
		"the source image is another": func(w *fake.World, _ *Params, _ string) {
			w.AddImage("ami-0newer", nil)
			w.Store("/aws/service/source", "ami-0newer", "text")
		},
		"the document is another":   func(w *fake.World, _ *Params, _ string) { w.DocumentHash = "hash-2" },
		"a parameter is another":    func(_ *fake.World, p *Params, _ string) { p.Reuse.Except = nil; p.Parameters["Commit"] = Values{"x"} },
		"it is forced":              func(_ *fake.World, p *Params, _ string) { p.Force = true },
		"reuse is not asked for":    func(_ *fake.World, p *Params, _ string) { p.Reuse = nil },
		"the image is too old":      func(w *fake.World, p *Params, _ string) { w.Now = w.Now.Add(31 * 24 * time.Hour) },
		"the image is revoked":      func(w *fake.World, _ *Params, image string) { tag(w, image, TagRevoked, "") },
		"the image is disabled":     func(w *fake.World, _ *Params, image string) { w.Images[image].State = ec2types.ImageStateDisabled },
		"the image is not released": func(w *fake.World, _ *Params, image string) { untag(w, image, TagReleased) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			first, _ := run(t, w, params(), "attempt-1")
			p := next(params(), 2)
			change(w, &p, first["ImageId"])
			out, _ := run(t, w, p, "attempt-2")
			equal(t, "how", out["Image"], "built")
			equal(t, "bakes", len(w.Bakes), 2)
			equal(t, "launched", w.Launched(fake.Group), out["ImageId"])
			equal(t, "previous", out["PreviousImageId"], first["ImageId"])
		})
	}
}

func tag(w *fake.World, image, key, value string) {
	w.Images[image].Tags = append(w.Images[image].Tags, ec2types.Tag{Key: &key, Value: &value})
}

func untag(w *fake.World, image, key string) {
	var kept []ec2types.Tag
	for _, t := range w.Images[image].Tags {
		if *t.Key != key {
			kept = append(kept, t)
		}
	}
	w.Images[image].Tags = kept
}

// deployed are parameters that name the group through CodeDeploy.
func deployed() Params {
	p := params()
	p.Group, p.Application, p.DeploymentGroup = "", "webapp", "webapp"
	return p
}

func TestStep_ImageOfADeploymentGroupIsProvenByItsInstances(t *testing.T) {
	t.Parallel()
	w := fake.New()
	first, _ := run(t, w, deployed(), "attempt-1")
	equal(t, "marked before any instance ran it", w.Tag(first["ImageId"], TagReleased), "")

	// The deployment fails: the instances stay as they were.
	second, _ := run(t, w, next(deployed(), 2), "attempt-2")
	equal(t, "after a failed deployment", second["Image"], "built")

	// Now it copies the group and succeeds.
	w.AddGroup("CodeDeploy_webapp_d-1", &asgtypes.AutoScalingGroup{LaunchTemplate: w.Groups[fake.Group].LaunchTemplate}, second["ImageId"])
	w.Deployment.Groups = []string{"CodeDeploy_webapp_d-1"}
	delete(w.Groups, fake.Group)
	w.Calls()
	r, err := begin(t, w, next(deployed(), 3), "attempt-3").tick()
	if err != nil || !r.Done() {
		t.Fatalf("got done %t, error %v, want one tick", r.Done(), err)
	}
	equal(t, "after a deployment", r.Outputs()["Image"], "reused")
	equal(t, "group", r.Outputs()["AutoScalingGroupName"], "CodeDeploy_webapp_d-1")
	equal(t, "writes", len(w.Writes()), 0)

	// What was live is marked before another image takes its place.
	p := next(deployed(), 4)
	p.Force = true
	if _, err := begin(t, w, p, "attempt-4").follow(); err != nil {
		t.Fatal(err)
	}
	equal(t, "mark", w.Tag(second["ImageId"], TagReleased), p.Execution)
}

func TestStep_WaitsForADeploymentThatIsNotOver(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.Deployment.Active = "d-7"
	a := begin(t, w, deployed(), "attempt-1")
	for range 20 {
		r, err := a.tick()
		if err != nil {
			t.Fatal(err)
		}
		a.state = r.State()
		w.Advance()
	}
	equal(t, "launched meanwhile", w.Launched(fake.Group), fake.OldImage)
	w.Deployment.Active = ""
	r, err := a.follow()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "launched then", w.Launched(fake.Group), r.Outputs()["ImageId"])
}

func TestStep_FailsWithTheStepAndHowTheFleetStands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(w *fake.World)
		want  []string
	}{
		"a step fails":             {func(w *fake.World) { w.FailStep = "updateOSSoftware" }, []string{"of document bake ended as Failed: step updateOSSoftware (aws:updateOSSoftware) failed: it broke", "group web launches ami-0old and has 2 instances in service", "bakes anew"}},
		"there is no output":       {func(w *fake.World) { w.NoImage = true }, []string{"succeeded, and output createImage.ImageId holds no image (it has no outputs)", "group web launches ami-0old"}},
		"the image fails":          {func(w *fake.World) { w.BadImage = true }, []string{"is failed (snapshot failed)"}},
		"the parameter refuses":    {func(w *fake.World) { w.Refuse = true }, []string{"parameter /webapp/image did not take image", "ec2:DescribeImages"}},
		"the architecture differs": {func(w *fake.World) { w.Architectures["t3.micro"] = ec2types.ArchitectureTypeArm64 }, []string{"source image ami-0source is for x86_64, and instance type t3.micro runs arm64", "Nothing was changed"}},
		"the source is gone":       {func(w *fake.World) { delete(w.Images, fake.Source) }, []string{"source image ami-0source does not exist"}},
		"the group is gone":        {func(w *fake.World) { delete(w.Groups, fake.Group) }, []string{"there is no Auto Scaling group web"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			c.spoil(w)
			fails(t, w, params(), "attempt-1", c.want...)
			if w.Groups[fake.Group] != nil {
				equal(t, "launched", w.Launched(fake.Group), fake.OldImage)
			}
		})
	}
}

func TestStep_FailureNamesABuilderThatIsLeft(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.FailStep = "createImage"
	a := begin(t, w, params(), "attempt-1")
	r, err := a.tick()
	if err != nil {
		t.Fatal(err)
	}
	a.state = r.State()
	w.Instances["i-builder"] = &ec2types.Instance{InstanceId: ptr("i-builder"), ImageId: ptr(fake.Source), State: &ec2types.InstanceState{Name: "running"}}
	w.Bakes[0].StepExecutions[0].Outputs = map[string][]string{"InstanceIds": {"i-builder"}}
	_, err = a.follow()
	if err == nil {
		t.Fatal("the job succeeded, want a failure")
	}
	contains(t, err.Error(), "the document has left its builder, which is to be terminated: i-builder (running)")
}

func TestStep_EveryWayABakeEndsIsHandled(t *testing.T) {
	t.Parallel()
	for _, status := range ssmtypes.AutomationExecutionStatus("").Values() {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			a := begin(t, w, params(), "attempt-1")
			r, err := a.tick()
			if err != nil {
				t.Fatal(err)
			}
			a.state = r.State()
			w.Bakes[0].AutomationExecutionStatus = status
			w.Bakes[0].Outputs["createImage.ImageId"] = []string{fake.OldImage}
			r, err = a.tick()
			switch {
			case (Bake{Status: status}).Succeeded():
				equal(t, "image", r.State().Image, fake.OldImage)
			case (Bake{Status: status}).Over():
				contains(t, err.Error(), "ended as "+string(status))
			default:
				equal(t, "error", err, nil)
				equal(t, "state", r.State().Image, "")
			}
		})
	}
}

func TestStep_RetryStartsAnewAfterAFailureOnly(t *testing.T) {
	t.Parallel()
	w := fake.New()
	w.FailStep = "createImage"
	fails(t, w, params(), "attempt-1", "step createImage")
	w.FailStep = ""
	out, _ := run(t, w, params(), "attempt-2")
	equal(t, "bakes", len(w.Bakes), 2)

	w.Groups[fake.Group].LaunchTemplate.Version = ptr("1")
	again, _ := run(t, w, params(), "attempt-3")
	equal(t, "bakes after a retry of a good bake", len(w.Bakes), 2)
	equal(t, "image", again["ImageId"], out["ImageId"])
	equal(t, "how", again["Image"], "built")
	equal(t, "previous", again["PreviousImageId"], out["PreviousImageId"])
}

func TestStep_OrphansAreReportedOrStopped(t *testing.T) {
	t.Parallel()
	for _, stops := range []bool{false, true} {
		t.Run(fmt.Sprint(stops), func(t *testing.T) {
			t.Parallel()
			w := fake.New()
			if _, err := begin(t, w, params(), "attempt-1").tick(); err != nil {
				t.Fatal(err)
			}
			p := next(params(), 2)
			p.StopOrphans = stops
			out, summary := run(t, w, p, "attempt-2")
			orphan := w.Bakes[0]
			equal(t, "its bake", out["AutomationExecutionId"], *w.Bakes[1].AutomationExecutionId)
			if stops {
				contains(t, summary, "stopped what earlier executions left running: "+*orphan.AutomationExecutionId)
				equal(t, "orphan", orphan.AutomationExecutionStatus, ssmtypes.AutomationExecutionStatusCancelled)
			} else {
				contains(t, summary, "an earlier execution's Automation still runs: "+*orphan.AutomationExecutionId)
				equal(t, "orphan", orphan.AutomationExecutionStatus, ssmtypes.AutomationExecutionStatusSuccess)
			}
		})
	}
}
