package machine

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/disk"
	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

// archiveHeader begins a stand-in for a package's archive; its name follows.
const archiveHeader = "stand-in package archive\n"

// packaged says which package an archive is of.
func packaged(content []byte) (offer, bool) {
	name, ok := strings.CutPrefix(string(content), archiveHeader)
	if !ok {
		return offer{}, false
	}
	return offered(strings.TrimSpace(name))
}

// archive reads what a file or a URL holds.
func (m *machine) archive(ctx context.Context, c *shell.Call, name string) ([]byte, error) {
	if !strings.Contains(name, "://") {
		return m.disk.ReadFile(disk.Join(c.Dir, name))
	}
	answer, err := m.fetch(ctx, c, request{method: "GET", url: name})
	if err != nil {
		return nil, err
	}
	if answer.status != 200 {
		return nil, fmt.Errorf("status code %d", answer.status)
	}
	return answer.body, nil
}

// rpm knows the queries -q and -qa with --queryformat, and -i, -U and -e.
func (m *machine) rpm(ctx context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "q query=q a all=a i install=i U upgrade=U F=U e erase=e v h hash=h quiet force nodeps qf=queryformat: queryformat: import: V")
	if !ok {
		return 1
	}
	switch {
	case o.Has("q") && o.Has("i"):
		return c.Fail("-qi is not supported; use dnf info")
	case o.Has("q"):
		return m.query(c, o)
	case o.Has("e"):
		return m.each(c, o.Args, func(name string) error {
			p, installed := m.database().find(name)
			offer, known := offered(p.Name)
			if !installed || !known {
				return fmt.Errorf("package %s is not installed", name)
			}
			return m.uninstall(ctx, offer)
		})
	case o.Has("i"), o.Has("U"):
		d := &transaction{machine: m, call: c, quiet: true, yes: true}
		return m.each(c, o.Args, func(name string) error { return d.archive(ctx, name, o) })
	case o.Has("import"):
		return 0 // there are no signatures to check
	}
	return c.Fail("one of -q, -i, -U and -e is needed")
}

func (m *machine) each(c *shell.Call, names []string, do func(name string) error) int {
	if len(names) == 0 {
		return c.Fail("no packages given")
	}
	code := 0
	for _, name := range names {
		if err := do(name); err != nil {
			fmt.Fprintf(c.Stderr, "error: %v\n", err)
			code = 1
		}
	}
	return code
}

// archive installs a package from its archive.
func (d *transaction) archive(ctx context.Context, name string, options tool.Options) error {
	content, err := d.machine.archive(ctx, d.call, name)
	if err != nil {
		return fmt.Errorf("open of %s failed: %s", name, shell.Why(err))
	}
	o, ok := packaged(content)
	if !ok {
		return fmt.Errorf("%s: not an rpm package", path.Base(name))
	}
	there, installed := d.machine.database().find(o.name)
	if installed && there.Version == complete(o.newest) && !options.Has("force") {
		return fmt.Errorf("package %s is already installed", there.full())
	}
	if installed && !options.Has("U") {
		return fmt.Errorf("package %s conflicts with the installed %s; use -U", o.name, there.full())
	}
	if options.Has("v") || options.Has("h") {
		fmt.Fprintf(d.call.Stdout, "Preparing packages...\n%s\n", Package{Name: o.name, Version: complete(o.newest)}.full())
	}
	if d.apply(ctx, "Installing:", []change{{o, there.Version}}) != 0 {
		return errors.New("transaction failed")
	}
	return nil
}

func (m *machine) query(c *shell.Call, o tool.Options) int {
	all, code := m.packages(), 0
	var found []Package
	for _, name := range o.Args {
		p, installed := m.database().find(name)
		if !installed && o.Has("a") { // a pattern
			found = append(found, matching(all, name)...)
			continue
		}
		if !installed {
			fmt.Fprintf(c.Stdout, "package %s is not installed\n", name)
			code = 1
			continue
		}
		found = append(found, p)
	}
	if o.Has("a") && len(o.Args) == 0 {
		found = all
	}
	if len(o.Args) == 0 && !o.Has("a") {
		return c.Fail("no arguments given for query")
	}
	for _, p := range found {
		if !o.Has("queryformat") {
			if !o.Has("quiet") {
				fmt.Fprintln(c.Stdout, p.full())
			}
			continue
		}
		text, err := p.format(o.Value("queryformat"))
		if err != nil {
			return c.Fail("%v", err)
		}
		fmt.Fprint(c.Stdout, text)
	}
	return code
}

func matching(all []Package, pattern string) []Package {
	return slices.DeleteFunc(slices.Clone(all), func(p Package) bool {
		matched, err := path.Match(pattern, p.Name)
		return err != nil || !matched
	})
}

// format writes a package by a format of tags, as %{NAME}, and \n and \t.
func (p Package) format(pattern string) (string, error) {
	version, release, _ := strings.Cut(p.Version, "-")
	text := strings.NewReplacer(
		"%{NAME}", p.Name, "%{VERSION}", version, "%{RELEASE}", release, "%{ARCH}", architecture(),
		"%{name}", p.Name, "%{version}", version, "%{release}", release, "%{arch}", architecture(),
		"%{INSTALLTIME}", strconv.FormatInt(p.Installed.Unix(), 10), `\n`, "\n", `\t`, "\t",
	).Replace(pattern)
	if at := strings.Index(text, "%{"); at >= 0 {
		return "", fmt.Errorf("unknown tag in %q", text[at:])
	}
	return text, nil
}
