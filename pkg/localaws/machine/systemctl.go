package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

// systemctl knows start, stop, restart, reload-or-restart, try-restart, enable and
// disable (with --now), is-active, is-enabled, is-failed, status, daemon-reload,
// reset-failed and list-unit-files.
// https://www.freedesktop.org/software/systemd/man/latest/systemctl.html
func (m *machine) systemctl(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "now q quiet=q no-pager l full=l f force=f t: type=t: system no-block no-legend")
	if !ok {
		return 1
	}
	if len(o.Args) == 0 {
		return c.Fail("a command is needed")
	}
	verb, names := o.Args[0], o.Args[1:]
	switch verb {
	case "daemon-reload", "reset-failed":
		return 0 // units are read when they are used
	case "list-unit-files":
		return m.listUnits(c)
	}
	if len(names) == 0 {
		return c.Fail("Too few arguments.")
	}
	switch verb {
	case "is-active", "is-enabled", "is-failed", "status":
		return m.tellServices(c, o, verb, names)
	}
	code := 0
	for _, name := range names {
		if err := m.control(ctx, c, verb, name, o.Has("now")); err != nil {
			fmt.Fprintln(c.Stderr, controlError(verb, name, err))
			code = max(code, controlCode(err))
		}
	}
	return code
}

func controlError(verb, name string, err error) string {
	text := err.Error()
	if strings.HasPrefix(text, "Job for") || strings.HasPrefix(text, "Unknown command") {
		return text
	}
	if errors.Is(err, fs.ErrNotExist) {
		text = fmt.Sprintf("Unit file %s.service does not exist.", unitName(name))
	}
	return fmt.Sprintf("Failed to %s %s.service: %s", verb, unitName(name), text)
}

func controlCode(err error) int {
	if strings.HasPrefix(err.Error(), "Unit ") {
		return 5 // not installed
	}
	return 1
}

func (m *machine) control(ctx context.Context, c *shell.Call, verb, name string, now bool) error {
	switch verb {
	case "start":
		return m.startService(ctx, name)
	case "stop":
		return m.stopService(ctx, name)
	case "restart", "reload-or-restart":
		if err := m.stopService(ctx, name); err != nil && !strings.HasSuffix(err.Error(), "not loaded.") {
			return err
		}
		return m.startService(ctx, name)
	case "try-restart":
		if !m.active(name) {
			return nil
		}
		return m.control(ctx, c, "restart", name, false)
	case "enable":
		if err := m.enable(c, name); err != nil || !now {
			return err
		}
		return m.startService(ctx, name)
	case "disable":
		if err := m.disable(c, name); err != nil || !now {
			return err
		}
		return m.stopService(ctx, name)
	}
	return complaint(fmt.Sprintf("Unknown command verb %s.", verb))
}

func wantsLink(target, name string) string {
	return "/etc/systemd/system/" + target + ".wants/" + unitName(name) + ".service"
}

// enable makes the links that have a service start at boot.
func (m *machine) enable(c *shell.Call, name string) error {
	u, err := m.findUnit(name)
	if err != nil {
		return err
	}
	if len(u.wantedBy) == 0 {
		fmt.Fprintln(c.Stderr, "The unit files have no installation config (WantedBy=, RequiredBy=, Also=, Alias= settings in the [Install] section).")
		return nil
	}
	for _, wants := range u.wantedBy {
		if wants != target && wants != "default.target" {
			return fmt.Errorf("WantedBy=%s is not supported: only %s", wants, target)
		}
		link := wantsLink(target, name)
		if at, err := m.disk.Readlink(link); err == nil && at == u.path {
			continue
		}
		if err := m.disk.MkdirAll("/etc/systemd/system/"+target+".wants", 0o755); err != nil {
			return err
		}
		if err := m.disk.RemoveAll(link); err != nil {
			return err
		}
		if err := m.disk.Symlink(u.path, link); err != nil {
			return err
		}
		fmt.Fprintf(c.Stderr, "Created symlink %s → %s.\n", link, u.path)
	}
	return nil
}

