package tool

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

// tarTool creates, lists and extracts archives, gzipped or not.
func tarTool(_ context.Context, c *shell.Call) int {
	other := *c
	if len(c.Args) > 1 && !strings.HasPrefix(c.Args[1], "-") {
		other.Args = append([]string{c.Args[0], "-" + c.Args[1]}, c.Args[2:]...) // tar xzf
	}
	o, ok := Parse(&other, "x extract=x c create=c t list=t z gzip=z v f: file=f: C: directory=C: p strip-components:")
	if !ok {
		return 2
	}
	if o.Has("C") {
		other.Dir = c.Path(o.Value("C"))
	}
	var err error
	switch {
	case o.Has("c"):
		err = pack(c, &other, o)
	case o.Has("x"), o.Has("t"):
		err = input(c, archiveName(o), func(_ string, r io.Reader) error { return unpack(&other, o, r) })
	default:
		err = errors.New("you must specify one of '-ctx'")
	}
	if err != nil {
		c.Fail("%s", shell.Why(err))
		return 2
	}
	return 0
}

func archiveName(o Options) string {
	if o.Has("f") {
		return o.Value("f")
	}
	return "-"
}

func unpack(c *shell.Call, o Options, r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var plain io.Reader = bytes.NewReader(content)
	if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
		if plain, err = gzip.NewReader(plain); err != nil {
			return err
		}
	}
	strip := 0
	if o.Has("strip-components") {
		if _, err := fmt.Sscan(o.Value("strip-components"), &strip); err != nil {
			return errors.New("invalid number of elements")
		}
	}
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		parts := strings.Split(path.Clean("/" + header.Name)[1:], "/")
		if strip >= len(parts) {
			continue
		}
		name := strings.Join(parts[strip:], "/")
		if o.Has("t") || o.Has("v") {
			fmt.Fprintln(c.Stdout, name)
		}
		if o.Has("t") {
			continue
		}
		if err := extract(c, c.Path(name), header, reader); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func extract(c *shell.Call, at string, header *tar.Header, r io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return c.Shell.Disk.MkdirAll(at, header.FileInfo().Mode().Perm())
	}
	if err := c.Shell.Disk.MkdirAll(path.Dir(at), 0o755); err != nil {
		return err
	}
	if err := c.Shell.Disk.RemoveAll(at); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeReg:
		if err := writeTo(c, at, header.FileInfo().Mode().Perm(), r); err != nil {
			return err
		}
		return c.Shell.Disk.Chtimes(at, header.ModTime)
	case tar.TypeSymlink:
		return c.Shell.Disk.Symlink(header.Linkname, at)
	}
	return fmt.Errorf("entry of type %q is not supported", header.Typeflag)
}

func pack(c, inside *shell.Call, o Options) error {
	var out bytes.Buffer
	var plain io.Writer = &out
	zipped := gzip.NewWriter(&out)
	if o.Has("z") {
		plain = zipped
	}
	archive := tar.NewWriter(plain)
	for _, name := range o.Args {
		root := inside.Path(name)
		err := tree(inside, root, func(at string, info fs.FileInfo) error {
			return packOne(inside, archive, strings.TrimPrefix(name+strings.TrimPrefix(at, root), "/"), at, info)
		})
		if err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if o.Has("z") {
		if err := zipped.Close(); err != nil {
			return err
		}
	}
	if archiveName(o) == "-" {
		_, err := c.Stdout.Write(out.Bytes())
		return err
	}
	return writeTo(c, c.Path(archiveName(o)), 0o644, &out)
}

func packOne(c *shell.Call, archive *tar.Writer, name, at string, info fs.FileInfo) error {
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = c.Shell.Disk.Readlink(at); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	header.Name, header.Uid, header.Gid, header.Uname, header.Gname = name, 0, 0, "root", "root"
	if info.IsDir() {
		header.Name += "/"
	}
	if err := archive.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
		return err
	}
	content, err := c.Shell.Disk.ReadFile(at)
	if err != nil {
		return err
	}
	_, err = archive.Write(content)
	return err
}

// gzipTool is gzip and gunzip.
func gzipTool(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "d decompress=d c stdout=c f force=f k keep=k 9 1")
	if !ok {
		return 1
	}
	expand := o.Has("d") || path.Base(c.Args[0]) == "gunzip"
	if len(o.Args) == 0 {
		if err := recode(c.Stdout, c.In(), expand); err != nil {
			return c.Fail("stdin: %s", shell.Why(err))
		}
		return 0
	}
	return each(c, o.Args, "%s", func(at string) error {
		target := at + ".gz"
		if expand {
			var isZipped bool
			if target, isZipped = strings.CutSuffix(at, ".gz"); !isZipped && !o.Has("c") {
				return errors.New("unknown suffix -- ignored")
			}
		}
		content, err := c.Shell.Disk.ReadFile(at)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := recode(&out, bytes.NewReader(content), expand); err != nil {
			return err
		}
		if o.Has("c") {
			_, err := c.Stdout.Write(out.Bytes())
			return err
		}
		if err := writeTo(c, target, 0o644, &out); err != nil || o.Has("k") {
			return err
		}
		return c.Shell.Disk.Remove(at)
	})
}

func recode(w io.Writer, r io.Reader, expand bool) error {
	if expand {
		plain, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, plain)
		return err
	}
	zipped := gzip.NewWriter(w)
	_, err := io.Copy(zipped, r)
	return errors.Join(err, zipped.Close())
}

func unzip(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "q o d: l")
	if !ok {
		return 10
	}
	if len(o.Args) != 1 {
		c.Fail("only one archive, and all of it")
		return 10
	}
	inside := *c
	if o.Has("d") {
		inside.Dir = c.Path(o.Value("d"))
	}
	content, err := c.Shell.Disk.ReadFile(c.Path(o.Args[0]))
	if err != nil {
		c.Fail("cannot find or open %s: %s", o.Args[0], shell.Why(err))
		return 9
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		c.Fail("%s: %s", o.Args[0], shell.Why(err))
		return 9
	}
	for _, file := range archive.File {
		if err := unzipOne(&inside, o, file); err != nil {
			c.Fail("%s: %s", file.Name, shell.Why(err))
			return 1
		}
	}
	return 0
}

func unzipOne(c *shell.Call, o Options, file *zip.File) error {
	name := strings.TrimPrefix(path.Clean("/"+file.Name), "/")
	if o.Has("l") {
		fmt.Fprintln(c.Stdout, name)
		return nil
	}
	at := c.Path(name)
	if file.FileInfo().IsDir() {
		return c.Shell.Disk.MkdirAll(at, 0o755)
	}
	if _, err := c.Shell.Disk.Lstat(at); err == nil && !o.Has("o") {
		return errors.New("exists already; -o overwrites")
	}
	if err := c.Shell.Disk.MkdirAll(path.Dir(at), 0o755); err != nil {
		return err
	}
	r, err := file.Open()
	if err != nil {
		return err
	}
	defer r.Close() // it was only read
	if !o.Has("q") {
		fmt.Fprintf(c.Stdout, "  inflating: %s\n", name)
	}
	return writeTo(c, at, file.Mode().Perm()|0o600, r)
}
