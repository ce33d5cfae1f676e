package acceptance

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cutover/pkg/localaws/endpoint"
)

// TestDenied_BuildGoldenAMI removes each permission that a bake uses, one at a
// time: the job fails as PermissionError and names the action, or, where the
// image is live by then, succeeds and names it. With the permission back a retry
// succeeds. The cases follow each other in one world.
func TestDenied_BuildGoldenAMI(t *testing.T) {
	t.Parallel()
	w := baked(t, sameJob)
	calls := len(w.functionCalls())
	w.bake(t)
	made := slices.DeleteFunc(w.functionCalls()[calls:], func(c endpoint.Call) bool { return functionOf(c) != buildGoldenAMI })
	var used []string
	for _, c := range made {
		for _, action := range actionsOf(c.Service, c.Operation) {
			if !slices.Contains(used, action) {
				used = append(used, action)
			}
		}
	}
	if len(used) < 20 {
		t.Fatalf("a bake uses %d permissions: %v", len(used), used)
	}
	role := w.roleOf(point{function: buildGoldenAMI})
	for _, action := range used {
		t.Run("without "+action, func(t *testing.T) {
			w.forgetReleased()
			before := w.fleet()
			lift := w.cloud.IAM.Deny(role, action)
			defer lift()
			logged := len(w.log.String())
			id, status := w.release("2")
			lift()
			switch why := w.why(); {
			case action == "codepipeline:PutJobSuccessResult":
				if log := w.log.String()[logged:]; status != "Failed" || !strings.Contains(log, action) {
					t.Errorf("got %s, want Failed and the log to name the action:\n%s", status, log)
				}
			case status == "Succeeded": // what is not used could not be removed
				if summary := aws.ToString(w.action(buildGoldenAMI).Summary); !slices.Contains(prunes, action) || !strings.Contains(summary, action) {
					t.Errorf("got Succeeded, %q, want Failed, or the action named", summary)
				}
				w.bake(t)
				w.checkBake(t, before, 2, w.outputs(w.last(), buildGoldenAMI))
				return
			case !strings.HasPrefix(why, buildGoldenAMI+": PermissionError: ") || !strings.Contains(why, action):
				t.Errorf("got %q, want PermissionError naming %s", why, action)
			}
			if status := w.retry(id, "FAILED_ACTIONS"); status != "Succeeded" {
				t.Fatalf("retry with the permission back: got %s: %s", status, w.why())
			}
			w.checkBake(t, before, 1, w.outputs(id, buildGoldenAMI))
		})
		if t.Failed() {
			return
		}
	}
}

// prunes are what removing of what is not used needs and nothing else does.
var prunes = []string{
	"autoscaling:DescribeLaunchConfigurations", "ec2:DescribeInstances", "ssm:DescribeParameters", "ssm:GetParameters",
	"ec2:DeregisterImage", "ec2:DeleteSnapshot", "ec2:DeleteLaunchTemplateVersions",
}
