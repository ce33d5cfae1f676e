// Command swap-listener is the Lambda function of the pipeline action
// SwapListener. It changes what pkg/action/swaplistener tells, a step at each
// invocation, and may be invoked for the same job again at any time.
package main

import (
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/action/swaplistener"
	"cutover/pkg/awsclient"
	"cutover/pkg/job"
)

func main() {
	settings := job.SettingsFrom(os.LookupEnv)
	lambda.Start(job.Function(settings, "SwapListener", step))
}

func step(c *awsclient.Clients) job.Step[swaplistener.Params, swaplistener.State] {
	config := c.Config()
	return swaplistener.New(elb.NewFromConfig(config), ecs.NewFromConfig(config), ssm.NewFromConfig(config), cloudwatch.NewFromConfig(config)).Step
}
