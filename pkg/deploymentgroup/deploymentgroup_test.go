package deploymentgroup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/customresource"
)

const (
	stackID = "arn:aws:cloudformation:us-east-1:111122223333:stack/webapp-fleet/5b0ff5c0-8a3b-11ef-9f5e-0affd8a1b2c3"
	roleA   = "arn:aws:iam::111122223333:role/webapp/codedeploy/a"
	roleB   = "arn:aws:iam::111122223333:role/webapp/codedeploy/b"
)

// properties are good ones, with changes.
func properties(changes map[string]any) json.RawMessage {
	p := map[string]any{
		"ServiceToken": "arn:aws:lambda:us-east-1:111122223333:function:x", "ApplicationName": "webapp", "DeploymentGroupName": "web",
		"ServiceRoleArn": roleA, "AutoScalingGroups": []any{"fleet"},
		"LoadBalancerInfo": map[string]any{"TargetGroupInfoList": []any{map[string]any{"Name": "webapp"}}},
		"BlueGreenDeploymentConfiguration": map[string]any{"TerminateBlueInstancesOnDeploymentSuccess": map[string]any{
			"Action": "TERMINATE", "TerminationWaitTimeInMinutes": "5",
		}},
	}
	maps.Copy(p, changes)
	raw, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return raw
}

func request(kind customresource.Kind, physicalID string, now, before map[string]any) customresource.Request {
	r := customresource.Request{Kind: kind, StackID: stackID, LogicalID: "DeploymentGroup", PhysicalID: physicalID, Properties: properties(now)}
	if kind == customresource.Update {
		r.OldProperties = properties(before)
	}
	return r
}

