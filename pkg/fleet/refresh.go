package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"cutover/pkg/awsclient"
)

// A Refresh is an instance refresh of a group.
type Refresh struct{ types.InstanceRefresh }

// ID is the refresh's id.
func (r Refresh) ID() string { return str(r.InstanceRefreshId) }

// Over tells whether the refresh will change nothing more.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceRefresh.html
func (r Refresh) Over() bool {
	return slices.Contains([]types.InstanceRefreshStatus{
		types.InstanceRefreshStatusSuccessful, types.InstanceRefreshStatusFailed, types.InstanceRefreshStatusCancelled,
		types.InstanceRefreshStatusRollbackFailed, types.InstanceRefreshStatusRollbackSuccessful,
	}, r.Status)
}

// Successful tells whether it ended well.
func (r Refresh) Successful() bool { return r.Status == types.InstanceRefreshStatusSuccessful }

// Percent is how much of it is done; in a rollback it falls.
func (r Refresh) Percent() int {
	if r.PercentageComplete == nil {
		return 0
	}
	return int(*r.PercentageComplete)
}

// Is tells whether the refresh brings exactly what is planned. One without a
// configuration of its own brings what the group launches: with a launch
// configuration that is the plan's, if it was made since then.
func (r Refresh) Is(p Plan, since time.Time) bool {
	if p.Desired != nil {
		return sameDesired(r.DesiredConfiguration, p.Desired)
	}
	return r.DesiredConfiguration == nil && p.Update == nil && r.StartTime != nil && !r.StartTime.Before(since)
}

// Refreshes reads the group's last refreshes, the newest first.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeInstanceRefreshes.html
func Refreshes(ctx context.Context, api AutoScaling, group string) ([]Refresh, error) {
	out, err := api.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: &group, MaxRecords: ptr(int32(10))})
	if err != nil {
		return nil, fmt.Errorf("describe instance refreshes of group %s: %w", group, err)
	}
	all := make([]Refresh, len(out.InstanceRefreshes))
	for i, r := range out.InstanceRefreshes {
		all[i] = Refresh{r}
	}
	return all, nil
}

// StartRefresh replaces the group's instances by such as the plan launches. If
// one is in progress already, or the group is busy, id is "", and the next look
// tells.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html
func StartRefresh(ctx context.Context, api AutoScaling, group string, p Plan, how *types.RefreshPreferences) (id string, err error) {
	out, err := api.StartInstanceRefresh(ctx, &autoscaling.StartInstanceRefreshInput{
		AutoScalingGroupName: &group,
		Strategy:             types.RefreshStrategyRolling,
		DesiredConfiguration: p.Desired,
		Preferences:          how,
	})
	switch {
	case awsclient.IsCode(err, "InstanceRefreshInProgress", "InstanceRefreshInProgressFault"), awsclient.IsCode(err, contended...):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("start an instance refresh of group %s: %w", group, err)
	}
	return str(out.InstanceRefreshId), nil
}
