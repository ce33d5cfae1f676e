package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// unitPlaces are where units lie; the first that has one counts.
var unitPlaces = [...]string{"/etc/systemd/system", "/usr/lib/systemd/system"}

// A unit is a service's file, as far as this stand-in goes by it.
// https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
type unit struct {
	path         string
	description  string
	kind         string // simple, exec or oneshot
	remains      bool   // RemainAfterExit
	before       []string
	commands     []string // ExecStart; several only if oneshot
	dir          string
	environment  []string // NAME=VALUE
	files        []string // EnvironmentFile
	restart      string   // no, always, on-failure or on-success
	restartAfter time.Duration
	stopTimeout  time.Duration
	wantedBy     []string
}

// without lists the settings that are accepted and change nothing here: what they
// order, limit or isolate, nothing here needs ordered, limited or isolated.
var without = [...]string{
	"Unit.After", "Unit.Before", "Unit.Wants", "Unit.Requires", "Unit.Documentation", "Unit.ConditionPathExists",
	"Service.User", "Service.Group", "Service.StandardOutput", "Service.StandardError", "Service.SyslogIdentifier",
	"Service.LimitNOFILE", "Service.KillMode", "Service.KillSignal", "Service.NoNewPrivileges", "Service.PrivateTmp",
	"Service.ProtectSystem", "Service.ProtectHome", "Service.AmbientCapabilities", "Service.UMask", "Service.TimeoutStartSec",
	"Service.Nice", "Install.Alias",
}

// unitName is a service's name without its ending.
func unitName(name string) string { return strings.TrimSuffix(name, ".service") }

// findUnit reads a service's unit. Its error is fs.ErrNotExist if there is none.
func (m *machine) findUnit(name string) (*unit, error) {
	if name == "" || strings.Contains(name, "/") {
		return nil, fs.ErrNotExist
	}
	for _, place := range unitPlaces {
		file := path.Join(place, unitName(name)+".service")
		content, err := m.disk.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		u, err := parseUnit(string(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		u.path = file
		return u, nil
	}
	return nil, fs.ErrNotExist
}

// parseUnit reads a unit file. A setting that is not known is an error, where
// systemd would warn and go on.
func parseUnit(text string) (*unit, error) {
	u := &unit{kind: "simple", restart: "no", restartAfter: 100 * time.Millisecond, stopTimeout: stopTimeout}
	section := ""
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", line[0] == '#', line[0] == ';':
			continue
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("malformed line %q", line)
		}
		if err := u.set(section+"."+strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return nil, err
		}
	}
	return u, u.check()
}

func (u *unit) set(key, value string) (err error) {
	switch key {
	case "Unit.Description":
		u.description = value
	case "Service.Type":
		u.kind = value
	case "Service.RemainAfterExit":
		u.remains = value == "yes" || value == "true"
	case "Service.ExecStartPre":
		u.before = append(u.before, value)
	case "Service.ExecStart":
		u.commands = append(u.commands, value)
	case "Service.WorkingDirectory":
		u.dir = value
	case "Service.Environment":
		var words []string
		words, err = splitWords(value)
		u.environment = append(u.environment, words...)
	case "Service.EnvironmentFile":
		u.files = append(u.files, value)
	case "Service.Restart":
		u.restart = value
	case "Service.RestartSec":
		u.restartAfter, err = duration(value)
	case "Service.TimeoutStopSec":
		u.stopTimeout, err = duration(value)
	case "Install.WantedBy":
		u.wantedBy = append(u.wantedBy, strings.Fields(value)...)
	default:
		if !slices.Contains(without[:], key) {
			err = fmt.Errorf("setting %s is not supported", key)
		}
	}
	return err
}

func (u *unit) check() error {
	switch {
	case len(u.commands) == 0:
		return errors.New("service has no ExecStart= setting")
	case u.kind != "simple" && u.kind != "exec" && u.kind != "oneshot":
		return fmt.Errorf("setting Type=%s is not supported: only simple, exec and oneshot", u.kind)
	case len(u.commands) > 1 && u.kind != "oneshot":
		return errors.New("service has more than one ExecStart= setting, which is only allowed for Type=oneshot")
	case !slices.Contains([]string{"no", "always", "on-failure", "on-success"}, u.restart):
		return fmt.Errorf("setting Restart=%s is not supported", u.restart)
	case u.kind == "oneshot" && u.restart != "no":
		return errors.New("setting Restart= is not supported for Type=oneshot")
	case u.dir != "" && !path.IsAbs(strings.TrimPrefix(u.dir, "-")):
		return fmt.Errorf("setting WorkingDirectory=%s is not absolute", u.dir)
	}
	return nil
}

// splitWords splits at blanks, outside of quotes.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	begun := false
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case quote != 0 && b == quote:
			quote = 0
		case quote == 0 && (b == '"' || b == '\''):
			quote, begun = b, true
		case quote == 0 && (b == ' ' || b == '\t'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			if b == '\\' && quote != '\'' && i+1 < len(text) {
				i++
				b = text[i]
			}
			word.WriteByte(b)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("unbalanced quotes in %q", text)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// variables are the environment of a service's programs.
func (u *unit) variables(m *machine) (map[string]string, error) {
	env := m.variables()
	settings := slices.Clone(u.environment)
	for _, file := range u.files {
		name, optional := strings.CutPrefix(file, "-")
		content, err := m.disk.ReadFile(name)
		if err != nil {
			if optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, fmt.Errorf("load environment file: %w", err)
		}
		for line := range strings.Lines(string(content)) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' || line[0] == ';' {
				continue
			}
			words, err := splitWords(line)
			if err != nil {
				return nil, fmt.Errorf("load environment file %s: %w", name, err)
			}
			settings = append(settings, words...)
		}
	}
	for _, setting := range settings {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, fmt.Errorf("invalid environment assignment %q", setting)
		}
		env[name] = value
	}
	return env, nil
}

// arguments splits a command and puts variables in.
func arguments(command string, env map[string]string) (args []string, lenient bool, err error) {
	command, lenient = strings.CutPrefix(command, "-")
	words, err := splitWords(command)
	if err != nil {
		return nil, false, err
	}
	for _, word := range words {
		if name, whole := strings.CutPrefix(word, "$"); whole && !strings.HasPrefix(name, "{") {
			args = append(args, strings.Fields(env[name])...) // $NAME alone is split
			continue
		}
		for name, value := range env {
			word = strings.ReplaceAll(word, "${"+name+"}", value)
		}
		args = append(args, word)
	}
	if len(args) == 0 || !path.IsAbs(args[0]) {
		return nil, false, fmt.Errorf("command %q has no absolute path", command)
	}
	return args, lenient, nil
}