// patient gives up after so many waits.
func patient(ctx context.Context, attempt int) error {
	if attempt > 20 {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func do(t *testing.T, w *world, r customresource.Request) customresource.Answer {
	t.Helper()
	answer, err := New(w, w, patient).Do(t.Context(), r)
	if err != nil {
		t.Fatalf("got error %v of %s %s, want none", err, r.Kind, r.PhysicalID)
	}
	return answer
}

var web = identity{"webapp", "web"}

func TestCreate_MakesWhatCloudFormationCannot(t *testing.T) {
	t.Parallel()
	w := newWorld("fleet")
	w.roleUnknown = 3 // made a moment ago
	got := do(t, w, request(customresource.Create, "", nil, nil))
	want := customresource.Answer{PhysicalID: "webapp/web", Data: map[string]string{
		"Arn":                  "arn:aws:codedeploy:us-east-1:111122223333:deploymentgroup:webapp/web",
		"AutoScalingGroupName": "fleet", "DeploymentGroupId": "id-1", "Name": "web",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer differs (-want +got):\n%s", diff)
	}
	g := w.groups["webapp/web"]
	if g.DeploymentStyle.DeploymentType != types.DeploymentTypeBlueGreen ||
		g.BlueGreenDeploymentConfiguration.GreenFleetProvisioningOption.Action != types.GreenFleetProvisioningActionCopyAutoScalingGroup {
		t.Errorf("got style %v and fleet %v, want blue/green with copies", g.DeploymentStyle, g.BlueGreenDeploymentConfiguration.GreenFleetProvisioningOption)
	}
	if !g.AutoRollbackConfiguration.Enabled || len(g.AutoRollbackConfiguration.Events) != 1 {
		t.Errorf("got rollback %+v, want one on failure", g.AutoRollbackConfiguration)
	}
}

func TestForeignGroupIsNeitherTakenOverNorDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld("fleet")
	other := request(customresource.Create, "", map[string]any{"ServiceRoleArn": roleB}, nil)
	other.StackID = strings.Replace(stackID, "webapp-fleet", "another", 1)
	do(t, w, other)
	before := w.String()

	answer, err := New(w, w, patient).Do(t.Context(), request(customresource.Create, "", nil, nil))
	if err == nil || !strings.Contains(err.Error(), "webapp/web exists and was not made by this resource") || answer.PhysicalID != "" {
		t.Errorf("got %+v, %v, want a refusal and no physical id", answer, err)
	}
	do(t, w, request(customresource.Delete, "webapp/web", nil, nil))
	do(t, w, request(customresource.Delete, "webapp-fleet-DeploymentGroup-1ABC", nil, nil))
	if diff := cmp.Diff(before, w.String()); diff != "" {
		t.Errorf("the other stack's group changed:\n%s", diff)
	}
}

func TestUpdate_LeavesTheCopyInProduction(t *testing.T) {
	t.Parallel()
	w := newWorld("fleet", "fleet2")
	do(t, w, request(customresource.Create, "", nil, nil))
	moved := map[string]any{"AutoScalingGroups": []any{"fleet2"}}
	if got := do(t, w, request(customresource.Update, "webapp/web", moved, nil)).Data["AutoScalingGroupName"]; got != "fleet2" {
		t.Errorf("got group %s while none is copied, want the template's fleet2", got)
	}
	w.deploy(web, "d-1", types.DeploymentStatusSucceeded)
	again := map[string]any{"AutoScalingGroups": []any{"fleet"}, "ServiceRoleArn": roleB}
	if got := do(t, w, request(customresource.Update, "webapp/web", again, moved)).Data["AutoScalingGroupName"]; got != "CodeDeploy_web_d-1" {
		t.Errorf("got group %s, want the copy", got)
	}
	if got := *w.groups["webapp/web"].ServiceRoleArn; got != roleB {
		t.Errorf("got role %s, want the new one", got)
	}
}

func TestDelete_WaitsNoLongerThanTheFunctionLives(t *testing.T) {
	t.Parallel()
	w := newWorld("fleet")
	do(t, w, request(customresource.Create, "", nil, nil))
	w.deploy(web, "d-1", types.DeploymentStatusSucceeded)
	w.scaling["CodeDeploy_web_d-1"] = 1000
	_, err := New(w, w, patient).Do(t.Context(), request(customresource.Delete, "webapp/web", nil, nil))
	if err == nil || !strings.Contains(err.Error(), "CodeDeploy_web_d-1") || !strings.Contains(err.Error(), "delete the stack again") {
		t.Errorf("got %v, want the group's name and what to do", err)
	}
	if w.groups["webapp/web"] == nil {
		t.Error("the deployment group is gone, want it there for the next delete")
	}
}

func TestDelete_KeepsCopiesWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld("fleet")
	do(t, w, request(customresource.Create, "", nil, nil))
	w.deploy(web, "d-1", types.DeploymentStatusSucceeded)
	do(t, w, request(customresource.Delete, "webapp/web", map[string]any{"DeleteCopies": "false"}, nil))
	if want := "Auto Scaling groups [CodeDeploy_web_d-1]\ndeployment d-1 of webapp/web is Succeeded\n"; w.String() != want {
		t.Errorf("got %s, want %s", w, want)
	}
}

// TestCrashMatrix breaks every call of every request, before and after it took
// effect, and delivers the request again: the world must end as without the fault.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	renamed := map[string]any{"DeploymentGroupName": "next"}
	for _, c := range []struct {
		name    string
		prepare func(*world)
		request customresource.Request
		then    []customresource.Request // what CloudFormation goes on with
		want    string
	}{
		{
			name: "create", request: request(customresource.Create, "", nil, nil),
			want: "webapp/web: role " + roleA + ", waits 5 min, on fleet, tags " + own + "\nAuto Scaling groups [fleet]\n",
		},
		{
			name:    "update after a copy",
			prepare: func(w *world) { w.deploy(web, "d-1", types.DeploymentStatusSucceeded) },
			request: request(customresource.Update, "webapp/web", map[string]any{"ServiceRoleArn": roleB}, nil),
			want: "webapp/web: role " + roleB + ", waits 5 min, on CodeDeploy_web_d-1, tags " + own +
				"\nAuto Scaling groups [CodeDeploy_web_d-1]\ndeployment d-1 of webapp/web is Succeeded\n",
		},
		{
			name:    "update of what somebody deleted",
			prepare: func(w *world) { delete(w.groups, "webapp/web"); delete(w.tags, address("webapp/web")) },
			request: request(customresource.Update, "webapp/web", nil, nil),
			want:    "webapp/web: role " + roleA + ", waits 5 min, on fleet, tags " + own + "\nAuto Scaling groups [fleet]\n",
		},
		{
			name:    "replacement, whose old group is then deleted",
			prepare: func(w *world) { w.deploy(web, "d-1", types.DeploymentStatusSucceeded) },
			request: request(customresource.Update, "webapp/web", renamed, nil),
			then:    []customresource.Request{request(customresource.Delete, "webapp/web", nil, nil)},
			want: "webapp/next: role " + roleA + ", waits 5 min, on CodeDeploy_web_d-1, tags " + ownWith("webapp/web") +
				"\nAuto Scaling groups [CodeDeploy_web_d-1]\ndeployment d-1 of webapp/web is Succeeded\n",
		},
		{
			name:    "replacement that is rolled back, whose new group is then deleted",
			prepare: func(w *world) { w.deploy(web, "d-1", types.DeploymentStatusSucceeded) },
			request: request(customresource.Update, "webapp/web", renamed, nil),
			then: []customresource.Request{
				request(customresource.Update, "webapp/next", nil, renamed), request(customresource.Delete, "webapp/next", renamed, nil),
			},
			want: "webapp/web: role " + roleA + ", waits 5 min, on CodeDeploy_web_d-1, tags " + ownWith("webapp/next") +
				"\nAuto Scaling groups [CodeDeploy_web_d-1]\ndeployment d-1 of webapp/web is Succeeded\n",
		},
		{
			name:    "replacement that CloudFormation gave up",
			prepare: func(w *world) { w.deploy(web, "d-1", types.DeploymentStatusSucceeded) },
			request: request(customresource.Update, "webapp/web", renamed, nil),
			then:    []customresource.Request{request(customresource.Update, "webapp/web", nil, renamed)},
			want: "webapp/web: role " + roleA + ", waits 5 min, on CodeDeploy_web_d-1, tags " + ownWith("webapp/next") +
				"\nAuto Scaling groups [CodeDeploy_web_d-1]\ndeployment d-1 of webapp/web is Succeeded\n",
		},
		{
			name: "delete, with a copy in production, one that failed, one under way and a stranger of the same name",
			prepare: func(w *world) {
				w.page = 2
				w.deploy(web, "d-1", types.DeploymentStatusSucceeded)
				w.deploy(web, "d-2", types.DeploymentStatusFailed)
				w.deploy(web, "d-3", types.DeploymentStatusInProgress)
				w.deploy(identity{"other", "web"}, "d-9", types.DeploymentStatusFailed)
				w.scaling["unrelated"] = -1
			},
			request: request(customresource.Delete, "webapp/web", nil, nil),
			want: "Auto Scaling groups [CodeDeploy_web_d-9 unrelated]\ndeployment d-1 of webapp/web is Succeeded\n" +
				"deployment d-2 of webapp/web is Failed\ndeployment d-3 of webapp/web is Stopped\ndeployment d-9 of other/web is Failed\n",
		},
		{
			name:    "delete of what a create made that never answered",
			request: request(customresource.Delete, "webapp-fleet-DeploymentGroup-1ABC", nil, nil),
			want:    "Auto Scaling groups [fleet]\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			play := func(f *fault) (w *world, calls int) {
				w = newWorld("fleet")
				if c.request.Kind != customresource.Create {
					do(t, w, request(customresource.Create, "", nil, nil))
				}
				if c.prepare != nil {
					c.prepare(w)
				}
				w.calls, w.fault = 0, f
				if _, err := New(w, w, patient).Do(t.Context(), c.request); err != nil && !errors.Is(err, errLost) {
					t.Fatalf("fault %+v: got error %v, want that of the fault", f, err)
				}
				calls, w.fault = w.calls, nil
				do(t, w, c.request) // delivered again, as after every crash
				for _, r := range c.then {
					do(t, w, r)
				}
				return w, calls
			}
			w, calls := play(nil)
			if diff := cmp.Diff(c.want, w.String()); diff != "" {
				t.Fatalf("without a fault the world differs (-want +got):\n%s", diff)
			}
			if calls == 0 {
				t.Fatal("the request made no call")
			}
			for at := 1; at <= calls; at++ {
				for _, after := range []bool{false, true} {
					if w, _ := play(&fault{at, after}); w.String() != c.want {
						t.Errorf("call %d broken (after it took effect: %t): the world differs (-want +got):\n%s", at, after, cmp.Diff(c.want, w.String()))
					}
				}
			}
		})
	}
}

