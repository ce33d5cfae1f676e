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
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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

// Package builds each function of a SAM template by its Makefile target
// (BuildMethod: makefile), uploads it as a zip, and returns the template with
// CodeUri pointing there.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-custom-runtimes.html
func (p *Packager) Package(ctx context.Context, path string) ([]byte, error) {
	file, err := parser.ParseFile(path, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("parse template %s: %w", path, err)
	}
	functions, err := serverlessFunctions(file)
	if err != nil {
		return nil, fmt.Errorf("read template %s: %w", path, err)
	}
	for _, f := range functions {
		p.Note("building " + f.id)
		archive, err := p.build(ctx, filepath.Join(filepath.Dir(path), f.codeURI.Value), f.id)
		if err != nil {
			return nil, err
		}
		key := fmt.Sprintf("functions/%s-%x.zip", f.id, sha256.Sum256(archive))
		_, err = p.S3.PutObject(ctx, &s3.PutObjectInput{Bucket: &p.Bucket, Key: &key, Body: bytes.NewReader(archive), ContentLength: aws.Int64(int64(len(archive)))})
		if err != nil {
			return nil, fmt.Errorf("upload %s: %w", f.id, err)
		}
		f.codeURI.Value = "s3://" + p.Bucket + "/" + key
		f.codeURI.Token.Value = f.codeURI.Value
	}
	return []byte(file.String()), nil
}

type function struct {
	id      string
	codeURI *ast.StringNode
}

// serverlessFunctions finds the functions whose code is on this machine.
func serverlessFunctions(file *ast.File) ([]function, error) {
	var found []function
	for _, resource := range entries(lookup(file.Docs[0].Body, "Resources")) {
		if text(lookup(resource.Value, "Type")) != "AWS::Serverless::Function" {
			continue
		}
		id := resource.Key.String()
		if method := text(lookup(resource.Value, "Metadata", "BuildMethod")); method != "makefile" {
			return nil, fmt.Errorf("build %s: BuildMethod is %q, not makefile", id, method)
		}
		uri, ok := lookup(resource.Value, "Properties", "CodeUri").(*ast.StringNode)
		if !ok {
			return nil, fmt.Errorf("build %s: CodeUri is not a path", id)
		}
		if !strings.HasPrefix(uri.Value, "s3://") {
			found = append(found, function{id: id, codeURI: uri})
		}
	}
	return found, nil
}

func lookup(node ast.Node, path ...string) ast.Node {
	for _, key := range path {
		var next ast.Node
		for _, entry := range entries(node) {
			if entry.Key.String() == key {
				next = entry.Value
			}
		}
		node = next
	}
	return node
}

func entries(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func text(node ast.Node) string {
	if s, ok := node.(*ast.StringNode); ok {
		return s.Value
	}
	return ""
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
		header.SetMode(info.Mode().Perm()&0o111 | 0o644)
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
