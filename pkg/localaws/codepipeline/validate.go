package codepipeline

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cutover/pkg/localaws/wire"
)

// The patterns of names.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
var (
	namePattern      = regexp.MustCompile(`^[A-Za-z0-9.@_-]{1,100}$`)
	artifactPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	namespacePattern = regexp.MustCompile(`^[A-Za-z0-9@_-]{1,100}$`)
	variablePattern  = regexp.MustCompile(`^[A-Za-z0-9@_-]{1,128}$`)
)

// kind is the pipeline's type: V1 unless it says V2.
func (d *Declaration) kind() string { return cmp.Or(d.PipelineType, "V1") }

// validate says everything that is wrong with a structure in one error: that of
// the first fault.
func (s *Service) validate(d *Declaration) error {
	v := &validator{region: s.Region, produced: map[string]bool{}, namespaces: map[string]bool{}}
	v.pipeline(d)
	for i, stage := range d.Stages {
		v.stage(d, i, stage)
	}
	for _, stage := range d.Stages {
		for _, a := range stage.Actions {
			if v.produced[a.Namespace] {
				v.fault("InvalidActionDeclarationException", "action %s: namespace %s is also the name of an artifact", a.Name, a.Namespace)
			}
		}
	}
	if len(v.faults) == 0 {
		return nil
	}
	return wire.Errorf(v.code, "%s", strings.Join(v.faults, "; "))
}

type validator struct {
	region     string
	code       string
	faults     []string
	produced   map[string]bool // artifacts of the actions so far
	namespaces map[string]bool
}

