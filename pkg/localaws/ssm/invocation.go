package ssm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How much of a script's output answers show, in characters.
const (
	stdoutShown = 24000
	stderrShown = 8000
	outputShown = 2500
)

// Command is a command as answers show it.
type Command struct {
	CommandId             string
	DocumentName          string
	DocumentVersion       string
	Comment               string
	ExpiresAfter          time.Time
	Parameters            map[string][]string
	InstanceIds           []string
	RequestedDateTime     time.Time
	Status                string
	StatusDetails         string
	TargetCount           int
	CompletedCount        int
	ErrorCount            int
	DeliveryTimedOutCount int
	TimeoutSeconds        int
}

func (c *command) version() string {
	if c.documentShown == "" {
		return "$DEFAULT"
	}
	return c.documentShown
}

// show is the command with its status, which follows from its invocations'.
func (c *command) show() Command {
	out := Command{
		CommandId: c.id, DocumentName: runShellScript, DocumentVersion: c.version(), Comment: c.comment,
		ExpiresAfter: c.requested.Add(c.delivery + c.script.timeout), Parameters: c.parameters, RequestedDateTime: c.requested,
		TargetCount: len(c.invocations), TimeoutSeconds: int(c.delivery / time.Second),
	}
	count := map[string]int{}
	for _, i := range c.invocations {
		out.InstanceIds = append(out.InstanceIds, i.instance)
		count[i.details]++
		if i.over() {
			out.CompletedCount++
		}
	}
	out.DeliveryTimedOutCount = count["DeliveryTimedOut"]
	out.ErrorCount = count["Failed"] + count["ExecutionTimedOut"]
	out.Status, out.StatusDetails = summary(count, len(c.invocations))
	return out
}

// summary is a command's status by those of its invocations, with no error
// allowed (MaxErrors 0).
// https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
func summary(count map[string]int, all int) (status, details string) {
	waiting := count["Pending"] + count["Delayed"]
	switch {
	case waiting == all:
		return "Pending", "Pending"
	case waiting+count["InProgress"] > 0:
		return "InProgress", "InProgress"
	case count["Cancelled"] > 0:
		return "Cancelled", "Cancelled"
	case count["Failed"] > 0:
		return "Failed", "Failed"
	case count["ExecutionTimedOut"] > 0:
		return "TimedOut", "ExecutionTimedOut"
	case count["DeliveryTimedOut"] > 0:
		return "TimedOut", "DeliveryTimedOut"
	}
	return "Success", "Success"
}

// GetCommandInvocationInput names a command on an instance.
type GetCommandInvocationInput struct {
	CommandId  string `aws:",required"`
	InstanceId string `aws:",required"`
	PluginName string // aws:runShellScript
}

// GetCommandInvocationOutput is how it goes. ResponseCode is -1 until it ends.
type GetCommandInvocationOutput struct {
	CommandId              string
	InstanceId             string
	Comment                string
	DocumentName           string
	DocumentVersion        string
	PluginName             string
	ResponseCode           int
	ExecutionStartDateTime string
	ExecutionElapsedTime   string
	ExecutionEndDateTime   string
	Status                 string
	StatusDetails          string
	StandardOutputContent  *string
	StandardErrorContent   *string
	StandardOutputUrl      *string
	StandardErrorUrl       *string
}

const pluginName = "aws:runShellScript"

