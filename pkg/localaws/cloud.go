// Package localaws is an AWS that runs in one process: enough of it, exactly
// enough, for Cutover's pipelines to be deployed from their templates and to
// release real programs under real HTTP traffic, with no account and no Docker.
//
// New listens on one address and composes the services behind it; each service
// is a package of its own below this one, and meets the others through the small
// interfaces that it declares itself. Everything lives in memory and in one
// directory; Close ends every process and removes what New made.
package localaws

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"cutover/pkg/localaws/alb"
	"cutover/pkg/localaws/automation"
	"cutover/pkg/localaws/autoscaling"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/codebuild"
	"cutover/pkg/localaws/codecommit"
	"cutover/pkg/localaws/codedeploy"
	"cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/ec2"
	"cutover/pkg/localaws/ecr"
	"cutover/pkg/localaws/ecs"
	"cutover/pkg/localaws/egress"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/events"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/logs"
	"cutover/pkg/localaws/machine"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/s3"
	"cutover/pkg/localaws/sns"
	"cutover/pkg/localaws/ssm"
	"cutover/pkg/localaws/sts"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/workload"
	"cutover/pkg/localaws/xray"
)

// The one account and Region of an embedded AWS.
const (
	Account = "111122223333"
	Region  = "us-east-1"
)

// Config says what an embedded AWS is made of. The zero value is one that runs
// at the wall's pace on a free port, with everything real.
type Config struct {
	// Clock drives AWS's own timers; nil means the wall's pace.
	Clock clock.Clock
	// Dir keeps repositories, builds, images and code; empty means a temporary
	// directory that Close removes.
	Dir string
	// Address to listen on; empty means 127.0.0.1:0.
	Address string
	// ListenerAddress gives the loopback address for a load balancer's listener;
	// nil means a free port for each.
	ListenerAddress func(loadBalancer string, port int) string
	// BuildEnvironment is what the image of builds would set, as NAME=value.
	BuildEnvironment []string
	// Handlers run functions in this process instead of as their zip's
	// bootstrap, by name; see package lambda.
	Handlers map[string]func(env map[string]string) lambda.Handler
	// Runner runs tasks; nil means as processes from the registry's images.
	Runner workload.Runner
	// Builds runs builds; nil means CodeBuild's own, as processes.
	Builds codepipeline.Builds
	// Repositories gives pipelines their sources; nil means CodeCommit.
	Repositories codepipeline.Repositories
	// ImageFate decides what becomes of images of an instance; nil means that they
	// become available. See package ec2.
	ImageFate func(instanceID string) (state, reason string)
	// NoLaunchConfigurations makes the account too new to create any.
	NoLaunchConfigurations bool
	// Limits are how often the account may call the APIs, such as
	// endpoint.AWSLimits; none by default.
	Limits []endpoint.Limit
	// Observe hears of every call right after it was carried out.
	Observe func(endpoint.Call)
	Logger  *slog.Logger
}

// A Cloud is one embedded AWS.
type Cloud struct {
	Clock  clock.Clock
	Faults *endpoint.Faults
	Calls  *endpoint.Calls
	Limits *endpoint.Limits

	Endpoint       *endpoint.Endpoint
	AutoScaling    *autoscaling.Service
	CloudFormation *cloudformation.Service
	CloudWatch     *cloudwatch.Service
	CodeBuild      *codebuild.Service
	CodeCommit     *codecommit.Service
	CodeDeploy     *codedeploy.Service
	CodePipeline   *codepipeline.Service
	EC2            *ec2.Service
	ECR            *ecr.Service
	ECS            *ecs.Service
	ELBV2          *elbv2.Service
	Events         *events.Service
	IAM            *iam.Service
	Lambda         *lambda.Service
	Logs           *logs.Service
	S3             *s3.Service
	SNS            *sns.Service
	SSM            *ssm.Service
	STS            *sts.Service
	XRay           *xray.Service

	config      Config
	dir         string
	ownDir      bool
	runner      workload.Runner
	machines    *machine.Fleet
	automations *automation.Engine
	balancers   *alb.Proxy
	egress      *egress.Proxy
	listener    net.Listener
	server      *http.Server
	served      chan struct{}
	closing     sync.Once
	closed      error
}

