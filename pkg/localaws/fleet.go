package localaws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"cutover/pkg/localaws/autoscaling"
	"cutover/pkg/localaws/cloudwatch"
	"cutover/pkg/localaws/codedeploy"
	"cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/ec2"
	"cutover/pkg/localaws/elbv2"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/machine"
	"cutover/pkg/localaws/ssm"
	"cutover/pkg/localaws/wire"
)

// The types here join the services behind a fleet of instances.

// machines are the inside of EC2's instances.
type machines struct{ *machine.Fleet }

func (m machines) Launch(l ec2.Machine, booted func(error)) error {
	return m.Fleet.Launch(machine.Launch{ID: l.ID, Snapshot: l.Snapshot, UserData: l.UserData}, booted)
}

// machineEnvironment is what every program of an instance sees.
func (c *Cloud) machineEnvironment(id string) map[string]string {
	return map[string]string{
		"AWS_REGION": Region, "AWS_DEFAULT_REGION": Region, "AWS_ENDPOINT_URL": c.URL(),
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": ec2.MetadataEndpoint(c.Host(), id),
	}
}

// profiles are IAM's instance profiles.
type profiles struct{ cloud *Cloud }

func (p profiles) InstanceProfileRole(nameOrARN string) (profileARN, profileID, roleARN string, err error) {
	name := nameOrARN[strings.LastIndexByte(nameOrARN, '/')+1:]
	found, ok := p.cloud.IAM.InstanceProfile(name)
	switch {
	case !ok || strings.HasPrefix(nameOrARN, "arn:") && found.Arn != nameOrARN:
		return "", "", "", fmt.Errorf("instance profile %s does not exist", nameOrARN)
	case len(found.Roles) > 0:
		roleARN = found.Roles[0].Arn
	}
	return found.Arn, found.InstanceProfileId, roleARN, nil
}

func (p profiles) Credentials(roleARN, instanceID string) (ec2.Credentials, error) {
	held, err := p.cloud.IAM.AssumeAs("ec2.amazonaws.com", roleARN, instanceID)
	return ec2.Credentials(held), err
}

// managed are the instances as Systems Manager sees them.
type managed struct{ cloud *Cloud }

func (m managed) Run(id, script, dir string, env map[string]string, timeout time.Duration, done func(int, string, string, bool)) (func(), error) {
	return m.cloud.machines.Run(machine.Run{ID: id, Script: script, Dir: dir, Env: env, Timeout: timeout}, func(r machine.Result) {
		done(r.ExitCode, r.Stdout, r.Stderr, r.TimedOut)
	})
}

func (m managed) Online(id string) bool {
	i, ok := m.cloud.EC2.Instance(id)
	return ok && i.State == "running" && m.cloud.machines.Active(id, "amazon-ssm-agent")
}

func (m managed) Managed() []ssm.Instance {
	var all []ssm.Instance
	for _, i := range m.cloud.EC2.Instances() {
		if i.State == "terminated" || !m.Online(i.ID) {
			continue
		}
		version := ""
		for _, p := range m.cloud.machines.Packages(i.ID) {
			if p.Name == "amazon-ssm-agent" {
				version = p.Version
			}
		}
		all = append(all, ssm.Instance{
			ID: i.ID, ComputerName: privateName(i.PrivateIPAddress), IPAddress: i.PrivateIPAddress,
			Platform: "Amazon Linux", Version: "2023", AgentVersion: version, Tags: i.Tags,
		})
	}
	return all
}

func privateName(address string) string {
	return "ip-" + strings.ReplaceAll(address, ".", "-") + ".ec2.internal"
}

// Root, and AgentActive, are what CodeDeploy's agents ask for, besides Run.
func (m managed) Root(id string) (*os.Root, error) { return m.cloud.machines.Root(id) }

func (m managed) AgentActive(id string) bool { return m.cloud.machines.Active(id, "codedeploy-agent") }

// images tells Systems Manager which images there are.
type images struct{ service *ec2.Service }

func (i images) Available(id string) bool {
	found, ok := i.service.Image(id)
	return ok && found.ImageState == "available"
}

// assumable tells Systems Manager which roles it may take.
type assumable struct{ cloud *Cloud }

