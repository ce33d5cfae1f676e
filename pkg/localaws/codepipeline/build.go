package codepipeline

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// Builds is what pipelines ask of CodeBuild.
type Builds interface {
	// Run starts a build and calls done once it has ended, from any goroutine,
	// even before Run returns. An error means that no build was started and
	// done is not called.
	Run(b Build, done func(Outcome)) (buildID string, err error)
}

// A Build is what a build action asks for.
type Build struct {
	Project          string
	Source           []byte            // the primary source, a zip
	SecondarySources map[string][]byte // the others, by artifact name
	SourceVersion    string            // the commit of the primary source, if known
	Environment      map[string]string
	Initiator        string // codepipeline/PIPELINE
}

// An Outcome is how a build ended.
type Outcome struct {
	BuildID   string
	Succeeded bool
	Message   string            // why it failed
	Artifact  []byte            // the primary artifact, a zip
	Secondary map[string][]byte // secondary artifacts by name
	Variables map[string]string // exported variables
}

// codeBuild runs a build project.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
func codeBuild() provider {
	return provider{
		inputs:   [2]int{1, 5},
		outputs:  [2]int{0, 5},
		required: []string{"ProjectName"},
		optional: []string{"PrimarySource", "EnvironmentVariables"},
		timeout:  36 * time.Hour,
		check: func(a Action) []string {
			var faults []string
			if _, fault := environment(a.Configuration["EnvironmentVariables"]); fault != "" {
				faults = append(faults, fault)
			}
			if primary := a.primarySource(); primary == "" {
				faults = append(faults, "configuration PrimarySource does not name one of the several input artifacts")
			}
			return faults
		},
		run:  (*Service).build,
		late: func(r *actionRun) string { return "The build did not end within 36 hours" },
	}
}

// primarySource names the artifact that the buildspec is taken from, or is "".
func (a Action) primarySource() string {
	if len(a.InputArtifacts) == 1 {
		return a.InputArtifacts[0].Name
	}
	for _, input := range a.InputArtifacts {
		if input.Name == a.Configuration["PrimarySource"] {
			return input.Name
		}
	}
	return ""
}

// environment reads the configuration EnvironmentVariables.
func environment(text string) (values map[string]string, fault string) {
	if text == "" {
		return map[string]string{}, ""
	}
	var list []struct{ Name, Value, Type string }
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		return nil, fmt.Sprintf("configuration EnvironmentVariables is not a JSON list of name, value and type: %v", err)
	}
	values = map[string]string{}
	for _, v := range list {
		if v.Name == "" {
			return nil, "configuration EnvironmentVariables has a variable without a name"
		}
		if v.Type != "" && v.Type != "PLAINTEXT" {
			return nil, fmt.Sprintf("configuration EnvironmentVariables: type %s of %s is not served by the embedded AWS, only PLAINTEXT is", v.Type, v.Name)
		}
		values[v.Name] = v.Value
	}
	return values, ""
}

func (s *Service) build(r *actionRun) {
	project := r.configuration["ProjectName"]
	arn := "arn:aws:codebuild:" + s.Region + ":" + s.Account + ":project/" + project
	denied := s.permit(r,
		wire.Access{Action: "codebuild:StartBuild", Resource: arn},
		wire.Access{Action: "codebuild:BatchGetBuilds", Resource: arn})
	if denied != "" {
		s.fail(r, "PermissionError", denied)
		return
	}
	b := Build{
		Project: project, SecondarySources: map[string][]byte{},
		Initiator: "codepipeline/" + r.execution.structure.Name,
	}
	var fault string
	if b.Environment, fault = environment(r.configuration["EnvironmentVariables"]); fault != "" {
		s.fail(r, "ConfigurationError", fault)
		return
	}
	for _, input := range r.inputs {
		body, err := s.Objects.Get(input.Bucket, input.Key)
		if err != nil {
			s.fail(r, "ConfigurationError", fmt.Sprintf("Could not read the input artifact %s: %v", input.Name, err))
			return
		}
		if input.Name != r.action.primarySource() {
			b.SecondarySources[input.Name] = body
			continue
		}
		b.Source = body
		if input.Revision != nil {
			b.SourceVersion = *input.Revision
		}
	}
	id, err := s.Builds.Run(b, func(o Outcome) { s.built(r, o) })
	if err != nil {
		s.fail(r, "ConfigurationError", fmt.Sprintf("Error calling startBuild of project %s: %v", project, err))
		return
	}
	s.progress(r, func() { r.externalID = id })
}

// built takes a build's outcome.
func (s *Service) built(r *actionRun, o Outcome) {
	if !o.Succeeded {
		s.end(r, ActionFailed, ending{externalID: o.BuildID, fault: &ErrorDetails{"JobFailed", "Build terminated with state: FAILED. " + o.Message}})
		return
	}
	for _, output := range r.outputs {
		body, ok := o.Secondary[output.Name]
		if len(r.outputs) == 1 {
			body, ok = o.Artifact, o.Artifact != nil
		}
		if !ok {
			s.fail(r, "JobFailed", fmt.Sprintf("The build %s succeeded but did not make the artifact %s", o.BuildID, output.Name))
			return
		}
		if err := s.Objects.Put(output.Bucket, output.Key, body); err != nil {
			s.fail(r, "JobFailed", fmt.Sprintf("Could not upload the artifact %s: %v", output.Name, err))
			return
		}
	}
	s.succeed(r, ending{externalID: o.BuildID, summary: "Build succeeded", variables: o.Variables})
}

// progress notes something about a run that goes on.
func (s *Service) progress(r *actionRun, change func()) {
	s.turn(func(t *turn) error {
		if r.status == ActionInProgress {
			change()
			r.updated = t.now
			t.noteAction(r, false)
		}
		return nil
	})
}
