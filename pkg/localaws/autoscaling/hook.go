package autoscaling

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Transitions that hooks hold up.
const (
	transitionLaunching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	transitionTerminating = "autoscaling:EC2_INSTANCE_TERMINATING"

	resultContinue = "CONTINUE"
	resultAbandon  = "ABANDON"
)

// HookSettings are what a lifecycle hook is made of.
type HookSettings struct {
	LifecycleHookName     string `aws:",required"`
	LifecycleTransition   string
	NotificationMetadata  string
	HeartbeatTimeout      *int // seconds, 30 to 7200; 3600 where not given
	DefaultResult         string
	NotificationTargetARN string
	RoleARN               string
}

// LifecycleHook is a hook as DescribeLifecycleHooks shows it.
type LifecycleHook struct {
	LifecycleHookName     string
	AutoScalingGroupName  string
	LifecycleTransition   string
	NotificationTargetARN string
	RoleARN               string
	NotificationMetadata  string
	HeartbeatTimeout      int
	GlobalTimeout         int
	DefaultResult         string
}

type hook struct {
	name, transition, metadata, result, target, role string
	heartbeat                                        int // seconds
}

// global is how long an instance waits at most, in seconds: 100 heartbeats or
// 48 hours.
func (h *hook) global() int { return min(100*h.heartbeat, 172800) }

func (g *group) hook(name string) *hook {
	for _, h := range g.hooks {
		if h.name == name {
			return h
		}
	}
	return nil
}

// putHook makes or changes a hook.
func (g *group) putHook(in HookSettings) error {
	h, before := &hook{heartbeat: 3600, result: resultAbandon}, g.hook(in.LifecycleHookName)
	if before != nil {
		*h = *before
	}
	h.name = in.LifecycleHookName
	for to, value := range map[*string]string{&h.transition: in.LifecycleTransition, &h.metadata: in.NotificationMetadata, &h.result: in.DefaultResult,
		&h.target: in.NotificationTargetARN, &h.role: in.RoleARN} {
		if value != "" {
			*to = value
		}
	}
	if in.HeartbeatTimeout != nil {
		h.heartbeat = *in.HeartbeatTimeout
	}
	switch {
	case h.transition != transitionLaunching && h.transition != transitionTerminating:
		return invalid("Lifecycle transition '%s' must be %s or %s", h.transition, transitionLaunching, transitionTerminating)
	case h.result != resultContinue && h.result != resultAbandon:
		return invalid("Default result '%s' must be %s or %s", h.result, resultContinue, resultAbandon)
	case h.heartbeat < 30 || h.heartbeat > 7200:
		return invalid("Heartbeat timeout must be between 30 and 7200 seconds, but is %d", h.heartbeat)
	case h.target != "" && !strings.Contains(h.target, ":sns:"):
		return invalid("Notification target '%s' is not an SNS topic, which is all that the embedded AWS notifies", h.target)
	case before == nil && len(g.hooks) >= 50:
		return refuse("LimitExceeded", "A group can have at most 50 lifecycle hooks")
	}
	if before != nil {
		*before = *h
	} else {
		g.hooks = append(g.hooks, h)
	}
	return nil
}

// PutLifecycleHookInput makes or changes a hook.
type PutLifecycleHookInput struct {
	AutoScalingGroupName string `aws:",required"`
	HookSettings
}

// PutLifecycleHook answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
func (s *Service) PutLifecycleHook(_ context.Context, in *PutLifecycleHookInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	return &Empty{}, g.putHook(in.HookSettings)
}

// LifecycleHooksInput names hooks of a group; none means all.
type LifecycleHooksInput struct {
	AutoScalingGroupName string `aws:",required"`
	LifecycleHookNames   []string
}

// LifecycleHooksOutput lists hooks.
type LifecycleHooksOutput struct{ LifecycleHooks []LifecycleHook }