// New starts an embedded AWS. Close ends it.
func New(config Config) (_ *Cloud, err error) {
	if config.Clock == nil {
		config.Clock = clock.NewScaled(1)
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Address == "" {
		config.Address = "127.0.0.1:0"
	}
	c := &Cloud{
		Clock: config.Clock, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{Observe: config.Observe},
		Limits: &endpoint.Limits{},
		config: config, dir: config.Dir, served: make(chan struct{}),
	}
	c.Limits.Set(config.Limits...)
	close(c.served) // until serve starts
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := c.makeDirectories(); err != nil {
		return nil, err
	}
	if c.listener, err = net.Listen("tcp", config.Address); err != nil {
		return nil, fmt.Errorf("listen for the embedded AWS: %w", err)
	}
	if c.runner = config.Runner; c.runner == nil {
		if c.runner, err = workload.NewProcesses(c.Clock, filepath.Join(c.dir, "images"), config.Logger); err != nil {
			return nil, err
		}
	}
	if err := c.compose(); err != nil {
		return nil, err
	}
	c.serve()
	return c, nil
}

// The directories below a cloud's own.
var directories = []string{"repositories", "builds", "images", "functions", "machines"}

func (c *Cloud) makeDirectories() (err error) {
	if c.dir == "" {
		c.ownDir = true
		if c.dir, err = os.MkdirTemp("", "cutover-aws-"); err != nil {
			return fmt.Errorf("make the embedded AWS's directory: %w", err)
		}
	}
	for _, name := range directories {
		if err := os.MkdirAll(filepath.Join(c.dir, name), 0o755); err != nil {
			return fmt.Errorf("make the embedded AWS's directory: %w", err)
		}
	}
	return nil
}

// compose makes the services, those that others need first.
func (c *Cloud) compose() (err error) {
	logger := c.config.Logger
	c.IAM = iam.New(iam.Config{Clock: c.Clock})
	c.STS = sts.New(sts.Config{IAM: c.IAM})
	c.Logs = logs.New(logs.Config{Clock: c.Clock})
	c.S3 = s3.New(c.Clock)
	c.ECR = ecr.New(ecr.Config{Clock: c.Clock, Region: Region, Account: Account, Host: c.Host})
	c.CloudWatch = cloudwatch.New(cloudwatch.Config{Clock: c.Clock, IAM: c.IAM, Actions: actions{c}, Events: bus{c}, Logger: logger})
	if err := c.composeInstances(); err != nil {
		return err
	}
	if c.XRay, err = xray.New(xray.Config{Logger: logger}); err != nil {
		return err
	}
	c.balancers = alb.New(alb.Config{Clock: c.Clock, Metrics: balancerMetrics{c.CloudWatch, logger}, Locate: c.EC2.Address, Logger: logger})
	c.ELBV2 = elbv2.New(elbv2.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger, Plane: c.balancers,
		Address: c.config.ListenerAddress, Subnet: c.EC2.Subnet, Running: c.runs,
	})
	c.egress = egress.New(c.ELBV2, logger)
	c.ECS = ecs.New(ecs.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger,
		Runner: c.runner, LoadBalancing: c.ELBV2, Logs: c.Logs, Environment: c.taskEnvironment,
	})
	c.Lambda = lambda.New(lambda.Config{
		Clock: c.Clock, Roles: c.IAM, Logs: c.Logs, Objects: c.S3, Metrics: c.CloudWatch, Traces: c.XRay,
		Endpoint: c.URL(), Environment: c.wayOut(), DaemonAddress: c.XRay.Address(), Directory: filepath.Join(c.dir, "functions"),
		Handlers: c.config.Handlers, Logger: logger,
	})
	c.CodeBuild = codebuild.New(codebuild.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger, Dir: filepath.Join(c.dir, "builds"),
		Endpoint: c.URL, Environment: c.config.BuildEnvironment, Assume: c.assumeForBuild, Log: c.Logs.Put,
	})
	c.composeFleet()
	// CodeCommit tells EventBridge, which starts pipelines, which read CodeCommit.
	c.CodeCommit = codecommit.New(codecommit.Config{
		Clock: c.Clock, Region: Region, Account: Account, Dir: filepath.Join(c.dir, "repositories"), Host: c.Host, Events: bus{c},
	})
	c.CodePipeline = codepipeline.New(codepipeline.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger,
		Objects: c.S3, Functions: c.Lambda, Builds: c.builds(), Repositories: c.repositories(), Deployments: deployments{c.CodeDeploy},
		Roles: roles{c.IAM}, Events: bus{c},
	})
	c.Events = events.New(events.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger, Pipelines: c.CodePipeline, Roles: c.IAM,
		Targets: map[string]events.Target{"lambda": functionTarget{c.Lambda}, "sns": topicTarget{c.SNS}},
	})
	c.CloudFormation = cloudformation.New(cloudformation.Config{
		Clock: c.Clock, Objects: c.S3, AccountID: Account, Region: Region, Logger: logger, Types: c.types(),
		Parameters: parameters{c.SSM}, Functions: customFunctions{c.Lambda}, URL: c.URL,
	})
	return nil
}

