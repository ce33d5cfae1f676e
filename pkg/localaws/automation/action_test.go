package automation

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExecuteAwsApi_KeepsTheOutputsItDeclares(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
		return obj("Images", []any{obj("ImageId", "ami-1", "Tags", []any{obj("Key", "k", "Value", "v")}, "Public", true,
			"BlockDeviceMappings", []any{obj("Ebs", obj("VolumeSize", int64(8)))})}), nil
	})
	x := w.run(steps(`
- name: look
  action: aws:executeAwsApi
  inputs: {Service: ec2, Api: DescribeImages, Owners: [self], IncludeDisabled: true}
  outputs:
    - {Name: Id, Selector: '$.Images[0].ImageId'}
    - {Name: Ids, Selector: '$.Images[*].ImageId', Type: StringList}
    - {Name: Size, Selector: '$.Images[0].BlockDeviceMappings[0].Ebs.VolumeSize', Type: Integer}
    - {Name: Public, Selector: '$.Images[0].Public', Type: Boolean}
    - {Name: Tags, Selector: '$.Images[0].Tags', Type: MapList}
    - {Name: Ebs, Selector: '$.Images[0].BlockDeviceMappings[0].Ebs', Type: StringMap}
    - {Name: None, Selector: '$.Images[1].ImageId'}
outputs: [look.Id, look.None, look.Ids]
`))
	want := map[string][]string{
		"Id": {"ami-1"}, "Ids": {"ami-1"}, "Size": {"8"}, "Public": {"true"},
		"Tags": {`{"Key":"k","Value":"v"}`}, "Ebs": {`{"VolumeSize":8}`},
	}
	if diff := cmp.Diff(want, x.Steps[0].Outputs); diff != "" {
		t.Errorf("step outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string][]string{"look.Id": {"ami-1"}, "look.Ids": {"ami-1"}, "look.None": {notYet}}, x.Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(obj("Owners", []any{"self"}, "IncludeDisabled", true), w.aws.inputs["ec2 DescribeImages"][0]); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

func TestExecuteAwsApi_FailsWhereAnOutputIsOfAnotherType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failing(w, nil)
	x := w.run(steps("- name: a\n  action: aws:executeAwsApi\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [a]}\n  outputs: [{Name: N, Selector: '$.Images[0].State', Type: Integer}]\n"))
	if want := "The output N at $.Images[0].State: available is not of type Integer."; !strings.Contains(x.FailureMessage, want) {
		t.Errorf("message: got %q, want %q in it", x.FailureMessage, want)
	}
}

func TestWaitForAwsResourceProperty_WaitsForOneOfTheValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	polls := 0
	w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
		polls++
		if polls == 1 {
			return obj("Images", []any{}), nil
		}
		return obj("Images", []any{obj("State", map[bool]string{true: "pending", false: "failed"}[polls < 4])}), nil
	})
	x := w.run(steps("- name: a\n  action: aws:waitForAwsResourceProperty\n  inputs: {Service: ec2, Api: DescribeImages, PropertySelector: '$.Images[0].State', DesiredValues: [available, failed]}\n"))
	if got, want := outline(x), "Success: a=Success"; got != want || polls != 4 {
		t.Errorf("execution: got %s after %d polls, want %s after 4", got, polls, want)
	}
	if got, want := x.EndTime.Sub(x.StartTime), 3*pollInterval; got != want {
		t.Errorf("duration: got %v, want %v", got, want)
	}
}

