package automation

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// runInstances launches instances and waits until they run.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-runinstance.html
func runInstances() *action {
	return &action{
		inputs: map[string]input{
			"AdditionalInfo": {text, false}, "BlockDeviceMappings": {tree, false}, "ClientToken": {text, false},
			"DisableApiTermination": {flag, false}, "EbsOptimized": {flag, false}, "IamInstanceProfileArn": {text, false},
			"IamInstanceProfileName": {text, false}, "ImageId": {text, true}, "InstanceInitiatedShutdownBehavior": {text, false},
			"InstanceType": {text, false}, "KernelId": {text, false}, "KeyName": {text, false}, "MaxInstanceCount": {count, false},
			"MetadataOptions": {tree, false}, "MinInstanceCount": {count, false}, "Monitoring": {flag, false},
			"NetworkInterfaces": {tree, false}, "Placement": {tree, false}, "PrivateIpAddress": {text, false},
			"RamdiskId": {text, false}, "SecurityGroupIds": {names, false}, "SecurityGroups": {names, false},
			"SubnetId": {text, false}, "TagSpecifications": {tree, false}, "UserData": {text, false},
		},
		outputs: []string{"InstanceIds", "InstanceStates"},
		begin:   launching,
		move:    launch,
	}
}

func launch(ctx context.Context, t *task) (next, error) {
	in := t.pick("AdditionalInfo", "BlockDeviceMappings", "ClientToken", "DisableApiTermination", "EbsOptimized", "ImageId",
		"InstanceInitiatedShutdownBehavior", "InstanceType", "KernelId", "KeyName", "MetadataOptions", "NetworkInterfaces",
		"Placement", "PrivateIpAddress", "RamdiskId", "SecurityGroupIds", "SecurityGroups", "SubnetId", "TagSpecifications", "UserData")
	profile := map[string]any{}
	for member, name := range map[string]string{"Arn": "IamInstanceProfileArn", "Name": "IamInstanceProfileName"} {
		if v := t.text(name); v != "" {
			profile[member] = v
		}
	}
	if len(profile) > 0 {
		in["IamInstanceProfile"] = profile
	}
	if on, given := t.in["Monitoring"]; given {
		in["Monitoring"] = map[string]any{"Enabled": on}
	}
	in["MinCount"], in["MaxCount"] = int64(1), int64(1)
	for member, name := range map[string]string{"MinCount": "MinInstanceCount", "MaxCount": "MaxInstanceCount"} {
		if n, given := t.in[name]; given {
			in[member] = n
		}
	}
	if t.text("InstanceType") == "" {
		in["InstanceType"] = "m1.small"
	}
	if t.text("ClientToken") == "" {
		in["ClientToken"] = clientToken(t.token)
	}
	answer, err := t.call(ctx, "ec2", "RunInstances", in)
	if err != nil {
		return next{}, err
	}
	ids := all(answer, "$.Instances[*].InstanceId")
	return later(pollInterval, verifyingLaunch, awaitLaunch(ids)), nil
}

// awaitLaunch looks at launched instances until all run.
func awaitLaunch(ids []any) move {
	var look move
	look = func(ctx context.Context, t *task) (next, error) {
		states, err := t.states(ctx, ids)
		if t.pending(err, "InvalidInstanceID.NotFound") {
			return later(pollInterval, verifyingLaunch, look), nil
		}
		if err != nil {
			return next{}, err
		}
		list := []any{}
		for _, id := range ids {
			switch state := states[plain(id)]; state {
			case "running", "pending":
				list = append(list, state)
			default:
				return next{}, unverified("Instance %s entered unexpected state: %s", plain(id), state)
			}
		}
		if slices.Contains(list, any("pending")) {
			return later(pollInterval, verifyingLaunch, look), nil
		}
		return done(map[string]any{"InstanceIds": ids, "InstanceStates": list}), nil
	}
	return look
}

// clientToken makes a token of at most 64 ASCII characters for EC2.
func clientToken(token string) string {
	if len(token) > 64 {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(token)))
	}
	return token
}

