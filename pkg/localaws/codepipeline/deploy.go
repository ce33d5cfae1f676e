package codepipeline

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"

	"cutover/pkg/localaws/wire"
)

// Deployments is what pipelines ask of CodeDeploy.
type Deployments interface {
	// DeploymentConfig names the deployment configuration of a deployment
	// group, "" if there is no such group.
	DeploymentConfig(application, group string) string
	// Deploy makes a deployment and calls done once it has ended, from any
	// goroutine, even before Deploy returns. An error means that there is no
	// deployment and done is not called.
	Deploy(d Deployment, done func(DeployOutcome)) (deploymentID string, err error)
}

// A Deployment is what a deploy action asks for.
type Deployment struct {
	Application, Group string
	Bucket, Key        string // the revision, a zip
	ETag               string // of the revision
	Description        string
}

// A DeployOutcome is how a deployment ended.
type DeployOutcome struct {
	DeploymentID string
	Succeeded    bool
	Message      string // why it did not succeed
}

// codeDeploy deploys the input artifact as a revision.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeDeploy.html
func codeDeploy() provider {
	return provider{
		inputs:   [2]int{1, 1},
		required: []string{"ApplicationName", "DeploymentGroupName"},
		run:      (*Service).deploy,
	}
}

func (s *Service) deploy(r *actionRun) {
	application, group := r.configuration["ApplicationName"], r.configuration["DeploymentGroupName"]
	if denied := s.permit(r, s.deploying(application, group, s.Deployments.DeploymentConfig(application, group))...); denied != "" {
		s.fail(r, "PermissionError", denied)
		return
	}
	input := r.inputs[0]
	body, err := s.Objects.Get(input.Bucket, input.Key)
	if err != nil {
		s.fail(r, "ConfigurationError", fmt.Sprintf("Could not read the input artifact %s: %v", input.Name, err))
		return
	}
	id, err := s.Deployments.Deploy(Deployment{
		Application: application, Group: group, Bucket: input.Bucket, Key: input.Key, ETag: etag(body),
		Description: fmt.Sprintf("Initiated by CodePipeline %s, execution %s", r.execution.structure.Name, r.execution.id),
	}, func(o DeployOutcome) { s.deployed(r, o) })
	if err != nil {
		s.fail(r, "ConfigurationError", fmt.Sprintf("Error calling CreateDeployment for the deployment group %s of the application %s: %v", group, application, err))
		return
	}
	s.deploymentMade(r, id)
}

// etag is what S3 gives an object that was put in one part.
func etag(body []byte) string {
	sum := md5.Sum(body)
	return hex.EncodeToString(sum[:])
}

// deploying lists what a deploy action's role must allow.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeDeploy.html#action-reference-CodeDeploy-service-role
func (s *Service) deploying(application, group, config string) []wire.Access {
	arn := "arn:aws:codedeploy:" + s.Region + ":" + s.Account + ":"
	return []wire.Access{
		{Action: "codedeploy:CreateDeployment", Resource: arn + "deploymentgroup:" + application + "/" + group},
		{Action: "codedeploy:GetDeployment", Resource: arn + "deploymentgroup:" + application + "/" + group},
		{Action: "codedeploy:GetDeploymentConfig", Resource: arn + "deploymentconfig:" + config},
		{Action: "codedeploy:GetApplicationRevision", Resource: arn + "application:" + application},
		{Action: "codedeploy:RegisterApplicationRevision", Resource: arn + "application:" + application},
	}
}

// deploymentMade notes a run's deployment, and where the console shows it.
func (s *Service) deploymentMade(r *actionRun, id string) {
	s.progress(r, func() {
		r.externalID, r.summary = id, "Deployment "+id+" in progress"
		r.externalURL = fmt.Sprintf("https://console.aws.amazon.com/codedeploy/home?region=%s#/deployments/%s", s.Region, id)
	})
}

// deployed takes a deployment's outcome.
func (s *Service) deployed(r *actionRun, o DeployOutcome) {
	s.deploymentMade(r, o.DeploymentID) // which a deployment that ends at once does not wait for
	if !o.Succeeded {
		s.end(r, ActionFailed, ending{externalID: o.DeploymentID, summary: "Deployment " + o.DeploymentID + " failed", fault: &ErrorDetails{"JobFailed", o.Message}})
		return
	}
	s.succeed(r, ending{externalID: o.DeploymentID, summary: "Deployment " + o.DeploymentID + " succeeded"})
}