// GetCommandInvocation answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html
func (s *Service) GetCommandInvocation(_ context.Context, in *GetCommandInvocationInput) (*GetCommandInvocationOutput, error) {
	if in.PluginName != "" && in.PluginName != pluginName {
		return nil, refuse("InvalidPluginName", "The plugin name isn't valid: %s", in.PluginName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.commandLocked(in.CommandId)
	if c == nil {
		return nil, invalidCommandID()
	}
	at := slices.IndexFunc(c.invocations, func(i *invocation) bool { return i.instance == in.InstanceId && i.shown })
	if at < 0 {
		return nil, refuse("InvocationDoesNotExist", "The command ID and managed node ID you specified didn't match any invocations. Verify the command ID and the managed node ID and try again.")
	}
	return c.invocations[at].get(), nil
}

func (i *invocation) get() *GetCommandInvocationOutput {
	none := ""
	stdout, stderr := cut(i.stdout, stdoutShown), cut(i.stderr, stderrShown)
	out := &GetCommandInvocationOutput{
		CommandId: i.command.id, InstanceId: i.instance, Comment: i.command.comment, DocumentName: runShellScript,
		DocumentVersion: i.command.version(), PluginName: pluginName, ResponseCode: i.exit, Status: i.status, StatusDetails: i.details,
		StandardOutputContent: &stdout, StandardErrorContent: &stderr, StandardOutputUrl: &none, StandardErrorUrl: &none,
	}
	if !i.started.IsZero() {
		out.ExecutionStartDateTime = isoTime(i.started)
		if !i.ended.IsZero() {
			out.ExecutionEndDateTime = isoTime(i.ended)
			out.ExecutionElapsedTime = isoDuration(i.ended.Sub(i.started))
		}
	}
	return out
}

func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func isoDuration(d time.Duration) string {
	return "PT" + strings.ToUpper(fmt.Sprintf("%.3fs", d.Seconds()))
}

// cut is the first characters of a text.
func cut(text string, most int) string {
	count := 0
	for at := range text {
		if count == most {
			return text[:at]
		}
		count++
	}
	return text
}

// ListCommandInvocationsInput filters invocations.
type ListCommandInvocationsInput struct {
	CommandId  string
	InstanceId string
	Details    bool // with the plugins' output
	MaxResults *int // 1 to 50
	NextToken  string
}

// ListCommandInvocationsOutput are those that match, latest first.
type ListCommandInvocationsOutput struct {
	CommandInvocations []CommandInvocation
	NextToken          string
}

// CommandInvocation is a command on one instance.
type CommandInvocation struct {
	CommandId         string
	InstanceId        string
	Comment           string
	DocumentName      string
	DocumentVersion   string
	RequestedDateTime time.Time
	Status            string
	StatusDetails     string
	CommandPlugins    []CommandPlugin
}

// CommandPlugin is the script of an invocation.
type CommandPlugin struct {
	Name                   string
	Status                 string
	StatusDetails          string
	ResponseCode           int
	ResponseStartDateTime  time.Time
	ResponseFinishDateTime time.Time
	Output                 string // at most 2500 characters
}

// ListCommandInvocations answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListCommandInvocations.html
func (s *Service) ListCommandInvocations(_ context.Context, in *ListCommandInvocationsInput) (*ListCommandInvocationsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.CommandId != "" && s.commandLocked(in.CommandId) == nil {
		return nil, invalidCommandID()
	}
	all := []CommandInvocation{}
	for _, c := range slices.Backward(s.commands) {
		for _, i := range c.invocations {
			if i.shown && (in.CommandId == "" || c.id == in.CommandId) && (in.InstanceId == "" || i.instance == in.InstanceId) {
				all = append(all, i.list(in.Details))
			}
		}
	}
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &ListCommandInvocationsOutput{items, next}, err
}

func (i *invocation) list(details bool) CommandInvocation {
	out := CommandInvocation{
		CommandId: i.command.id, InstanceId: i.instance, Comment: i.command.comment, DocumentName: runShellScript,
		DocumentVersion: i.command.version(), RequestedDateTime: i.command.requested, Status: i.status, StatusDetails: i.details,
		CommandPlugins: []CommandPlugin{},
	}
	if details {
		output := i.stdout
		if i.stderr != "" {
			output += "\n----------ERROR-------\n" + i.stderr
		}
		out.CommandPlugins = append(out.CommandPlugins, CommandPlugin{
			Name: pluginName, Status: i.status, StatusDetails: i.details, ResponseCode: i.exit,
			ResponseStartDateTime: i.started, ResponseFinishDateTime: i.ended, Output: cut(output, outputShown),
		})
	}
	return out
}

// ListCommandsInput filters commands.
type ListCommandsInput struct {
	CommandId  string
	InstanceId string
	MaxResults *int // 1 to 50
	NextToken  string
}

// ListCommandsOutput are those that match, latest first.
type ListCommandsOutput struct {
	Commands  []Command
	NextToken string
}

// ListCommands answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListCommands.html
func (s *Service) ListCommands(_ context.Context, in *ListCommandsInput) (*ListCommandsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.CommandId != "" && s.commandLocked(in.CommandId) == nil {
		return nil, invalidCommandID()
	}
	all := []Command{}
	for _, c := range slices.Backward(s.commands) {
		shown := c.show()
		if (in.CommandId == "" || c.id == in.CommandId) && (in.InstanceId == "" || slices.Contains(shown.InstanceIds, in.InstanceId)) {
			all = append(all, shown)
		}
	}
	items, next, err := page(all, in.MaxResults, 50, in.NextToken)
	return &ListCommandsOutput{items, next}, err
}
