package machine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

// dnf knows install, upgrade (update, upgrade-minimal), check-update, remove
// (erase), list, info, updateinfo list, makecache and clean, of the packages of
// the catalogue. Without -y it asks, and nobody answers.
// https://docs.aws.amazon.com/linux/al2023/ug/package-management.html
func (m *machine) dnf(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "y assumeyes=y q quiet=q security refresh releasever: best nobest allowerasing skip-broken installed available updates nogpgcheck v d: e:")
	if !ok {
		return 1
	}
	if len(o.Args) == 0 {
		return c.Fail("a command is needed")
	}
	d := &transaction{machine: m, call: c, quiet: o.Has("q"), yes: o.Has("y"), security: o.Has("security")}
	verb, names := o.Args[0], o.Args[1:]
	switch verb {
	case "install", "localinstall", "reinstall":
		return d.install(ctx, names)
	case "update", "upgrade", "upgrade-minimal", "update-minimal":
		return d.upgrade(ctx, names)
	case "check-update":
		return d.check(names)
	case "remove", "erase":
		return d.remove(ctx, names)
	case "list":
		return d.list(o, names)
	case "info":
		return d.info(names)
	case "updateinfo":
		return d.advisories(names)
	case "makecache", "clean", "autoremove":
		d.say("0 files removed\n")
		return 0
	}
	return c.Fail("No such command: %s.", verb)
}

// transaction is one call of the package manager.
type transaction struct {
	machine  *machine
	call     *shell.Call
	quiet    bool
	yes      bool
	security bool
}

func (d *transaction) say(format string, values ...any) {
	if !d.quiet {
		fmt.Fprintf(d.call.Stdout, format, values...)
	}
}

// fail tells why in dnf's way.
func (d *transaction) fail(format string, values ...any) int {
	fmt.Fprintf(d.call.Stderr, "Error: "+format+"\n", values...)
	return 1
}

// change is one package of a transaction.
type change struct {
	offer offer
	from  string // its version now; empty if it is new
}

func (d *transaction) install(ctx context.Context, names []string) int {
	if len(names) == 0 {
		return d.fail("Need to pass a list of pkgs to install")
	}
	var changes []change
	for _, name := range names {
		o, ok := d.want(ctx, name)
		if !ok {
			fmt.Fprintf(d.call.Stderr, "No match for argument: %s\n", name)
			return d.fail("Unable to find a match: %s", name)
		}
		there, installed := d.machine.database().find(o.name)
		if installed && tool.CompareVersions(there.Version, complete(o.newest)) >= 0 {
			d.say("Package %s is already installed.\n", there.full())
			continue
		}
		changes = append(changes, change{o, there.Version})
	}
	return d.apply(ctx, "Installing:", changes)
}

// want finds a package by its name, or by the URL or the file of its archive.
func (d *transaction) want(ctx context.Context, name string) (offer, bool) {
	if !strings.Contains(name, "/") && !strings.HasSuffix(name, ".rpm") {
		return offered(name)
	}
	content, err := d.machine.archive(ctx, d.call, name)
	if err != nil {
		return offer{}, false
	}
	return packaged(content)
}

func (d *transaction) upgrade(ctx context.Context, names []string) int {
	changes, missing := d.updates(names)
	if missing != "" {
		return d.fail("No packages marked for upgrade: %s is not installed", missing)
	}
	return d.apply(ctx, "Upgrading:", changes)
}

// updates are the installed packages that the repository has newer.
func (d *transaction) updates(names []string) (changes []change, missing string) {
	installed := d.machine.packages()
	for _, name := range names {
		if !slices.ContainsFunc(installed, func(p Package) bool { return p.Name == name }) {
			return nil, name
		}
	}
	for _, p := range installed {
		o, ok := offered(p.Name)
		if !ok || len(names) > 0 && !slices.Contains(names, p.Name) || d.security && o.advisory == "" {
			continue
		}
		if tool.CompareVersions(p.Version, complete(o.newest)) < 0 {
			changes = append(changes, change{o, p.Version})
		}
	}
	return changes, ""
}

// apply asks, and then makes the changes.
func (d *transaction) apply(ctx context.Context, verb string, changes []change) int {
	m := d.machine
	if len(changes) == 0 {
		d.say("Dependencies resolved.\nNothing to do.\nComplete!\n")
		return 0
	}
	d.say("Dependencies resolved.\n%s\n", verb)
	var offers []offer
	for _, ch := range changes {
		d.say(" %-36s %-8s %s\n", ch.offer.name, architecture(), complete(ch.offer.newest))
		offers = append(offers, ch.offer)
	}
	if !d.yes {
		fmt.Fprintln(d.call.Stdout, "Is this ok [y/N]: ")
		fmt.Fprintln(d.call.Stderr, "Operation aborted.")
		return 1
	}
	if err := m.database().install(m.fleet.clock.Now(), func(o offer) string { return o.newest }, offers...); err != nil {
		return d.fail("%v", err)
	}
	for _, ch := range changes {
		if err := d.settle(ctx, ch); err != nil {
			return d.fail("%v", err)
		}
	}
	d.say("Complete!\n")
	return 0
}

