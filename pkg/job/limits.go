package job

import (
	"strings"
	"time"
	"unicode/utf8"
)

// CodePipeline's limits, in characters, of percent, and in bytes.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ExecutionDetails.html
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html
// https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
const (
	maxUserParameters = 1000
	maxToken          = 2048
	maxSummary        = 2048
	maxMessage        = 5000
	maxExternalID     = 1500
	maxPercent        = 100
	maxOutputBytes    = 122_880
)

// Limits are how long a job may take. AWS ends an action after 24 hours.
type Limits struct {
	// Progress is how long a job may go on without a percent that it has not
	// reached before. Default 15 minutes: longer than a task's start with a
	// large image or a target group's drain, and short enough to be waited for.
	Progress time.Duration

	// Total is how long an attempt may take at all. Default and most 23 hours.
	Total time.Duration

	// Faults is how long throttles, server faults and network faults may keep
	// on, tick after tick, before they are the job's failure. Default 10
	// minutes.
	Faults time.Duration
}

// Deadlines is implemented by parameters that set limits of their own. Zero
// fields leave the function's.
type Deadlines interface{ Deadlines() Limits }

const longest = 23 * time.Hour

// over fills what l leaves open from base.
func (l Limits) over(base Limits) Limits {
	pick := func(own, other time.Duration) time.Duration {
		if own > 0 {
			return own
		}
		return other
	}
	return Limits{
		Progress: pick(l.Progress, base.Progress),
		Total:    min(pick(l.Total, base.Total), longest),
		Faults:   pick(l.Faults, base.Faults),
	}
}

func defaults() Limits {
	return Limits{Progress: 15 * time.Minute, Total: longest, Faults: 10 * time.Minute}
}

// cut makes a text valid UTF-8 of 1 to limit characters: instead when it is
// empty, with an ellipsis when it is longer.
func cut(text string, limit int, instead string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD"))
	if text == "" {
		text = instead
	}
	if len(text) <= limit || utf8.RuneCountInString(text) <= limit {
		return text
	}
	kept := 0
	for at := range text {
		if kept == limit-1 {
			return text[:at] + "…"
		}
		kept++
	}
	return text
}
