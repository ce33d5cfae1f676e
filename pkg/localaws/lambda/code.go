package lambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxUnpacked is the quota on unpacked code, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxUnpacked = 250 << 20

// code is one version of a function's code, unpacked. It goes when neither a
// function nor a sandbox uses it; users is guarded by the service's mutex.
type code struct {
	directory string // empty for functions that run in-process
	size      int64
	sha256    string // Base64
	users     int
}

// fetch gets a function's zip and unpacks it. A function with a handler in this
// process needs none.
func (s *Service) fetch(f *function, source CodeSource) (*code, error) {
	if s.handlerOf(f) != nil {
		return &code{users: 1}, nil
	}
	raw := source.ZipFile
	switch {
	case raw != nil && (source.S3Bucket != "" || source.S3Key != ""):
		return nil, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case raw == nil && (source.S3Bucket == "" || source.S3Key == ""):
		return nil, invalid("Please provide a source for function code.")
	case raw == nil:
		var err error
		if raw, err = s.Objects.Get(source.S3Bucket, source.S3Key); err != nil {
			return nil, invalid(fmt.Sprintf("Error occurred while GetObject. S3 Error Message: %v", err))
		}
	}
	directory, err := s.makeDirectory(f.name + "-*")
	if err != nil {
		return nil, err
	}
	if err := unpack(raw, directory); err != nil {
		os.RemoveAll(directory)
		return nil, invalid(fmt.Sprintf("Could not unzip uploaded file. Please check your file, then try to upload again: %v", err))
	}
	sum := sha256.Sum256(raw)
	return &code{directory: directory, size: int64(len(raw)), sha256: base64.StdEncoding.EncodeToString(sum[:]), users: 1}, nil
}

// dropLocked says that one user of the code is gone.
func (s *Service) dropLocked(c *code) {
	c.users--
	if c.users > 0 || c.directory == "" {
		return
	}
	if err := os.RemoveAll(c.directory); err != nil {
		s.Logger.Error("remove unpacked code", "error", err)
	}
}

// makeDirectory makes a directory below the service's own.
func (s *Service) makeDirectory(pattern string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.directory == "" {
		if s.Directory != "" {
			if err := os.MkdirAll(s.Directory, 0o755); err != nil {
				return "", fmt.Errorf("make directory for code: %w", err)
			}
		}
		directory, err := os.MkdirTemp(s.Directory, "lambda-*")
		if err != nil {
			return "", fmt.Errorf("make directory for code: %w", err)
		}
		s.directory = directory
	}
	directory, err := os.MkdirTemp(s.directory, pattern)
	if err != nil {
		return "", fmt.Errorf("make directory for code: %w", err)
	}
	return directory, nil
}

// unpack writes a zip's files below a directory. It refuses paths that lead out
// of it, links, and more than Lambda's quota of bytes.
func unpack(raw []byte, directory string) error {
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxUnpacked)
	for _, file := range archive.File {
		if strings.HasSuffix(file.Name, "/") {
			if err := root.MkdirAll(filepath.Clean(file.Name), 0o755); err != nil {
				return err
			}
			continue
		}
		n, err := unpackFile(root, file, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func unpackFile(root *os.Root, file *zip.File, left int64) (int64, error) {
	if !file.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", file.Name)
	}
	if parent := filepath.Dir(file.Name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return 0, err
		}
	}
	from, err := file.Open()
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := root.OpenFile(file.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, file.Mode().Perm()|0o444)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(to, io.LimitReader(from, left+1))
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err == nil && n > left {
		err = fmt.Errorf("unzipped size must be smaller than %d bytes", int64(maxUnpacked))
	}
	return n, err
}
