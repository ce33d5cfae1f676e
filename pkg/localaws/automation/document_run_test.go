package automation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEngine_RunsTheShapeOfUpdateLinuxAmi(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCloud(w)
	w.start(file(t, "update-linux-ami.json"), map[string][]string{"SourceAmiId": {"ami-source"}, "SecurityGroupIds": {"sg-1,sg-2"}})

	first := w.now()
	if got, want := first.Outputs["createImage.ImageId"], []string{notYet}; !cmp.Equal(got, want) {
		t.Errorf("output before the image is made: got %q, want %q", got, want)
	}
	x := w.end()

	want := "Success: launchInstance=Success updateOSSoftware=Success stopInstance=Success createImage=Success terminateInstance=Success"
	if got := outline(x); got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	if diff := cmp.Diff(map[string][]string{"createImage.ImageId": {"ami-made"}}, x.Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if got := c.instances["i-a"].now(w.clock.Now()); got != "terminated" {
		t.Errorf("builder: got %s, want terminated", got)
	}
	if got, want := c.images["ami-made"], "UpdateLinuxAmi_from_ami-source_on_2026-03-04_05."; !strings.HasPrefix(got, want) {
		t.Errorf("image name: got %q, want it to begin with %q", got, want)
	}
	launched := w.aws.inputs["ec2 RunInstances"][0]
	delete(launched, "UserData")
	if diff := cmp.Diff(obj("ImageId", "ami-source", "InstanceType", "t2.micro", "SecurityGroupIds", []any{"sg-1", "sg-2"},
		"MetadataOptions", map[string]any{"HttpEndpoint": "enabled", "HttpTokens": "optional"}, "MinCount", int64(1), "MaxCount", int64(1),
		"IamInstanceProfile", obj("Name", "ManagedInstanceProfile"), "ClientToken", testID+"/launchInstance/1"), launched); diff != "" {
		t.Errorf("RunInstances (-want +got):\n%s", diff)
	}
	if got, want := step(x, "stopInstance").Inputs, map[string]string{"InstanceIds": `["i-a"]`, "DesiredState": `"stopped"`}; !cmp.Equal(got, want) {
		t.Errorf("inputs of stopInstance: got %q, want %q", got, want)
	}
	if got, want := w.roles, []string{" arn:aws:iam::111122223333:user/ada Automation-" + testID}; !cmp.Equal(got, want) {
		t.Errorf("credentials: got %q, want %q", got, want)
	}
}

var golden = map[string][]string{
	"AutomationAssumeRole": {"arn:aws:iam::111122223333:role/automation"}, "SubnetId": {"subnet-1"}, "SecurityGroupIds": {"sg-1"},
}

func TestEngine_RunsAGoldenImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCloud(w)
	w.start(file(t, "golden-ami.yaml"), golden)
	x := w.end()

	if x.Status != "Success" {
		t.Fatalf("execution: got %s: %s, want Success", outline(x), x.FailureMessage)
	}
	if diff := cmp.Diff(map[string][]string{"createImage.ImageId": {"ami-made"}, "launchBuilder.InstanceIds": {"i-a"}}, x.Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	want := []any{obj("Key", "source-image", "Value", "ami-public"), obj("Key", "automation", "Value", testID), obj("Key", "commit", "Value", "unknown")}
	if diff := cmp.Diff(want, c.tags["ami-made"]); diff != "" {
		t.Errorf("image tags (-want +got):\n%s", diff)
	}
	if got, want := x.Role, golden["AutomationAssumeRole"][0]; got != want {
		t.Errorf("role: got %q, want %q", got, want)
	}
	sent := w.aws.inputs["ssm SendCommand"][1]["Parameters"].(map[string]any)["commands"].([]any)[0]
	if want := `packages='["amazon-cloudwatch-agent","codedeploy-agent"]'`; sent != want {
		t.Errorf("command: got %s, want %s", sent, want)
	}
	if x.EndTime.Sub(x.StartTime) < 5*time.Minute {
		t.Errorf("duration: got %v, want it to take the image's five minutes", x.EndTime.Sub(x.StartTime))
	}
	c.gone(t)
}

// gone checks that no builder is left.
func (c *cloud) gone(t *testing.T) {
	t.Helper()
	for id, i := range c.instances {
		if got := i.now(c.w.clock.Now()); got != "terminated" {
			t.Errorf("builder %s: got %s, want terminated", id, got)
		}
	}
}

func TestEngine_GoldenImageLeavesNoBuilder(t *testing.T) {
	t.Parallel()
	deny := func(w *world, operation string) {
		w.aws.on("ec2 "+operation, func(map[string]any) (any, error) {
			return nil, refused("ec2", operation, "UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
		})
	}
	stop := func(w *world, at string) {
		w.until(time.Hour, at, func(x Execution) bool { return x.CurrentStep == at })
		w.clock.Advance(time.Second)
		if err := w.e.Stop(testID, "Cancel"); err != nil {
			w.t.Errorf("Stop: %v", err)
		}
	}
	cases := map[string]struct {
		arrange func(w *world, c *cloud)
		act     func(w *world)
		status  string
		failed  string
	}{
		"the instance dies while it starts": {arrange: func(_ *world, c *cloud) { c.broken = true }, status: "Failed", failed: "launchBuilder"},
		"patching fails twice":              {arrange: func(_ *world, c *cloud) { c.exit["dnf -y upgrade"] = 7 }, status: "Failed", failed: "patch"},
		"validation fails":                  {arrange: func(_ *world, c *cloud) { c.exit["systemctl is-enabled amazon-ssm-agent"] = 1 }, status: "Failed", failed: "validate"},
		"stopping is denied":                {arrange: func(w *world, _ *cloud) { deny(w, "StopInstances") }, status: "Failed", failed: "stopBuilder"},
		"making the image is denied":        {arrange: func(w *world, _ *cloud) { deny(w, "CreateImage") }, status: "Failed", failed: "createImage"},
		"tagging is denied":                 {arrange: func(w *world, _ *cloud) { deny(w, "CreateTags") }, status: "Failed", failed: "tagImage"},
		"launching is denied":               {arrange: func(w *world, _ *cloud) { deny(w, "RunInstances") }, status: "Failed", failed: "launchBuilder"},
		"the image never becomes available": {arrange: func(w *world, _ *cloud) {
			w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
				return obj("Images", []any{obj("State", "pending")}), nil
			})
		}, status: "TimedOut", failed: "createImage"},
		"the agent never answers": {arrange: func(w *world, _ *cloud) {
			w.aws.on("ssm DescribeInstanceInformation", func(map[string]any) (any, error) { return obj(), nil })
		}, status: "TimedOut", failed: "patch"},
		"cancelled while it launches":        {act: func(w *world) { stop(w, "launchBuilder") }, status: "Cancelled"},
		"cancelled while it patches":         {act: func(w *world) { stop(w, "patch") }, status: "Cancelled"},
		"cancelled while the image is made":  {act: func(w *world) { stop(w, "createImage") }, status: "Cancelled"},
		"cancelled while the builder stops":  {act: func(w *world) { stop(w, "stopBuilder") }, status: "Cancelled"},
		"cancelled while the agents install": {act: func(w *world) { stop(w, "installAgents") }, status: "Cancelled"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := newCloud(w)
			if tc.arrange != nil {
				tc.arrange(w, c)
			}
			w.start(file(t, "golden-ami.yaml"), golden)
			if tc.act != nil {
				tc.act(w)
			}
			x := w.end()
			if x.Status != tc.status {
				t.Errorf("execution: got %s, want %s", outline(x), tc.status)
			}
			if tc.failed != "" && (step(x, tc.failed).Status != tc.status || x.FailureMessage != step(x, tc.failed).FailureMessage || x.FailureMessage == "") {
				t.Errorf("failed step: got %s with %q, want %s %s with its message", outline(x), x.FailureMessage, tc.failed, tc.status)
			}
			w.clock.Advance(time.Hour)
			c.gone(t)
		})
	}
}
