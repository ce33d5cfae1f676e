package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
)

const documentFile = "infra/golden-ami-document.yaml"

// An ill bake is one that something is wrong with.
type illBake struct {
	name string // a sentence
	// What is wrong: the document's text, what its steps may not do, or what
	// becomes of images.
	document func(template string) string
	denied   string
	fate     string
	want     []string // in the message
	status   string   // that the Automation ends with, Failed by default
	images   int      // that are left
	left     bool     // the builder is left, which the message tells
}

// script makes a step's commands end at once, with something to say.
func script(line, instead string) func(string) string {
	return func(template string) string { return replaceOnce(template, line, instead) }
}

var illBakes = []illBake{
	{name: "the execution cannot be read", denied: "ssm:GetAutomationExecution", want: []string{"step readExecution (aws:executeAwsApi) failed", "ssm:GetAutomationExecution"}},
	{name: "the builder cannot be launched", denied: "ec2:RunInstances", want: []string{"step launchBuilder (aws:runInstances) failed", "ec2:RunInstances"}},
	{name: "the builder's type does not exist", document: script("default: !If [IsArm, t4g.small, t3.small]", "default: t3.huge"), want: []string{"step launchBuilder (aws:runInstances) failed", "t3.huge"}},
	{name: "the builder's id cannot be read", document: script("              Api: DescribeInstances\n              InstanceIds: '{{ launchBuilder.InstanceIds }}'\n", "              Api: DescribeInstances\n              InstanceIds: [i-00000000000000000]\n"), want: []string{"step readBuilder (aws:executeAwsApi) failed", "i-00000000000000000"}},
	{name: "the agent never comes online", document: script("                - Online\n", "                - Awake\n"), status: "TimedOut", want: []string{"step waitForAgent (aws:waitForAwsResourceProperty) timed out"}},
	{name: "the update fails", document: script("                    dnf -y --releasever=latest upgrade\n", "                    echo no space left >&2\n                    exit 1\n"), want: []string{"step patch (aws:runCommand) failed", "no space left"}},
	{name: "the update never ends", document: script("                    dnf -y --releasever=latest upgrade\n", "                    sleep 9000\n"), want: []string{"step patch (aws:runCommand)"}},
	{name: "an agent cannot be installed", document: script("dnf -y install amazon-cloudwatch-agent", "dnf -y install amazon-cloudwatch-agnet"), want: []string{"step installAgents (aws:runCommand) failed", "amazon-cloudwatch-agnet"}},
	{name: "the image is not fit", document: script("systemctl enable codedeploy-agent", "systemctl disable codedeploy-agent"), want: []string{"step validate (aws:runCommand) failed", "codedeploy-agent does not start with the instance"}},
	{name: "sealing fails", document: script("                    dnf clean all\n", "                    exit 7\n"), want: []string{"step seal (aws:runCommand) failed", "7"}},
	{name: "the builder cannot be stopped", denied: "ec2:StopInstances", want: []string{"step stopBuilder (aws:changeInstanceState) failed", "ec2:StopInstances"}},
	{name: "the image cannot be made", denied: "ec2:CreateImage", want: []string{"step createImage (aws:executeAwsApi) failed", "ec2:CreateImage"}},
	{name: "the image fails", fate: "failed", status: "TimedOut", want: []string{"step waitForImage (aws:waitForAwsResourceProperty)"}},
	{name: "the image never becomes available", fate: "pending", status: "TimedOut", want: []string{"waitForImage"}},
	{name: "the image fails and cannot be deleted", fate: "failed", status: "TimedOut", denied: "ec2:DeregisterImage", images: 1, want: []string{"step waitForImage (aws:waitForAwsResourceProperty)"}},
	{name: "the builder cannot be terminated", denied: "ec2:TerminateInstances", images: 1, left: true, want: []string{"step terminateBuilder (aws:changeInstanceState) failed", "ec2:TerminateInstances", "the document has left its builder, which is to be terminated: i-"}},
}

