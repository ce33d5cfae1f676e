// Command deploy-green is the Lambda function of the pipeline action
// DeployGreen. It changes what pkg/action/deploygreen tells, a step at each
// invocation, and may be invoked for the same job again at any time.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"cutover/pkg/action/deploygreen"
	"cutover/pkg/awsclient"
	"cutover/pkg/job"
)

func main() {
	settings := job.SettingsFrom(os.LookupEnv)
	lambda.Start(job.Function(settings, "DeployGreen", step))
}

func step(c *awsclient.Clients) job.Step[deploygreen.Params, deploygreen.State] {
	return deploygreen.New(elb.NewFromConfig(c.Config()), ecs.NewFromConfig(c.Config())).Step
}
