package automation

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call is a step that succeeds or fails as the script says: it describes the image
// of its own name.
func call(name, more string) string {
	return "- name: " + name + "\n  action: aws:executeAwsApi\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [" + name + "]}\n" +
		"  outputs: [{Name: State, Selector: '$.Images[0].State'}]\n" + more
}

// failing makes the steps of these names fail, each so many times (-1: always).
func failing(w *world, times map[string]int) {
	w.aws.on("ec2 DescribeImages", func(in map[string]any) (any, error) {
		name := in["ImageIds"].([]any)[0].(string)
		if times[name] != 0 {
			times[name]--
			return nil, refused("ec2", "DescribeImages", "InvalidAMIID.NotFound", "The image id '["+name+"]' does not exist", 400)
		}
		return obj("Images", []any{obj("State", "available")}), nil
	})
}

func TestEngine_Flow(t *testing.T) {
	t.Parallel()
	always := func(names ...string) map[string]int {
		m := map[string]int{}
		for _, name := range names {
			m[name] = -1
		}
		return m
	}
	cases := map[string]struct {
		steps   string
		failing map[string]int
		want    string
	}{
		"steps run in order":                               {call("a", "") + call("b", ""), nil, "Success: a=Success b=Success"},
		"a failure aborts":                                 {call("a", "") + call("b", ""), always("a"), "Failed: a=Failed b=Pending"},
		"Continue goes on and is not critical":             {call("a", "  onFailure: Continue\n") + call("b", ""), always("a"), "Success: a=Failed b=Success"},
		"Continue with isCritical ends in Failed":          {call("a", "  onFailure: Continue\n  isCritical: true\n") + call("b", ""), always("a"), "Failed: a=Failed b=Success"},
		"Continue follows nextStep":                        {call("a", "  onFailure: Continue\n  nextStep: c\n") + call("b", "") + call("c", ""), always("a"), "Success: a=Failed b=Pending c=Success"},
		"Abort of a step that is not critical succeeds":    {call("a", "  isCritical: false\n") + call("b", ""), always("a"), "Success: a=Failed b=Pending"},
		"onFailure leads to a step and still ends Failed":  {call("a", "  onFailure: step:c\n") + call("b", "") + call("c", "") + call("d", ""), always("a"), "Failed: a=Failed b=Pending c=Success d=Success"},
		"onFailure of a step that is not critical":         {call("a", "  onFailure: step:c\n  isCritical: false\n") + call("b", "") + call("c", ""), always("a"), "Success: a=Failed b=Pending c=Success"},
		"a cleanup that fails leaves the first message":    {call("a", "  onFailure: step:b\n") + call("b", ""), always("a", "b"), "Failed: a=Failed b=Failed"},
		"isEnd ends after success":                         {call("a", "  isEnd: true\n") + call("b", ""), nil, "Success: a=Success b=Pending"},
		"isEnd ends after a failure that continues":        {call("a", "  isEnd: true\n  onFailure: Continue\n") + call("b", ""), always("a"), "Success: a=Failed b=Pending"},
		"isEnd ends after a failure that leads elsewhere":  {call("a", "  isEnd: true\n  onFailure: step:b\n") + call("b", ""), always("a"), "Failed: a=Failed b=Pending"},
		"nextStep skips":                                   {call("a", "  nextStep: c\n") + call("b", "") + call("c", ""), nil, "Success: a=Success b=Pending c=Success"},
		"nextStep may lead up":                             {call("a", "  nextStep: c\n") + call("b", "  isEnd: true\n") + call("c", "  nextStep: b\n"), nil, "Success: a=Success b=Success c=Success"},
		"maxAttempts tries again":                          {call("a", "  maxAttempts: 3\n") + call("b", ""), map[string]int{"a": 2}, "Success: a=Success(3) b=Success"},
		"maxAttempts runs out":                             {call("a", "  maxAttempts: 3\n") + call("b", ""), always("a"), "Failed: a=Failed(3) b=Pending"},
		"an output of a step that did not run fails":       {call("a", "  nextStep: c\n") + call("b", "") + "- name: c\n  action: aws:deleteImage\n  maxAttempts: 3\n  inputs: {ImageId: '{{b.State}}'}\n", nil, "Failed: a=Success b=Pending c=Failed"},
		"failing inputs follow onFailure":                  {call("a", "  onFailure: Continue\n") + "- name: b\n  action: aws:deleteImage\n  onFailure: step:d\n  inputs: {ImageId: '{{a.State}}'}\n" + call("c", "") + call("d", ""), always("a"), "Failed: a=Failed b=Failed c=Pending d=Success"},
		"a wait that times out ends TimedOut":              {"- name: a\n  action: aws:waitForAwsResourceProperty\n  timeoutSeconds: 60\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [a], PropertySelector: '$.Images[0].State', DesiredValues: [failed]}\n" + call("b", ""), nil, "TimedOut: a=TimedOut b=Pending"},
		"a timeout that continues":                         {"- name: a\n  action: aws:sleep\n  timeoutSeconds: 60\n  onFailure: Continue\n  inputs: {Duration: PT2M}\n" + call("b", ""), nil, "Success: a=TimedOut b=Success"},
		"a timeout that leads elsewhere":                   {"- name: a\n  action: aws:sleep\n  timeoutSeconds: 60\n  onFailure: step:c\n  inputs: {Duration: PT2M}\n" + call("b", "") + call("c", ""), nil, "TimedOut: a=TimedOut b=Pending c=Success"},
		"a timeout of every attempt":                       {"- name: a\n  action: aws:sleep\n  timeoutSeconds: 60\n  maxAttempts: 2\n  inputs: {Duration: PT2M}\n", nil, "TimedOut: a=TimedOut(2)"},
		"a branch leads to the first choice that holds":    {"- name: a\n  action: aws:branch\n  inputs: {Choices: [{NextStep: c, Variable: x, StringEquals: x}, {NextStep: b, Variable: x, StringEquals: x}]}\n" + call("b", "") + call("c", ""), nil, "Success: a=Success b=Pending c=Success"},
		"a branch leads to its default":                    {"- name: a\n  action: aws:branch\n  inputs: {Default: c, Choices: [{NextStep: b, Variable: x, StringEquals: y}]}\n" + call("b", "") + call("c", ""), nil, "Success: a=Success b=Pending c=Success"},
		"a branch without a choice falls through":          {"- name: a\n  action: aws:branch\n  inputs: {Choices: [{NextStep: c, Variable: x, StringEquals: y}]}\n" + call("b", "") + call("c", ""), nil, "Success: a=Success b=Success c=Success"},
		"a branch without a choice ends where it is isEnd": {"- name: a\n  action: aws:branch\n  isEnd: true\n  inputs: {Choices: [{NextStep: b, Variable: x, StringEquals: y}]}\n" + call("b", ""), nil, "Success: a=Success b=Pending"},
		"a branch with isEnd still takes a choice":         {"- name: a\n  action: aws:branch\n  isEnd: true\n  inputs: {Choices: [{NextStep: b, Variable: x, StringEquals: x}]}\n" + call("b", ""), nil, "Success: a=Success b=Success"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			failing(w, tc.failing)
			x := w.run(steps(tc.steps))
			if got := outline(x); got != tc.want {
				t.Errorf("execution: got %s, want %s", got, tc.want)
			}
			if (x.FailureMessage != "") != (x.Status != "Success") {
				t.Errorf("failure message of a %s execution: got %q", x.Status, x.FailureMessage)
			}
			if last := w.changes[len(w.changes)-1]; outline(last) != outline(x) {
				t.Errorf("last change told: got %s, want %s", outline(last), outline(x))
			}
		})
	}
}