func (v *validator) fault(code, format string, args ...any) {
	v.code = cmp.Or(v.code, code)
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

func (v *validator) pipeline(d *Declaration) {
	const code = "InvalidStructureException"
	if !namePattern.MatchString(d.Name) {
		v.fault(code, "pipeline name %q is not 1 to 100 of A-Z a-z 0-9 . @ - _", d.Name)
	}
	if !strings.HasPrefix(d.RoleArn, "arn:aws:iam::") {
		v.fault(code, "roleArn %q is not the ARN of a role", d.RoleArn)
	}
	if d.ArtifactStore == nil || d.ArtifactStore.Type != "S3" || d.ArtifactStore.Location == "" {
		v.fault(code, "artifactStore is not of type S3 with a location")
	}
	if !slices.Contains([]string{"V1", "V2"}, d.kind()) {
		v.fault(code, "pipelineType %q is neither V1 nor V2", d.PipelineType)
	}
	if !slices.Contains([]string{ModeSuperseded, ModeQueued, ModeParallel}, d.mode()) {
		v.fault(code, "executionMode %q is none of SUPERSEDED, QUEUED, PARALLEL", d.ExecutionMode)
	}
	if d.kind() == "V1" && (d.mode() != ModeSuperseded || len(d.Variables) > 0) {
		v.fault(code, "execution modes other than SUPERSEDED and variables are for pipelines of type V2")
	}
	if len(d.Stages) < 2 || len(d.Stages) > 50 {
		v.fault(code, "the pipeline has %d stages, not within 2 to 50", len(d.Stages))
	}
	v.variables(d)
}

func (v *validator) variables(d *Declaration) {
	const code = "InvalidStructureException"
	if len(d.Variables) > 50 {
		v.fault(code, "the pipeline has %d variables; 50 are allowed", len(d.Variables))
	}
	names := map[string]bool{}
	for _, variable := range d.Variables {
		if !variablePattern.MatchString(variable.Name) || names[variable.Name] {
			v.fault(code, "variable name %q is not 1 to 128 of A-Z a-z 0-9 @ - _, or used twice", variable.Name)
		}
		if utf8.RuneCountInString(variable.DefaultValue) > 1000 {
			v.fault(code, "the default of variable %s is longer than 1000 characters", variable.Name)
		}
		names[variable.Name] = true
	}
}

func (v *validator) stage(d *Declaration, index int, stage Stage) {
	const code = "InvalidStageDeclarationException"
	if !namePattern.MatchString(stage.Name) || d.stage(stage.Name) != index {
		v.fault(code, "stage name %q is not 1 to 100 of A-Z a-z 0-9 . @ - _, or used twice", stage.Name)
	}
	if len(stage.Actions) < 1 || len(stage.Actions) > 50 {
		v.fault(code, "stage %s has %d actions, not within 1 to 50", stage.Name, len(stage.Actions))
	}
	v.onFailure(d, index, stage)
	names := map[string]bool{}
	for _, a := range stage.Actions {
		if names[a.Name] {
			v.fault(code, "stage %s has two actions named %s", stage.Name, a.Name)
		}
		names[a.Name] = true
		if source := a.ActionTypeId.Category == "Source"; source != (index == 0) {
			v.fault(code, "stage %s: source actions belong into the first stage, and no others do (%s)", stage.Name, a.Name)
		}
	}
	// Artifacts and namespaces count in the order in which the actions run.
	ordered := slices.Clone(stage.Actions)
	slices.SortStableFunc(ordered, func(a, b Action) int { return a.order() - b.order() })
	for start := 0; start < len(ordered); {
		end := start
		for end < len(ordered) && ordered[end].order() == ordered[start].order() {
			v.action(stage.Name, ordered[end])
			end++
		}
		for _, a := range ordered[start:end] {
			v.produce(stage.Name, a)
		}
		start = end
	}
}

func (v *validator) onFailure(d *Declaration, index int, stage Stage) {
	const code = "InvalidStageDeclarationException"
	f := stage.OnFailure
	if f == nil {
		return
	}
	if d.kind() != "V2" {
		v.fault(code, "stage %s: onFailure is for pipelines of type V2", stage.Name)
	}
	switch f.Result {
	case "RETRY":
	case "ROLLBACK":
		if index == 0 || d.mode() == ModeParallel {
			v.fault(code, "stage %s: onFailure ROLLBACK is neither for source stages nor for PARALLEL pipelines", stage.Name)
		}
	default:
		v.fault(code, "stage %s: onFailure result %q is neither ROLLBACK nor RETRY", stage.Name, f.Result)
	}
	if f.RetryConfiguration != nil && (f.Result != "RETRY" || !slices.Contains([]string{FailedActions, AllActions}, f.retryMode())) {
		v.fault(code, "stage %s: retryConfiguration goes with result RETRY and retryMode FAILED_ACTIONS or ALL_ACTIONS", stage.Name)
	}
}

func (v *validator) action(stage string, a Action) {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !namePattern.MatchString(a.Name) {
		add("its name is not 1 to 100 of A-Z a-z 0-9 . @ - _")
	}
	if a.order() < 1 || a.order() > 999 {
		add("runOrder %d is not within 1 to 999", a.order())
	}
	if a.Region != "" && a.Region != v.region {
		add("region %s is not the pipeline's own; actions across regions are not served by the embedded AWS", a.Region)
	}
	if a.TimeoutInMinutes != nil && (*a.TimeoutInMinutes < 5 || *a.TimeoutInMinutes > 86400) {
		add("timeoutInMinutes %d is not within 5 to 86400", *a.TimeoutInMinutes)
	}
	for _, key := range slices.Sorted(maps.Keys(a.Configuration)) {
		if n := utf8.RuneCountInString(a.Configuration[key]); n < 1 || n > 1000 || len(key) > 50 {
			add("configuration %s is %d characters long, not within 1 to 1000", key, n)
		}
	}
	for _, input := range a.InputArtifacts {
		if !v.produced[input.Name] {
			add("input artifact %s is the output of no action before it", input.Name)
		}
	}
	provider, ok := providerOf(a.ActionTypeId)
	if !ok {
		add("the embedded AWS does not serve actions of type %s", a.ActionTypeId)
	} else {
		faults = append(faults, provider.faults(a)...)
	}
	if len(faults) > 0 {
		v.fault("InvalidActionDeclarationException", "stage %s, action %s: %s", stage, a.Name, strings.Join(faults, ", "))
	}
}

// produce notes what an action makes for those after it.
func (v *validator) produce(stage string, a Action) {
	const code = "InvalidActionDeclarationException"
	for _, output := range a.OutputArtifacts {
		if !artifactPattern.MatchString(output.Name) || v.produced[output.Name] {
			v.fault(code, "stage %s, action %s: output artifact %q is not 1 to 100 of A-Z a-z 0-9 _ -, or made twice", stage, a.Name, output.Name)
		}
		v.produced[output.Name] = true
	}
	if a.Namespace == "" {
		return
	}
	if !namespacePattern.MatchString(a.Namespace) || v.namespaces[a.Namespace] || a.Namespace == "codepipeline" || a.Namespace == "variables" {
		v.fault(code, "stage %s, action %s: namespace %q is not 1 to 100 of A-Z a-z 0-9 @ - _, reserved, or used twice", stage, a.Name, a.Namespace)
	}
	v.namespaces[a.Namespace] = true
}