func TestAssertAwsResourceProperty_FailsOnAnotherValue(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ selector, values, status, message string }{
		"the value is there":    {"$.Images[0].State", "[available]", "Success", ""},
		"another value":         {"$.Images[0].State", "[failed, 'error']", "Failed", `The property $.Images[0].State of DescribeImages is available, not one of ["failed","error"].`},
		"no value":              {"$.Images[1].State", "[available]", "Failed", "The property $.Images[1].State of DescribeImages is not there"},
		"another type of value": {"$.Images[0].Count", "[3]", "Success", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
				return obj("Images", []any{obj("State", "available", "Count", int64(3))}), nil
			})
			x := w.run(steps("- name: a\n  action: aws:assertAwsResourceProperty\n  inputs: {Service: ec2, Api: DescribeImages, PropertySelector: '" + tc.selector + "', DesiredValues: " + tc.values + "}\n"))
			if x.Status != tc.status || !strings.Contains(x.FailureMessage, tc.message) {
				t.Errorf("execution: got %s with %q, want %s with %q", x.Status, x.FailureMessage, tc.status, tc.message)
			}
			if x.Status == "Failed" && x.Steps[0].FailureDetails.FailureType != "Verification" {
				t.Errorf("failure type: got %s, want Verification", x.Steps[0].FailureDetails.FailureType)
			}
		})
	}
}

func TestChangeInstanceState_RunningNeedsBothChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCloud(w)
	c.instances["i-1"] = &instance{state: "stopped"}
	passed := w.clock.Now().Add(3 * time.Minute)
	w.aws.on("ec2 DescribeInstanceStatus", func(map[string]any) (any, error) {
		check := "initializing"
		if !w.clock.Now().Before(passed) {
			check = "ok"
		}
		return obj("InstanceStatuses", []any{obj("InstanceId", "i-1", "SystemStatus", obj("Status", "ok"), "InstanceStatus", obj("Status", check))}), nil
	})
	x := w.run(steps("- {name: a, action: 'aws:changeInstanceState', inputs: {InstanceIds: [i-1], DesiredState: running}}\n"))
	if got, want := outline(x), "Success: a=Success"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	if got := x.EndTime.Sub(x.StartTime); got < 3*time.Minute || got > 3*time.Minute+pollInterval {
		t.Errorf("duration: got %v, want about three minutes", got)
	}
}

func TestChangeInstanceState_OnlyChecks(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ state, want string }{
		"a stopped instance":                {"stopped", "Success: a=Success"},
		"one that stops later":              {"running", "Success: a=Success"},
		"one that can't come to be stopped": {"terminated", "Failed: a=Failed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := newCloud(w)
			c.instances["i-1"] = &instance{state: tc.state}
			if tc.state == "running" {
				c.instances["i-1"].then, c.instances["i-1"].at = "stopped", w.clock.Now().Add(10*time.Minute)
			}
			x := w.run(steps("- {name: a, action: 'aws:changeInstanceState', inputs: {InstanceIds: [i-1], DesiredState: stopped, CheckStateOnly: true}}\n"))
			if got := outline(x); got != tc.want {
				t.Errorf("execution: got %s, want %s", got, tc.want)
			}
			if got := w.aws.count("ec2 StopInstances"); got != 0 {
				t.Errorf("StopInstances: got %d calls, want none", got)
			}
		})
	}
}

func TestChangeInstanceState_StopsByForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newCloud(w).instances["i-1"] = &instance{state: "running"}
	w.run(steps("- {name: a, action: 'aws:changeInstanceState', inputs: {InstanceIds: i-1, DesiredState: stopped, Force: 'true'}}\n"))
	if diff := cmp.Diff(obj("InstanceIds", []any{"i-1"}, "Force", true), w.aws.inputs["ec2 StopInstances"][0]); diff != "" {
		t.Errorf("StopInstances (-want +got):\n%s", diff)
	}
}

func TestRunInstances_WaitsUntilEC2ShowsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCloud(w)
	hidden := 2
	w.aws.on("ec2 DescribeInstances", func(in map[string]any) (any, error) {
		if hidden--; hidden >= 0 {
			return nil, refused("ec2", "DescribeInstances", "InvalidInstanceID.NotFound", "The instance ID 'i-a' does not exist", 400)
		}
		return c.describeInstances(in)
	})
	x := w.run(steps(`
- name: a
  action: aws:runInstances
  inputs: {ImageId: ami-1, IamInstanceProfileArn: 'arn:p', Monitoring: true, ClientToken: mine, MinInstanceCount: '1', SecurityGroups: [x]}
`))
	if diff := cmp.Diff(map[string][]string{"InstanceIds": {"i-a"}, "InstanceStates": {"running"}}, x.Steps[0].Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(obj("ImageId", "ami-1", "IamInstanceProfile", obj("Arn", "arn:p"), "Monitoring", obj("Enabled", true), "ClientToken", "mine",
		"MinCount", int64(1), "MaxCount", int64(1), "SecurityGroups", []any{"x"}, "InstanceType", "m1.small"), w.aws.inputs["ec2 RunInstances"][0]); diff != "" {
		t.Errorf("RunInstances (-want +got):\n%s", diff)
	}
}

