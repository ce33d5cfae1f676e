package automation

import (
	"time"
)

// cloud is a scripted AWS with instances, images and commands that take their
// time.
type cloud struct {
	w         *world
	instances map[string]*instance
	images    map[string]string // name by id
	tags      map[string][]any
	exit      map[string]int // by a line of the command that fails
	broken    bool           // launched instances shut down
}

type instance struct {
	state, then string
	at          time.Time // when it is then
	tags        any
}

func (i *instance) now(t time.Time) string {
	if i.then != "" && !t.Before(i.at) {
		i.state, i.then = i.then, ""
		if i.state == "shutting-down" {
			i.then, i.at = "terminated", t.Add(20*time.Second)
		}
	}
	return i.state
}

func newCloud(w *world) *cloud {
	c := &cloud{w: w, instances: map[string]*instance{}, images: map[string]string{}, tags: map[string][]any{}, exit: map[string]int{}}
	w.aws.on("ec2 RunInstances", c.runInstances)
	w.aws.on("ec2 DescribeInstances", c.describeInstances)
	w.aws.on("ec2 StopInstances", func(in map[string]any) (any, error) { return c.turn(in, "stopping", "stopped") })
	w.aws.on("ec2 StartInstances", func(in map[string]any) (any, error) { return c.turn(in, "pending", "running") })
	w.aws.on("ec2 TerminateInstances", func(in map[string]any) (any, error) { return c.turn(in, "shutting-down", "terminated") })
	w.aws.on("ec2 CreateImage", func(in map[string]any) (any, error) {
		c.images["ami-made"] = in["Name"].(string)
		return obj("ImageId", "ami-made"), nil
	})
	ready := time.Time{}
	w.aws.on("ec2 DescribeImages", func(in map[string]any) (any, error) {
		if ready.IsZero() {
			ready = w.clock.Now().Add(5 * time.Minute)
		}
		state := "pending"
		if w.clock.Now().After(ready) {
			state = "available"
		}
		return obj("Images", []any{obj("ImageId", "ami-made", "State", state)}), nil
	})
	w.aws.on("ec2 CreateTags", func(in map[string]any) (any, error) {
		for _, id := range in["Resources"].([]any) {
			c.tags[id.(string)] = in["Tags"].([]any)
		}
		return obj(), nil
	})
	w.aws.on("ssm DescribeInstanceInformation", func(map[string]any) (any, error) {
		var list []any
		for id, i := range c.instances {
			if i.now(w.clock.Now()) == "running" {
				list = append(list, obj("InstanceId", id, "PingStatus", "Online"))
			}
		}
		return obj("InstanceInformationList", list), nil
	})
	commands := map[string]string{}
	w.aws.on("ssm SendCommand", func(in map[string]any) (any, error) {
		line := in["Parameters"].(map[string]any)["commands"].([]any)[0].(string)
		id := "command " + line
		commands[id] = line
		return obj("Command", obj("CommandId", id)), nil
	})
	w.aws.on("ssm GetCommandInvocation", func(in map[string]any) (any, error) {
		line := commands[in["CommandId"].(string)]
		if code := c.exit[line]; code != 0 {
			return obj("Status", "Failed", "ResponseCode", int64(code), "StandardOutputContent", "ran "+line, "StandardErrorContent", "no"), nil
		}
		return obj("Status", "Success", "ResponseCode", int64(0), "StandardOutputContent", "ran "+line), nil
	})
	return c
}

func (c *cloud) runInstances(in map[string]any) (any, error) {
	id := "i-" + string(rune('a'+len(c.instances)))
	then := "running"
	if c.broken {
		then = "shutting-down"
	}
	c.instances[id] = &instance{state: "pending", then: then, at: c.w.clock.Now().Add(30 * time.Second), tags: in["TagSpecifications"]}
	return obj("Instances", []any{obj("InstanceId", id)}), nil
}

func (c *cloud) turn(in map[string]any, now, then string) (any, error) {
	for _, id := range in["InstanceIds"].([]any) {
		i := c.instances[id.(string)]
		i.state, i.then, i.at = now, then, c.w.clock.Now().Add(20*time.Second)
	}
	return obj(), nil
}

func (c *cloud) describeInstances(in map[string]any) (any, error) {
	var list []any
	wanted, _ := in["InstanceIds"].([]any)
	for id, i := range c.instances {
		state := i.now(c.w.clock.Now())
		if wanted == nil && (state == "terminated" || state == "shutting-down") {
			continue
		}
		list = append(list, obj("InstanceId", id, "State", obj("Name", state)))
	}
	return obj("Reservations", []any{obj("Instances", list)}), nil
}
