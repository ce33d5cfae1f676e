package codedeploy

import (
	"os"
	"time"

	"cutover/pkg/localaws/wire"
)

// Groups is what deployments ask of Auto Scaling.
type Groups interface {
	// Copy makes a group with the settings of another, of so many instances,
	// and attached to no target group.
	Copy(from, to string, capacity int) error
	// InService lists the group's healthy instances that are in service.
	InService(name string) (ids []string)
	// AttachTargetGroups has the group register what it launches.
	// DetachTargetGroups ends that; those that are not attached are left alone.
	AttachTargetGroups(name string, arns []string) error
	DetachTargetGroups(name string, arns []string) error
	Suspend(name string, processes ...string) error
	Resume(name string, processes ...string) error
	// Delete deletes the group and terminates its instances.
	Delete(name string) error
	Exists(name string) bool
}

// TargetGroups is what deployments ask of Elastic Load Balancing.
type TargetGroups interface {
	// Find looks a target group up by its name; port is its default one.
	Find(name string) (arn string, port int, ok bool)
	Register(arn, id string, port int) error
	Deregister(arn, id string, port int) error
	// Health is a target's state as DescribeTargetHealth has it; both are empty
	// when it is not registered.
	Health(arn, id string, port int) (state, description string)
}

// Instances is what the agents ask of their instances.
type Instances interface {
	// Root opens an instance's file system. The caller closes it.
	Root(id string) (*os.Root, error)
	// Run runs a shell script inside an instance and calls done once it has
	// ended, was cancelled, or its time, by the clock, is over.
	Run(id, script, dir string, env map[string]string, timeout time.Duration,
		done func(exit int, stdout, stderr string, timedOut bool)) (cancel func(), err error)
	// AgentActive says whether the CodeDeploy agent runs in the instance.
	AgentActive(id string) bool
}

// Objects is what the agents ask of S3.
type Objects interface {
	Get(bucket, key string) ([]byte, error)
}

// Alarms is what deployments ask of CloudWatch.
type Alarms interface {
	// InAlarm names the first of the alarms that is in state ALARM.
	InAlarm(names []string) (name string, in bool)
}

// Topics is what triggers ask of SNS.
type Topics interface {
	Publish(topicARN, subject, message string) error
}

// Events is what deployments ask of EventBridge.
type Events interface {
	Publish(source, detailType string, resources []string, detail any)
}

// Roles is what deployments ask of IAM.
type Roles interface {
	// RoleAllows says whether the role's policies allow the access.
	RoleAllows(roleARN string, a wire.Access) bool
}
