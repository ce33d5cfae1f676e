package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/singleflight"
)

// Image is a pulled image.
type Image struct {
	// Digest is the digest of the image's own manifest, also when the reference
	// was to an index.
	Digest string
	// Root is the directory that holds its files. It is shared: read it only.
	Root string
	// Config is the part of the image's configuration that says how to run it.
	Config v1.Config
}

// A Store pulls images into a directory and keeps them there. Several stores, in
// several processes too, may share one directory.
type Store struct {
	dir    string
	logger *slog.Logger
	pulls  singleflight.Group

	// A pull that several wait for is not bound to one caller's context but to
	// the store's.
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	wait   sync.WaitGroup
}

// NewStore keeps images below dir, which may hold some already. A nil logger
// logs nothing.
func NewStore(dir string, logger *slog.Logger) (*Store, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make image directory: %w", err)
	}
	s := &Store{dir: dir, logger: logger}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Close ends the pulls that are under way and waits for them. What was pulled
// stays.
func (s *Store) Close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.wait.Wait()
}

// Pull fetches the image that ref names for this machine's platform and unpacks
// it, unless it is here already; a tag is always asked for anew. Registries on
// loopback and private addresses are asked over plain HTTP. Its errors are of
// type *Error with the code CannotPull.
func (s *Store) Pull(ctx context.Context, ref string) (Image, error) {
	image, err := s.pull(ctx, ref)
	if err != nil {
		return Image{}, &Error{CannotPull, fmt.Errorf("pull image %s: %w", ref, err)}
	}
	return image, nil
}

func (s *Store) pull(ctx context.Context, ref string) (Image, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return Image{}, err
	}
	if digest := referenceDigest(ref); digest != "" {
		image, err := s.kept(digest)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return image, err
		}
	}
	descriptor, err := remote.Get(parsed, remote.WithContext(ctx), remote.WithPlatform(hostPlatform()))
	if err != nil {
		return Image{}, err
	}
	source, err := descriptor.Image()
	if err != nil {
		return Image{}, err
	}
	digest, err := source.Digest()
	if err != nil {
		return Image{}, fmt.Errorf("read digest: %w", err)
	}
	return s.keep(ctx, parsed.Context().Digest(digest.String()))
}

func hostPlatform() v1.Platform {
	return v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
}

// keep unpacks an image, once however many ask for it at a time.
func (s *Store) keep(ctx context.Context, ref name.Digest) (Image, error) {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		return Image{}, errors.New("store is closed")
	}
	s.wait.Add(1)
	s.mu.Unlock()
	defer s.wait.Done()
	result := s.pulls.DoChan(ref.DigestStr(), func() (any, error) { return s.fetch(ref) })
	select {
	case <-ctx.Done():
		// Close must outlast the pull that goes on without us.
		s.wait.Go(func() { <-result })
		return Image{}, ctx.Err()
	case r := <-result:
		if r.Err != nil {
			return Image{}, r.Err
		}
		return r.Val.(Image), nil
	}
}

func (s *Store) fetch(ref name.Digest) (Image, error) {
	image, err := s.kept(ref.DigestStr())
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return image, err
	}
	source, err := remote.Image(ref, remote.WithContext(s.ctx))
	if err != nil {
		return Image{}, err
	}
	if err := s.unpack(ref.DigestStr(), source); err != nil {
		return Image{}, err
	}
	s.logger.Debug("pulled image", "image", ref.String())
	return s.kept(ref.DigestStr())
}

// kept finds an image that was unpacked before.
func (s *Store) kept(digest string) (Image, error) {
	dir := s.place(digest)
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return Image{}, err
	}
	image := Image{Digest: digest, Root: filepath.Join(dir, "root")}
	if err := json.Unmarshal(raw, &image.Config); err != nil {
		return Image{}, fmt.Errorf("read kept configuration of %s: %w", digest, err)
	}
	return image, nil
}

func (s *Store) place(digest string) string {
	return filepath.Join(s.dir, strings.ReplaceAll(digest, ":", "-"))
}

// unpack writes an image beside its place and moves it there when it is whole.
func (s *Store) unpack(digest string, source v1.Image) (err error) {
	config, err := source.ConfigFile()
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := runsHere(config); err != nil {
		return err
	}
	work, err := os.MkdirTemp(s.dir, "unpack-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := unpackLayers(filepath.Join(work, "image", "root"), source); err != nil {
		return err
	}
	raw, err := json.Marshal(config.Config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "image", "config.json"), raw, 0o644); err != nil {
		return err
	}
	err = os.Rename(filepath.Join(work, "image"), s.place(digest))
	if _, kept := s.kept(digest); kept == nil {
		return nil // also if another store of this directory was first
	}
	return err
}

// runsHere refuses an image of another platform, which would only fail to start.
func runsHere(config *v1.ConfigFile) error {
	here := hostPlatform()
	if config.OS != "" && config.OS != here.OS || config.Architecture != "" && config.Architecture != here.Architecture {
		return fmt.Errorf("image is for %s/%s, this machine is %s", config.OS, config.Architecture, here)
	}
	return nil
}

func unpackLayers(dir string, source v1.Image) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	layers, err := source.Layers()
	if err != nil {
		return fmt.Errorf("read layers: %w", err)
	}
	for i, layer := range layers {
		if err := unpackLayer(root, layer); err != nil {
			return fmt.Errorf("unpack layer %d of %d: %w", i+1, len(layers), err)
		}
	}
	return nil
}

func unpackLayer(root *os.Root, layer v1.Layer) error {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	return errors.Join(applyLayer(root, content), content.Close())
}

// referenceDigest is the digest that a reference names, or nothing.
func referenceDigest(ref string) string {
	_, digest, _ := strings.Cut(ref, "@")
	return digest
}
