package codedeploy

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/google/go-cmp/cmp"
)

func TestNotifications_TellOfDeploymentsAndInstances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := blueGreen(0)
	in.TriggerConfigurations = []types.TriggerConfig{{TriggerName: aws.String("all"), TriggerTargetArn: aws.String(topicARN), TriggerEvents: []types.TriggerEventType{
		types.TriggerEventTypeDeploymentStart, types.TriggerEventTypeDeploymentFailure, types.TriggerEventTypeDeploymentRollback, types.TriggerEventTypeInstanceFailure,
	}}}
	w.setUp(in)
	w.scripts["start.sh"] = outcome{exit: 1}
	id := w.deploy("one.zip", revisionFiles("one"))
	w.await(id, types.DeploymentStatusFailed)

	want := []string{"Deployment START", "Instance START", "Instance FAILURE", "Instance START", "Instance FAILURE", "Deployment FAILURE"}
	got := slices.Clone(w.events)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events: got (+) for wanted (-):\n%s", diff)
	}
	if w.events[0] != "Deployment START" || w.events[5] != "Deployment FAILURE" {
		t.Errorf("events: got %q, want the deployment's around those of its instances", w.events)
	}
	var subjects []string
	for _, m := range w.sent {
		subjects = append(subjects, m.subject)
		if m.topic != topicARN || m.body["eventTriggerName"] != "all" || m.body["deploymentId"] != id {
			t.Errorf("message: got %+v", m)
		}
	}
	suffix := ": AWS CodeDeploy " + id + " in us-east-1 to web"
	wantSubjects := []string{"CREATED" + suffix, "FAILED" + suffix, "FAILED" + suffix, "FAILED" + suffix, "FAILED" + suffix}
	if diff := cmp.Diff(wantSubjects, subjects); diff != "" {
		t.Errorf("subjects: got (+) for wanted (-):\n%s", diff)
	}
	last := w.sent[len(w.sent)-1].body
	overview := last["deploymentOverview"].(map[string]any)
	fault := last["errorInformation"].(map[string]any)
	if overview["Failed"] != "2" || overview["Skipped"] != "2" || fault["ErrorCode"] != "HEALTH_CONSTRAINTS" || last["completeTime"] == "" {
		t.Errorf("message of the rollback: got %+v", last)
	}
}