// settle does what a package's own scripts do: a new service that has a preset is
// enabled and started, a running one of an upgraded package restarted.
func (d *transaction) settle(ctx context.Context, ch change) error {
	m, service := d.machine, ch.offer.service
	if service == "" {
		return nil
	}
	quiet := *d.call
	quiet.Stderr = quiet.Stdout
	if d.quiet {
		quiet.Stderr = &bytes.Buffer{}
	}
	switch {
	case ch.from == "" && ch.offer.preset:
		return m.control(ctx, &quiet, "enable", service, true)
	case ch.from != "":
		return m.control(ctx, &quiet, "try-restart", service, false)
	}
	return nil
}

// check lists the updates there are: exit code 100 if any.
func (d *transaction) check(names []string) int {
	changes, missing := d.updates(names)
	if missing != "" || len(changes) == 0 {
		return 0
	}
	fmt.Fprintln(d.call.Stdout)
	for _, ch := range changes {
		fmt.Fprintf(d.call.Stdout, "%-40s %-30s amazonlinux\n", ch.offer.name+"."+architecture(), complete(ch.offer.newest))
	}
	return 100
}

func (d *transaction) remove(ctx context.Context, names []string) int {
	m := d.machine
	for _, name := range names {
		p, installed := m.database().find(name)
		o, known := offered(p.Name)
		if !installed || !known {
			d.say("No match for argument: %s\n", name)
			continue
		}
		if o.name == "dnf" || o.name == "rpm" || o.name == "systemd" {
			return d.fail("The operation would result in removing the following protected packages: %s", o.name)
		}
		if !d.yes {
			fmt.Fprintln(d.call.Stderr, "Operation aborted.")
			return 1
		}
		if err := m.uninstall(ctx, o); err != nil {
			return d.fail("%v", err)
		}
		d.say("Removed:\n  %s\n", p.full())
	}
	d.say("Complete!\n")
	return 0
}

// uninstall stops what a package brought and removes it.
func (m *machine) uninstall(ctx context.Context, o offer) error {
	if o.service != "" {
		if err := m.stopService(ctx, o.service); err != nil {
			return err
		}
	}
	return m.database().remove(o)
}

func (d *transaction) list(o tool.Options, names []string) int {
	if len(names) > 0 && (names[0] == "installed" || names[0] == "available" || names[0] == "updates") {
		names, o = names[1:], d.only(names[0])
	}
	found := false
	tell := func(name, version, from string) {
		if len(names) == 0 || slices.Contains(names, name) {
			found = true
			fmt.Fprintf(d.call.Stdout, "%-40s %-30s %s\n", name+"."+architecture(), version, from)
		}
	}
	all := !o.Has("installed") && !o.Has("available") && !o.Has("updates")
	if all || o.Has("installed") {
		for _, p := range d.machine.packages() {
			tell(p.Name, p.Version, "@System")
		}
	}
	if all || o.Has("available") {
		for _, offer := range catalogue() {
			if _, installed := d.machine.database().find(offer.name); !installed {
				tell(offer.name, complete(offer.newest), "amazonlinux")
			}
		}
	}
	if o.Has("updates") {
		changes, _ := d.updates(nil)
		for _, ch := range changes {
			tell(ch.offer.name, complete(ch.offer.newest), "amazonlinux")
		}
	}
	if !found && len(names) > 0 {
		return d.fail("No matching Packages to list")
	}
	return 0
}

// only is the option that a word after list stands for.
func (d *transaction) only(word string) tool.Options {
	call := *d.call
	call.Args = []string{"dnf", "--" + word}
	o, _ := tool.Parse(&call, word)
	return o
}

func (d *transaction) info(names []string) int {
	for _, name := range names {
		o, ok := offered(name)
		if !ok {
			return d.fail("No matching Packages to list")
		}
		version, from := complete(o.newest), "amazonlinux"
		if p, installed := d.machine.database().find(o.name); installed {
			version, from = p.Version, "@System"
		}
		number, rest, _ := strings.Cut(version, "-")
		fmt.Fprintf(d.call.Stdout, "Name         : %s\nVersion      : %s\nRelease      : %s\nArchitecture : %s\nRepository   : %s\nSummary      : %s\n",
			o.name, number, rest, architecture(), from, o.about)
	}
	return 0
}

// advisories lists those that updates of installed packages answer.
func (d *transaction) advisories(words []string) int {
	if len(words) > 0 && words[0] != "list" {
		return d.fail("updateinfo %s is not supported", words[0])
	}
	changes, _ := d.updates(nil)
	for _, ch := range changes {
		if ch.offer.advisory != "" {
			fmt.Fprintf(d.call.Stdout, "%s %s/Sec. %s-%s.%s\n", ch.offer.advisory, ch.offer.severity, ch.offer.name, complete(ch.offer.newest), architecture())
		}
	}
	return 0
}
