package autoscaling

import (
	"strconv"
	"time"
)

// Lifecycle states.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
const (
	pending            = "Pending"
	pendingWait        = "Pending:Wait"
	pendingProceed     = "Pending:Proceed"
	inService          = "InService"
	terminating        = "Terminating"
	terminatingWait    = "Terminating:Wait"
	terminatingProceed = "Terminating:Proceed"
	detaching          = "Detaching"

	healthy   = "Healthy"
	unhealthy = "Unhealthy"
)

// A member is an instance of a group.
type member struct {
	id            string // "" until EC2 has answered
	option        option // with the template's version as a number
	number        int64  // that version
	configuration string
	subnet, zone  string
	imageID       string
	instanceType  string
	state         string
	health        string
	why           string // it is unhealthy
	protected     bool
	launched      time.Time // asked for
	served        time.Time // InService since

	registered []string          // target groups it is a target of
	draining   []string          // target groups it has left, but not drained
	targets    map[string]string // the state of each target as last seen

	waits      []*wait   // lifecycle actions under way
	hooked     bool      // its hooks of this transition have been begun
	abandoned  bool      // a hook said ABANDON
	act        *activity // launch or termination under way
	force      bool      // neither hooks nor draining
	terminated bool      // EC2 was asked

	refresh string // the refresh that launched it
	old     bool   // to be replaced by the refresh under way
}

func (m *member) leavingGroup() bool {
	switch m.state {
	case terminating, terminatingWait, terminatingProceed, detaching:
		return true
	}
	return false
}

func (m *member) ready() bool { return m.state == inService && m.health == healthy }

func (m *member) describe() GroupInstance {
	d := GroupInstance{
		InstanceId: m.id, InstanceType: m.instanceType, AvailabilityZone: m.zone, LifecycleState: m.state, HealthStatus: m.health,
		LaunchConfigurationName: m.configuration, LaunchTemplate: m.option.template.clone(), ImageId: m.imageID, ProtectedFromScaleIn: m.protected,
	}
	if m.option.weight > 1 {
		d.WeightedCapacity = strconv.Itoa(m.option.weight)
	}
	return d
}

// units is the capacity of the members that are not on their way out.
func (g *group) units() int {
	n := 0
	for _, m := range g.members {
		if !m.leavingGroup() {
			n += m.option.weight
		}
	}
	return n
}

// memberLocked finds an instance of any group.
func (s *Service) memberLocked(id string) (*group, *member, error) {
	for _, g := range s.groups {
		if m := g.member(id); m != nil {
			return g, m, nil
		}
	}
	return nil, nil, invalid("Instance Id not found - No managed instance found for instance ID %s", id)
}

func (g *group) member(id string) *member {
	for _, m := range g.members {
		if m.id == id && id != "" {
			return m
		}
	}
	return nil
}