func TestRunInstances_GivesUpOnInstancesThatNeverShow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newCloud(w)
	w.aws.on("ec2 DescribeInstances", func(map[string]any) (any, error) {
		return nil, refused("ec2", "DescribeInstances", "InvalidInstanceID.NotFound", "The instance ID 'i-a' does not exist", 400)
	})
	x := w.run(steps("- {name: a, action: 'aws:runInstances', inputs: {ImageId: ami-1}}\n"))
	if got, want := outline(x), "Failed: a=Failed"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	if got, want := w.aws.count("ec2 DescribeInstances"), patience+1; got != want {
		t.Errorf("DescribeInstances: got %d calls, want %d", got, want)
	}
}

func TestRunCommand_RunsOnEveryInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCloud(w)
	c.instances["i-1"], c.instances["i-2"] = &instance{state: "running"}, &instance{state: "pending", then: "running", at: w.clock.Now().Add(time.Minute)}
	polls := 0
	w.aws.on("ssm GetCommandInvocation", func(in map[string]any) (any, error) {
		polls++
		switch {
		case polls == 1:
			return nil, refused("ssm", "GetCommandInvocation", "InvocationDoesNotExist", "", 400)
		case polls < 5:
			return obj("Status", "InProgress", "ResponseCode", int64(-1)), nil
		}
		return obj("Status", "Success", "ResponseCode", int64(0), "StandardOutputContent", "on "+in["InstanceId"].(string)), nil
	})
	x := w.run(steps(`
- name: a
  action: aws:runCommand
  inputs:
    DocumentName: AWS-RunShellScript
    InstanceIds: [i-1, i-2]
    TimeoutSeconds: 120
    Comment: two
    Parameters: {commands: echo x, executionTimeout: 60, workingDirectory: [/tmp]}
`))
	want := map[string][]string{"CommandId": {"command echo x"}, "Status": {"Success"}, "ResponseCode": {"0"}, "Output": {"on i-1\non i-2"}}
	if diff := cmp.Diff(want, x.Steps[0].Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	sent := obj("DocumentName", "AWS-RunShellScript", "InstanceIds", []any{"i-1", "i-2"}, "TimeoutSeconds", int64(120), "Comment", "two",
		"Parameters", obj("commands", []any{"echo x"}, "executionTimeout", []any{"60"}, "workingDirectory", []any{"/tmp"}))
	if diff := cmp.Diff([]map[string]any{sent}, w.aws.inputs["ssm SendCommand"]); diff != "" {
		t.Errorf("SendCommand (-want +got):\n%s", diff)
	}
}

func TestRunCommand_FailsWithTheTailAndItsOutputs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCloud(w)
	c.instances["i-1"] = &instance{state: "running"}
	w.aws.on("ssm GetCommandInvocation", func(map[string]any) (any, error) {
		return obj("Status", "TimedOut", "ResponseCode", int64(-1), "StandardOutputContent", strings.Repeat("é", 3000)+"END"), nil
	})
	x := w.run(steps(`
- name: a
  action: aws:runCommand
  onFailure: step:b
  inputs: {DocumentName: AWS-RunShellScript, InstanceIds: [i-1], Parameters: {commands: [x]}}
- name: b
  action: aws:branch
  inputs: {Choices: [{NextStep: c, Variable: '{{a.Status}}', StringEquals: TimedOut}]}
  isEnd: true
- name: c
  action: aws:sleep
  inputs: {Duration: PT1S}
`))
	if got, want := outline(x), "Failed: a=Failed b=Success c=Success"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	if !strings.Contains(x.FailureMessage, "ééEND], CommandId=[command x]}") || len(x.FailureMessage) > 2*maxTail {
		t.Errorf("message: got %d bytes %q, want the output's tail in it", len(x.FailureMessage), x.FailureMessage)
	}
	if got := len(x.Steps[0].Outputs["Output"][0]); got != 6003 {
		t.Errorf("output: got %d bytes, want all 6003", got)
	}
}

