package ssm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// How the service gets commands to instances.
const (
	propagation = time.Second      // until an invocation shows after SendCommand
	redelivery  = 15 * time.Second // between tries to reach an instance
)

// runShellScript is the document that commands run.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html#aws-runShellScript
const runShellScript = "AWS-RunShellScript"

// A command is a script sent to instances.
type command struct {
	id            string
	comment       string
	parameters    map[string][]string
	requested     time.Time
	delivery      time.Duration // TimeoutSeconds
	script        script
	invocations   []*invocation
	documentShown string // DocumentVersion as asked for
}

// A script is what an instance runs.
type script struct {
	text    string
	dir     string
	timeout time.Duration
}

// An invocation is a command on one instance.
type invocation struct {
	command        *command
	instance       string
	shown          bool   // GetCommandInvocation knows it
	status         string // Pending InProgress Success Failed TimedOut Cancelled Delayed
	details        string
	exit           int // -1 until it ended
	stdout, stderr string
	started, ended time.Time
	cancel         func()
}

func (i *invocation) over() bool {
	return i.status != "Pending" && i.status != "Delayed" && i.status != "InProgress"
}

// SendCommandInput runs a document's script on instances.
type SendCommandInput struct {
	DocumentName    string `aws:",required"` // AWS-RunShellScript
	DocumentVersion string
	InstanceIds     []string            `aws:",required"`
	Parameters      map[string][]string // commands, workingDirectory, executionTimeout
	TimeoutSeconds  *int                // to reach the instance: 30 to 2592000, 3600 unless given
	Comment         string
}

// SendCommandOutput is the command as it begins.
type SendCommandOutput struct{ Command *Command }

// SendCommand answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
func (s *Service) SendCommand(_ context.Context, in *SendCommandInput) (*SendCommandOutput, error) {
	if err := s.validateCommand(in); err != nil {
		return nil, err
	}
	script, err := readScript(in.Parameters)
	if err != nil {
		return nil, err
	}
	c := &command{
		id: newID(), comment: in.Comment, parameters: in.Parameters, requested: s.Clock.Now(), delivery: time.Hour,
		script: script, documentShown: in.DocumentVersion,
	}
	if in.TimeoutSeconds != nil {
		c.delivery = time.Duration(*in.TimeoutSeconds) * time.Second
	}
	for _, id := range in.InstanceIds {
		c.invocations = append(c.invocations, &invocation{command: c, instance: id, status: "Pending", details: "Pending", exit: -1})
	}
	s.mu.Lock()
	s.commands = append(s.commands, c)
	out := c.show()
	s.mu.Unlock()
	for _, i := range c.invocations {
		s.Clock.AfterFunc(propagation, func() { s.deliver(i) })
	}
	return &SendCommandOutput{&out}, nil
}

func (s *Service) validateCommand(in *SendCommandInput) error {
	if name := documentNameOf(in.DocumentName); name != runShellScript {
		return refuse("InvalidDocument", "Document with name %s does not exist, or is not one that the embedded AWS runs as a command: that is %s.", name, runShellScript)
	}
	if !slices.Contains([]string{"", "$DEFAULT", "$LATEST", "1"}, in.DocumentVersion) {
		return noSuchVersion()
	}
	if n := len(in.InstanceIds); n < 1 || n > 50 {
		return invalid("InstanceIds: has %d members, not 1 to 50", n)
	}
	if in.TimeoutSeconds != nil && (*in.TimeoutSeconds < 30 || *in.TimeoutSeconds > 2592000) {
		return invalid("TimeoutSeconds: %d is not within 30 to 2592000", *in.TimeoutSeconds)
	}
	if utf8.RuneCountInString(in.Comment) > 100 {
		return invalid("Comment: has more than 100 characters")
	}
	given := map[string]bool{}
	for _, id := range in.InstanceIds {
		if given[id] {
			return refuse("DuplicateInstanceId", "You can't specify an instance ID in more than one association: %s", id)
		}
		given[id] = true
		if !s.online(id) {
			return refuse("InvalidInstanceId", "Instances [[%s]] not in a valid state for account %s", id, s.Account)
		}
	}
	return nil
}

