package machine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/machine/disk"
	"cutover/pkg/localaws/machine/shell"
)

// A Package is one that is installed.
type Package struct {
	Name string `json:"name"`
	// Version is version and release, e.g. 3.2.2-1.amzn2023.
	Version string `json:"version"`
	// Installed is when it was, in UTC.
	Installed time.Time `json:"installed"`
}

// packageFile is the database, where rpm has its own.
const packageFile = "/var/lib/rpm/packages.json"

func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}

// full is a package's name as rpm writes it.
func (p Package) full() string { return p.Name + "-" + p.Version + "." + architecture() }

// database is a volume's packages.
type database struct{ disk *disk.Disk }

func (m *machine) database() database { return database{m.disk} }

func (m *machine) packages() []Package {
	all, err := m.database().read()
	if err != nil {
		m.fleet.logger.Warn("read package database", "instance", m.id, "error", err)
	}
	return all
}

// read gives the packages by name; none if there is no database.
func (d database) read() ([]Package, error) {
	content, err := d.disk.ReadFile(packageFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Package
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("read package database: %w", err)
	}
	return all, nil
}

func (d database) write(all []Package) error {
	slices.SortFunc(all, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	content, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	if err := d.disk.MkdirAll(path.Dir(packageFile), 0o755); err != nil {
		return err
	}
	return d.disk.WriteFile(packageFile, append(content, '\n'), 0o644)
}

func (d database) find(name string) (Package, bool) {
	all, err := d.read()
	if err != nil {
		return Package{}, false
	}
	name = strings.TrimSuffix(name, "."+architecture())
	for _, p := range all {
		if p.Name == name {
			return p, true
		}
	}
	return Package{}, false
}

// install records packages of the repository at a version and writes their files.
// One that is there is replaced, and its service keeps being enabled or not.
func (d database) install(now time.Time, version func(offer) string, offers ...offer) error {
	all, err := d.read()
	if err != nil {
		return err
	}
	for _, o := range offers {
		all = slices.DeleteFunc(all, func(p Package) bool { return p.Name == o.name })
		all = append(all, Package{Name: o.name, Version: complete(version(o)), Installed: now.UTC()})
		if err := d.unpack(o); err != nil {
			return fmt.Errorf("unpack %s: %w", o.name, err)
		}
	}
	return d.write(all)
}

// standInLink is a link to shell.StandIn that every tool's name is another name
// of: making names is much cheaper than making links.
const standInLink = "/usr/libexec/stand-in.link"

func (d database) unpack(o offer) error {
	if _, err := d.disk.Lstat(standInLink); errors.Is(err, fs.ErrNotExist) {
		if err := d.disk.Symlink(shell.StandIn, standInLink); err != nil {
			return err
		}
	}
	for _, tool := range o.tools {
		if err := d.disk.MkdirAll(path.Dir(tool), 0o755); err != nil {
			return err
		}
		if err := d.disk.RemoveAll(tool); err != nil {
			return err
		}
		if err := d.disk.Link(standInLink, tool); err != nil {
			return err
		}
	}
	if o.service == "" {
		return nil
	}
	return d.disk.WriteFile(o.unitFile(), []byte(o.unitText()), 0o644)
}

func (o offer) unitFile() string { return "/usr/lib/systemd/system/" + o.service + ".service" }

// remove forgets a package and removes its files.
func (d database) remove(o offer) error {
	all, err := d.read()
	if err != nil {
		return err
	}
	files := slices.Clone(o.tools)
	if o.service != "" {
		files = append(files, o.unitFile(), wantsLink(target, o.service))
	}
	for _, file := range files {
		if err := d.disk.RemoveAll(file); err != nil {
			return err
		}
	}
	return d.write(slices.DeleteFunc(all, func(p Package) bool { return p.Name == o.name }))
}