func TestCopyImage_WaitsForTheCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newCloud(w)
	w.aws.on("ec2 CopyImage", func(map[string]any) (any, error) { return obj("ImageId", "ami-copy"), nil })
	x := w.run(steps("- {name: a, action: 'aws:copyImage', inputs: {SourceImageId: ami-1, SourceRegion: us-east-1, ImageName: copy, ImageDescription: ''}}\n"))
	if diff := cmp.Diff(map[string][]string{"ImageId": {"ami-copy"}, "ImageState": {"available"}}, x.Steps[0].Outputs); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(obj("SourceImageId", "ami-1", "SourceRegion", "us-east-1", "Name", "copy", "ClientToken", testID+"/a/1"), w.aws.inputs["ec2 CopyImage"][0]); diff != "" {
		t.Errorf("CopyImage (-want +got):\n%s", diff)
	}
}

func TestCreateImage_FailsWithTheImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newCloud(w)
	w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
		return obj("Images", []any{obj("State", "failed", "StateReason", obj("Message", "Client.InternalError"))}), nil
	})
	x := w.run(steps("- {name: a, action: 'aws:createImage', inputs: {InstanceId: i-1, ImageName: n}}\n"))
	if want := "Image ami-made entered unexpected state: failed. Client.InternalError."; !strings.Contains(x.FailureMessage, want) {
		t.Errorf("message: got %q, want %q in it", x.FailureMessage, want)
	}
}