// readScript reads the parameters of AWS-RunShellScript and names every fault.
func readScript(parameters map[string][]string) (script, error) {
	sc := script{timeout: time.Hour}
	var faults []string
	for name, values := range parameters {
		switch {
		case name == "commands" && len(values) > 0:
			sc.text = strings.Join(values, "\n") + "\n"
		case name == "workingDirectory" && len(values) == 1:
			sc.dir = values[0]
		case name == "executionTimeout" && len(values) == 1:
			seconds, err := strconv.Atoi(values[0])
			if err != nil || seconds < 1 || seconds > 172800 {
				faults = append(faults, fmt.Sprintf("executionTimeout %q is not within 1 to 172800", values[0]))
			}
			sc.timeout = time.Duration(seconds) * time.Second
		case name == "commands" || name == "workingDirectory" || name == "executionTimeout":
			faults = append(faults, fmt.Sprintf("%s has %d values", name, len(values)))
		default:
			faults = append(faults, fmt.Sprintf("%s is not a parameter of %s", name, runShellScript))
		}
	}
	if _, given := parameters["commands"]; !given {
		faults = append(faults, "commands is required")
	}
	if len(faults) > 0 {
		slices.Sort(faults)
		return script{}, refuse("InvalidParameters", "%s", strings.Join(faults, "; "))
	}
	return sc, nil
}