func (a assumable) Assumable(service, roleARN string) error {
	held, err := a.cloud.IAM.Begin(iam.Assumption{
		Service: service, RoleARN: roleARN, Session: "check", SourceARN: automationARN("check"),
	})
	if err == nil {
		a.cloud.IAM.Revoke(held.AccessKeyID)
	}
	return err
}

// automationConfig is how an automation talks to AWS: in its role, or as who
// started it.
func (c *Cloud) automationConfig(roleARN string, caller wire.Principal, session string) (aws.Config, error) {
	config := c.AWSConfig()
	if roleARN == "" {
		config.Credentials = credentials.NewStaticCredentialsProvider(caller.AccessKeyID, "not-checked", "")
		return config, nil
	}
	held, err := c.IAM.Begin(iam.Assumption{
		Service: "ssm.amazonaws.com", RoleARN: roleARN, Session: session, SourceARN: automationARN(session),
	})
	config.Credentials = credentials.NewStaticCredentialsProvider(held.AccessKeyID, held.SecretAccessKey, held.SessionToken)
	return config, err
}

func automationARN(id string) string {
	return "arn:aws:ssm:" + Region + ":" + Account + ":automation-execution/" + id
}

// instances are EC2 as Auto Scaling sees it.
type instances struct {
	*ec2.Service
	profiles profiles
}

func (i instances) Launch(l autoscaling.Launch) (string, error) {
	launch := ec2.Launch{SubnetID: l.Subnet}
	if l.Configuration != nil {
		launch.Data = launchData(l.Configuration)
	} else {
		launch.TemplateID, launch.TemplateVersion = l.TemplateID, strconv.FormatInt(l.Version, 10)
	}
	if l.ImageID != "" {
		launch.Data.ImageId = l.ImageID
	}
	if l.InstanceType != "" {
		launch.Data.InstanceType = l.InstanceType
	}
	if l.Subnet == "" && l.Zone != "" {
		launch.Data.Placement = &ec2.Placement{AvailabilityZone: l.Zone}
	}
	for _, key := range slices.Sorted(maps.Keys(l.Tags)) {
		launch.Tags = append(launch.Tags, ec2.Tag{Key: key, Value: l.Tags[key]})
	}
	return i.Service.Launch(context.Background(), launch)
}

// launchData is a launch configuration in the words of launch templates.
func launchData(c *autoscaling.LaunchConfiguration) ec2.LaunchTemplateData {
	data := ec2.LaunchTemplateData{
		ImageId: c.ImageId, InstanceType: c.InstanceType, UserData: c.UserData,
		SecurityGroupIds: c.SecurityGroups, EbsOptimized: c.EbsOptimized,
	}
	if c.KeyName != nil {
		data.KeyName = *c.KeyName
	}
	if p := c.IamInstanceProfile; strings.HasPrefix(p, "arn:") {
		data.IamInstanceProfile = &ec2.IamInstanceProfile{Arn: p}
	} else if p != "" {
		data.IamInstanceProfile = &ec2.IamInstanceProfile{Name: p}
	}
	for _, m := range c.BlockDeviceMappings {
		mapping := ec2.BlockDeviceMapping{DeviceName: m.DeviceName, VirtualName: m.VirtualName}
		if m.NoDevice != nil && *m.NoDevice {
			mapping.NoDevice = new("")
		}
		if e := m.Ebs; e != nil {
			mapping.Ebs = &ec2.EBS{
				SnapshotId: e.SnapshotId, VolumeType: e.VolumeType, DeleteOnTermination: e.DeleteOnTermination, Encrypted: e.Encrypted,
				VolumeSize: narrow(e.VolumeSize), Iops: narrow(e.Iops), Throughput: narrow(e.Throughput),
			}
		}
		data.BlockDeviceMappings = append(data.BlockDeviceMappings, mapping)
	}
	if m := c.MetadataOptions; m != nil {
		data.MetadataOptions = &ec2.MetadataOptions{HttpTokens: m.HttpTokens, HttpEndpoint: m.HttpEndpoint, HttpPutResponseHopLimit: narrow(m.HttpPutResponseHopLimit)}
	}
	return data
}

func narrow(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}

