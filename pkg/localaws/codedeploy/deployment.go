package codedeploy

import (
	"slices"
	"time"

	"cutover/pkg/localaws/wire"
)

// The statuses of a deployment.
const (
	created    = "Created"
	inProgress = "InProgress"
	ready      = "Ready"
	succeeded  = "Succeeded"
	failed     = "Failed"
	stopped    = "Stopped"
)

// A deployment brings one revision to one fleet. What is set when it is made
// never changes; info, targets, green, provisioned and committed are guarded by
// the service's lock.
type deployment struct {
	id       string
	group    *group
	groupID  string
	settings Settings // the group's, with what the deployment overrides
	role     string
	run      *run
	only     []string        // the instances to deploy to, if not all
	after    func(ok bool)   // called once it has ended; may be nil
	rolls    *deployment     // the deployment that this one rolls back
	report   []func(Outcome) // called once it has ended, rollback or not

	info        DeploymentInfo
	targets     []*target
	blue, green string // Auto Scaling groups of a blue/green deployment
	provisioned bool   // the copied group's first instances are known
	shifted     bool   // an instance has been registered or deregistered
	committed   bool   // the original group is being given up
	launched    []string
}

// DeploymentInfo describes a deployment.
type DeploymentInfo struct {
	ApplicationName                    string
	DeploymentGroupName                string
	DeploymentConfigName               string
	DeploymentId                       string
	PreviousRevision                   *RevisionLocation
	Revision                           *RevisionLocation
	Status                             string
	ErrorInformation                   *ErrorInformation
	CreateTime                         time.Time
	StartTime                          time.Time
	CompleteTime                       time.Time
	DeploymentOverview                 DeploymentOverview
	Description                        string
	Creator                            string
	IgnoreApplicationStopFailures      bool
	AutoRollbackConfiguration          *AutoRollbackConfiguration
	UpdateOutdatedInstancesOnly        bool
	RollbackInfo                       *RollbackInfo
	DeploymentStyle                    *DeploymentStyle
	InstanceTerminationWaitTimeStarted bool
	BlueGreenDeploymentConfiguration   *BlueGreenDeploymentConfiguration
	LoadBalancerInfo                   *LoadBalancerInfo
	FileExistsBehavior                 string
	DeploymentStatusMessages           []string
	ComputePlatform                    string
	OverrideAlarmConfiguration         *AlarmConfiguration
}

// ErrorInformation says why a deployment has not succeeded.
type ErrorInformation struct {
	Code    string
	Message string
}

// DeploymentOverview counts instances.
type DeploymentOverview struct {
	Pending    int `aws:"Pending"`
	InProgress int `aws:"InProgress"`
	Succeeded  int `aws:"Succeeded"`
	Failed     int `aws:"Failed"`
	Skipped    int `aws:"Skipped"`
	Ready      int `aws:"Ready"`
}

// RollbackInfo ties a deployment to the one that rolls it back.
type RollbackInfo struct {
	RollbackDeploymentId           string
	RollbackTriggeringDeploymentId string
	RollbackMessage                string
}

// An Outcome is how a deployment ended.
type Outcome struct {
	DeploymentID string
	Succeeded    bool
	Message      string // the error's, with its code, if it has not succeeded
}

func (d *deployment) final() bool {
	return d.info.Status == succeeded || d.info.Status == failed || d.info.Status == stopped
}

// description is the deployment as it stands, under the lock.
func (d *deployment) description() DeploymentInfo {
	info := d.info
	info.DeploymentStatusMessages = append([]string{}, info.DeploymentStatusMessages...)
	for _, t := range d.targets {
		switch t.Status {
		case pending:
			info.DeploymentOverview.Pending++
		case inProgress:
			info.DeploymentOverview.InProgress++
		case succeeded:
			info.DeploymentOverview.Succeeded++
		case failed:
			info.DeploymentOverview.Failed++
		case skipped:
			info.DeploymentOverview.Skipped++
		case ready:
			info.DeploymentOverview.Ready++
		}
	}
	return info
}

func (d *deployment) outcome() Outcome {
	o := Outcome{DeploymentID: d.id, Succeeded: d.info.Status == succeeded}
	if e := d.info.ErrorInformation; e != nil {
		o.Message = e.Message + " (Error code: " + e.Code + ")"
	}
	return o
}

func (s *Service) findLocked(id string) *deployment {
	i := slices.IndexFunc(s.deployments, func(d *deployment) bool { return d.id == id })
	if i < 0 {
		return nil
	}
	return s.deployments[i]
}

func (s *Service) deploymentLocked(id string) (*deployment, error) {
	if id == "" {
		return nil, wire.Errorf("DeploymentIdRequiredException", "Deployment ID is required")
	}
	d := s.findLocked(id)
	if d == nil {
		return nil, wire.Errorf("DeploymentDoesNotExistException", "The deployment %s could not be found", id)
	}
	return d, nil
}

// activeLocked is the deployment of a whole group that is in progress, or nil.
// Deployments to single instances that Auto Scaling launched do not count.
func (s *Service) activeLocked(g *group) *deployment {
	for _, d := range s.deployments {
		if d.group == g && !d.final() && d.only == nil {
			return d
		}
	}
	return nil
}
