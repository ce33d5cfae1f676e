// Package deploy brings templates into an AWS account, embedded or not: it
// builds and uploads the functions of a SAM template, as `sam build` and
// `sam package` do, and creates or updates stacks through CloudFormation's API.
//
// Everything here can be repeated: uploads are named by their content, and a
// stack whose template and parameters did not change is left alone.
package deploy

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cutover/pkg/localaws/cloudformation/sam"
)

// A Packager builds and uploads functions.
type Packager struct {
	S3     *s3.Client
	Bucket string
	// GOARCH of the functions: amd64 or arm64.
	GOARCH string
	// Note hears of what takes time, a line each.
	Note func(line string)
}

// Package builds each function of a SAM template by its target in the Makefile
// beside it (BuildMethod: makefile), uploads it as a zip, and returns the
// template with CodeUri pointing there.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
func (p *Packager) Package(ctx context.Context, path string) ([]byte, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	return sam.Package(source, func(id string) (string, error) {
		p.Note("building " + id)
		archive, err := p.build(ctx, filepath.Dir(path), id)
		if err != nil {
			return "", err
		}
		key := fmt.Sprintf("functions/%s-%x.zip", id, sha256.Sum256(archive))
		_, err = p.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &p.Bucket, Key: &key, Body: bytes.NewReader(archive), ContentLength: aws.Int64(int64(len(archive)))})
		if err != nil {
			return "", fmt.Errorf("upload %s: %w", id, err)
		}
		return "s3://" + p.Bucket + "/" + key, nil
	})
}

// build runs make build-ID in dir and zips what it left in ARTIFACTS_DIR.
func (p *Packager) build(ctx context.Context, dir, id string) ([]byte, error) {
	artifacts, err := os.MkdirTemp("", "cutover-artifacts-")
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", id, err)
	}
	defer os.RemoveAll(artifacts)
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "-C", dir, "build-"+id, "ARTIFACTS_DIR="+artifacts, "GOARCH="+p.GOARCH)
	// A make above this one must not pass its flags and variables on.
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=", "MFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w\n%s", id, err, out)
	}
	return Zip(artifacts)
}

// Zip packs a directory so that the same files make the same bytes: sorted, and
// with one time for all.
func Zip(dir string) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		header.SetMode(mode)
		out, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = out.Write(body)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("zip %s: %w", dir, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("zip %s: %w", dir, err)
	}
	return b.Bytes(), nil
}
