package codedeploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// An instruction is one thing that an installation did to the instance, as the
// agent notes it in GROUP-install.json.
type instruction struct {
	Type        string `json:"type"` // copy, mkdir, chmod, chown
	Source      string `json:"source,omitempty"`
	Destination string `json:"destination,omitempty"`
	File        string `json:"file,omitempty"`
	Mode        string `json:"mode,omitempty"`
	Owner       string `json:"owner,omitempty"`
	Group       string `json:"group,omitempty"`
}

// An installation copies a revision's files to where they belong.
type installation struct {
	root     *os.Root
	archive  *os.Root // the unpacked revision, below root
	from     string   // its path
	behavior string   // towards files that are there already
	done     []instruction
}

// install replaces the files of the group's previous deployment on an instance
// by those of this one.
func (r *run) install(root *os.Root) error {
	spec, err := readAppSpec(root, r.archive())
	if err != nil {
		return err
	}
	if err := r.cleanUp(root); err != nil {
		return err
	}
	archive, err := root.OpenRoot(r.archive())
	if err != nil {
		return fmt.Errorf("open revision: %w", err)
	}
	i := &installation{root: root, archive: archive, from: r.archive(), behavior: def(spec.FileExistsBehavior, r.d.info.FileExistsBehavior)}
	err = i.all(spec)
	return closing(archive, errors.Join(err, r.note(root, i.done, err == nil)))
}

func (i *installation) all(spec *appSpec) error {
	for _, f := range spec.Files {
		if err := i.copy(f); err != nil {
			return err
		}
	}
	for _, p := range spec.Permissions {
		if err := i.permit(p); err != nil {
			return fmt.Errorf("set permissions of %s: %w", p.Object, err)
		}
	}
	return nil
}

// copy copies a file, or what is in a directory.
func (i *installation) copy(f appFile) error {
	source := relative(f.Source)
	info, err := i.archive.Stat(source)
	if err != nil {
		return fmt.Errorf("copy %s: %w", f.Source, err)
	}
	if !info.IsDir() {
		return i.copyFile(source, path.Join(relative(f.Destination), path.Base(source)))
	}
	return fs.WalkDir(i.archive.FS(), source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("copy %s: %w", f.Source, err)
		}
		to := path.Join(relative(f.Destination), strings.TrimPrefix(strings.TrimPrefix(name, source), "/"))
		if source == "." && name != "." {
			to = path.Join(relative(f.Destination), name)
		}
		if entry.IsDir() {
			if err := i.root.MkdirAll(to, 0o755); err != nil {
				return fmt.Errorf("make directory /%s: %w", to, err)
			}
			return nil
		}
		return i.copyFile(name, to)
	})
}

// copyFile copies one file with its mode. A link is followed, within the
// revision.
func (i *installation) copyFile(from, to string) error {
	if _, err := i.root.Lstat(to); err == nil {
		switch i.behavior {
		case "RETAIN":
			return nil
		case "DISALLOW":
			//lint:ignore ST1005 the agent's own text
			return fmt.Errorf("The deployment failed because a specified file already exists at this location: /%s", to)
		}
		if err := i.root.Remove(to); err != nil {
			return fmt.Errorf("overwrite /%s: %w", to, err)
		}
	}
	if err := i.root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return fmt.Errorf("make directory /%s: %w", path.Dir(to), err)
	}
	file, err := i.archive.Open(from)
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a file")
	}
	if err == nil {
		i.done = append(i.done, instruction{Type: "copy", Source: "/" + path.Join(i.from, from), Destination: "/" + to})
		_, err = writeFile(i.root, to, file, info.Mode().Perm(), os.O_EXCL)
	}
	if err := closing(file, err); err != nil {
		return fmt.Errorf("copy %s to /%s: %w", from, to, err)
	}
	return nil
}

// permit sets modes, and notes owners.
func (i *installation) permit(p appPermission) error {
	object := relative(p.Object)
	return fs.WalkDir(i.root.FS(), object, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		within := strings.TrimPrefix(strings.TrimPrefix(name, object), "/")
		if !p.matches(within, entry.IsDir()) || entry.Type()&fs.ModeSymlink != 0 {
			return nil
		}
		if p.Owner != "" || p.Group != "" {
			i.done = append(i.done, instruction{Type: "chown", File: "/" + name, Owner: p.Owner, Group: p.Group})
		}
		if p.Mode == "" {
			return nil
		}
		mode, err := strconv.ParseUint(p.Mode, 8, 12)
		if err != nil {
			return err
		}
		i.done = append(i.done, instruction{Type: "chmod", File: "/" + name, Mode: p.Mode})
		return i.root.Chmod(name, fs.FileMode(mode).Perm())
	})
}

// matches says whether a permission is for what is at a path below its object,
// "" being the object itself.
func (p appPermission) matches(within string, directory bool) bool {
	kind := "file"
	if directory {
		kind = "directory"
	}
	if len(p.Type) > 0 && !slices.Contains(p.Type, kind) {
		return false
	}
	if pattern := def(p.Pattern, "**"); pattern != "**" && within != "" {
		if ok, err := path.Match(pattern, within); err != nil || !ok {
			return false
		}
	} else if pattern != "**" && directory {
		return false
	}
	return !slices.ContainsFunc(p.Except, func(pattern string) bool {
		ok, err := path.Match(pattern, within)
		return err == nil && ok
	})
}

// instructions is where the agent keeps what it knows of a group's deployments.
func (r *run) instructions(suffix string) string {
	return path.Join(agentRoot, "deployment-instructions", r.d.groupID+suffix)
}

// cleanUp removes what the group's previous deployment copied.
func (r *run) cleanUp(root *os.Root) error {
	list, err := root.ReadFile(r.instructions("-cleanup"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read files to clean up: %w", err)
	}
	for file := range strings.Lines(string(list)) {
		if err := root.Remove(relative(strings.TrimSuffix(file, "\n"))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	return nil
}

// note leaves behind what was installed and, if all went well, that it is the
// last successful install.
func (r *run) note(root *os.Root, done []instruction, well bool) error {
	var files strings.Builder
	for _, i := range done {
		if i.Type == "copy" {
			files.WriteString(i.Destination + "\n")
		}
	}
	text, err := json.Marshal(map[string]any{"instructions": append([]instruction{}, done...)})
	if err != nil {
		return fmt.Errorf("note install instructions: %w", err)
	}
	notes := map[string]string{"-cleanup": files.String(), "-install.json": string(text)}
	if well {
		notes["_last_successful_install"] = "/" + r.home()
	}
	if err := root.MkdirAll(path.Dir(r.instructions("")), 0o755); err != nil {
		return fmt.Errorf("note installation: %w", err)
	}
	for suffix := range sorted(notes) {
		if err := root.WriteFile(r.instructions(suffix), []byte(notes[suffix]), 0o644); err != nil {
			return fmt.Errorf("note installation: %w", err)
		}
	}
	return nil
}

// relative makes a path of the instance, or of the revision, one below its root.
func relative(name string) string {
	if name = strings.TrimPrefix(path.Clean("/"+name), "/"); name == "" {
		return "."
	}
	return name
}