func TestDeleteImage_DeletesItsSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
		disk := func(id string) any { return obj("Ebs", obj("SnapshotId", id)) }
		return obj("Images", []any{obj("BlockDeviceMappings", []any{disk("snap-1"), obj("VirtualName", "ephemeral0"), disk("snap-2")})}), nil
	})
	w.aws.on("ec2 DeregisterImage", func(map[string]any) (any, error) { return obj(), nil })
	throttled := true
	w.aws.on("ec2 DeleteSnapshot", func(in map[string]any) (any, error) {
		if throttled && in["SnapshotId"] == "snap-2" {
			throttled = false
			return nil, refused("ec2", "DeleteSnapshot", "RequestLimitExceeded", "", 503)
		}
		return obj(), nil
	})
	x := w.run(steps("- {name: a, action: 'aws:deleteImage', inputs: {ImageId: ami-1}}\n"))
	if got, want := outline(x), "Success: a=Success"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	want := []string{"ec2 DescribeImages", "ec2 DeregisterImage", "ec2 DeleteSnapshot", "ec2 DeleteSnapshot", "ec2 DeleteSnapshot"}
	if diff := cmp.Diff(want, w.aws.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestCreateTags_TagsOneOfSystemsManager(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.on("ssm AddTagsToResource", func(map[string]any) (any, error) { return obj(), nil })
	x := w.run(steps(`
- {name: a, action: 'aws:createTags', inputs: {ResourceType: Parameter, ResourceIds: [/image], Tags: [{Key: k, Value: v}]}}
- {name: b, action: 'aws:createTags', inputs: {ResourceType: Parameter, ResourceIds: [/a, /b], Tags: [{Key: k, Value: v}]}}
`))
	if got, want := outline(x), "Failed: a=Success b=Failed"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	want := []map[string]any{obj("ResourceType", "Parameter", "ResourceId", "/image", "Tags", []any{obj("Key", "k", "Value", "v")})}
	if diff := cmp.Diff(want, w.aws.inputs["ssm AddTagsToResource"]); diff != "" {
		t.Errorf("AddTagsToResource (-want +got):\n%s", diff)
	}
}

func TestSleep_TakesItsTime(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		input string
		takes time.Duration
		fails string
	}{
		"a duration":            {"Duration: P1DT2H3M4S", 26*time.Hour + 3*time.Minute + 4*time.Second, ""},
		"seconds":               {"Duration: PT604799S", maxSleep, ""},
		"a time to come":        {"Timestamp: '2026-03-04T06:00:00Z'", 53*time.Minute + 53*time.Second, ""},
		"a time that is past":   {"Timestamp: '2026-03-04T05:00:00Z'", 0, ""},
		"a time too far away":   {"Timestamp: '2026-04-04T05:00:00Z'", 0, "is more than 7 days away"},
		"a time that is no one": {"Timestamp: tomorrow", 0, "is not of the form"},
		"a duration at run":     {"Duration: '{{global:DATE}}'", 0, `"2026-03-04" is not an ISO 8601 duration`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			x := w.run(steps("- {name: a, action: 'aws:sleep', inputs: {" + tc.input + "}}\n"))
			if got := x.EndTime.Sub(x.StartTime); got != tc.takes {
				t.Errorf("duration: got %v, want %v", got, tc.takes)
			}
			if (x.Status == "Failed") != (tc.fails != "") || !strings.Contains(x.FailureMessage, tc.fails) {
				t.Errorf("execution: got %s with %q, want %q", x.Status, x.FailureMessage, tc.fails)
			}
		})
	}
	for _, wrong := range []string{"", "P", "PT", "P1DT", "1H", "PT1.5H", "P1W", "PT-1S", "P8D", "PT604800S", "P6DT24H"} {
		if d, err := duration(wrong); err == nil {
			t.Errorf("duration %q: got %v, want an error", wrong, d)
		}
	}
}

