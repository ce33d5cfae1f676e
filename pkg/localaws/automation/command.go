package automation

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// maxTail is how much of a command's output a failure's message shows.
const maxTail = 1500

// runCommand sends a command to instances whose agent answers and waits for its
// end on all of them.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-runcommand.html
func runCommand() *action {
	return &action{
		inputs: map[string]input{
			"Comment": {text, false}, "DocumentName": {text, true}, "DocumentVersion": {text, false},
			"InstanceIds": {names, true}, "Parameters": {tree, false}, "TimeoutSeconds": {count, false},
		},
		outputs: []string{"CommandId", "Output", "ResponseCode", "Status"},
		begin:   verifyingAgent,
		move:    awaitAgents,
	}
}

// awaitAgents looks at instances until the agent of each is online.
func awaitAgents(ctx context.Context, t *task) (next, error) {
	ids := t.names("InstanceIds")
	answer, err := t.call(ctx, "ssm", "DescribeInstanceInformation", map[string]any{
		"Filters": []any{map[string]any{"Key": "InstanceIds", "Values": ids}},
	})
	if err != nil {
		return next{}, err
	}
	online := map[string]bool{}
	for _, info := range all(answer, "$.InstanceInformationList[*]") {
		online[one(info, "$.InstanceId")] = one(info, "$.PingStatus") == "Online"
	}
	missing := slices.DeleteFunc(texts(ids), func(id string) bool { return online[id] })
	if len(missing) == 0 {
		return later(0, executing, send), nil
	}
	again := later(pollInterval, verifyingAgent, awaitAgents)
	again.hint = fmt.Sprintf(" SSM Agent on Instances: [%s] are not functioning.", strings.Join(missing, ", "))
	return again, nil
}

func send(ctx context.Context, t *task) (next, error) {
	in := t.pick("Comment", "DocumentName", "DocumentVersion", "InstanceIds", "TimeoutSeconds")
	if given, ok := t.in["Parameters"].(map[string]any); ok {
		parameters := map[string]any{}
		for name, value := range given {
			parameters[name] = anyTexts(texts(value))
		}
		in["Parameters"] = parameters
	}
	answer, err := t.call(ctx, "ssm", "SendCommand", in)
	if err != nil {
		return next{}, err
	}
	return later(pollInterval, verifyingCommand, awaitCommand(one(answer, "$.Command.CommandId"))), nil
}

// ended are the statuses of a command that is over on an instance.
var ended = []string{"Success", "Failed", "TimedOut", "Cancelled"}

// awaitCommand looks at a command until it is over on every instance.
func awaitCommand(id string) move {
	var look move
	look = func(ctx context.Context, t *task) (next, error) {
		again := later(pollInterval, verifyingCommand, look)
		var output []string
		status, code := "Success", "0"
		for _, instance := range t.names("InstanceIds") {
			answer, err := t.call(ctx, "ssm", "GetCommandInvocation", map[string]any{"CommandId": id, "InstanceId": instance})
			if t.pending(err, "InvocationDoesNotExist") {
				return again, nil
			}
			if err != nil {
				return next{}, err
			}
			now := one(answer, "$.Status")
			if !slices.Contains(ended, now) {
				return again, nil
			}
			if now != "Success" && status == "Success" {
				status, code = now, one(answer, "$.ResponseCode")
			}
			output = append(output, printed(answer))
		}
		outputs := map[string]any{"CommandId": id, "Status": status, "ResponseCode": code, "Output": strings.Join(output, "\n")}
		if status != "Success" {
			return next{}, commandFailed(outputs)
		}
		return done(outputs), nil
	}
	return look
}

// printed is what a command wrote, with its errors below a line of Run Command's.
func printed(invocation any) string {
	out, err := one(invocation, "$.StandardOutputContent"), one(invocation, "$.StandardErrorContent")
	if err == "" {
		return out
	}
	return out + "\n----------ERROR-------\n" + err
}

func commandFailed(outputs map[string]any) *failure {
	tail := plain(outputs["Output"])
	if len(tail) > maxTail {
		tail = "..." + strings.ToValidUTF8(tail[len(tail)-maxTail:], "")
	}
	return &failure{
		kind: "Verification", outputs: outputs,
		message: fmt.Sprintf("Command %s returns unexpected invocation result: \n{Status=[%s], ResponseCode=[%s], Output=[%s], CommandId=[%s]}",
			outputs["CommandId"], outputs["Status"], outputs["ResponseCode"], tail, outputs["CommandId"]),
	}
}
