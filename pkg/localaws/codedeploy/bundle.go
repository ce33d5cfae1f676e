package codedeploy

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// maxBundle is how much a bundle may hold when it is unpacked, in bytes, so that
// a small zip cannot fill the disk.
const maxBundle = 4 << 30

// download fetches the deployment's revision to an instance and unpacks it.
func (r *run) download(root *os.Root) error {
	at := r.d.info.Revision.S3Location
	body, err := r.Objects.Get(at.Bucket, at.Key)
	if err != nil {
		return fmt.Errorf("download bundle: %w", err)
	}
	if sum := md5.Sum(body); at.ETag != "" && strings.Trim(at.ETag, `"`) != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("download bundle: s3://%s/%s no longer has the ETag %s", at.Bucket, at.Key, at.ETag)
	}
	if err := root.RemoveAll(r.home()); err != nil {
		return fmt.Errorf("make room for bundle: %w", err)
	}
	if err := root.MkdirAll(r.archive(), 0o755); err != nil {
		return fmt.Errorf("make directory for bundle: %w", err)
	}
	if err := root.WriteFile(path.Join(r.home(), "bundle.tar"), body, 0o644); err != nil { // the agent's name for any type
		return fmt.Errorf("write bundle: %w", err)
	}
	into, err := root.OpenRoot(r.archive())
	if err != nil {
		return fmt.Errorf("open directory for bundle: %w", err)
	}
	return closing(into, unpack(into, body))
}

// unpack unpacks a zip below a directory, which nothing in it can leave: neither
// by .. or an absolute name nor through a link that it makes itself.
func unpack(into *os.Root, body []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return fmt.Errorf("unpack bundle: %w", err)
	}
	left := int64(maxBundle)
	for _, f := range archive.File {
		if err := unpackFile(into, f, &left); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	return nil
}

func unpackFile(into *os.Root, f *zip.File, left *int64) error {
	name := path.Clean(f.Name)
	if path.IsAbs(f.Name) {
		return fmt.Errorf("the name is absolute")
	}
	if f.FileInfo().IsDir() {
		return into.MkdirAll(name, 0o755)
	}
	if err := into.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	content, err := f.Open()
	if err != nil {
		return err
	}
	if f.Mode()&fs.ModeSymlink != 0 {
		to, err := io.ReadAll(io.LimitReader(content, 4096))
		if err == nil {
			err = into.Symlink(string(to), name)
		}
		return closing(content, err)
	}
	if !f.Mode().IsRegular() {
		return closing(content, fmt.Errorf("is neither a file, a directory nor a symbolic link"))
	}
	mode := f.Mode().Perm()
	if mode == 0 {
		mode = 0o644
	}
	n, err := writeFile(into, name, io.LimitReader(content, *left+1), mode, os.O_TRUNC)
	if *left -= n; err == nil && *left < 0 {
		err = fmt.Errorf("the bundle holds more than %d bytes", int64(maxBundle))
	}
	return closing(content, err)
}

// writeFile writes a file with exactly this mode, whatever the umask is.
func writeFile(root *os.Root, name string, content io.Reader, mode fs.FileMode, flag int) (n int64, err error) {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|flag, mode)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(file, content)
	if err == nil {
		err = file.Chmod(mode)
	}
	return n, closing(file, err)
}

// closing closes c, and returns the first error there is.
func closing(c io.Closer, err error) error {
	if gone := c.Close(); err == nil {
		return gone
	}
	return err
}
