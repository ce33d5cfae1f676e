package codedeploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"cutover/pkg/localaws/wire"
)

// An appSpec is what a revision says about its installation.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure.html
type appSpec struct {
	Version            float64           `aws:"version,required"` // 0.0
	OS                 string            `aws:"os,required"`      // linux
	Files              []appFile         `aws:"files"`
	FileExistsBehavior string            `aws:"file_exists_behavior"`
	Permissions        []appPermission   `aws:"permissions"`
	Hooks              map[string][]hook `aws:"hooks"`
}

// An appFile is a file or a directory's content to be copied.
type appFile struct {
	Source      string `aws:"source,required"`      // in the revision; / is all of it
	Destination string `aws:"destination,required"` // a directory of the instance
}

// An appPermission sets who may do what with installed files.
type appPermission struct {
	Object  string   `aws:"object,required"`
	Pattern string   `aws:"pattern"` // ** if not given
	Except  []string `aws:"except"`
	Owner   string   `aws:"owner"`
	Group   string   `aws:"group"`
	Mode    string   `aws:"mode"` // octal
	Type    []string `aws:"type"` // file, directory; both if not given
}

// A hook is a script that runs at an event.
type hook struct {
	Location string `aws:"location,required"` // in the revision
	Timeout  *int   `aws:"timeout"`           // in seconds; an hour if not given
	RunAs    string `aws:"runas"`
}

const (
	appSpecName = "appspec.yml"
	scriptHour  = 3600
)

var modePattern = regexp.MustCompile(`^[0-7]{1,4}$`)

func (h hook) timeout() time.Duration {
	if h.Timeout == nil {
		return scriptHour * time.Second
	}
	return time.Duration(*h.Timeout) * time.Second
}

// parseAppSpec reads an appspec.yml. Its error names every fault.
func parseAppSpec(text []byte) (*appSpec, error) {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("parse %s: %w", appSpecName, err)
	}
	if _, ok := tree.(map[string]any); !ok {
		return nil, fmt.Errorf("parse %s: it is not a mapping", appSpecName)
	}
	spec := &appSpec{}
	faults := wire.Dialect{Naming: wire.AsIs, Lenient: true}.Fill(spec, tree)
	faults = append(faults, spec.faults()...)
	if len(faults) > 0 {
		return nil, fmt.Errorf("parse %s: %s", appSpecName, strings.Join(faults, "; "))
	}
	return spec, nil
}

func (a *appSpec) faults() []string {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if a.Version != 0 {
		add("version: is %v, and 0.0 is the only one", a.Version)
	}
	if a.OS != "" && a.OS != "linux" {
		add("os: is %q, not linux", a.OS)
	}
	if !slices.Contains([]string{"", "DISALLOW", "OVERWRITE", "RETAIN"}, a.FileExistsBehavior) {
		add("file_exists_behavior: is %q, none of DISALLOW, OVERWRITE and RETAIN", a.FileExistsBehavior)
	}
	for i, f := range a.Files {
		if f.Destination != "" && !path.IsAbs(f.Destination) {
			add("files[%d].destination: %q is not an absolute path", i, f.Destination)
		}
	}
	for i, p := range a.Permissions {
		for _, fault := range p.faults() {
			add("permissions[%d].%s", i, fault)
		}
	}
	for name := range sorted(a.Hooks) {
		if !slices.Contains(hookEvents(), name) {
			add("hooks.%s: is no lifecycle event that scripts can run at", name)
		}
		total := time.Duration(0)
		for i, h := range a.Hooks[name] {
			total += min(h.timeout(), scriptHour*time.Second)
			if h.Timeout != nil && (*h.Timeout < 1 || *h.Timeout > scriptHour) {
				add("hooks.%s[%d].timeout: is %d seconds, not within 1 to %d", name, i, *h.Timeout, scriptHour)
			}
		}
		if limit := scriptHour * time.Second; total > limit && explicit(a.Hooks[name]) {
			add("hooks.%s: the timeouts of its scripts sum up to %v; an hour is the most", name, total)
		}
	}
	return faults
}

// explicit says whether all scripts give their timeouts: the default of an hour
// does not count against the limit of an event.
func explicit(all []hook) bool {
	return !slices.ContainsFunc(all, func(h hook) bool { return h.Timeout == nil })
}

func (p appPermission) faults() []string {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if p.Object != "" && !path.IsAbs(p.Object) {
		add("object: %q is not an absolute path", p.Object)
	}
	if p.Mode != "" && !modePattern.MatchString(p.Mode) {
		add("mode: %q is not an octal number of at most four digits", p.Mode)
	}
	for _, pattern := range append([]string{p.Pattern}, p.Except...) {
		if _, err := path.Match(pattern, "x"); err != nil {
			add("pattern: %q is malformed", pattern)
		}
	}
	for _, kind := range p.Type {
		if kind != "file" && kind != "directory" {
			add("type: %q is neither file nor directory", kind)
		}
	}
	return faults
}

// hookEvents are the events that scripts can run at.
func hookEvents() []string {
	var all []string
	for _, event := range slices.Concat(blocking(), installing(), allowing()) {
		if !slices.Contains([]string{blockTraffic, downloadBundle, install, allowTraffic}, event) {
			all = append(all, event)
		}
	}
	return all
}

// readAppSpec reads the appspec.yml of an unpacked revision.
func readAppSpec(root *os.Root, archive string) (*appSpec, error) {
	text, err := root.ReadFile(path.Join(archive, appSpecName))
	if errors.Is(err, fs.ErrNotExist) {
		//lint:ignore ST1005 the agent's own text
		return nil, fmt.Errorf("The CodeDeploy agent did not find an AppSpec file within the unpacked revision directory at revision-relative path %q. "+
			"The revision was unpacked to directory %q, and the AppSpec file was expected but not found at path %q", appSpecName, "/"+archive, "/"+path.Join(archive, appSpecName))
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", appSpecName, err)
	}
	return parseAppSpec(text)
}
