package codepipeline

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// A provider carries one type of action out.
type provider struct {
	inputs, outputs [2]int // least and most
	required        []string
	optional        []string
	// check lists what is wrong with an action's configuration besides missing
	// and unknown keys; nil means nothing can be.
	check func(a Action) []string
	// run starts the work, without the lock; the run ends by succeed or fail.
	// It is nil where the action only waits for somebody.
	run func(s *Service, r *actionRun)
	// timeout is the most that a run may take; zero means no limit.
	timeout time.Duration
	// late is the message of a run that took longer.
	late func(r *actionRun) string
	// token says that a run is answered by its token.
	token bool
}

// providerOf finds who carries a type of action out. Others than these are not
// served.
func providerOf(t ActionType) (provider, bool) {
	switch t {
	case ActionType{"Source", "AWS", "CodeCommit", "1"}:
		return codeCommit(), true
	case ActionType{"Build", "AWS", "CodeBuild", "1"}, ActionType{"Test", "AWS", "CodeBuild", "1"}:
		return codeBuild(), true
	case ActionType{"Deploy", "AWS", "CodeDeploy", "1"}:
		return codeDeploy(), true
	case ActionType{"Approval", "AWS", "Manual", "1"}:
		return manualApproval(), true
	case ActionType{"Invoke", "AWS", "Lambda", "1"}:
		return lambdaInvoke(), true
	}
	return provider{}, false
}

// limit is how long a run of the action may take; zero means for ever.
func (p provider) limit(a Action) time.Duration {
	if a.TimeoutInMinutes != nil {
		return time.Duration(*a.TimeoutInMinutes) * time.Minute
	}
	return p.timeout
}

// faults lists what is wrong with the declaration of an action.
func (p provider) faults(a Action) []string {
	var faults []string
	for _, key := range p.required {
		if a.Configuration[key] == "" {
			faults = append(faults, fmt.Sprintf("configuration %s is required", key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.Configuration)) {
		if !slices.Contains(p.required, key) && !slices.Contains(p.optional, key) {
			faults = append(faults, fmt.Sprintf("configuration %s is unknown to the embedded AWS", key))
		}
	}
	faults = append(faults, within("input artifacts", len(a.InputArtifacts), p.inputs)...)
	faults = append(faults, within("output artifacts", len(a.OutputArtifacts), p.outputs)...)
	if a.TimeoutInMinutes != nil && !p.token {
		faults = append(faults, "timeoutInMinutes is for manual approvals only")
	}
	if p.check != nil {
		faults = append(faults, p.check(a)...)
	}
	return faults
}

func within(what string, n int, limits [2]int) []string {
	if n >= limits[0] && n <= limits[1] {
		return nil
	}
	return []string{fmt.Sprintf("has %d %s, not within %d to %d", n, what, limits[0], limits[1])}
}
