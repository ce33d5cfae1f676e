package automation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// maxSleep is how long a step may sleep.
const maxSleep = 604799 * time.Second

// sleep waits for a duration or until a time.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-sleep.html
func sleep() *action {
	return &action{
		inputs: map[string]input{"Duration": {text, false}, "Timestamp": {text, false}},
		begin:  executing,
		check: func(path string, s *Step, f *faults) {
			if (s.Inputs["Duration"] == nil) == (s.Inputs["Timestamp"] == nil) {
				f.add(path+".inputs", "aws:sleep needs either Duration or Timestamp")
			}
			if d, ok := s.Inputs["Duration"].(string); ok && !reference.MatchString(d) {
				if _, err := duration(d); err != nil {
					f.add(path+".inputs.Duration", "%v", err)
				}
			}
		},
		move: func(_ context.Context, t *task) (next, error) {
			var d time.Duration
			if at := t.text("Timestamp"); at != "" {
				until, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return next{}, unfit("The timestamp %q is not of the form 2026-01-31T23:59:59Z", at)
				}
				if d = max(0, until.Sub(t.now())); d > maxSleep {
					return next{}, unfit("The timestamp %s is more than 7 days away", at)
				}
			} else {
				var err error
				if d, err = duration(t.text("Duration")); err != nil {
					return next{}, unfit("The duration %v", err)
				}
			}
			return later(d, executing, func(context.Context, *task) (next, error) { return done(nil), nil }), nil
		},
	}
}

var isoDuration = regexp.MustCompile(`^P(?:(\d{1,9})D)?(T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?$`)

// duration reads an ISO 8601 duration of days and less.
func duration(text string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, fmt.Errorf("%q is not an ISO 8601 duration, such as PT10M", text)
	}
	var d time.Duration
	for i, unit := range map[int]time.Duration{1: 24 * time.Hour, 3: time.Hour, 4: time.Minute, 5: time.Second} {
		if m[i] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i])
		if err != nil {
			return 0, fmt.Errorf("%q: %w", text, err)
		}
		if n > int(maxSleep/unit) {
			return 0, fmt.Errorf("%q is more than 604799 seconds", text)
		}
		d += time.Duration(n) * unit
	}
	if d > maxSleep {
		return 0, fmt.Errorf("%q is more than 604799 seconds", text)
	}
	return d, nil
}

// pause waits for the signal Resume.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-pause.html
func pause(context.Context, *task) (next, error) { return next{waiting: true}, nil }

// approve waits until enough of the approvers have approved, or one rejected.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-approve.html
func approve() *action {
	return &action{
		inputs: map[string]input{
			"NotificationArn": {text, false}, "Message": {text, false},
			"MinRequiredApprovals": {count, false}, "Approvers": {names, true},
		},
		outputs: []string{"ApprovalStatus", "ApproverDecisions"},
		timeout: 7 * 24 * time.Hour,
		begin:   executing,
		move: func(ctx context.Context, t *task) (next, error) {
			approvers, required := t.names("Approvers"), t.required()
			switch {
			case len(approvers) > 10:
				return next{}, unfit("There are %d approvers, more than 10", len(approvers))
			case required < 1 || required > int64(len(approvers)):
				return next{}, unfit("MinRequiredApprovals is %d, which is not from 1 to the number of approvers, %d", required, len(approvers))
			case len(t.text("Message")) > 4096:
				return next{}, unfit("The message has more than 4096 characters")
			}
			if topic := t.text("NotificationArn"); topic != "" {
				if _, err := t.call(ctx, "sns", "Publish", t.request(topic)); err != nil {
					return next{}, err
				}
			}
			return next{waiting: true}, nil
		},
	}
}

func (t *task) required() int64 {
	if n, ok := t.in["MinRequiredApprovals"].(int64); ok {
		return n
	}
	return 1
}

// request is the message that asks for an approval.
func (t *task) request(topic string) map[string]any {
	id, _, _ := strings.Cut(t.token, "/")
	return map[string]any{
		"TopicArn": topic,
		"Subject":  "AWS Systems Manager Automation: approval required",
		"Message": fmt.Sprintf("Automation execution %s waits for approval at its step %s.\n\n%s\n\nTo decide: aws ssm send-automation-signal --automation-execution-id %s --signal-type Approve (or Reject)",
			id, t.step.Name, t.text("Message"), id),
	}
}

// A decision is what one principal said to an approval.
type decision struct{ approver, status string }

// maySay says that a principal is among the approvers: by its ARN, its role's, or
// the name of a user.
func maySay(p wire.Principal, approvers []string) bool {
	if p.ARN == "" || slices.Contains(approvers, p.ARN) || p.RoleARN != "" && slices.Contains(approvers, p.RoleARN) {
		return true
	}
	_, user, ok := strings.Cut(p.ARN, ":user/")
	return ok && slices.Contains(approvers, user[strings.LastIndexByte(user, '/')+1:])
}
