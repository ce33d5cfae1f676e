package swaplistener

import (
	"errors"
	"fmt"
	"reflect"
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

	// CommitID and CommitMessage are noted in the release's record, in templates
	// "#{Source.CommitId}" and so on.
	CommitID      string `json:"commitId,omitempty"`
	CommitMessage string `json:"commitMessage,omitempty"`
}

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
	return &record.Commit{ID: p.CommitID, Message: p.CommitMessage}
}

// Validate joins every fault of the parameters.
func (p Params) Validate() error {
	if p.Release != "" {
		return p.validateSet()
	}
	faults := p.Params.Faults()
	if p.ProgressMinutes != 0 || p.CommitID != "" || p.CommitMessage != "" {
		faults = append(faults, "progressMinutes, commitId and commitMessage are for release sets: give them with release")
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
	return errors.Join(errs...)
}

// Annotations mark traces and logs.
func (p Params) Annotations() map[string]string {
	return map[string]string{"execution": p.Execution, "action": "SwapListener"}
}
