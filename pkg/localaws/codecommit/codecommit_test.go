package codecommit_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/codecommit"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/codecommit"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/resource"
)

// events notes what was published.
type events struct {
	mu   sync.Mutex
	seen []string
}

func (e *events) Publish(source, detailType string, resources []string, detail any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, source+" "+resources[0])
}

func (e *events) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string{}, e.seen...)
}

func newService(t *testing.T) (*codecommit.Service, *events) {
	t.Helper()
	heard := &events{}
	host := ""
	s := codecommit.New(codecommit.Config{
		Clock: clock.NewScaled(1), Region: "us-east-1", Account: "111122223333", Dir: t.TempDir(),
		Host: func() string { return host }, Events: heard,
	})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	if _, err := s.Resources()[0].Create(t.Context(), resource.Request{LogicalID: "Code", Properties: map[string]any{"RepositoryName": "hello"}}); err != nil {
		t.Fatal(err)
	}
	return s, heard
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Dev", "-c", "user.email=dev@example.com"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestPush_IsPublishedAndArchived(t *testing.T) {
	t.Parallel()
	s, heard := newService(t)
	work := t.TempDir()
	git(t, work, "init", "--quiet", "--initial-branch=main")
	// Over a megabyte git sends its pack in chunks.
	large := make([]byte, 2<<20)
	rand.Read(large)
	for name, text := range map[string][]byte{"VERSION": []byte("1\n"), "large": large} {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(t, work, "add", ".")
	git(t, work, "commit", "--quiet", "-m", "Say hello")
	git(t, work, "push", "--quiet", s.CloneURL("hello"), "main")
	git(t, work, "push", "--quiet", s.CloneURL("hello"), "main") // nothing new: no event
	head := git(t, work, "rev-parse", "HEAD")

	want := []string{"aws.codecommit arn:aws:codecommit:us-east-1:111122223333:hello"}
	if diff := cmp.Diff(want, heard.all()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	commit, archive, err := s.Archive("hello", "main")
	if err != nil {
		t.Fatal(err)
	}
	if commit.ID != head || commit.Message != "Say hello" || commit.Author != "Dev" {
		t.Errorf("commit: got %+v, want %s by Dev", commit, head)
	}
	files, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files.File) != 2 {
		t.Errorf("archive: got %d files, want VERSION and large", len(files.File))
	}

	config, _ := endpointtest.Serve(t, s.Clock, s.Wire())
	client := sdk.NewFromConfig(config)
	branch, err := client.GetBranch(t.Context(), &sdk.GetBranchInput{RepositoryName: aws.String("hello"), BranchName: aws.String("main")})
	if err != nil {
		t.Fatal(err)
	}
	if *branch.Branch.CommitId != head {
		t.Errorf("branch: got %s, want %s", *branch.Branch.CommitId, head)
	}
	git(t, t.TempDir(), "clone", "--quiet", s.CloneURL("hello"), "copy")
}

func TestArchive_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	for revision, want := range map[string]string{"main": "CommitDoesNotExistException", "--output=x": "CommitDoesNotExistException"} {
		if _, _, err := s.Archive("hello", revision); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("archive %s: got %v, want %s", revision, err, want)
		}
	}
	if _, _, err := s.Archive("none", "main"); err == nil || !strings.Contains(err.Error(), "RepositoryDoesNotExistException") {
		t.Errorf("archive of no repository: got %v", err)
	}
}

func TestRepository_NamesAreChecked(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	for _, name := range []string{"../out", "a/b", "x.git", ".hidden", "hello"} {
		if _, err := s.Resources()[0].Create(t.Context(), resource.Request{LogicalID: "Code", Properties: map[string]any{"RepositoryName": name}}); err == nil {
			t.Errorf("create repository %q: got no error", name)
		}
	}
}