var own = fmt.Sprint(map[string]string{stackTag: stackID, resourceTag: "DeploymentGroup"})

func ownWith(other string) string {
	return fmt.Sprint(map[string]string{stackTag: stackID, resourceTag: "DeploymentGroup", otherTag: other})
}

func TestRead_ListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := read(properties(map[string]any{
		"ApplicationName": "a/b", "ServiceRoleArn": "role", "AutoScalingGroups": []any{}, "LoadBalancerInfo": map[string]any{},
		"BlueGreenDeploymentConfiguration": map[string]any{
			"DeploymentReadyOption":                     map[string]any{"WaitTimeInMinutes": "3"},
			"TerminateBlueInstancesOnDeploymentSuccess": map[string]any{"Action": "KEEP", "TerminationWaitTimeInMinutes": "2881"},
		},
		"AutoRollbackConfiguration": map[string]any{"Enabled": "true", "Events": []any{"NEVER"}},
		"AlarmConfiguration":        map[string]any{"Enabled": "true"},
	}))
	want := `read properties: ApplicationName is "a/b", not 1 to 100 letters, digits and . _ + = , @ -
ServiceRoleArn is "role", not the ARN of a role
AutoScalingGroups must name exactly one group: CodeDeploy copies one
LoadBalancerInfo.TargetGroupInfoList must name 1 to 10 target groups
BlueGreenDeploymentConfiguration.DeploymentReadyOption.WaitTimeInMinutes is 3: only STOP_DEPLOYMENT waits
BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.Action is "KEEP", neither TERMINATE nor KEEP_ALIVE
BlueGreenDeploymentConfiguration.TerminateBlueInstancesOnDeploymentSuccess.TerminationWaitTimeInMinutes is 2881, not 0 to 2880
AutoRollbackConfiguration.Events has "NEVER", which is none of [DEPLOYMENT_FAILURE DEPLOYMENT_STOP_ON_ALARM DEPLOYMENT_STOP_ON_REQUEST]
AlarmConfiguration.Alarms must name an alarm when Enabled is true`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
