package codebuild

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// A Buildspec is a buildspec file of version 0.2.
// https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
//
// Keys that are not honoured here are refused with their line.
type Buildspec struct {
	Version   string     `yaml:"version"`
	Env       Env        `yaml:"env"`
	Phases    Phases     `yaml:"phases"`
	Artifacts *Artifacts `yaml:"artifacts"`
	Cache     any        `yaml:"cache"` // accepted: builds here share the machine's caches
}

// Env sets the build's environment.
type Env struct {
	Shell             string            `yaml:"shell"`
	Variables         map[string]string `yaml:"variables"`
	ExportedVariables []string          `yaml:"exported-variables"`
}

// Phases of a build, in their order.
type Phases struct {
	Install   Phase `yaml:"install"`
	PreBuild  Phase `yaml:"pre_build"`
	Build     Phase `yaml:"build"`
	PostBuild Phase `yaml:"post_build"`
}

// A Phase is a list of commands, all run in one shell with those of the others.
type Phase struct {
	RuntimeVersions map[string]any `yaml:"runtime-versions"` // what the machine has is used
	OnFailure       string         `yaml:"on-failure"`       // ABORT or CONTINUE
	Commands        []string       `yaml:"commands"`
	Finally         []string       `yaml:"finally"`
}

// Artifacts says which files a build puts out.
type Artifacts struct {
	Files         []string             `yaml:"files"`
	BaseDirectory string               `yaml:"base-directory"`
	DiscardPaths  string               `yaml:"discard-paths"`
	Name          string               `yaml:"name"`
	Secondary     map[string]Artifacts `yaml:"secondary-artifacts"`
}

// ParseBuildspec reads a buildspec and names every fault it finds.
func ParseBuildspec(text []byte) (*Buildspec, error) {
	spec := &Buildspec{}
	if err := yaml.UnmarshalWithOptions(text, spec, yaml.DisallowUnknownField()); err != nil {
		return nil, fmt.Errorf("parse buildspec: %w", err)
	}
	var faults []string
	if spec.Version != "0.2" {
		faults = append(faults, fmt.Sprintf("version is %q, not 0.2", spec.Version))
	}
	if spec.Env.Shell != "" && spec.Env.Shell != "bash" && spec.Env.Shell != "/bin/sh" {
		faults = append(faults, fmt.Sprintf("env.shell is %q, neither bash nor /bin/sh", spec.Env.Shell))
	}
	commands := 0
	for _, p := range spec.phases() {
		commands += len(p.Commands)
		if !slices.Contains([]string{"", "ABORT", "CONTINUE"}, p.OnFailure) {
			faults = append(faults, fmt.Sprintf("phases.%s.on-failure is %q, neither ABORT nor CONTINUE", p.name, p.OnFailure))
		}
	}
	if commands == 0 {
		faults = append(faults, "phases have no commands")
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("parse buildspec: %s", strings.Join(faults, "; "))
	}
	return spec, nil
}

type namedPhase struct {
	name string
	Phase
}

func (b *Buildspec) phases() []namedPhase {
	return []namedPhase{
		{"install", b.Phases.Install}, {"pre_build", b.Phases.PreBuild},
		{"build", b.Phases.Build}, {"post_build", b.Phases.PostBuild},
	}
}

// script is the shell program that runs the phases: each command in the same
// shell, so that what one sets the next sees; a phase ends at its first failing
// command; post_build runs whenever build was reached; others only after success.
// It appends a line "PHASE name status" to $CUTOVER_PHASES after each phase, and
// leaves the environment, NUL-separated, in $CUTOVER_ENVIRONMENT.
func (b *Buildspec) script() string {
	var s strings.Builder
	s.WriteString(`CODEBUILD_BUILD_SUCCEEDING=1; export CODEBUILD_BUILD_SUCCEEDING
_cutover_end() { [ $? -eq 0 ] || CODEBUILD_BUILD_SUCCEEDING=0; env -0 > "$CUTOVER_ENVIRONMENT"; exit $((1 - CODEBUILD_BUILD_SUCCEEDING)); }
trap _cutover_end EXIT
_cutover_run() { printf '[Container] Running command %s\n' "$1"; eval "$1"; _cutover_status=$?; [ $_cutover_status -eq 0 ] || printf '[Container] Command did not exit successfully: exit status %s\n' $_cutover_status; return $_cutover_status; }
_cutover_go=1
`)
	for _, p := range b.phases() {
		fmt.Fprintf(&s, "if [ $_cutover_go -eq 1 ]; then _cutover_ok=1; printf '[Container] Entering phase %s\\n'\n", strings.ToUpper(p.name))
		for _, command := range p.Commands {
			fmt.Fprintf(&s, "[ $_cutover_ok -eq 0 ] || _cutover_run %s || _cutover_ok=0\n", quote(command))
		}
		for _, command := range p.Finally {
			fmt.Fprintf(&s, "_cutover_run %s || _cutover_ok=0\n", quote(command))
		}
		fmt.Fprintf(&s, "printf 'PHASE %s %%s\\n' $_cutover_ok >> \"$CUTOVER_PHASES\"\n", p.name)
		s.WriteString("if [ $_cutover_ok -eq 0 ]; then CODEBUILD_BUILD_SUCCEEDING=0\n")
		switch {
		case p.OnFailure == "CONTINUE":
			s.WriteString(":\n")
		case p.name == "build" && p.OnFailure == "":
			s.WriteString(":\n") // post_build still runs
		default:
			s.WriteString("_cutover_go=0\n")
		}
		s.WriteString("fi; fi\n")
	}
	s.WriteString("exit 0\n") // what failed is known; only a command's own exit may end otherwise
	return s.String()
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
