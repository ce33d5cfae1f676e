package job

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// A Failure is an error of a step that says itself how the job is to fail.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html
type Failure struct {
	Type    types.FailureType
	Message string // what failed, on which resource, how production stands, what to do; cut at 5,000 characters
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// ConfigurationError is a failure by what the user set. It lists every fault,
// on a line of its own if there are several.
func ConfigurationError(faults ...string) error {
	return &Failure{Type: types.FailureTypeConfigurationError, Message: listed(faults)}
}

// Failed is a failure of the work itself. Unlike fmt.Errorf's, its text is all
// that is kept: the type of a wrapped error no longer counts.
func Failed(format string, args ...any) error {
	return &Failure{Type: types.FailureTypeJobFailed, Message: fmt.Sprintf(format, args...)}
}

func listed(faults []string) string {
	switch len(faults) {
	case 0:
		return ""
	case 1:
		return faults[0]
	}
	return fmt.Sprintf("%d faults:\n- %s", len(faults), strings.Join(faults, "\n- "))
}