func (i instances) Instance(id string) (autoscaling.Instance, bool) {
	found, ok := i.Service.Instance(id)
	return autoscaling.Instance{
		State: found.State, Zone: found.Zone, Subnet: found.SubnetID, ImageID: found.ImageID, InstanceType: found.Type,
		Impaired: found.Status == "impaired",
	}, ok
}

func (i instances) Template(idOrName, version string) (autoscaling.Template, error) {
	id, name, number, data, err := i.Service.Template(idOrName, version)
	t := autoscaling.Template{ID: id, Name: name, Number: number, ImageID: data.ImageId, InstanceType: data.InstanceType}
	if p := data.IamInstanceProfile; err == nil && p != nil {
		t.RoleARN = i.Role(p.Arn + p.Name)
	}
	return t, err
}

func (i instances) Role(instanceProfile string) string {
	_, _, role, err := i.profiles.InstanceProfileRole(instanceProfile)
	if err != nil {
		return "" // a launch with it will say so
	}
	return role
}

// scalingGroups are Auto Scaling as CodeDeploy sees it.
type scalingGroups struct{ *autoscaling.Service }

// DetachTargetGroups detaches those that are attached.
func (g scalingGroups) DetachTargetGroups(name string, arns []string) error {
	attached := g.TargetGroupARNs(name)
	arns = slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return !slices.Contains(attached, arn) })
	if len(arns) == 0 {
		return nil
	}
	_, err := g.DetachLoadBalancerTargetGroups(context.Background(), &autoscaling.TargetGroupsInput{AutoScalingGroupName: name, TargetGroupARNs: arns})
	return err
}

// targetGroups are Elastic Load Balancing as Auto Scaling and CodeDeploy see it.
type targetGroups struct{ *elbv2.Service }

func (t targetGroups) Exists(arn string) bool {
	_, _, exists := t.TargetGroup(arn)
	return exists
}

func (t targetGroups) Find(name string) (arn string, port int, ok bool) {
	return t.FindTargetGroup(name)
}

// actions carries alarm actions out.
type actions struct{ cloud *Cloud }

func (a actions) Act(in cloudwatch.Action) error {
	switch parts := strings.SplitN(in.ARN, ":", 6); {
	case len(parts) == 6 && parts[2] == "sns":
		return a.cloud.SNS.Publish(in.ARN, in.Subject, in.Message)
	case len(parts) == 6 && parts[2] == "autoscaling":
		return a.cloud.AutoScaling.ExecuteAlarm(in.ARN, in.Alarm, in.Breach)
	case len(parts) == 6 && parts[2] == "lambda":
		return a.cloud.Lambda.InvokeAsync(in.ARN, []byte(in.Message))
	}
	return fmt.Errorf("the embedded AWS carries out actions of topics, scaling policies and functions, not %s", in.ARN)
}

// deployments let CodePipeline deploy with CodeDeploy.
type deployments struct{ *codedeploy.Service }

func (d deployments) Deploy(in codepipeline.Deployment, done func(codepipeline.DeployOutcome)) (string, error) {
	return d.Service.Deploy(&codedeploy.CreateDeploymentInput{
		ApplicationName: in.Application, DeploymentGroupName: in.Group, Description: in.Description,
		Revision: &codedeploy.RevisionLocation{RevisionType: "S3", S3Location: &codedeploy.S3Location{
			Bucket: in.Bucket, Key: in.Key, BundleType: "zip", ETag: in.ETag,
		}},
	}, func(o codedeploy.Outcome) { done(codepipeline.DeployOutcome(o)) })
}

// customFunctions run custom resources.
type customFunctions struct{ service *lambda.Service }

func (f customFunctions) Invoke(function string, event []byte) error {
	out, err := f.service.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: function, Payload: event})
	if err != nil {
		return err
	}
	if out.FunctionError != "" {
		return errors.New(string(out.Payload))
	}
	return nil
}

// parameters give CloudFormation the values of parameters.
type parameters struct{ service *ssm.Service }

func (p parameters) Parameter(name string) (string, error) {
	value, ok := p.service.ParameterValue(name)
	if !ok {
		return "", wire.Errorf("ValidationError", "Unable to fetch parameters [%s] from parameter store for this account.", name)
	}
	return value, nil
}
