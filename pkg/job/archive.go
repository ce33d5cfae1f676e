package job

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
)

// What an archive may be, so that none can fill the function's disk or memory.
const (
	maxArchive   = 256 << 20 // bytes, zipped; it is kept on disk, of which Lambda gives 512 MiB
	maxEntries   = 20_000
	maxDirectory = 4 << 20 // bytes of the central directory, which is kept in memory
)

// unsafeError is why an archive or file is refused: the user's to put right.
type unsafeError string

func (e unsafeError) Error() string { return string(e) }

// An archive is a zip file, fetched to disk and checked.
type archive struct {
	file *os.File
	zip  *zip.Reader
}

// openArchive takes the archive from r to a file without a name. size is what
// the sender said, 0 if nothing.
func openArchive(r io.Reader, size int64) (_ *archive, err error) {
	if size > maxArchive {
		return nil, unsafeError(fmt.Sprintf("is %d bytes long: %d are read at most", size, maxArchive))
	}
	f, err := os.CreateTemp("", "artifact-*.zip")
	if err != nil {
		return nil, err
	}
	a := &archive{file: f}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := os.Remove(f.Name()); err != nil { // gone once it is closed, also by a kill
		return nil, err
	}
	n, err := io.Copy(f, io.LimitReader(r, maxArchive+1))
	if err != nil {
		return nil, err
	}
	if n > maxArchive {
		return nil, unsafeError(fmt.Sprintf("is longer than %d bytes: no more are read", maxArchive))
	}
	a.zip, err = readDirectory(f, n)
	return a, err
}

// readDirectory reads the archive's directory and refuses what no honest tool
// writes. It reads a bounded part of the file: the number of entries that the
// archive declares is not to be relied on.
func readDirectory(f io.ReaderAt, size int64) (*zip.Reader, error) {
	bounded := &boundedReaderAt{r: f}
	bounded.left.Store(maxDirectory)
	z, err := zip.NewReader(bounded, size)
	bounded.left.Store(1 << 62) // files have limits of their own
	switch {
	case errors.Is(err, errBound), err == nil && len(z.File) > maxEntries:
		return nil, unsafeError(fmt.Sprintf("has too many entries: %d are allowed", maxEntries))
	case errors.Is(err, zip.ErrFormat), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, zip.ErrInsecurePath):
		return nil, unsafeError("is not a zip archive")
	case err != nil:
		return nil, err
	}
	for _, entry := range z.File {
		if escapes(entry.Name) {
			return nil, unsafeError(fmt.Sprintf("has an entry %q, which leads out of it", entry.Name))
		}
	}
	return z, nil
}

// escapes reports whether the entry would be put outside of the folder that the
// archive is unpacked in, on any system.
func escapes(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	clean := path.Clean(name)
	return strings.HasPrefix(name, "/") || clean == ".." || strings.HasPrefix(clean, "../") ||
		len(name) > 1 && name[1] == ':' || strings.ContainsRune(name, 0)
}

// read reads a file. Neither what the archive declares nor what it unpacks to
// may be more than limit bytes.
func (a *archive) read(name string, limit int64) (_ []byte, err error) {
	var found *zip.File
	for _, entry := range a.zip.File {
		if path.Clean(entry.Name) != name {
			continue
		}
		if found != nil {
			return nil, unsafeError("is in the archive twice")
		}
		found = entry
	}
	switch {
	case found == nil:
		return nil, fs.ErrNotExist
	case found.Mode()&fs.ModeSymlink != 0:
		return nil, unsafeError("is a symbolic link: put the file itself there")
	case !found.Mode().IsRegular():
		return nil, unsafeError("is not a regular file")
	case found.UncompressedSize64 > uint64(max(limit, 0)):
		return nil, unsafeError(fmt.Sprintf("is %d bytes long: %d are allowed", found.UncompressedSize64, limit))
	}
	r, err := found.Open()
	if err != nil {
		return nil, broken(err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, broken(err)
	}
	if int64(len(body)) > limit {
		return nil, unsafeError(fmt.Sprintf("unpacks to more than the %d bytes that are allowed", limit))
	}
	return body, nil
}

// broken says of what zip cannot unpack that the archive is at fault.
func broken(err error) error {
	if disk, ok := errors.AsType[*fs.PathError](err); ok {
		return disk
	}
	return unsafeError(fmt.Sprintf("cannot be unpacked: %v", err))
}

func (a *archive) close() error { return a.file.Close() }

var errBound = errors.New("read beyond the bound")

// boundedReaderAt gives no more than so many bytes in all.
type boundedReaderAt struct {
	r    io.ReaderAt
	left atomic.Int64
}

func (b *boundedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left.Add(-int64(len(p))) < 0 {
		return 0, errBound
	}
	return b.r.ReadAt(p, off)
}
