package codedeploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// agentRoot is where the agent keeps deployments, below an instance's root.
const agentRoot = "opt/codedeploy-agent/deployment-root"

// agentDirectory is where scripts run.
const agentDirectory = "/opt/codedeploy-agent"

// logTail is how much of the log diagnostics show, in bytes.
const logTail = 2048

// home is where a deployment is on an instance; archive is its revision.
func (r *run) home() string    { return path.Join(agentRoot, r.d.groupID, r.d.id) }
func (r *run) archive() string { return path.Join(r.home(), "deployment-archive") }

// execute has the agent of an instance carry an event out.
func (r *run) execute(t *target, event string, done func(Diagnostics)) {
	root, err := r.Instances.Root(t.TargetId)
	if err != nil {
		done(fault(fmt.Sprintf("The file system of the instance %s could not be opened: %v", t.TargetId, err)))
		return
	}
	switch event {
	case downloadBundle:
		err = closing(root, r.download(root))
	case install:
		err = closing(root, r.install(root))
	default:
		r.scripts(t, root, event, done)
		return
	}
	if err != nil {
		done(fault(err.Error()))
		return
	}
	done(success())
}

// scripts runs what the right revision hooks to an event. Where there is none,
// nothing is to be run.
func (r *run) scripts(t *target, root *os.Root, event string, done func(Diagnostics)) {
	home, hooks, err := r.hooks(root, event)
	if err != nil {
		done(fault(closing(root, err).Error()))
		return
	}
	s := &scripts{run: r, root: root, instance: t.TargetId, event: event, home: home}
	s.log.WriteString("LifecycleEvent - " + event + "\n")
	s.all(hooks, func(d Diagnostics) {
		d.LogTail = ""
		if len(hooks) > 0 {
			text := s.log.String()
			if d.ErrorCode != "Success" {
				d.LogTail = text[max(0, len(text)-logTail):]
			}
			if err := s.keepLog(); err != nil && d.ErrorCode == "Success" {
				d = fault(err.Error())
			}
		}
		if err := closing(root, nil); err != nil && d.ErrorCode == "Success" {
			d = fault(err.Error())
		}
		done(d)
	})
}

// hooks finds the scripts of an event: those of the last successful install for
// events that end a revision's life, or change its traffic, and otherwise those
// of the deployment's own.
func (r *run) hooks(root *os.Root, event string) (home string, hooks []hook, err error) {
	home = r.home()
	if slices.Contains([]string{applicationStop, beforeBlockTraffic, afterBlockTraffic}, event) || r.d.rolls != nil && r.d.settings.blueGreen() {
		last, err := root.ReadFile(r.instructions("_last_successful_install"))
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil, nil
		}
		if err != nil {
			return "", nil, fmt.Errorf("find last successful install: %w", err)
		}
		home = relative(strings.TrimSpace(string(last)))
	}
	spec, err := readAppSpec(root, path.Join(home, "deployment-archive"))
	if err != nil {
		return "", nil, err
	}
	return home, spec.Hooks[event], nil
}

// scripts are those of one event on one instance, run one after the other.
type scripts struct {
	run      *run
	root     *os.Root
	instance string
	event    string
	home     string // of the deployment whose scripts they are
	log      strings.Builder
}

func (s *scripts) all(hooks []hook, done func(Diagnostics)) {
	if len(hooks) == 0 {
		done(success())
		return
	}
	s.one(hooks[0], func(d Diagnostics) {
		if d.ErrorCode != "Success" {
			d.ScriptName = hooks[0].Location
			done(d)
			return
		}
		s.all(hooks[1:], done)
	})
}

func (s *scripts) one(h hook, done func(Diagnostics)) {
	file := path.Join(s.home, "deployment-archive", relative(h.Location))
	s.log.WriteString("Script - " + h.Location + "\n")
	if d, ok := s.runnable(file); !ok {
		done(d)
		return
	}
	r := s.run
	r.mu.Lock()
	wait := r.waitLocked()
	r.mu.Unlock()
	cancel, err := r.Instances.Run(s.instance, quote("/"+file), agentDirectory, s.environment(), h.timeout(),
		func(exit int, stdout, stderr string, timedOut bool) {
			if !r.take(wait) {
				return
			}
			s.note("[stdout]", stdout)
			s.note("[stderr]", stderr)
			done(h.diagnose(exit, timedOut))
		})
	if err != nil {
		if r.take(wait) {
			done(fault(fmt.Sprintf("The script %s could not be run: %v", h.Location, err)))
		}
		return
	}
	if !r.expect(wait, cancel) {
		cancel()
	}
}

// expect says what ends a wait early, and whether it is still waited for.
func (r *run) expect(wait int, cancel func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, waiting := r.pending[wait]
	r.expectLocked(wait, cancel)
	return waiting
}

func (h hook) diagnose(exit int, timedOut bool) Diagnostics {
	switch {
	case timedOut:
		return Diagnostics{ErrorCode: "ScriptTimedOut", Message: fmt.Sprintf("Script at specified location: %s failed to complete in %d seconds", h.Location, int(h.timeout().Seconds()))}
	case exit != 0:
		return Diagnostics{ErrorCode: "ScriptFailed", Message: fmt.Sprintf("Script at specified location: %s run as user %s failed with exit code %d", h.Location, def(h.RunAs, "root"), exit)}
	}
	return success()
}

// runnable finds out whether a script is there, and makes it executable as the
// agent does.
func (s *scripts) runnable(file string) (Diagnostics, bool) {
	info, err := s.root.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return Diagnostics{ErrorCode: "ScriptMissing", Message: "Script does not exist at specified location: /" + file}, false
	}
	if info.Mode().Perm()&0o111 == 0 {
		s.log.WriteString("Script at specified location: /" + file + " is not executable. Trying to make it executable.\n")
		if err := s.root.Chmod(file, info.Mode().Perm()|0o111); err != nil {
			return Diagnostics{ErrorCode: "ScriptNotExecutable", Message: "Unable to set script at specified location: /" + file + " as executable"}, false
		}
	}
	return Diagnostics{}, true
}

// environment is what scripts are told.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html#reference-appspec-file-structure-environment-variable-availability
func (s *scripts) environment() map[string]string {
	d := s.run.d
	return map[string]string{
		"LIFECYCLE_EVENT": s.event, "DEPLOYMENT_ID": d.id, "APPLICATION_NAME": d.info.ApplicationName,
		"DEPLOYMENT_GROUP_NAME": d.info.DeploymentGroupName, "DEPLOYMENT_GROUP_ID": d.groupID,
	}
}

func (s *scripts) note(stream, text string) {
	for line := range strings.Lines(text) {
		s.log.WriteString(stream + strings.TrimSuffix(line, "\n") + "\n")
	}
}

// keepLog adds the event's log to scripts.log.
func (s *scripts) keepLog() error {
	logs := path.Join(s.home, "logs")
	if err := s.root.MkdirAll(logs, 0o755); err != nil {
		return fmt.Errorf("write log of scripts: %w", err)
	}
	file, err := s.root.OpenFile(path.Join(logs, "scripts.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		_, err = file.WriteString(s.log.String())
		err = closing(file, err)
	}
	if err != nil {
		return fmt.Errorf("write log of scripts: %w", err)
	}
	return nil
}

// quote makes a word of the shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
