package autoscaling

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Activity is a launch, a termination, an attachment or a detachment.
type Activity struct {
	ActivityId           string
	AutoScalingGroupName string
	AutoScalingGroupARN  string
	Description          string
	Cause                string
	StartTime            time.Time
	EndTime              time.Time
	StatusCode           string
	StatusMessage        string
	Progress             int
	Details              string
}

// Statuses of activities.
const (
	statusInProgress = "InProgress"
	statusPreService = "PreInService"
	statusMid        = "MidLifecycleAction"
	statusDraining   = "WaitingForELBConnectionDraining"
	statusSuccessful = "Successful"
	statusFailed     = "Failed"
	statusCancelled  = "Cancelled"
)

// activitiesKept is how many activities a group remembers.
const activitiesKept = 500

type activity struct {
	Activity
	instance string
}

func (a *activity) over() bool {
	return a.StatusCode == statusSuccessful || a.StatusCode == statusFailed || a.StatusCode == statusCancelled
}

// beginLocked records that something begins.
func (s *Service) beginLocked(g *group, instance, description, cause string, m *member) *activity {
	details := encode(map[string]any{"Subnet ID": m.subnet, "Availability Zone": m.zone})
	a := &activity{instance: instance, Activity: Activity{
		ActivityId: s.newIDLocked("activity"), AutoScalingGroupName: g.name, AutoScalingGroupARN: g.arn, Description: description,
		Cause: cause, StartTime: s.clock.Now(), StatusCode: statusInProgress, Details: details,
	}}
	g.activities = append(g.activities, a)
	if n := len(g.activities) - activitiesKept; n > 0 {
		g.activities = slices.Delete(g.activities, 0, n)
	}
	return a
}

// finishLocked records how it ended.
func (s *Service) finishLocked(a *activity, status, message string) {
	a.StatusCode, a.StatusMessage, a.EndTime, a.Progress = status, message, s.clock.Now(), 100
}

// at is a sentence of a cause.
func (s *Service) at(format string, args ...any) string {
	return fmt.Sprintf("At %s ", s.clock.Now().Format("2006-01-02T15:04:05Z")) + fmt.Sprintf(format, args...)
}

// because is the cause of an activity: what happened before, and its own reason.
func (g *group) because(sentences ...string) string {
	return strings.Join(append(slices.Clone(g.causes), sentences...), "  ")
}

// DescribeScalingActivitiesInput names activities, of one group or all.
type DescribeScalingActivitiesInput struct {
	ActivityIds          []string
	AutoScalingGroupName string
	IncludeDeletedGroups *bool
	Page
}

// DescribeScalingActivitiesOutput lists activities, the latest first.
type DescribeScalingActivitiesOutput struct {
	Activities []Activity
	NextToken  string
}

// DescribeScalingActivities answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeScalingActivities.html
func (s *Service) DescribeScalingActivities(_ context.Context, in *DescribeScalingActivitiesInput) (*DescribeScalingActivitiesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.IncludeDeletedGroups != nil && *in.IncludeDeletedGroups {
		return nil, invalid("IncludeDeletedGroups: the embedded AWS keeps no activities of deleted groups")
	}
	groups := s.groups
	if in.AutoScalingGroupName != "" {
		g, err := s.groupLocked(in.AutoScalingGroupName)
		if err != nil {
			return nil, err
		}
		groups = []*group{g}
	}
	var all []Activity
	for _, g := range groups {
		for _, a := range slices.Backward(g.activities) {
			if len(in.ActivityIds) == 0 || slices.Contains(in.ActivityIds, a.ActivityId) {
				all = append(all, a.Activity)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Activity) int { return b.StartTime.Compare(a.StartTime) })
	items, next, err := cut(all, in.Page, 100, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeScalingActivitiesOutput{Activities: items, NextToken: next}, nil
}