// DescribeLifecycleHooks answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLifecycleHooks.html
func (s *Service) DescribeLifecycleHooks(_ context.Context, in *LifecycleHooksInput) (*LifecycleHooksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	out := &LifecycleHooksOutput{LifecycleHooks: []LifecycleHook{}}
	for _, h := range g.hooks {
		if len(in.LifecycleHookNames) > 0 && !slices.Contains(in.LifecycleHookNames, h.name) {
			continue
		}
		out.LifecycleHooks = append(out.LifecycleHooks, LifecycleHook{
			LifecycleHookName: h.name, AutoScalingGroupName: g.name, LifecycleTransition: h.transition, NotificationTargetARN: h.target, RoleARN: h.role,
			NotificationMetadata: h.metadata, HeartbeatTimeout: h.heartbeat, GlobalTimeout: h.global(), DefaultResult: h.result,
		})
	}
	return out, nil
}

// LifecycleHookInput names a hook.
type LifecycleHookInput struct {
	AutoScalingGroupName string `aws:",required"`
	LifecycleHookName    string `aws:",required"`
}

// DeleteLifecycleHook answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLifecycleHook.html
// Instances that wait for it end their wait with its default result.
func (s *Service) DeleteLifecycleHook(_ context.Context, in *LifecycleHookInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.changeableLocked(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	h := g.hook(in.LifecycleHookName)
	if h == nil {
		return nil, unknownHook(g, in.LifecycleHookName)
	}
	for _, m := range g.members {
		if w := m.wait(h.name, ""); w != nil {
			m.complete(w, h.result)
		}
	}
	g.hooks = slices.DeleteFunc(g.hooks, func(have *hook) bool { return have == h })
	s.wakeLocked(g)
	return &Empty{}, nil
}

func unknownHook(g *group, name string) error {
	return invalid("No Lifecycle Hook found with hook name: %s for the AutoScalingGroup: %s", name, g.name)
}

// A wait is a lifecycle action under way.
type wait struct {
	hook     hook
	token    string
	deadline time.Time // the next heartbeat
	last     time.Time // whatever the heartbeats
}

func (m *member) wait(hook, token string) *wait {
	for _, w := range m.waits {
		if w.hook.name == hook && (token == "" || w.token == token) {
			return w
		}
	}
	return nil
}

// complete ends a wait. ABANDON ends the others too.
func (m *member) complete(w *wait, result string) {
	m.waits = slices.DeleteFunc(m.waits, func(have *wait) bool { return have == w })
	if result == resultAbandon {
		m.abandoned, m.waits = true, nil
	}
}

// holdLocked begins the lifecycle actions of a transition and says whether
// there are any.
func (s *Service) holdLocked(g *group, m *member, transition string, p *pass) bool {
	m.hooked, m.abandoned = true, false
	for _, h := range g.hooks {
		if h.transition != transition {
			continue
		}
		now := s.clock.Now()
		w := &wait{hook: *h, token: s.newIDLocked("token"), deadline: now.Add(time.Duration(h.heartbeat) * time.Second), last: now.Add(time.Duration(h.global()) * time.Second)}
		m.waits = append(m.waits, w)
		s.tellHookLocked(g, m, w, p.later)
	}
	if transition == transitionLaunching && s.Launched != nil {
		s.deployLocked(g, m, p)
	}
	return len(m.waits) > 0
}

// deployHook is how CodeDeploy calls its lifecycle hook.
const deployHook = "CodeDeploy-managed-automatic-launch-deployment-hook"

// deployLocked has an instance wait for what is deployed to the group.
func (s *Service) deployLocked(g *group, m *member, p *pass) {
	last := s.clock.Now().Add(time.Hour)
	w := &wait{hook: hook{name: deployHook, transition: transitionLaunching, result: resultAbandon}, token: s.newIDLocked("token"), deadline: last, last: last}
	m.waits = append(m.waits, w)
	name, id := g.name, m.id
	p.later(func() {
		s.Launched(name, id, func(deployed bool) {
			result := resultContinue
			if !deployed {
				result = resultAbandon
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if slices.Contains(m.waits, w) {
				m.complete(w, result)
				s.wakeLocked(g)
			}
		})
	})
}

// waitingLocked ends the waits that are due and says whether others are left.
func (s *Service) waitingLocked(m *member) bool {
	now := s.clock.Now()
	for _, w := range slices.Clone(m.waits) {
		if !now.Before(w.deadline) || !now.Before(w.last) {
			m.complete(w, w.hook.result)
		}
	}
	return len(m.waits) > 0
}

// tellHookLocked announces a lifecycle action.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
func (s *Service) tellHookLocked(g *group, m *member, w *wait, later func(func())) {
	detail := map[string]string{
		"LifecycleActionToken": w.token, "AutoScalingGroupName": g.name, "LifecycleHookName": w.hook.name, "EC2InstanceId": m.id,
		"LifecycleTransition": w.hook.transition, "Origin": "EC2", "Destination": "AutoScalingGroup",
	}
	kind := "EC2 Instance-launch Lifecycle Action"
	if w.hook.transition == transitionTerminating {
		kind = "EC2 Instance-terminate Lifecycle Action"
		detail["Origin"], detail["Destination"] = "AutoScalingGroup", "EC2"
	}
	if w.hook.metadata != "" {
		detail["NotificationMetadata"] = w.hook.metadata
	}
	s.publishLocked(kind, []string{g.arn}, detail, later)
	if w.hook.target == "" || s.Topics == nil {
		return
	}
	message := map[string]any{"AccountId": s.Account, "RequestId": w.token, "Service": "AWS Auto Scaling", "Time": s.stamp()}
	for key, value := range detail {
		message[key] = value
	}
	text := encode(message)
	subject := fmt.Sprintf("Auto Scaling:  Lifecycle action '%s' for instance %s in progress.", strings.TrimPrefix(w.hook.transition, "autoscaling:EC2_INSTANCE_"), m.id)
	target := w.hook.target
	later(func() { s.send(target, subject, text) })
}

// CompleteLifecycleActionInput ends the wait of an instance, by the token or by
// the instance's id.
type CompleteLifecycleActionInput struct {
	AutoScalingGroupName  string `aws:",required"`
	LifecycleHookName     string `aws:",required"`
	LifecycleActionToken  string
	LifecycleActionResult string `aws:",required"`
	InstanceId            string
}

// CompleteLifecycleAction answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
func (s *Service) CompleteLifecycleAction(_ context.Context, in *CompleteLifecycleActionInput) (*Empty, error) {
	if in.LifecycleActionResult != resultContinue && in.LifecycleActionResult != resultAbandon {
		return nil, invalid("Lifecycle action result '%s' must be %s or %s", in.LifecycleActionResult, resultContinue, resultAbandon)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, m, w, err := s.actionLocked(in.AutoScalingGroupName, in.LifecycleHookName, in.InstanceId, in.LifecycleActionToken)
	if err != nil {
		return nil, err
	}
	m.complete(w, in.LifecycleActionResult)
	s.wakeLocked(g)
	return &Empty{}, nil
}

// HeartbeatInput names a lifecycle action by its token or its instance.
type HeartbeatInput struct {
	AutoScalingGroupName string `aws:",required"`
	LifecycleHookName    string `aws:",required"`
	LifecycleActionToken string
	InstanceId           string
}

// RecordLifecycleActionHeartbeat answers
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_RecordLifecycleActionHeartbeat.html
func (s *Service) RecordLifecycleActionHeartbeat(_ context.Context, in *HeartbeatInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, w, err := s.actionLocked(in.AutoScalingGroupName, in.LifecycleHookName, in.InstanceId, in.LifecycleActionToken)
	if err != nil {
		return nil, err
	}
	w.deadline = s.clock.Now().Add(time.Duration(w.hook.heartbeat) * time.Second)
	return &Empty{}, nil
}

// actionLocked finds a lifecycle action that is under way.
func (s *Service) actionLocked(groupName, hookName, instance, token string) (*group, *member, *wait, error) {
	g, err := s.changeableLocked(groupName)
	if err != nil {
		return nil, nil, nil, err
	}
	if g.hook(hookName) == nil {
		return nil, nil, nil, unknownHook(g, hookName)
	}
	if instance == "" && token == "" {
		return nil, nil, nil, invalid("Valid requests must contain either the InstanceId or the LifecycleActionToken parameter")
	}
	for _, m := range g.members {
		if instance != "" && m.id != instance {
			continue
		}
		if w := m.wait(hookName, token); w != nil {
			return g, m, w, nil
		}
	}
	if instance != "" {
		return nil, nil, nil, invalid("No active Lifecycle Action found with instance ID %s", instance)
	}
	return nil, nil, nil, invalid("No active Lifecycle Action found with token %s", token)
}