// composeInstances makes EC2 and the inside of its instances.
func (c *Cloud) composeInstances() (err error) {
	if c.machines, err = machine.New(machine.Config{
		Clock: c.Clock, Dir: filepath.Join(c.dir, "machines"), Runner: c.runner, Environment: c.machineEnvironment, Logger: c.config.Logger,
	}); err != nil {
		return err
	}
	c.EC2 = ec2.New(ec2.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: c.config.Logger,
		Machines: machines{c.machines}, Profiles: profiles{c}, ImageFate: c.config.ImageFate,
		Parameter: func(name string) (string, bool) { return c.SSM.ParameterValue(name) }, Allowed: c.IAM.Allowed,
	})
	return nil
}

// runs says whether an instance runs.
func (c *Cloud) runs(id string) bool {
	i, ok := c.EC2.Instance(id)
	return ok && i.State == "running"
}

// composeFleet makes the services that bake images and deploy to instances.
func (c *Cloud) composeFleet() {
	logger := c.config.Logger
	c.SNS = sns.New(sns.Config{Clock: c.Clock, Region: Region, Account: Account, Functions: c.Lambda, Logger: logger})
	c.automations = automation.New(automation.Config{
		Clock: c.Clock, Region: Region, Account: Account, AWS: c.automationConfig, Logger: logger,
		Changed: func(e automation.Execution) { c.SSM.AutomationChanged(e) },
	})
	c.SSM = ssm.New(ssm.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger, PublicImages: c.EC2.PublicImages, Images: images{c.EC2},
		Instances: managed{c}, Events: bus{c}, Roles: assumable{c}, Automations: c.automations,
	})
	c.AutoScaling = autoscaling.New(autoscaling.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger, Instances: instances{c.EC2, profiles{c}},
		TargetGroups: targetGroups{c.ELBV2}, Topics: c.SNS, Events: bus{c}, Alarms: c.CloudWatch, Subnet: c.EC2.Subnet,
		NoLaunchConfigurations: c.config.NoLaunchConfigurations,
		Launched: func(group, instanceID string, done func(bool)) {
			c.CodeDeploy.InstanceLaunched(group, instanceID, done)
		},
	})
	c.CodeDeploy = codedeploy.New(codedeploy.Config{
		Clock: c.Clock, Region: Region, Account: Account, Logger: logger, Groups: scalingGroups{c.AutoScaling}, TargetGroups: targetGroups{c.ELBV2},
		Instances: managed{c}, Objects: c.S3, Alarms: c.CloudWatch, Topics: c.SNS, Events: bus{c}, Roles: roles{c.IAM},
	})
}

func (c *Cloud) types() []resource.Type {
	return slices.Concat(
		c.AutoScaling.Resources(), c.CloudWatch.Resources(), c.CodeBuild.Resources(), c.CodeCommit.Resources(),
		c.CodeDeploy.Resources(), c.CodePipeline.Resources(),
		c.EC2.Resources(), c.ECR.Resources(), c.ECS.Resources(), c.ELBV2.Resources(), c.Events.Resources(),
		c.IAM.Resources(), c.Lambda.Resources(), c.Logs.Resources(), c.S3.Resources(),
		c.SNS.Resources(), c.SSM.Resources(),
	)
}

