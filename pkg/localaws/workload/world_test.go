package workload

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"go.uber.org/goleak"
)

// TestMain runs the tests, or, as the entry point of the tests' images, is the
// program that they start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "program" {
		os.Exit(program(os.Args[2:]))
	}
	goleak.VerifyTestMain(withPrograms{m})
}

// programs is the registry with the images of the test program, and where they
// are unpacked: the program is large, so all tests share it.
var programs struct {
	host, dir string
	layer     v1.Layer
}

// withPrograms sets programs up around the tests.
type withPrograms struct{ *testing.M }

func (m withPrograms) Run() int {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	dir, err := os.MkdirTemp("", "workload-")
	if err == nil {
		defer os.RemoveAll(dir)
		programs.host, programs.dir = strings.TrimPrefix(server.URL, "http://"), dir
		programs.layer, err = testProgram()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.M.Run()
}

// program is what images run: it does its arguments one after the other.
func program(todo []string) int {
	for _, word := range todo {
		switch word {
		case "env":
			env := os.Environ()
			slices.Sort(env)
			fmt.Println(strings.Join(env, "\n"))
		case "where":
			dir, _ := os.Getwd()
			fmt.Println(filepath.Base(dir))
		case "write":
			if err := os.WriteFile("data", []byte("changed"), 0o600); err != nil {
				return 99
			}
		case "read":
			data, _ := os.ReadFile("data")
			fmt.Println(string(data))
		case "complain":
			fmt.Fprint(os.Stderr, "one\r\n\ntwo without an end")
		case "fail":
			return 3
		case "child": // leaves a child behind that holds our output
			self, _ := os.Executable()
			child := exec.Command(self, "program", "announce", "deaf", "wait")
			child.Stdout = os.Stdout
			if err := child.Start(); err != nil {
				return 99
			}
		case "announce":
			fmt.Println("pid", os.Getpid())
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
			fmt.Println("deaf")
		case "polite":
			return polite()
		case "run":
			return runProgram(todo[1])
		case "wait":
			select {}
		case "serve":
			return serve()
		}
	}
	return 0
}

func polite() int {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGQUIT)
	fmt.Println("ready")
	fmt.Println("bye on", <-asked)
	return 7
}

func serve() int {
	err := http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, os.Getenv("VERSION"))
	}))
	fmt.Println(err)
	return 1
}

// images is a registry on loopback that counts its requests.
type images struct {
	t    *testing.T
	host string

	mu    sync.Mutex
	blobs int
	all   int
}

func newImages(t *testing.T) *images {
	t.Helper()
	r := &images{t: t}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet {
			r.mu.Lock()
			r.all++
			if strings.Contains(request.URL.Path, "/blobs/") {
				r.blobs++
			}
			r.mu.Unlock()
		}
		inner.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

func (r *images) counts() (all, blobs int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all, r.blobs
}

// image makes an image of layers.
func image(t *testing.T, config v1.Config, layers ...[]byte) v1.Image {
	t.Helper()
	made, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: runtime.GOOS, Architecture: runtime.GOARCH, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range layers {
		layer, err := newLayer(content)
		if err != nil {
			t.Fatal(err)
		}
		if made, err = mutate.AppendLayers(made, layer); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// push puts an image into the registry and gives its reference.
func (r *images) push(image v1.Image, repository string) string {
	r.t.Helper()
	return push(r.t, r.host, image, repository)
}

func push(t *testing.T, host string, image v1.Image, repository string) string {
	t.Helper()
	ref := host + "/" + repository
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(parsed, image); err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
	return ref
}

// testProgram is a layer with this test binary as /bin/program, and a data file.
func testProgram() (v1.Layer, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range []struct {
		name    string
		mode    int64
		content []byte
	}{{"bin/program", 0o755, content}, {"srv/app/data", 0o644, []byte("as built")}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: f.mode, Size: int64(len(f.content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return newLayer(buffer.Bytes())
}

func newLayer(content []byte) (v1.Layer, error) {
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
		tarball.WithCompressionLevel(gzip.NoCompression), // the test program is large
	)
}

// pushProgram pushes an image that runs the test program with these words.
func pushProgram(t *testing.T, words ...string) string {
	t.Helper()
	return pushConfigured(t, v1.Config{
		Entrypoint: []string{"program", "program"}, Cmd: words, WorkingDir: "/srv/app",
		Env: []string{"PATH=/usr/bin:/bin", "FROM_IMAGE=yes", "VERSION=image"},
	})
}

func pushConfigured(t *testing.T, config v1.Config) string {
	t.Helper()
	made := image(t, config)
	made, err := mutate.AppendLayers(made, programs.layer)
	if err != nil {
		t.Fatal(err)
	}
	return push(t, programs.host, made, strings.ToLower(t.Name()))
}

// lines collects what a program writes.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("await %s: it did not come", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
