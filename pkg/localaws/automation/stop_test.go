package automation

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/wire"
)

const nap = "- name: a\n  action: aws:sleep\n  inputs: {Duration: PT1H}\n"

func TestEngine_Cancel(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		steps string
		want  string
		takes time.Duration
	}{
		"the current step ends":               {nap + call("b", ""), "Cancelled: a=Cancelled b=Pending", 0},
		"onCancel leads on":                   {nap + "  onCancel: step:c\n" + call("b", "") + call("c", "") + call("d", ""), "Cancelled: a=Cancelled b=Pending c=Success d=Success", 0},
		"a failing cleanup ends it":           {nap + "  onCancel: step:bad\n" + call("bad", "") + call("c", ""), "Cancelled: a=Cancelled bad=Failed c=Pending", 0},
		"cleanup has two minutes and no more": {nap + "  onCancel: step:c\n" + "- name: c\n  action: aws:waitForAwsResourceProperty\n  inputs: {Service: ec2, Api: DescribeImages, ImageIds: [c], PropertySelector: '$.Images[0].State', DesiredValues: [never]}\n", "Cancelled: a=Cancelled c=Cancelled", 2 * time.Minute},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			failing(w, map[string]int{"bad": -1})
			w.start(parse(t, steps(tc.steps)), nil)
			w.clock.Advance(time.Minute)
			if err := w.e.Stop(testID, "Cancel"); err != nil {
				t.Fatalf("Stop: %v", err)
			}
			if got := w.now().Status; got != "Cancelling" {
				t.Errorf("status after Stop: got %s, want Cancelling", got)
			}
			if err := w.e.Stop(testID, "Cancel"); !errors.Is(err, ErrOver) {
				t.Errorf("second Stop: got %v, want %v", err, ErrOver)
			}
			x := w.end()
			if got := outline(x); got != tc.want {
				t.Errorf("execution: got %s, want %s", got, tc.want)
			}
			if got := x.EndTime.Sub(x.StartTime) - time.Minute; got != tc.takes {
				t.Errorf("cancelling took %v, want %v", got, tc.takes)
			}
			if x.FailureMessage != "" {
				t.Errorf("failure message: got %q, want none", x.FailureMessage)
			}
			w.clock.Advance(2 * time.Hour)
			if got := outline(w.now()); got != tc.want {
				t.Errorf("execution hours later: got %s, want it as it was", got)
			}
		})
	}
}

func TestEngine_CompleteLetsTheCurrentStepFinish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(parse(t, steps(nap+call("b", ""))), nil)
	w.clock.Advance(time.Minute)
	if err := w.e.Stop(testID, "Complete"); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	x := w.end()
	if got, want := outline(x), "Success: a=Success b=Pending"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
	if got, want := x.EndTime.Sub(x.StartTime), time.Hour; got != want {
		t.Errorf("duration: got %v, want %v", got, want)
	}
}

func TestEngine_CloseLeavesExecutionsAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(parse(t, steps(nap)), nil)
	w.clock.Advance(time.Minute)
	w.e.Close()
	w.clock.Advance(2 * time.Hour)
	if got, want := outline(w.now()), "InProgress: a=InProgress"; got != want {
		t.Errorf("execution: got %s, want %s", got, want)
	}
}

func principal(arn, role string) wire.Principal { return wire.Principal{ARN: arn, RoleARN: role} }

func TestEngine_Approve(t *testing.T) {
	t.Parallel()
	const ask = "- name: ask\n  action: aws:approve\n  inputs:\n    Approvers: [ada, 'arn:aws:iam::111122223333:role/ops']\n    MinRequiredApprovals: 2\n    Message: Go?\n    NotificationArn: arn:aws:sns:us-east-1:111122223333:Automation-x\n"
	ada := principal("arn:aws:iam::111122223333:user/team/ada", "")
	ops := principal("arn:aws:sts::111122223333:assumed-role/ops/bob", "arn:aws:iam::111122223333:role/ops")
	eve := principal("arn:aws:iam::111122223333:user/eve", "")
	type say struct {
		by     wire.Principal
		signal string
		err    error
	}
	cases := map[string]struct {
		says   []say
		want   string
		status string
	}{
		"two approvals are enough":             {[]say{{ada, "Approve", nil}, {ops, "Approve", nil}}, "Success: ask=Success b=Success", "Approved"},
		"one approver counts once":             {[]say{{ada, "Approve", nil}, {ada, "Approve", nil}}, "TimedOut: ask=TimedOut b=Pending", "Waiting"},
		"one rejection is enough":              {[]say{{ada, "Approve", nil}, {ops, "Reject", nil}}, "Failed: ask=Failed b=Pending", "Rejected"},
		"nobody else may say":                  {[]say{{eve, "Approve", ErrApprover}, {eve, "Reject", ErrApprover}}, "TimedOut: ask=TimedOut b=Pending", ""},
		"the cloud itself may say for another": {[]say{{wire.Principal{}, "Approve", nil}, {ops, "Approve", nil}}, "Success: ask=Success b=Success", "Approved"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			failing(w, nil)
			w.aws.on("sns Publish", func(map[string]any) (any, error) { return obj("MessageId", "m"), nil })
			w.start(parse(t, steps(ask+call("b", ""))), nil)
			x := w.until(time.Minute, "waiting", func(x Execution) bool { return x.Status == "Waiting" })
			if got := outline(x); got != "Waiting: ask=Waiting b=Pending" {
				t.Errorf("execution: got %s, want it to wait", got)
			}
			for _, s := range tc.says {
				if err := w.e.SignalBy(s.by, testID, s.signal, nil); !errors.Is(err, s.err) {
					t.Errorf("%s by %s: got %v, want %v", s.signal, s.by.ARN, err, s.err)
				}
			}
			x = w.end()
			if got := outline(x); got != tc.want {
				t.Errorf("execution: got %s, want %s", got, tc.want)
			}
			var status string
			if all := x.Steps[0].Outputs["ApprovalStatus"]; len(all) > 0 {
				status = all[0]
			}
			if status != tc.status {
				t.Errorf("approval status: got %q, want %q", status, tc.status)
			}
			if got, want := w.aws.inputs["sns Publish"][0]["TopicArn"], "arn:aws:sns:us-east-1:111122223333:Automation-x"; got != want {
				t.Errorf("topic: got %v, want %s", got, want)
			}
		})
	}
}

func TestEngine_ApprovalThatTimesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.run(steps("- name: ask\n  action: aws:approve\n  inputs: {Approvers: [ada]}\n"))
	if got, want := x.EndTime.Sub(x.StartTime), 7*24*time.Hour; got != want {
		t.Errorf("duration: got %v, want %v", got, want)
	}
	if diff := cmp.Diff(&FailureDetails{"Invocation", "Action"}, x.Steps[0].FailureDetails); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}