// deliver hands an invocation to its instance, or tries again later until the
// delivery times out.
func (s *Service) deliver(i *invocation) {
	online := s.online(i.instance)
	if !s.begin(i, online) {
		return
	}
	sc := i.command.script
	cancel, err := s.Instances.Run(i.instance, sc.text, sc.dir, nil, sc.timeout, func(exit int, stdout, stderr string, timedOut bool) {
		s.finish(i, exit, stdout, stderr, timedOut)
	})
	if err != nil {
		s.Logger.Warn("deliver command", "command", i.command.id, "instance", i.instance, "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.delayLocked(i)
		return
	}
	s.mu.Lock()
	canceled := i.status == "Cancelled"
	i.cancel = cancel
	s.mu.Unlock()
	if canceled {
		cancel()
	}
}

// begin notes that an invocation starts, or waits, and says whether it starts.
func (s *Service) begin(i *invocation, online bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.shown = true
	if i.status != "Pending" && i.status != "Delayed" {
		return false
	}
	if !online {
		s.delayLocked(i)
		return false
	}
	i.status, i.details, i.started = "InProgress", "InProgress", s.Clock.Now()
	return true
}

// delayLocked schedules another delivery, if there is time left.
func (s *Service) delayLocked(i *invocation) {
	if i.over() {
		return
	}
	i.started = time.Time{}
	now := s.Clock.Now()
	left := i.command.requested.Add(i.command.delivery).Sub(now)
	if left <= 0 {
		i.status, i.details, i.ended = "TimedOut", "DeliveryTimedOut", now
		return
	}
	i.status, i.details = "Delayed", "Delayed"
	s.Clock.AfterFunc(min(redelivery, left), func() { s.deliver(i) })
}

// finish notes how a script ended, unless it was cancelled before.
func (s *Service) finish(i *invocation, exit int, stdout, stderr string, timedOut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.status != "InProgress" {
		return
	}
	i.exit, i.stdout, i.stderr, i.ended, i.cancel = exit, stdout, stderr, s.Clock.Now(), nil
	switch {
	case timedOut:
		i.status, i.details = "TimedOut", "ExecutionTimedOut"
	case exit != 0:
		i.status, i.details = "Failed", "Failed"
		i.stderr += fmt.Sprintf("failed to run commands: exit status %d", exit)
	default:
		i.status, i.details = "Success", "Success"
	}
}

// CancelCommandInput names a command, and the instances to cancel it on; all
// unless given.
type CancelCommandInput struct {
	CommandId   string `aws:",required"`
	InstanceIds []string
}

// CancelCommand answers
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CancelCommand.html
func (s *Service) CancelCommand(_ context.Context, in *CancelCommandInput) (*Empty, error) {
	cancels, err := s.cancel(in)
	if err != nil {
		return nil, err
	}
	for _, cancel := range cancels {
		cancel()
	}
	return &Empty{}, nil
}

// cancel marks invocations as cancelled and returns how to end those that run.
func (s *Service) cancel(in *CancelCommandInput) (cancels []func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.commandLocked(in.CommandId)
	if c == nil {
		return nil, invalidCommandID()
	}
	for _, id := range in.InstanceIds {
		if !slices.ContainsFunc(c.invocations, func(i *invocation) bool { return i.instance == id }) {
			return nil, refuse("InvalidInstanceId", "Command %s was not sent to instance %s", c.id, id)
		}
	}
	for _, i := range c.invocations {
		if i.over() || len(in.InstanceIds) > 0 && !slices.Contains(in.InstanceIds, i.instance) {
			continue
		}
		i.status, i.details, i.ended = "Cancelled", "Cancelled", s.Clock.Now()
		if i.cancel != nil {
			cancels = append(cancels, i.cancel)
		}
	}
	return cancels, nil
}

func (s *Service) commandLocked(id string) *command {
	for _, c := range s.commands {
		if c.id == id {
			return c
		}
	}
	return nil
}

func invalidCommandID() *wire.Error {
	return refuse("InvalidCommandId", "The specified command ID isn't valid. Verify the ID and try again.")
}

// runShellScript is the document for commands, owned by AWS.
func (s *Service) runShellScript() *document {
	v := &documentVersion{number: 1, format: "JSON", created: s.started, content: runShellScriptContent}
	return &document{
		name: runShellScript, kind: "Command", owner: "Amazon", created: s.started, defaultVersion: 1, versions: []*documentVersion{v},
		parameters: []DocumentParameter{
			{Name: "commands", Type: "StringList", Description: "The commands, one a line of the script."},
			{Name: "executionTimeout", Type: "String", Description: "The seconds that the script may take.", DefaultValue: "3600"},
			{Name: "workingDirectory", Type: "String", Description: "The directory that the script starts in."},
		},
	}
}

const runShellScriptContent = `{
  "schemaVersion": "1.2",
  "description": "Run a shell script or specify the commands to run.",
  "parameters": {
    "commands": {"type": "StringList", "minItems": 1},
    "workingDirectory": {"type": "String", "default": ""},
    "executionTimeout": {"type": "String", "default": "3600"}
  },
  "runtimeConfig": {
    "aws:runShellScript": {
      "properties": [{
        "id": "0.aws:runShellScript",
        "runCommand": "{{ commands }}",
        "workingDirectory": "{{ workingDirectory }}",
        "timeoutSeconds": "{{ executionTimeout }}"
      }]
    }
  }
}
`

// sendAccess is what IAM must allow for a command: the document, and each
// instance, with its tags as condition keys.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func (s *Service) sendAccess(in *SendCommandInput) []wire.Access {
	access := []wire.Access{{Resource: s.documentARN(in.DocumentName)}}
	managed := s.managed()
	for _, id := range in.InstanceIds {
		a := wire.Access{Resource: "arn:aws:ec2:" + s.Region + ":" + s.Account + ":instance/" + id, Context: map[string]string{}}
		for _, i := range managed {
			if i.ID != id {
				continue
			}
			for key, value := range i.Tags {
				a.Context["aws:ResourceTag/"+key], a.Context["ssm:resourceTag/"+key] = value, value
			}
		}
		access = append(access, a)
	}
	return access
}