// serve answers on the one address.
func (c *Cloud) serve() {
	c.Endpoint = endpoint.New(endpoint.Config{
		Clock: c.Clock, IAM: c.IAM, Faults: c.Faults, Calls: c.Calls, Limits: c.Limits, Logger: c.config.Logger,
		Proxy: c.egress, Kill: c.Lambda.Kill, Dead: c.Lambda.Dead,
	})
	for _, s := range []interface{ Wire() wire.Service }{
		c.AutoScaling, c.CloudFormation, c.CloudWatch, c.CodeBuild, c.CodeCommit, c.CodeDeploy, c.CodePipeline,
		c.EC2, c.ECR, c.ECS, c.ELBV2, c.Events, c.IAM, c.Lambda, c.Logs, c.SNS, c.SSM, c.STS, c.XRay,
	} {
		c.Endpoint.Add(s.Wire())
	}
	c.Endpoint.AddObjects("s3", c.S3)
	c.Endpoint.AddUnsigned("/v2/", c.ECR)
	c.Endpoint.AddUnsigned(codecommit.Prefix, c.CodeCommit)
	c.Endpoint.AddUnsigned(cloudformation.ResponsePrefix, c.CloudFormation.Responses())
	for _, prefix := range ec2.MetadataPrefixes {
		c.Endpoint.AddUnsigned(prefix, c.EC2.Metadata())
	}
	c.server = &http.Server{Handler: c.Endpoint, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	c.served = make(chan struct{})
	go func() {
		defer close(c.served)
		c.server.Serve(c.listener) // ends with ErrServerClosed when Close says so
	}()
}

// Host is the address that the cloud listens on, as host:port.
func (c *Cloud) Host() string { return c.listener.Addr().String() }

// URL is what AWS_ENDPOINT_URL must be to talk to the cloud.
func (c *Cloud) URL() string { return "http://" + c.Host() }

// Environment is what a shell must export to talk to the cloud as its
// administrator, as NAME=value.
func (c *Cloud) Environment() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.URL(),
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + iam.AdministratorAccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + iam.AdministratorSecretAccessKey,
	}
}

// AWSConfig is the same for SDK clients of this process.
func (c *Cloud) AWSConfig() aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(c.URL()),
		Credentials:  credentials.NewStaticCredentialsProvider(iam.AdministratorAccessKeyID, iam.AdministratorSecretAccessKey, ""),
	}
}

// Close ends every process that the cloud started, waits for them, and removes
// the directory that New made. It can be called more than once.
func (c *Cloud) Close() error {
	c.closing.Do(func() { c.closed = c.close() })
	return c.closed
}

func (c *Cloud) close() error {
	var errs []error
	// What starts things ends first: pipelines, then what they run.
	if c.CodePipeline != nil {
		c.CodePipeline.Close()
	}
	if c.CodeBuild != nil {
		c.CodeBuild.Close()
	}
	if c.Lambda != nil {
		errs = append(errs, c.Lambda.Close())
	}
	if c.CodeDeploy != nil {
		c.CodeDeploy.Close()
		c.automations.Close()
		c.AutoScaling.Close()
	}
	if c.ECS != nil {
		c.ECS.Close()
	}
	if c.EC2 != nil {
		c.EC2.Close()
	}
	if c.machines != nil {
		errs = append(errs, c.machines.Close())
	}
	if c.runner != nil {
		errs = append(errs, c.runner.Close())
	}
	if c.balancers != nil {
		c.balancers.Close()
	}
	if c.CloudWatch != nil {
		c.CloudWatch.Close()
	}
	if c.XRay != nil {
		errs = append(errs, c.XRay.Close())
	}
	if c.server != nil {
		errs = append(errs, c.server.Close())
	} else if c.listener != nil {
		errs = append(errs, c.listener.Close())
	}
	<-c.served
	if c.egress != nil {
		c.egress.Close()
	}
	if c.ownDir {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}