func (m *machine) disable(c *shell.Call, name string) error {
	link := wantsLink(target, name)
	if _, err := m.disk.Lstat(link); err == nil {
		fmt.Fprintf(c.Stderr, "Removed \"%s\".\n", link)
		return m.disk.Remove(link)
	}
	_, err := m.findUnit(name)
	return err
}

func (m *machine) enabled(name string) bool {
	_, err := m.disk.Lstat(wantsLink(target, name))
	return err == nil
}

// tellServices prints a word for each service; the exit code is 0 as systemctl's.
func (m *machine) tellServices(c *shell.Call, o tool.Options, verb string, names []string) int {
	code := 0
	for _, name := range names {
		word, exit := m.tell(verb, name)
		switch verb {
		case "is-active", "is-failed":
			// One that is so is enough to make it good.
			if name == names[0] || exit == 0 {
				code = exit
			}
		default:
			code = max(code, exit)
		}
		if verb == "status" {
			m.printStatus(c, name)
		} else if !o.Has("q") {
			fmt.Fprintln(c.Stdout, word)
		}
	}
	return code
}

func (m *machine) tell(verb, name string) (word string, exit int) {
	_, err := m.findUnit(name)
	missing := errors.Is(err, fs.ErrNotExist)
	s := m.service(name)
	m.mu.Lock()
	state := s.state
	m.mu.Unlock()
	switch {
	case verb == "is-enabled" && missing:
		return fmt.Sprintf("Failed to get unit file state for %s.service: No such file or directory", unitName(name)), 1
	case verb == "is-enabled" && m.enabled(name):
		return "enabled", 0
	case verb == "is-enabled":
		return "disabled", 1
	case verb == "is-failed" && state == failed, state == active && verb != "is-failed":
		return state, 0
	case verb == "is-failed":
		return state, 1
	case missing:
		return inactive, 4
	}
	return state, 3
}

func (m *machine) printStatus(c *shell.Call, name string) {
	u, err := m.findUnit(name)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(c.Stderr, "Unit %s.service could not be found.\n", unitName(name))
		return
	}
	if err != nil {
		fmt.Fprintf(c.Stdout, "× %s.service\n     Loaded: bad-setting (Reason: %v)\n", unitName(name), err)
		return
	}
	word, _ := m.tell("is-enabled", name)
	s := m.service(name)
	m.mu.Lock()
	state, since, code := s.state, s.since, s.code
	m.mu.Unlock()
	detail := map[string]string{active: "active (running)", inactive: "inactive (dead)", failed: fmt.Sprintf("failed (Result: exit-code, status=%d)", code)}[state]
	if detail == "" {
		detail = "activating (auto-restart)"
	}
	fmt.Fprintf(c.Stdout, "● %s.service - %s\n     Loaded: loaded (%s; %s)\n     Active: %s", unitName(name), u.description, u.path, word, detail)
	if !since.IsZero() {
		fmt.Fprintf(c.Stdout, " since %s", since.Format("Mon 2006-01-02 15:04:05 UTC"))
	}
	fmt.Fprintln(c.Stdout)
}

func (m *machine) listUnits(c *shell.Call) int {
	var names []string
	for _, place := range unitPlaces {
		entries, err := m.disk.ReadDir(place)
		if err != nil {
			continue // a place that is not there has none
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".service") {
				names = append(names, entry.Name())
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		word, _ := m.tell("is-enabled", name)
		fmt.Fprintf(c.Stdout, "%-40s %s\n", name, word)
	}
	return 0
}

// serviceTool is service NAME COMMAND.
func (m *machine) serviceTool(ctx context.Context, c *shell.Call) int {
	if len(c.Args) != 3 {
		return c.Fail("usage: service NAME start|stop|restart|status")
	}
	switch verb := c.Args[2]; verb {
	case "start", "stop", "restart", "status":
		return c.Exec(ctx, "/usr/bin/systemctl", verb, c.Args[1])
	default:
		return c.Fail("%s is not supported", verb)
	}
}
