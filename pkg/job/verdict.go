package job

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"cutover/pkg/awsclient"
)

// A verdict is what is reported on a job: its failure, its continuation (token
// is set), or its success.
type verdict struct {
	failure    *Failure
	token      string
	percent    int
	summary    string
	outputs    map[string]string
	externalID string
}

func failed(format string, args ...any) verdict {
	return verdict{failure: &Failure{Type: types.FailureTypeJobFailed, Message: fmt.Sprintf(format, args...)}}
}

func refused(format string, args ...any) verdict {
	return verdict{failure: &Failure{Type: types.FailureTypeConfigurationError, Message: fmt.Sprintf(format, args...)}}
}

// outputKey is how CodePipeline names variables.
var outputKey = regexp.MustCompile(`^[A-Za-z0-9@_-]+$`)

// done is the success of a job, unless CodePipeline would refuse its variables.
func done[S any](r Result[S]) verdict {
	var faults []string
	size := 0
	for _, key := range slices.Sorted(maps.Keys(r.outputs)) {
		size += len(key) + len(r.outputs[key])
		if !outputKey.MatchString(key) {
			faults = append(faults, fmt.Sprintf("%q is not a name of letters, digits, @, - and _", key))
		}
	}
	if size > maxOutputBytes {
		faults = append(faults, fmt.Sprintf("together they have %d bytes, and CodePipeline takes %d", size, maxOutputBytes))
	}
	if len(faults) > 0 {
		return failed("the work is done (%s), but its output variables are not valid: %s", cut(r.summary, maxSummary, "no summary"), strings.Join(faults, "; "))
	}
	return verdict{percent: maxPercent, summary: r.summary, outputs: r.outputs, externalID: r.externalID}
}

// judge classes the error of a step.
func (t *tick) judge(now time.Time, err error) verdict {
	if f, ok := errors.AsType[*Failure](err); ok {
		return verdict{failure: &Failure{Type: known(f.Type), Message: err.Error()}}
	}
	switch {
	case awsclient.IsDenied(err):
		action, resource := awsclient.Denied(err)
		if action == "" {
			action = "the call"
		}
		next := fmt.Sprintf("allow %s in the function's role, then retry the stage", action)
		if resource != "" && resource != "*" { // AWS denies what does not exist too
			next = fmt.Sprintf("allow %s on %s in the function's role, then retry the stage; if a parameter names the wrong resource, correct it and start the pipeline again", action, resource)
		} else if resource != "" {
			next = fmt.Sprintf("allow %s on %s in the function's role, then retry the stage", action, resource)
		}
		return verdict{failure: &Failure{Type: types.FailureTypePermissionError, Message: fmt.Sprintf("%v; %s", err, next)}}
	case awsclient.IsTransient(err):
		return t.transient(now, err)
	}
	return verdict{failure: &Failure{Type: types.FailureTypeJobFailed, Message: err.Error()}}
}

// transient waits a fault out, as long as it is not there for too long.
func (t *tick) transient(now time.Time, err error) verdict {
	if t.token.Faulty == 0 {
		t.token.Faulty = at(now)
	}
	t.log.Warn("AWS did not answer as it should", "cause", t.scrub(err.Error()))
	if t.token.Faulty == 0 { // not even its time is known
		return t.again(now, "waiting out a fault: "+t.scrub(err.Error()))
	}
	since := t.token.Faulty.time()
	if lasted := now.Sub(since); lasted >= t.limits.Faults {
		return verdict{failure: &Failure{Type: types.FailureTypeSystemUnavailable, Message: fmt.Sprintf(
			"%v; this or another fault met every try for %s, and %s are allowed; the last progress, %d%%, was at %s; retry the stage when AWS answers again: what is already done is not done again",
			err, rounded(lasted), t.limits.Faults, t.token.Percent, t.token.Progress.time().Format(time.RFC3339))}}
	}
	return t.again(now, fmt.Sprintf("waiting out a fault since %s: %s", since.Format(time.RFC3339), t.scrub(err.Error())))
}

// known is the type if CodePipeline has it.
func known(failure types.FailureType) types.FailureType {
	if slices.Contains(failure.Values(), failure) {
		return failure
	}
	return types.FailureTypeJobFailed
}