// changeInstanceState starts, stops or terminates instances, or only checks.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-changestate.html
func changeInstanceState() *action {
	return &action{
		inputs: map[string]input{
			"InstanceIds": {names, true}, "DesiredState": {text, true}, "CheckStateOnly": {flag, false},
			"Force": {flag, false}, "AdditionalInfo": {text, false},
		},
		timeout: time.Hour,
		begin:   executing,
		check: func(path string, s *Step, f *faults) {
			state, ok := s.Inputs["DesiredState"].(string)
			if ok && !reference.MatchString(state) && !slices.Contains(desiredStates, state) {
				f.add(path+".inputs.DesiredState", "%q is not one of %s", state, strings.Join(desiredStates, ", "))
			}
		},
		move: changeState,
	}
}

var desiredStates = []string{"running", "stopped", "terminated"}

func changeState(ctx context.Context, t *task) (next, error) {
	operation, in := "", map[string]any{"InstanceIds": t.names("InstanceIds")}
	switch t.text("DesiredState") {
	case "running":
		operation = "StartInstances"
		in["AdditionalInfo"] = t.text("AdditionalInfo")
	case "stopped":
		operation = "StopInstances"
		if t.flag("Force") {
			in["Force"] = true
		}
	case "terminated":
		operation = "TerminateInstances"
	default:
		return next{}, unfit("DesiredState is %q, not one of %s", t.text("DesiredState"), strings.Join(desiredStates, ", "))
	}
	if t.flag("CheckStateOnly") {
		return awaitState(ctx, t)
	}
	if _, err := t.call(ctx, "ec2", operation, in); err != nil {
		return next{}, err
	}
	return later(pollInterval, polling, awaitState), nil
}

// towards are the states from which a desired one can still come.
func towards(desired string) []string {
	switch desired {
	case "running":
		return []string{"pending", "stopping", "stopped"}
	case "stopped":
		return []string{"pending", "running", "stopping"}
	}
	return []string{"pending", "running", "stopping", "stopped", "shutting-down"}
}

// awaitState looks at instances until all are in the desired state; a running one
// must also have passed both status checks.
func awaitState(ctx context.Context, t *task) (next, error) {
	ids, desired := t.names("InstanceIds"), t.text("DesiredState")
	states, err := t.states(ctx, ids)
	if err != nil {
		return next{}, err
	}
	there := true
	for _, id := range ids {
		state := states[plain(id)]
		if state != desired && !slices.Contains(towards(desired), state) {
			return next{}, unverified("Instance %s entered unexpected state: %s", plain(id), state)
		}
		there = there && state == desired
	}
	if there && desired == "running" {
		if there, err = t.checked(ctx, ids); err != nil {
			return next{}, err
		}
	}
	if !there {
		return later(pollInterval, polling, awaitState), nil
	}
	return done(nil), nil
}

// states are the states of instances by id.
func (t *task) states(ctx context.Context, ids []any) (map[string]string, error) {
	answer, err := t.call(ctx, "ec2", "DescribeInstances", map[string]any{"InstanceIds": ids})
	if err != nil {
		return nil, err
	}
	states := map[string]string{}
	for _, instance := range all(answer, "$.Reservations[*].Instances[*]") {
		states[one(instance, "$.InstanceId")] = one(instance, "$.State.Name")
	}
	for _, id := range ids {
		if states[plain(id)] == "" {
			return nil, fmt.Errorf("describe instance %s: it is not in the answer", plain(id))
		}
	}
	return states, nil
}

// checked says that instances passed the system's and the instance's checks.
func (t *task) checked(ctx context.Context, ids []any) (bool, error) {
	answer, err := t.call(ctx, "ec2", "DescribeInstanceStatus", map[string]any{"InstanceIds": ids})
	if err != nil {
		return false, err
	}
	statuses := all(answer, "$.InstanceStatuses[*]")
	for _, status := range statuses {
		if one(status, "$.InstanceStatus.Status") != "ok" || one(status, "$.SystemStatus.Status") != "ok" {
			return false, nil
		}
	}
	return len(statuses) == len(ids), nil
}

// all is the list that an answer has at a path; the path is one of ours.
func all(answer any, path string) []any {
	s, err := parseSelector(path)
	if err != nil {
		panic(err)
	}
	found, _ := s.find(answer)
	list, _ := found.([]any)
	return list
}

// one is the text that an answer has at a path, or "".
func one(answer any, path string) string {
	s, err := parseSelector(path)
	if err != nil {
		panic(err)
	}
	found, _ := s.find(answer)
	return plain(found)
}
