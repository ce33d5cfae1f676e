package ssm

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Instances are the instances that commands run on.
type Instances interface {
	// Run runs a shell script in an instance and calls done when it has ended;
	// cancel ends it early. An error means that it did not start.
	Run(id, script, dir string, env map[string]string, timeout time.Duration, done func(exit int, stdout, stderr string, timedOut bool)) (cancel func(), err error)
	// Online says whether an instance runs and its SSM Agent is active.
	Online(id string) bool
	// Managed lists the instances that have ever been online and are not
	// terminated.
	Managed() []Instance
}

// An Instance is a managed instance.
type Instance struct {
	ID           string
	ComputerName string // private DNS name
	IPAddress    string // private
	Platform     string // e.g. "Amazon Linux"
	Version      string // of the platform, e.g. "2023"
	AgentVersion string
	Tags         map[string]string // EC2's
}

// DescribeInstanceInformationInput filters managed instances.
type DescribeInstanceInformationInput struct {
	Filters    []InstanceInformationStringFilter
	MaxResults *int // 1 to 50
	NextToken  string
}

// InstanceInformationStringFilter is one condition; an instance must meet all.
type InstanceInformationStringFilter struct {
	Key    string   `aws:",required"` // InstanceIds, PingStatus
	Values []string `aws:",required"`
}

// DescribeInstanceInformationOutput are the instances that match, by id.
type DescribeInstanceInformationOutput struct {
	InstanceInformationList []InstanceInformation
	NextToken               string
}

// InstanceInformation is a managed instance as Systems Manager sees it.
type InstanceInformation struct {
	InstanceId       string
	PingStatus       string // Online or ConnectionLost
	LastPingDateTime time.Time
	AgentVersion     string
	PlatformType     string
	PlatformName     string
	PlatformVersion  string
	ResourceType     string
	IPAddress        string
	ComputerName     string
}

// DescribeInstanceInformation answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html
func (s *Service) DescribeInstanceInformation(_ context.Context, in *DescribeInstanceInformationInput) (*DescribeInstanceInformationOutput, error) {
	for _, f := range in.Filters {
		if f.Key != "InstanceIds" && f.Key != "PingStatus" {
			return nil, refuse("InvalidFilterKey", "The specified key isn't valid: %s. The embedded AWS knows InstanceIds and PingStatus.", f.Key)
		}
	}
	all := []InstanceInformation{}
	for _, i := range s.managed() {
		info := s.information(i)
		if !slices.ContainsFunc(in.Filters, func(f InstanceInformationStringFilter) bool { return !f.matches(info) }) {
			all = append(all, info)
		}
	}
	slices.SortFunc(all, func(a, b InstanceInformation) int { return cmp.Compare(a.InstanceId, b.InstanceId) })
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &DescribeInstanceInformationOutput{items, next}, err
}

func (f InstanceInformationStringFilter) matches(i InstanceInformation) bool {
	if f.Key == "PingStatus" {
		return slices.Contains(f.Values, i.PingStatus)
	}
	return slices.Contains(f.Values, i.InstanceId)
}

func (s *Service) managed() []Instance {
	if s.Instances == nil {
		return nil
	}
	return s.Instances.Managed()
}

// information is an instance as it is now.
func (s *Service) information(i Instance) InstanceInformation {
	info := InstanceInformation{
		InstanceId: i.ID, PingStatus: "ConnectionLost", AgentVersion: i.AgentVersion, PlatformType: "Linux", PlatformName: i.Platform,
		PlatformVersion: i.Version, ResourceType: "EC2Instance", IPAddress: i.IPAddress, ComputerName: i.ComputerName,
	}
	if s.online(i.ID) {
		info.PingStatus, info.LastPingDateTime = "Online", s.Clock.Now()
	}
	return info
}

func (s *Service) online(id string) bool { return s.Instances != nil && s.Instances.Online(id) }
