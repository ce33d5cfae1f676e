// Command swap-listener is the Lambda function of the pipeline action
// SwapListener. It changes what pkg/action/swaplistener tells, a step at each
// invocation, and may be invoked for the same job again at any time.
package main

import (
	"os"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	hooks "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/action/swaplistener"
	"cutover/pkg/awsclient"
	"cutover/pkg/hook"
	"cutover/pkg/job"
	"cutover/pkg/record"
)

func main() {
	lambda.Start(job.Function(job.SettingsFrom(os.LookupEnv), "SwapListener", step))
}

func step(c *awsclient.Clients) job.Step[swaplistener.Params, swaplistener.State] {
	config := c.Config()
	return swaplistener.New(swaplistener.Clients{
		ELB: elb.NewFromConfig(config), ECS: ecs.NewFromConfig(config), Now: c.Now, Log: os.Stdout,
		SSM:        sync.OnceValue(func() record.API { return ssm.NewFromConfig(config) }),
		CloudWatch: sync.OnceValue(func() swaplistener.CloudWatch { return cloudwatch.NewFromConfig(config) }),
		Lambda:     sync.OnceValue(func() hook.API { return hooks.NewFromConfig(config) }),
		Events:     sync.OnceValue(func() swaplistener.Events { return eventbridge.NewFromConfig(config) }),
		Bucket:     sync.OnceValue(func() swaplistener.Bucket { return c.S3(config.Credentials) }),
	}).Step
}
