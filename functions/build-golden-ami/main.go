// Command build-golden-ami is the Lambda function of the pipeline action
// BuildGoldenAMI. It changes what pkg/action/goldenami tells, a step at each
// invocation, and may be invoked for the same job again at any time.
package main

import (
	"os"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/action/goldenami"
	"cutover/pkg/awsclient"
	"cutover/pkg/fleet"
	"cutover/pkg/job"
)

func main() {
	settings := job.SettingsFrom(os.LookupEnv)
	lambda.Start(job.Function(settings, "BuildGoldenAMI", step))
}

func step(c *awsclient.Clients) job.Step[goldenami.Params, goldenami.State] {
	return goldenami.New(goldenami.Clients{
		SSM:         sync.OnceValue(func() goldenami.SSM { return ssm.NewFromConfig(c.Config()) }),
		EC2:         sync.OnceValue(func() fleet.EC2 { return fleet.NewEC2(ec2.NewFromConfig(c.Config())) }),
		AutoScaling: sync.OnceValue(func() fleet.AutoScaling { return autoscaling.NewFromConfig(c.Config()) }),
		CodeDeploy:  sync.OnceValue(func() fleet.CodeDeploy { return codedeploy.NewFromConfig(c.Config()) }),
	}).Step
}
