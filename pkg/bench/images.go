package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// images pushes images of examples/hello: those of odd releases hold version 1,
// those of even ones version 2. Each release has an image of its own, so that each
// starts new tasks.
type images struct {
	host string
	apps [2]string // paths of the programs
}

// versionOf is the version in a release's image.
func versionOf(release int) string { return strconv.Itoa(2 - release%2) }

// named pushes a release's image and returns its reference.
func (i images) named(release string) (string, error) {
	n, err := strconv.Atoi(release)
	if err != nil {
		return "", fmt.Errorf("push image: %w", err)
	}
	image, err := i.image(i.apps[1-n%2], release)
	if err != nil {
		return "", fmt.Errorf("make image of release %s: %w", release, err)
	}
	repository := i.host + "/" + app
	tag, err := name.ParseReference(repository + ":" + release)
	if err != nil {
		return "", err
	}
	if err := remote.Write(tag, image); err != nil {
		return "", fmt.Errorf("push image of release %s: %w", release, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return "", err
	}
	return repository + "@" + digest.String(), nil
}

// image is made of nothing but the program.
func (i images) image(program, release string) (v1.Image, error) {
	code, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	if err := w.WriteHeader(&tar.Header{Name: "hello", Mode: 0o755, Size: int64(len(code))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(code); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{"/hello"}, User: "65532:65532", Labels: map[string]string{"release": release}}
	return mutate.ConfigFile(image, config)
}
