package goldenami

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// The rollouts.
const (
	rolloutNone    = "none"
	rolloutRefresh = "instance-refresh"
)

// Refresh is how an instance refresh goes. What is left out is AWS's default.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RefreshPreferences.html
type Refresh struct {
	// MinHealthyPercent and MaxHealthyPercent are how many of the desired
	// instances are in service and run at all meanwhile: 0 to 100 and 100 to
	// 200, at most 100 apart. Default 90 and 100.
	MinHealthyPercent *int32 `json:"minHealthyPercent,omitempty"`
	MaxHealthyPercent *int32 `json:"maxHealthyPercent,omitempty"`

	// WarmupSeconds is how long a new instance is given after it is in service.
	// Default: the group's.
	WarmupSeconds *int32 `json:"warmupSeconds,omitempty"`

	// Checkpoints are percentages, ascending, at which it waits for
	// CheckpointSeconds (0 to 172800, default 3600).
	Checkpoints       []int32 `json:"checkpoints,omitempty"`
	CheckpointSeconds *int32  `json:"checkpointSeconds,omitempty"`

	// BakeSeconds is how long alarms are watched after the last instance: 0 to
	// 172800, default 0.
	BakeSeconds *int32 `json:"bakeSeconds,omitempty"`

	// Alarms are names of CloudWatch alarms that fail the refresh, at most 10.
	Alarms []string `json:"alarms,omitempty"`

	// AutoRollback goes back to what the group launched before when the refresh
	// fails. Not with a launch configuration. Default false.
	AutoRollback bool `json:"autoRollback,omitempty"`

	// SkipMatching leaves instances that run the image already. Not with a
	// launch configuration. Default false.
	SkipMatching bool `json:"skipMatching,omitempty"`

	// ScaleInProtected and Standby say what becomes of such instances: Refresh,
	// Ignore or Wait; Terminate, Ignore or Wait. Default Wait.
	ScaleInProtected types.ScaleInProtectedInstances `json:"scaleInProtected,omitempty"`
	Standby          types.StandbyInstances          `json:"standby,omitempty"`
}

// longest is the most that AWS takes for a checkpoint's or the bake's time.
const longest = 172_800

func (p Params) refreshes() bool { return p.Rollout == rolloutRefresh }

func (p Params) rolloutFaults() (faults []error) {
	if !slices.Contains([]string{"", rolloutNone, rolloutRefresh}, p.Rollout) {
		faults = append(faults, fmt.Errorf("rollout is %q: give %q or %q", p.Rollout, rolloutNone, rolloutRefresh))
	}
	if p.Refresh == nil {
		return faults
	}
	if !p.refreshes() {
		faults = append(faults, fmt.Errorf("refresh is set without rollout %q", rolloutRefresh))
	}
	return append(faults, p.Refresh.faults()...)
}

func (r Refresh) faults() (faults []error) {
	within := func(key string, value *int32, least, most int32) {
		if value != nil && (*value < least || *value > most) {
			faults = append(faults, fmt.Errorf("refresh.%s is %d: it must be %d to %d", key, *value, least, most))
		}
	}
	within("minHealthyPercent", r.MinHealthyPercent, 0, 100)
	within("maxHealthyPercent", r.MaxHealthyPercent, 100, 200)
	within("warmupSeconds", r.WarmupSeconds, 0, 1<<31-1)
	within("checkpointSeconds", r.CheckpointSeconds, 0, longest)
	within("bakeSeconds", r.BakeSeconds, 0, longest)
	if r.MaxHealthyPercent != nil {
		switch least := r.MinHealthyPercent; {
		case least == nil:
			faults = append(faults, errors.New("refresh.maxHealthyPercent is set without minHealthyPercent"))
		case *r.MaxHealthyPercent-*least > 100:
			faults = append(faults, fmt.Errorf("refresh.maxHealthyPercent %d and minHealthyPercent %d are more than 100 apart", *r.MaxHealthyPercent, *least))
		}
	}
	for i, c := range r.Checkpoints {
		if c < 1 || c > 100 || i > 0 && c <= r.Checkpoints[i-1] {
			faults = append(faults, fmt.Errorf("refresh.checkpoints %v are not percentages in ascending order", r.Checkpoints))
			break
		}
	}
	if len(r.Alarms) > 10 {
		faults = append(faults, fmt.Errorf("refresh.alarms has %d names, and AWS takes 10", len(r.Alarms)))
	}
	if v := r.ScaleInProtected; v != "" && !slices.Contains(v.Values(), v) {
		faults = append(faults, fmt.Errorf("refresh.scaleInProtected is %q: give one of %v", v, v.Values()))
	}
	if v := r.Standby; v != "" && !slices.Contains(v.Values(), v) {
		faults = append(faults, fmt.Errorf("refresh.standby is %q: give one of %v", v, v.Values()))
	}
	return faults
}

// longestWait is how long the refresh may rest on purpose.
func (r *Refresh) longestWait() time.Duration {
	if r == nil {
		return 0
	}
	var seconds int32
	if len(r.Checkpoints) > 0 {
		seconds = 3600
		if r.CheckpointSeconds != nil {
			seconds = *r.CheckpointSeconds
		}
	}
	if r.BakeSeconds != nil {
		seconds = max(seconds, *r.BakeSeconds)
	}
	if r.WarmupSeconds != nil {
		seconds = max(seconds, *r.WarmupSeconds)
	}
	return time.Duration(seconds) * time.Second
}

// preferences are the same for the call.
func (r *Refresh) preferences() *types.RefreshPreferences {
	if r == nil {
		return nil
	}
	how := &types.RefreshPreferences{
		MinHealthyPercentage: r.MinHealthyPercent, MaxHealthyPercentage: r.MaxHealthyPercent,
		InstanceWarmup: r.WarmupSeconds, CheckpointPercentages: r.Checkpoints, CheckpointDelay: r.CheckpointSeconds,
		BakeTime: r.BakeSeconds, ScaleInProtectedInstances: r.ScaleInProtected, StandbyInstances: r.Standby,
	}
	if r.AutoRollback {
		how.AutoRollback = &r.AutoRollback
	}
	if r.SkipMatching {
		how.SkipMatching = &r.SkipMatching
	}
	if len(r.Alarms) > 0 {
		how.AlarmSpecification = &types.AlarmSpecification{Alarms: r.Alarms}
	}
	return how
}
