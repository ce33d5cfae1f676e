package codepipeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/wire"
)

// deployments end when the test says so, or at once with outcome.
type deployments struct {
	made    []Deployment
	done    func(DeployOutcome)
	outcome *DeployOutcome
	refuse  error
}

func (*deployments) DeploymentConfig(application, group string) string {
	return "CodeDeployDefault.HalfAtATime"
}

func (d *deployments) Deploy(made Deployment, done func(DeployOutcome)) (string, error) {
	if d.refuse != nil {
		return "", d.refuse
	}
	d.made = append(d.made, made)
	d.done = done
	if d.outcome != nil {
		done(*d.outcome)
	}
	return "d-A1B2C3D4E", nil
}

func codeDeployStage() Stage {
	return deploy(Action{
		Name: "Fleet", ActionTypeId: ActionType{"Deploy", "AWS", "CodeDeploy", "1"},
		Configuration:  map[string]string{"ApplicationName": "hello", "DeploymentGroupName": "web"},
		InputArtifacts: []ArtifactName{{"SourceOutput"}},
	})
}

func TestDeploy_HandsTheArtifactToCodeDeploy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := &deployments{}
	w.service.Deployments = d
	id := w.create(pipelineOf(codeDeployStage()))

	if len(d.made) != 1 {
		t.Fatalf("deployments: got %d, want 1", len(d.made))
	}
	got := d.made[0]
	want := Deployment{
		Application: "hello", Group: "web", Bucket: bucket, Key: got.Key,
		ETag:        etag([]byte("zip of c0ffee01")),
		Description: "Initiated by CodePipeline release, execution " + id,
	}
	if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got.Key, "release/SourceOutp/") {
		t.Errorf("deployment: got (+) for wanted (-):\n%s", diff)
	}
	running := w.action("Deploy", "Fleet")
	if running.ExternalExecutionId != "d-A1B2C3D4E" || running.Status != ActionInProgress {
		t.Errorf("action while deploying: got %+v, want it in progress with the deployment's id", running)
	}

	d.done(DeployOutcome{DeploymentID: "d-A1B2C3D4E", Succeeded: true})
	w.settle()
	w.wantStatus(id, ExecutionSucceeded)
	ended := w.action("Deploy", "Fleet")
	if ended.Summary != "Deployment d-A1B2C3D4E succeeded" || ended.ExternalExecutionUrl != "https://console.aws.amazon.com/codedeploy/home?region=us-east-1#/deployments/d-A1B2C3D4E" {
		t.Errorf("action after deploying: got summary %q and URL %q", ended.Summary, ended.ExternalExecutionUrl)
	}
}

func TestDeploy_FailsWithTheDeploymentsError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		with func(*world, *deployments)
		want ErrorDetails
	}{
		"the deployment fails, even before CreateDeployment has answered": {
			func(_ *world, d *deployments) {
				d.outcome = &DeployOutcome{DeploymentID: "d-A1B2C3D4E", Message: "too few healthy instances (Error code: HEALTH_CONSTRAINTS)"}
			},
			ErrorDetails{"JobFailed", "too few healthy instances (Error code: HEALTH_CONSTRAINTS)"},
		},
		"CodeDeploy refuses it": {
			func(_ *world, d *deployments) { d.refuse = errors.New("DeploymentLimitExceededException: busy") },
			ErrorDetails{"ConfigurationError", "Error calling CreateDeployment for the deployment group web of the application hello: DeploymentLimitExceededException: busy"},
		},
		"the role may not": {
			func(w *world, _ *deployments) { w.roles.denied["codedeploy:GetDeploymentConfig"] = true },
			ErrorDetails{"PermissionError", "The role " + roleARN + " is not authorized to perform: codedeploy:GetDeploymentConfig on resource: arn:aws:codedeploy:us-east-1:111122223333:deploymentconfig:CodeDeployDefault.HalfAtATime"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := &deployments{}
			w.service.Deployments = d
			c.with(w, d)
			id := w.create(pipelineOf(codeDeployStage()))
			w.wantStatus(id, ExecutionFailed)
			if diff := cmp.Diff(&c.want, w.action("Deploy", "Fleet").ErrorDetails); diff != "" {
				t.Errorf("error of the action: got (+) for wanted (-):\n%s", diff)
			}
		})
	}
}

func TestDeploy_AsksTheRoleForTheDeploymentGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Deployments = &deployments{}
	w.create(pipelineOf(codeDeployStage()))
	want := wire.Access{Action: "codedeploy:CreateDeployment", Resource: "arn:aws:codedeploy:us-east-1:111122223333:deploymentgroup:hello/web"}
	for _, a := range w.roles.asked {
		if cmp.Equal(a, want) {
			return
		}
	}
	t.Errorf("asked of the role: got %v, want %v among it", w.roles.asked, want)
}