func TestBranch_Compares(t *testing.T) {
	t.Parallel()
	cases := []struct {
		when string
		want string // true, false, or a part of the message
	}{
		{"Variable: abc, StringEquals: abc", "true"},
		{"Variable: abc, StringEquals: ABC", "false"},
		{"Variable: abc, EqualsIgnoreCase: ABC", "true"},
		{"Variable: abc, StartsWith: ab", "true"},
		{"Variable: abc, StartsWith: bc", "false"},
		{"Variable: abc, EndsWith: bc", "true"},
		{"Variable: abc, Contains: b", "true"},
		{"Variable: abc, Contains: d", "false"},
		{"Variable: '{{List}}', Contains: b", "true"},
		{"Variable: '{{List}}', Contains: bc", "false"},
		{"Variable: '{{N}}', NumericEquals: 7.0", "true"},
		{"Variable: '{{N}}', NumericGreater: 7", "false"},
		{"Variable: '{{N}}', NumericGreaterOrEquals: 7", "true"},
		{"Variable: '{{N}}', NumericLesser: 8", "true"},
		{"Variable: '{{N}}', NumericLesserOrEquals: 6", "false"},
		{"Variable: x, NumericEquals: 7", `NumericEquals compares "x" with "7", which are not both numbers`},
		{"Variable: '{{On}}', BooleanEquals: true", "true"},
		{"Variable: 'true', BooleanEquals: false", "false"},
		{"Variable: x, BooleanEquals: false", "which are not both booleans"},
		{"Not: {Variable: a, StringEquals: a}", "false"},
		{"And: [{Variable: a, StringEquals: a}, {Not: {Variable: a, StringEquals: b}}]", "true"},
		{"And: [{Variable: a, StringEquals: b}, {Variable: x, NumericEquals: 1}]", "false"},
		{"Or: [{Variable: a, StringEquals: b}, {Variable: a, StringEquals: a}, {Variable: x, NumericEquals: 1}]", "true"},
		{"Or: [{Variable: a, StringEquals: b}, {And: [{Variable: a, StringEquals: a}, {Variable: b, StringEquals: c}]}]", "false"},
		{"Or: [{Variable: x, NumericEquals: 1}]", "not both numbers"},
		{"Variable: '{{Name}}', StringEquals: 'x-{{N}}'", "true"},
	}
	for _, tc := range cases {
		t.Run(tc.when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			x := w.run("parameters: {List: {type: StringList, default: [a, b]}, N: {type: Integer, default: 7}, On: {type: Boolean, default: true}, Name: {type: String, default: x-7}}\n" +
				steps("- {name: a, action: 'aws:branch', isEnd: true, inputs: {Choices: [{NextStep: b, "+tc.when+"}]}}\n- {name: b, action: 'aws:sleep', inputs: {Duration: PT1S}}\n"))
			got := x.FailureMessage
			if got == "" {
				got = map[string]string{"Success": "true", "Pending": "false"}[step(x, "b").Status]
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("condition: got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestClientToken_FitsAndTellsAttemptsApart(t *testing.T) {
	t.Parallel()
	long := testID + "/" + strings.Repeat("x", 128)
	seen := map[string]bool{}
	for _, token := range []string{testID + "/a/1", testID + "/a/2", long + "/1", long + "/2", long + "y/1"} {
		got := clientToken(token)
		if len(got) > 64 || seen[got] {
			t.Errorf("client token of %s: got %q, want another one of at most 64 characters", token, got)
		}
		seen[got] = true
	}
}

func TestApprove_ChecksItsInputs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ inputs, want string }{
		"too many approvers":           {"Approvers: [a, b, c, d, e, f, g, h, i, j, k]", "There are 11 approvers, more than 10."},
		"more approvals than people":   {"Approvers: [a], MinRequiredApprovals: 2", "MinRequiredApprovals is 2, which is not from 1 to the number of approvers, 1."},
		"no approvals at all":          {"Approvers: [a], MinRequiredApprovals: 0", "MinRequiredApprovals is 0"},
		"a message that is too long":   {"Approvers: [a], Message: " + strings.Repeat("x", 4097), "The message has more than 4096 characters."},
		"approvals that are no number": {"Approvers: [a], MinRequiredApprovals: all", "Failed to resolve input: MinRequiredApprovals. all is not a whole number."},
		"a topic that is not there":    {"Approvers: [a], NotificationArn: 'arn:t'", "Get Exception from Publish API of sns Service. Exception Message from Publish API: [Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: req-1)]."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.aws.on("sns Publish", func(map[string]any) (any, error) {
				return nil, refused("sns", "Publish", "NotFound", "Topic does not exist", 404)
			})
			x := w.run(steps("- {name: a, action: 'aws:approve', inputs: {" + tc.inputs + "}}\n"))
			if x.Status != "Failed" || !strings.Contains(x.FailureMessage, tc.want) {
				t.Errorf("execution: got %s with %q, want Failed with %q", x.Status, x.FailureMessage, tc.want)
			}
		})
	}
}

func TestDeleteImage_FailsWhereACallIsRefused(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"DescribeImages", "DeregisterImage", "DeleteSnapshot"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.aws.on("ec2 DescribeImages", func(map[string]any) (any, error) {
				return obj("Images", []any{obj("BlockDeviceMappings", []any{obj("Ebs", obj("SnapshotId", "snap-1"))})}), nil
			})
			w.aws.on("ec2 DeregisterImage", func(map[string]any) (any, error) { return obj(), nil })
			w.aws.on("ec2 "+operation, func(map[string]any) (any, error) {
				return nil, refused("ec2", operation, "UnauthorizedOperation", "no", 403)
			})
			x := w.run(steps("- {name: a, action: 'aws:deleteImage', inputs: {ImageId: ami-1}}\n"))
			if x.Status != "Failed" || !strings.Contains(x.FailureMessage, "Get Exception from "+operation+" API") {
				t.Errorf("execution: got %s with %q, want it to fail at %s", x.Status, x.FailureMessage, operation)
			}
		})
	}
}
