// Command deployment-group is the Lambda function behind the CloudFormation
// resource Custom::DeploymentGroup. It changes what pkg/deploymentgroup tells,
// and may be invoked with the same event again at any time.
package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"cutover/pkg/awsclient"
	"cutover/pkg/customresource"
	"cutover/pkg/deploymentgroup"
)

func main() {
	settings := awsclient.FromEnvironment(os.LookupEnv)
	settings.MaxAttempts = 8 // it has minutes, and what fails rolls the stack back
	config := customresource.Config{Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil))}
	clients, err := awsclient.New(settings)
	if err != nil {
		config.Fault = err
		lambda.Start(customresource.New(config, nil))
		return
	}
	group := deploymentgroup.New(codedeploy.NewFromConfig(clients.Config()), autoscaling.NewFromConfig(clients.Config()), nil)
	lambda.Start(customresource.New(config, group.Do))
}