func TestEngine_TellsWhyAStepFailed(t *testing.T) {
	t.Parallel()
	const tail = " Please refer to Automation Service Troubleshooting Guide for more diagnosis details."
	refusing := func(code, message string, status int) func(w *world) {
		return func(w *world) {
			w.aws.on("ec2 RunInstances", func(map[string]any) (any, error) {
				return nil, refused("ec2", "RunInstances", code, message, status)
			})
		}
	}
	const launch = "- {name: a, action: 'aws:runInstances', timeoutSeconds: 300, inputs: {ImageId: ami-1}}\n"
	const command = "- {name: a, action: 'aws:runCommand', timeoutSeconds: 600, inputs: {DocumentName: AWS-RunShellScript, InstanceIds: [i-9], Parameters: {commands: ['false']}}}\n"
	cases := map[string]struct {
		steps   string
		arrange func(w *world)
		message string
		details FailureDetails
	}{
		"a denied call": {launch, refusing("UnauthorizedOperation", "You are not authorized to perform this operation.", 403),
			"Step fails when it is launching the instance(s). Get Exception from RunInstances API of ec2 Service. Exception Message from RunInstances API: [You are not authorized to perform this operation. (Service: AmazonEC2; Status Code: 403; Error Code: UnauthorizedOperation; Request ID: req-1)].",
			FailureDetails{"Invocation", "Permission"}},
		"a wrong input": {launch, refusing("InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", 400),
			"Step fails when it is launching the instance(s). Get Exception from RunInstances API of ec2 Service. Exception Message from RunInstances API: [The image id '[ami-1]' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidAMIID.NotFound; Request ID: req-1)].",
			FailureDetails{"Invocation", "Action"}},
		"a call that is throttled on and on": {launch, refusing("RequestLimitExceeded", "Request limit exceeded.", 503),
			"Step fails when it is launching the instance(s). Get Exception from RunInstances API of ec2 Service. Exception Message from RunInstances API: [Request limit exceeded. (Service: AmazonEC2; Status Code: 503; Error Code: RequestLimitExceeded; Request ID: req-1)].",
			FailureDetails{"Invocation", "Throttling"}},
		"a server fault that stays": {launch, refusing("InternalError", "An internal error has occurred.", 500),
			"Step fails when it is launching the instance(s). Get Exception from RunInstances API of ec2 Service. Exception Message from RunInstances API: [An internal error has occurred. (Service: AmazonEC2; Status Code: 500; Error Code: InternalError; Request ID: req-1)].",
			FailureDetails{"Invocation", "Internal"}},
		"an instance that shuts down": {launch, func(w *world) { newCloud(w).broken = true },
			"Step fails when it is verifying launched instance(s) are ready to be used. Instance i-a entered unexpected state: shutting-down.",
			FailureDetails{"PostVerification", "Verification"}},
		"an instance that does not start in time": {launch, func(w *world) {
			c := newCloud(w)
			w.aws.on("ec2 RunInstances", func(map[string]any) (any, error) {
				c.instances["i-a"] = &instance{state: "pending"}
				return obj("Instances", []any{obj("InstanceId", "i-a")}), nil
			})
		}, "Step timed out while step is verifying launched instance(s) are ready to be used.", FailureDetails{"PostVerification", "Action"}},
		"an agent that does not answer": {command, func(w *world) { newCloud(w) },
			"Step timed out while step is verifying the SSM Agent availability on the target instance(s). SSM Agent on Instances: [i-9] are not functioning.",
			FailureDetails{"PreVerification", "Action"}},
		"a command that fails": {command, func(w *world) {
			c := newCloud(w)
			c.instances["i-9"] = &instance{state: "running"}
			c.exit["false"] = 3
		}, "Step fails when it is verifying the command has completed. Command command false returns unexpected invocation result: \n{Status=[Failed], ResponseCode=[3], Output=[ran false\n----------ERROR-------\nno], CommandId=[command false]}.",
			FailureDetails{"PostVerification", "Verification"}},
		"a timestamp that is none": {"- {name: a, action: 'aws:sleep', onFailure: 'step:c', inputs: {Timestamp: never}}\n" + call("b", "") + "- {name: c, action: 'aws:deleteImage', inputs: {ImageId: '{{b.State}}'}}\n", func(*world) {},
			"Step fails when it is Execute/Cancelling action. The timestamp \"never\" is not of the form 2026-01-31T23:59:59Z.", FailureDetails{"Invocation", "Action"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.arrange(w)
			x := w.run(steps(tc.steps))
			if diff := cmp.Diff(tc.message+tail, x.FailureMessage); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(&tc.details, x.Steps[0].FailureDetails); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEngine_FailsAStepWhoseInputIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	failing(w, map[string]int{"a": -1})
	x := w.run(steps(call("a", "  onFailure: Continue\n") + "- {name: b, action: 'aws:deleteImage', maxAttempts: 3, inputs: {ImageId: '{{a.State}}'}}\n"))
	b := step(x, "b")
	if want := "Step fails when it is validating and resolving the step inputs. Failed to resolve input: a.State to type String."; !strings.HasPrefix(b.FailureMessage, want) {
		t.Errorf("message: got %q, want it to begin with %q", b.FailureMessage, want)
	}
	if diff := cmp.Diff(&FailureDetails{"InputValidation", "Action"}, b.FailureDetails); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

func TestEngine_MakesACallAgainAfterAThrottle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	newCloud(w)
	left := 3
	launched := w.aws.answers["ec2 RunInstances"]
	w.aws.on("ec2 RunInstances", func(in map[string]any) (any, error) {
		if left--; left >= 0 {
			return nil, refused("ec2", "RunInstances", "RequestLimitExceeded", "Request limit exceeded.", 503)
		}
		return launched(in)
	})
	x := w.run(steps("- {name: a, action: 'aws:runInstances', inputs: {ImageId: ami-1}}\n"))
	if got, want := outline(x), "Success: a=Success"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	calls := w.aws.inputs["ec2 RunInstances"]
	if len(calls) != 4 {
		t.Errorf("calls: got %d, want 4", len(calls))
	}
	for _, in := range calls {
		if got, want := in["ClientToken"], testID+"/a/1"; got != want {
			t.Errorf("client token: got %v, want %s", got, want)
		}
	}
}

func TestEngine_FailsWithoutItsRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(parse(t, "assumeRole: arn:aws:iam::111122223333:role/absent\n"+steps(call("a", ""))), nil)
	x := w.end()
	if want := "The defined assume role is unable to be assumed: role absent is not there."; !strings.Contains(x.FailureMessage, want) {
		t.Errorf("message: got %q, want %q in it", x.FailureMessage, want)
	}
	if got := x.Steps[0].FailureDetails.FailureType; got != "Permission" {
		t.Errorf("failure type: got %s, want Permission", got)
	}
}

func TestEngine_Refuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := parse(t, steps("- {name: a, action: 'aws:pause', inputs: {}}\n"))
	w.start(d, nil)
	w.clock.Advance(time.Second)
	cases := map[string]struct {
		err  error
		want error
	}{
		"the same id again":          {w.e.Start(Start{ID: testID, Document: d}), ErrExists},
		"a signal of another action": {w.e.Signal(testID, "Approve", nil), ErrSignal},
		"a signal to another step":   {w.e.Signal(testID, "Resume", map[string][]string{"StepName": {"b"}}), ErrSignal},
		"a signal to nobody":         {w.e.Signal("x", "Resume", nil), ErrNotFound},
		"stopping nobody":            {w.e.Stop("x", "Cancel"), ErrNotFound},
		"a kind nobody knows":        {w.e.Stop(testID, "Kill"), ErrKind},
	}
	for name, tc := range cases {
		if !errors.Is(tc.err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, tc.err, tc.want)
		}
	}
	if err := w.e.Start(Start{ID: "x", Document: d, Mode: "Interactive"}); err == nil || !strings.Contains(err.Error(), "mode Interactive is not supported") {
		t.Errorf("interactive mode: got %v, want it refused", err)
	}
	if got, want := w.now().Status, "Waiting"; got != want {
		t.Errorf("status: got %s, want %s", got, want)
	}
	if err := w.e.Signal(testID, "Resume", map[string][]string{"StepName": {"a"}}); err != nil {
		t.Errorf("Resume: %v", err)
	}
	if got, want := outline(w.now()), "Success: a=Success"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	if err := w.e.Stop(testID, "Cancel"); !errors.Is(err, ErrOver) {
		t.Errorf("stopping what is over: got %v, want %v", err, ErrOver)
	}
	if got := len(w.e.Executions()); got != 1 {
		t.Errorf("executions: got %d, want 1", got)
	}
}
