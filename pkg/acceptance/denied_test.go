package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestDenied removes each permission of the functions' roles that a release
// uses, one at a time: the job fails as PermissionError and names the action
// and the resource. Without the permission to report, the log says so.
func TestDenied(t *testing.T) {
	t.Parallel()
	clean := released(t, options{})
	if _, status := clean.release("2"); status != "Succeeded" {
		t.Fatalf("clean release: got %s: %s", status, clean.why())
	}
	type permission struct{ function, action string }
	var used []permission
	for _, c := range clean.functionCalls() {
		if c.Service == "s3" {
			continue // with the pipeline's role, not the function's
		}
		for _, a := range actionsOf(c.Service, c.Operation) {
			if p := (permission{functionOf(c), a}); !slices.Contains(used, p) {
				used = append(used, p)
			}
		}
	}
	for _, p := range used {
		t.Run(fmt.Sprintf("%s without %s", p.function, p.action), func(t *testing.T) {
			t.Parallel()
			w := released(t, options{})
			before := w.look()
			lift := w.cloud.IAM.Deny(w.roleOf(point{function: p.function}), p.action)
			id, status := w.release("2")
			if status != "Failed" {
				t.Fatalf("release: got %s, want Failed", status)
			}
			why := w.why()
			switch p.action {
			case "codepipeline:PutJobSuccessResult":
				if !strings.Contains(w.log.String(), p.action) {
					t.Errorf("the log does not name %s:\n%s", p.action, w.log)
				}
			default:
				want := p.function + ": PermissionError: "
				if !strings.HasPrefix(why, want) || !strings.Contains(why, p.action) {
					t.Errorf("got %q, want %s... naming %s", why, want, p.action)
				}
			}
			if p.function == "DeployGreen" && w.look().live() != before.live() {
				t.Errorf("live side: got %s, want still %s", w.look().live(), before.live())
			}
			for _, fault := range w.watcher.all() {
				t.Errorf("production was not served: %s", fault)
			}
			lift()
			if status := w.retry(id, "FAILED_ACTIONS"); status != "Succeeded" {
				t.Errorf("retry with the permission back: got %s: %s", status, w.why())
			}
			w.check(t, "2")
		})
	}
}

// actionsOf lists what IAM must allow for a call, by its name.
func actionsOf(service, operation string) []string {
	actions := []string{service + ":" + operation}
	switch operation {
	case "RegisterTaskDefinition":
		actions = append(actions, "iam:PassRole", "ecs:TagResource")
	case "StartAutomationExecution":
		actions = append(actions, "iam:PassRole", "ssm:AddTagsToResource")
	case "UpdateAutoScalingGroup":
		actions = append(actions, "ec2:RunInstances")
	}
	return actions
}

func TestDenied_FailureReportIsInTheLog(t *testing.T) {
	t.Parallel()
	w := released(t, options{})
	role := w.roleOf(point{function: "DeployGreen"})
	w.cloud.IAM.Deny(role, "codepipeline:PutJobFailureResult")
	w.cloud.IAM.Deny(role, "ecs:DescribeServices")
	if _, status := w.release("2"); status != "Failed" {
		t.Fatalf("release: got %s, want Failed", status)
	}
	if !strings.Contains(w.log.String(), "codepipeline:PutJobFailureResult") {
		t.Errorf("the log does not name codepipeline:PutJobFailureResult:\n%s", w.log)
	}
}
