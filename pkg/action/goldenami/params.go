package goldenami

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/fleet"
	"cutover/pkg/job"
)

// Params are BuildGoldenAMI's UserParameters.
type Params struct {
	// Execution is the pipeline execution's id:
	// "#{codepipeline.PipelineExecutionId}".
	Execution string `json:"execution"`

	// Document is the Automation document's name, or its ARN if another account
	// owns it.
	Document string `json:"document"`

	// DocumentVersion is a number, $DEFAULT or $LATEST. Default $DEFAULT.
	DocumentVersion string `json:"documentVersion,omitempty"`

	// Parameters are the document's: each a string or a list of strings. A value
	// {{ssm:NAME}} is resolved at the start, as are such defaults of the
	// document.
	Parameters map[string]Values `json:"parameters,omitempty"`

	// SourceParameter is the document's parameter that holds the source image.
	// Default: SourceAmiId or SourceImageId, else the only one whose value is
	// an image's id.
	SourceParameter string `json:"sourceParameter,omitempty"`

	// ImageOutput is the document's output that holds the image's id. Default
	// createImage.ImageId.
	ImageOutput string `json:"imageOutput,omitempty"`

	// ImageParameter is the parameter into which the document writes the
	// image's id, in place of an output.
	ImageParameter string `json:"imageParameter,omitempty"`

	// Group is the Auto Scaling group's name.
	Group string `json:"group,omitempty"`

	// Application and DeploymentGroup are CodeDeploy's, in place of the group:
	// the one that it has at the moment is meant.
	Application     string `json:"application,omitempty"`
	DeploymentGroup string `json:"deploymentGroup,omitempty"`

	// PublishTo is the parameter that the image's id is put into, made with data
	// type aws:ec2:image if there is none. Default: none.
	PublishTo string `json:"publishTo,omitempty"`

	// Owners are further accounts whose images are taken, 12 digits each.
	Owners []string `json:"owners,omitempty"`

	// Rollout is "none", when a later action replaces the instances, or
	// "instance-refresh". Default none.
	Rollout string `json:"rollout,omitempty"`

	// Refresh is how an instance refresh goes.
	Refresh *Refresh `json:"refresh,omitempty"`

	// Reuse allows an image that would be the same to be used again. Default:
	// every execution bakes.
	Reuse *Reuse `json:"reuse,omitempty"`

	// Force bakes although reuse would find an image.
	Force bool `json:"force,omitempty"`

	// Keep is how many of the fleet's images are kept after a release, this one
	// included; those in use come on top. Default 0: all.
	Keep int `json:"keep,omitempty"`

	// PruneDryRun only lists what keep would remove.
	PruneDryRun bool `json:"pruneDryRun,omitempty"`

	// StopOrphans stops bakes of the same fleet that earlier executions left
	// running. Not for pipelines of mode PARALLEL, whose executions may be
	// meant to bake at once. Default: they are reported.
	StopOrphans bool `json:"stopOrphans,omitempty"`

	// ProgressMinutes is how long the job may go on without progress: no step of
	// the Automation ending, no instance replaced. Default 60; with a refresh 90
	// or longer if its own waits are, since AWS takes an hour to give one up.
	ProgressMinutes int `json:"progressMinutes,omitempty"`
}

// Reuse is when an image is used again; see the package comment.
type Reuse struct {
	// MaxAgeDays is how old the image may be. Default 30.
	MaxAgeDays int `json:"maxAgeDays,omitempty"`

	// Except are parameters of the document that do not change what is in the
	// image, such as a commit that it is tagged with.
	Except []string `json:"except,omitempty"`
}

// Values are one or several strings.
type Values []string

// UnmarshalJSON takes a string or a list of strings.
func (v *Values) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*v = Values{one}
		return nil
	}
	var several []string
	if json.Unmarshal(b, &several) != nil {
		return errors.New("want a string or a list of strings")
	}
	*v = several
	return nil
}

// What AWS takes of a document's parameters.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
const (
	maxValues = 50
	maxValue  = 512 // characters
)

// maxExecution leaves room for the execution in a tag's key of 128 characters.
const maxExecution = 64

