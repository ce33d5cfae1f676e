package swaplistener

import (
	"errors"
	"fmt"

	"cutover/pkg/bluegreen"
)

// Params are SwapListener's UserParameters.
type Params struct {
	bluegreen.Params

	// MinimumHealthy is the least number of healthy targets that green must
	// have before it takes production. Default: as many as blue has at that
	// moment, and at least 1.
	MinimumHealthy int `json:"minimumHealthy,omitempty"`
}

// Validate joins every fault of the parameters.
func (p Params) Validate() error {
	faults := p.Params.Faults()
	if p.MinimumHealthy < 0 {
		faults = append(faults, fmt.Sprintf("minimumHealthy is %d: it must be at least 1", p.MinimumHealthy))
	}
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = errors.New(f)
	}
	return errors.Join(errs...)
}

// Annotations mark traces and logs.
func (p Params) Annotations() map[string]string {
	return map[string]string{"execution": p.Execution, "action": "SwapListener"}
}
