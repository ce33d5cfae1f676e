package workload

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// copyTree gives a program files of its own. Executable files are linked, not
// copied: they are the big ones, nothing writes to them, and so all programs of
// one image share their pages in memory.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			return os.Mkdir(target, info.Mode().Perm()|0o700)
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case info.Mode()&0o111 != 0:
			return os.Link(name, target)
		}
		return copyFile(name, target, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() // it was only read
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// makeWorkingDir finds or makes a container's directory below root. Links were
// made relative when the image was unpacked; one that leads outside is refused.
func makeWorkingDir(root, dir string) (string, error) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	relative := below(dir)
	if err := tree.MkdirAll(relative, 0o755); err != nil {
		return "", err
	}
	return filepath.Join(root, relative), nil
}

// findProgram finds what a container's exec of name would run, below root: a
// path, from the working directory if it is relative, or a bare name on the
// container's PATH. The host's programs are never a fallback.
func findProgram(root, workingDir, name, searchPath string) (string, error) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer tree.Close()
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, dir := range filepath.SplitList(searchPath) {
			candidates = append(candidates, path.Join("/", dir, name))
		}
	} else if !path.IsAbs(name) {
		candidates = []string{path.Join("/", workingDir, name)}
	}
	for _, candidate := range candidates {
		info, err := tree.Stat(below(candidate))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", fmt.Errorf("find program %s in image: %w", candidate, err)
		case info.IsDir() || info.Mode()&0o111 == 0:
			return "", fmt.Errorf("find program %s in image: %w", candidate, fs.ErrPermission)
		}
		return filepath.Join(root, below(candidate)), nil
	}
	return "", fmt.Errorf("find program %s in image: %w", name, fs.ErrNotExist)
}

// below is a container's absolute path as one relative to its root.
func below(name string) string {
	clean := strings.TrimPrefix(path.Join("/", name), "/")
	if clean == "" {
		return "."
	}
	return filepath.FromSlash(clean)
}
