package codepipeline

import (
	"cmp"
	"maps"
	"slices"

	"cutover/pkg/localaws/resource"
)

// The execution modes of a pipeline.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/execution-modes.html
const (
	ModeSuperseded = "SUPERSEDED"
	ModeQueued     = "QUEUED"
	ModeParallel   = "PARALLEL"
)

// A Declaration is a pipeline's structure. The same type is read from the API and
// from templates: both use these names, in their own case.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PipelineDeclaration.html
type Declaration struct {
	Name          string         `aws:",required"`
	RoleArn       string         `aws:",required"`
	ArtifactStore *ArtifactStore `aws:",required"`
	Stages        []Stage        `aws:",required"`
	ExecutionMode string         // SUPERSEDED when empty
	PipelineType  string         // V1 when empty
	Variables     []VariableDeclaration
	Version       *int // set by the service
}

// An ArtifactStore is the bucket that actions pass artifacts through.
type ArtifactStore struct {
	Type          string `aws:",required"` // S3
	Location      string `aws:",required"` // the bucket's name
	EncryptionKey *EncryptionKey
}

// An EncryptionKey is handed on to jobs as it is.
type EncryptionKey struct {
	Id   string `aws:",required"`
	Type string `aws:",required"`
}

// A VariableDeclaration is a pipeline variable.
type VariableDeclaration struct {
	Name         string `aws:",required"`
	DefaultValue string
	Description  string
}

// A Stage is a stage of a pipeline.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StageDeclaration.html
type Stage struct {
	Name      string   `aws:",required"`
	Actions   []Action `aws:",required"`
	OnFailure *OnFailure
}

// OnFailure says what a stage's failure leads to.
type OnFailure struct {
	Result             string // ROLLBACK or RETRY
	RetryConfiguration *RetryConfiguration
}

// RetryConfiguration says which actions an automatic retry runs again.
type RetryConfiguration struct {
	RetryMode string // FAILED_ACTIONS or ALL_ACTIONS
}

// An Action is an action of a stage.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html
type Action struct {
	Name             string     `aws:",required"`
	ActionTypeId     ActionType `aws:",required"`
	Configuration    map[string]string
	InputArtifacts   []ArtifactName
	OutputArtifacts  []ArtifactName
	Namespace        string
	Region           string
	RoleArn          string
	RunOrder         *int // 1 when nil
	TimeoutInMinutes *int // of approvals only
}

// An ActionType names who carries an action out.
type ActionType struct {
	Category string `aws:",required"`
	Owner    string `aws:",required"`
	Provider string `aws:",required"`
	Version  string `aws:",required"`
}

// String is Category/Owner/Provider/Version.
func (t ActionType) String() string {
	return t.Category + "/" + t.Owner + "/" + t.Provider + "/" + t.Version
}

// An ArtifactName names an artifact that an action takes or makes.
type ArtifactName struct {
	Name string `aws:",required"`
}

// A Tag is a pipeline's tag.
type Tag = resource.Tag

func (d *Declaration) mode() string { return cmp.Or(d.ExecutionMode, ModeSuperseded) }

// stage finds a stage's index by name, or -1.
func (d *Declaration) stage(name string) int {
	return slices.IndexFunc(d.Stages, func(s Stage) bool { return s.Name == name })
}

func (s Stage) action(name string) (Action, bool) {
	i := slices.IndexFunc(s.Actions, func(a Action) bool { return a.Name == name })
	if i < 0 {
		return Action{}, false
	}
	return s.Actions[i], true
}

func (a Action) order() int {
	if a.RunOrder == nil {
		return 1
	}
	return *a.RunOrder
}

// clone copies a declaration with everything that may differ in a copy, and
// fills in what AWS does where nothing is said.
func (d *Declaration) clone() *Declaration {
	c := *d
	c.ExecutionMode, c.PipelineType = d.mode(), d.kind()
	c.Variables = slices.Clone(d.Variables)
	c.Stages = slices.Clone(d.Stages)
	for i := range c.Stages {
		actions := slices.Clone(c.Stages[i].Actions)
		for j := range actions {
			a := &actions[j]
			order := a.order()
			a.RunOrder = &order
			a.Configuration = maps.Clone(a.Configuration)
			if a.Configuration == nil {
				a.Configuration = map[string]string{}
			}
			a.InputArtifacts = append([]ArtifactName{}, a.InputArtifacts...)
			a.OutputArtifacts = append([]ArtifactName{}, a.OutputArtifacts...)
		}
		c.Stages[i].Actions = actions
	}
	return &c
}