// TestIllBake has each step of the document fail. The failure names the step and
// why, no builder is left, the group is as it was, and once the cause is gone a
// retry of the stage bakes anew and succeeds.
func TestIllBake(t *testing.T) {
	t.Parallel()
	if binaries != "" {
		t.Skip("what a failed bake leaves does not depend on where functions run")
	}
	for _, c := range illBakes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c illBake) run(t *testing.T) {
	fate := c.fate
	w := newGolden(t, options{imageFate: func(string) (string, string) { return fate, "the volume could not be read" }, edit: func(file, template string) string {
		if file == documentFile && c.document != nil {
			return c.document(template)
		}
		return template
	}})
	w.cut()
	before, lift := w.fleet(), func() {}
	if c.denied != "" {
		lift = w.cloud.IAM.Deny(w.automationRole(), c.denied)
	}
	id, status := w.release("1")
	if status != "Failed" {
		t.Fatalf("release: got %s, want Failed", status)
	}
	why := w.why()
	for _, part := range append(c.want, "BuildGoldenAMI: JobFailed: ", "group webapp launches "+before.Image) {
		if !strings.Contains(why, part) {
			t.Errorf("got %q, want %q in it", why, part)
		}
	}
	w.clock.Advance(3 * time.Hour) // an Automation may outlive the job that gave up on it
	after := w.fleet()
	if left := len(after.Builders) > 0; left != c.left {
		t.Errorf("builders: got %v, want some left: %t", after.Builders, c.left)
	}
	if len(after.Images) != c.images || len(after.Snapshots) > 0 {
		t.Errorf("images: got %v, want %d, and no snapshots %v", after.Images, c.images, after.Snapshots)
	}
	before.Builders, before.Images, before.Bakes = after.Builders, after.Images, map[string]int{c.ends(): 1}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("fleet (-before +after):\n%s", diff)
	}
	// The cause goes away.
	lift()
	fate = ""
	if err := w.deployStack(options{}, "webapp-image", documentFile, nil); err != nil {
		t.Fatal(err)
	}
	if status := w.retry(id, types.StageRetryModeFailedActions); status != "Succeeded" {
		t.Fatalf("retry: got %s, want Succeeded: %s", status, w.why())
	}
	w.checkAnew(t, id, before)
	w.checkReports(t, false)
}

func (c illBake) ends() string {
	if c.status == "" {
		return "Failed"
	}
	return c.status
}

// checkAnew holds that one more bake was started, and has succeeded.
func (w *world) checkAnew(t *testing.T, id string, before fleetState) {
	t.Helper()
	after := w.fleet()
	if after.Bakes["Success"] != 1 || len(after.Bakes) != 2 || after.Image != w.outputs(id, buildGoldenAMI)["ImageId"] || after.Image == before.Image {
		t.Errorf("after the retry: got %+v, want the image of one more bake", after)
	}
	if len(after.Images) != len(before.Images)+1 || len(after.Builders) != len(before.Builders) {
		t.Errorf("after the retry: got images %v and builders %v, want one image more than %v and no more builders than %v", after.Images, after.Builders, before.Images, before.Builders)
	}
	if diff := cmp.Diff(before.Launches, after.Launches); diff != "" {
		t.Errorf("template, but for its image (-before +after):\n%s", diff)
	}
}

// automationRole is the name of the role that the document's steps run with.
func (w *world) automationRole() string {
	arn := w.cloud.CloudFormation.Outputs("webapp-image")["AutomationRoleArn"]
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// A bake that somebody cancels by hand ends the job, wherever it is.
func TestIllBake_CancelledByHand(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"launchBuilder", "waitForAgent", "patch", "validate", "stopBuilder", "waitForImage"} {
		t.Run("at "+step, func(t *testing.T) {
			t.Parallel()
			w := newGolden(t, options{})
			w.cut()
			before := w.fleet()
			id := w.start("1")
			automation := w.untilStep(t, step)
			if _, err := ssm.NewFromConfig(w.config()).StopAutomationExecution(t.Context(), &ssm.StopAutomationExecutionInput{
				AutomationExecutionId: &automation, Type: ssmtypes.StopTypeCancel,
			}); err != nil {
				t.Fatal(err)
			}
			if status := w.finish(id); status != "Failed" {
				t.Fatalf("release: got %s, want Failed", status)
			}
			why := w.why()
			for _, part := range []string{"BuildGoldenAMI: JobFailed: ", automation, "ended as Cancelled", step} {
				if !strings.Contains(why, part) {
					t.Errorf("got %q, want %q in it", why, part)
				}
			}
			after := w.fleet()
			before.Bakes = map[string]int{"Cancelled": 1}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("fleet (-before +after):\n%s", diff)
			}
			if status := w.retry(id, types.StageRetryModeFailedActions); status != "Succeeded" {
				t.Fatalf("retry: got %s, want Succeeded: %s", status, w.why())
			}
			w.checkAnew(t, id, before)
			if got := aws.ToString(w.action(buildGoldenAMI).ExternalExecutionId); got == automation || got == "" {
				t.Errorf("external execution: got %q, want another than %s", got, automation)
			}
		})
	}
}