// Validate joins every fault of the parameters.
func (p Params) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch {
	case p.Execution == "":
		fault("execution is missing: give #{codepipeline.PipelineExecutionId}")
	case strings.Contains(p.Execution, "#{") || len(p.Execution) > maxExecution || !plain(p.Execution):
		fault("execution %q is not an execution's id: give #{codepipeline.PipelineExecutionId}", p.Execution)
	}
	if p.Document == "" {
		fault("document is missing: give the Automation document's name")
	}
	for _, name := range sortedKeys(p.Parameters) {
		if len(p.Parameters[name]) > maxValues {
			fault("parameters.%s has %d values, and Automation takes %d", name, len(p.Parameters[name]), maxValues)
		}
		for _, value := range p.Parameters[name] {
			if n := len([]rune(value)); n == 0 || n > maxValue {
				fault("parameters.%s has a value of %d characters, and Automation takes 1 to %d", name, n, maxValue)
			}
		}
	}
	if p.ImageOutput != "" && p.ImageParameter != "" {
		fault("imageOutput and imageParameter are both set: give one")
	}
	if p.ImageOutput != "" && !strings.Contains(p.ImageOutput, ".") {
		fault("imageOutput %q is not an output: give STEP.OUTPUT", p.ImageOutput)
	}
	faults = append(faults, p.targetFaults()...)
	for _, owner := range p.Owners {
		if len(owner) != 12 || strings.Trim(owner, "0123456789") != "" {
			fault("owners has %q, which is not an account's 12 digits", owner)
		}
	}
	if p.Reuse != nil && p.Reuse.MaxAgeDays < 0 {
		fault("reuse.maxAgeDays is %d: it must be at least 1", p.Reuse.MaxAgeDays)
	}
	if p.Keep < 0 {
		fault("keep is %d: it must be at least 1, or 0 to keep all", p.Keep)
	}
	if p.PruneDryRun && p.Keep == 0 {
		fault("pruneDryRun is set without keep")
	}
	if p.ProgressMinutes < 0 {
		fault("progressMinutes is %d: it must be at least 1", p.ProgressMinutes)
	}
	return errors.Join(append(faults, p.rolloutFaults()...)...)
}

func (p Params) targetFaults() (faults []error) {
	named := p.Application != "" || p.DeploymentGroup != ""
	switch {
	case p.Group == "" && !named:
		faults = append(faults, errors.New("group is missing: give it, or application and deploymentGroup"))
	case p.Group != "" && named:
		faults = append(faults, errors.New("group and application or deploymentGroup are set: give the one or the others"))
	case named && p.Application == "":
		faults = append(faults, errors.New("application is missing: deploymentGroup needs it"))
	case named && p.DeploymentGroup == "":
		faults = append(faults, errors.New("deploymentGroup is missing: application needs it"))
	}
	return faults
}

// plain tells whether a text can be part of a tag's key.
func plain(s string) bool {
	return strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

// Annotations mark traces and logs.
func (p Params) Annotations() map[string]string {
	return map[string]string{"execution": p.Execution, "action": "BuildGoldenAMI"}
}

// refreshGivesUp is how long AWS waits for new instances to become healthy before
// a refresh fails and is rolled back, which the job is to see and to tell.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
const refreshGivesUp = time.Hour

// Deadlines give a bake the time between two of its steps.
func (p Params) Deadlines() job.Limits {
	progress := time.Hour
	if p.refreshes() {
		progress = max(refreshGivesUp, p.Refresh.longestWait()) + 30*time.Minute
	}
	if p.ProgressMinutes > 0 {
		progress = time.Duration(p.ProgressMinutes) * time.Minute
	}
	return job.Limits{Progress: progress}
}

func (p Params) target() fleet.Target {
	return fleet.Target{Group: p.Group, Application: p.Application, DeploymentGroup: p.DeploymentGroup}
}

func (p Params) imageOutput() string {
	if p.ImageOutput == "" {
		return "createImage.ImageId"
	}
	return p.ImageOutput
}

func (p Params) maxAge() time.Duration {
	days := 30
	if p.Reuse != nil && p.Reuse.MaxAgeDays > 0 {
		days = p.Reuse.MaxAgeDays
	}
	return time.Duration(days) * 24 * time.Hour
}
