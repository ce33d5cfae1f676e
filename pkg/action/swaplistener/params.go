package swaplistener

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"cutover/pkg/bluegreen"
	"cutover/pkg/job"
	"cutover/pkg/record"
)

// Params are SwapListener's UserParameters.
type Params struct {
	bluegreen.Params

	// MinimumHealthy is the least number of healthy targets that green must
	// have before it takes production. Default: as many as blue has at that
	// moment, and at least 1.
	MinimumHealthy int `json:"minimumHealthy,omitempty"`

	// Release is the path of cutover.yaml in an input artifact. It takes the
	// place of everything above but the execution.
	Release string `json:"release,omitempty"`

	// ProgressMinutes is how long a release set may go without progress before it
	// goes back, besides its pauses. Default: 15.
	ProgressMinutes int `json:"progressMinutes,omitempty"`

	// CommitID, CommitMessage and CommitDate (RFC 3339) are noted in the release's
	// record, in templates "#{Source.CommitId}" and so on. The lead time counts from
	// the date; without it, from the release's start.
	CommitID      string `json:"commitId,omitempty"`
	CommitMessage string `json:"commitMessage,omitempty"`
	CommitDate    string `json:"commitDate,omitempty"`

	// Mode "plan" reads and checks everything, changes nothing, and has the plan and
	// its digest as output variables Plan and PlanDigest. Default: the release is
	// carried out.
	Mode string `json:"mode,omitempty"`

	// PlanDigest is the digest that was approved, in templates
	// "#{Plan.PlanDigest}": a plan that has another one by now does not start.
	PlanDigest string `json:"planDigest,omitempty"`
}

// modePlan is the mode that only plans.
const modePlan = "plan"

// digest is the form of a plan's digest.
var digest = regexp.MustCompile(`^[0-9a-f]{16,64}$`)

// Deadlines implements job.Deadlines: a release set watches its own progress.
func (p Params) Deadlines() job.Limits {
	if p.Release == "" {
		return job.Limits{}
	}
	return job.Limits{Progress: 23 * time.Hour}
}

func (p Params) commit() *record.Commit {
	if p.CommitID == "" {
		return nil
	}
	at, _ := time.Parse(time.RFC3339, p.CommitDate) // Validate has seen to it; none is zero
	return &record.Commit{ID: p.CommitID, Message: p.CommitMessage, At: at}
}

// Validate joins every fault of the parameters.
func (p Params) Validate() error {
	if p.Release != "" {
		return p.validateSet()
	}
	faults := p.Params.Faults()
	if p.ProgressMinutes != 0 || p.CommitID+p.CommitMessage+p.CommitDate != "" || p.Mode+p.PlanDigest != "" {
		faults = append(faults, "progressMinutes, commitId, commitMessage, commitDate, mode and planDigest are for release sets: give them with release")
	}
	if p.MinimumHealthy < 0 {
		faults = append(faults, fmt.Sprintf("minimumHealthy is %d: it must be at least 1", p.MinimumHealthy))
	}
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = errors.New(f)
	}
	return errors.Join(errs...)
}

// validateSet joins the faults of parameters that name cutover.yaml.
func (p Params) validateSet() error {
	var errs []error
	if fault := bluegreen.ExecutionFault(p.Execution); fault != "" {
		errs = append(errs, errors.New(fault))
	}
	pair := p.Params
	pair.Execution = ""
	if !reflect.DeepEqual(pair, bluegreen.Params{}) || p.MinimumHealthy != 0 {
		errs = append(errs, errors.New("release is set together with keys of a single pair: name the pairs in "+p.Release))
	}
	if p.ProgressMinutes < 0 || p.ProgressMinutes > 22*60 {
		errs = append(errs, fmt.Errorf("progressMinutes is %d: it must be 1 to 1320", p.ProgressMinutes))
	}
	if _, err := time.Parse(time.RFC3339, p.CommitDate); p.CommitDate != "" && err != nil {
		errs = append(errs, fmt.Errorf("commitDate is %q: it must be a time as 2026-03-04T12:00:00Z", p.CommitDate))
	}
	if p.Mode != "" && p.Mode != modePlan {
		errs = append(errs, fmt.Errorf("mode is %q: it must be plan, or left out", p.Mode))
	}
	switch {
	case p.PlanDigest == "":
	case p.Mode == modePlan:
		errs = append(errs, errors.New("planDigest is set together with mode plan: give it to the action that releases"))
	case !digest.MatchString(p.PlanDigest):
		errs = append(errs, fmt.Errorf(`planDigest is %q: set it to the variable PlanDigest of the action with mode plan, as "#{Plan.PlanDigest}"`, p.PlanDigest))
	}
	return errors.Join(errs...)
}

// Annotations mark traces and logs.
func (p Params) Annotations() map[string]string {
	return map[string]string{"execution": p.Execution, "action": "SwapListener"}
}
