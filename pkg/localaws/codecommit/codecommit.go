// Package codecommit is the embedded AWS's source control: bare git repositories
// served by git itself, and CodeCommit's API over them.
//
// A push goes through git's own http-backend; afterwards the references are
// compared with what they were, and each change is published as the event that
// triggers pipelines. Known differences from CodeCommit: git needs no
// credentials (the address is on loopback), and everything fits one page.
package codecommit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// Events takes the events that pushes cause.
type Events interface {
	Publish(source, detailType string, resources []string, detail any)
}

// Config says where repositories are kept and who hears of pushes.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	// Dir holds the bare repositories. It must exist.
	Dir string
	// Host is the address of clone URLs, e.g. 127.0.0.1:4580.
	Host   func() string
	Events Events
}

// Prefix is the path below which repositories are served to git.
const Prefix = "/v1/repos/"

// maxPush is the largest push taken, in bytes.
const maxPush = 256 << 20

// A Service holds the repositories of one embedded AWS.
type Service struct {
	Config
	mu           sync.Mutex
	repositories map[string]*repository
}

type repository struct {
	id, name, description string
	created, modified     time.Time
	pushing               sync.Mutex // one push at a time, so that its changes can be told
}

// New makes a service without repositories.
func New(config Config) *Service {
	return &Service{Config: config, repositories: map[string]*repository{}}
}

func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:codecommit:%s:%s:%s", s.Region, s.Account, name)
}

// CloneURL is the address that git clones a repository from and pushes to.
func (s *Service) CloneURL(name string) string { return "http://" + s.Host() + Prefix + name }

func (s *Service) dir(name string) string { return filepath.Join(s.Dir, name) }

func (s *Service) find(name string) (*repository, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.repositories[name]
	if !ok {
		return nil, wire.Errorf("RepositoryDoesNotExistException", "%s does not exist", name)
	}
	return r, nil
}

var validName = regexp.MustCompile(`^[\w.-]{1,100}$`)

// create makes a bare repository.
func (s *Service) create(id, name, description string) error {
	if !validName.MatchString(name) || strings.HasSuffix(name, ".git") || strings.HasPrefix(name, ".") {
		return wire.Errorf("InvalidRepositoryNameException", "%q is not a repository name: it has 1 to 100 letters, digits, and . _ -, and does not end in .git", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.repositories[name]; ok {
		return wire.Errorf("RepositoryNameExistsException", "Repository named %s already exists", name)
	}
	if _, err := git(context.Background(), "", "init", "--quiet", "--bare", "--initial-branch=main", s.dir(name)); err != nil {
		return fmt.Errorf("create repository %s: %w", name, err)
	}
	now := s.Clock.Now()
	s.repositories[name] = &repository{id: id, name: name, description: description, created: now, modified: now}
	return nil
}

func (s *Service) remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.repositories, name)
	if err := os.RemoveAll(s.dir(name)); err != nil {
		return fmt.Errorf("delete repository %s: %w", name, err)
	}
	return nil
}

// ServeHTTP speaks git's smart HTTP protocol below Prefix.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, verb, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	name = strings.TrimSuffix(name, ".git")
	repo, err := s.find(name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if verb == "git-receive-pack" {
		s.push(w, r, repo)
		return
	}
	s.serveGit(w, r)
}

func (s *Service) serveGit(w http.ResponseWriter, r *http.Request) {
	path, err := exec.LookPath("git")
	if err != nil {
		http.Error(w, "find git: "+err.Error(), http.StatusInternalServerError)
		return
	}
	// git sends a large push in chunks, which CGI has no way to pass on.
	if len(r.TransferEncoding) > 0 {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
		if err != nil {
			http.Error(w, "read push: "+err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		r = r.Clone(r.Context())
		r.TransferEncoding, r.ContentLength, r.Body = nil, int64(len(body)), io.NopCloser(bytes.NewReader(body))
	}
	handler := cgi.Handler{
		Path: path,
		Args: []string{"http-backend"},
		Root: strings.TrimSuffix(Prefix, "/"),
		Env: append(environment(),
			"GIT_PROJECT_ROOT="+s.Dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=local", "REMOTE_ADDR=127.0.0.1"),
		InheritEnv: []string{"PATH"},
		Stderr:     &bytes.Buffer{},
	}
	handler.ServeHTTP(w, r)
}

// push lets git take a push, then publishes what it changed.
func (s *Service) push(w http.ResponseWriter, r *http.Request, repo *repository) {
	repo.pushing.Lock()
	defer repo.pushing.Unlock()
	before, err := s.references(repo.name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.serveGit(w, r)
	after, err := s.references(repo.name)
	if err != nil {
		return // the repository was deleted meanwhile: nothing to tell of
	}
	s.mu.Lock()
	repo.modified = s.Clock.Now()
	s.mu.Unlock()
	s.publish(repo, before, after)
}

// references lists the commit of each reference by its full name.
func (s *Service) references(name string) (map[string]string, error) {
	out, err := git(context.Background(), s.dir(name), "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, fmt.Errorf("list references of %s: %w", name, err)
	}
	all := map[string]string{}
	for line := range strings.Lines(out) {
		if commit, ref, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			all[ref] = commit
		}
	}
	return all, nil
}

// change is the detail of a "CodeCommit Repository State Change".
// https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
type change struct {
	Event             string `json:"event"`
	RepositoryName    string `json:"repositoryName"`
	RepositoryID      string `json:"repositoryId"`
	ReferenceType     string `json:"referenceType"`
	ReferenceName     string `json:"referenceName"`
	ReferenceFullName string `json:"referenceFullName"`
	CommitID          string `json:"commitId,omitempty"`
	OldCommitID       string `json:"oldCommitId,omitempty"`
	CallerUserArn     string `json:"callerUserArn"`
}

func (s *Service) publish(repo *repository, before, after map[string]string) {
	var names []string
	for ref := range before {
		names = append(names, ref)
	}
	for ref := range after {
		names = append(names, ref)
	}
	slices.Sort(names)
	for _, ref := range slices.Compact(names) {
		was, is := before[ref], after[ref]
		if was == is {
			continue
		}
		event := "referenceUpdated"
		if was == "" {
			event = "referenceCreated"
		} else if is == "" {
			event = "referenceDeleted"
		}
		kind, name := "branch", strings.TrimPrefix(ref, "refs/heads/")
		if tag, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
			kind, name = "tag", tag
		}
		s.Events.Publish("aws.codecommit", "CodeCommit Repository State Change", []string{s.arn(repo.name)}, change{
			Event: event, RepositoryName: repo.name, RepositoryID: repo.id,
			ReferenceType: kind, ReferenceName: name, ReferenceFullName: ref,
			CommitID: is, OldCommitID: was,
			CallerUserArn: fmt.Sprintf("arn:aws:iam::%s:user/local", s.Account),
		})
	}
}

// Commit is a commit as pipelines know it: times as git prints them.
type Commit struct {
	ID, Message               string
	Author, Email             string
	AuthorDate, CommitterDate string
	Parents                   []string
	Tree                      string
}

// Commit reads a commit by its id or a branch's name.
func (s *Service) Commit(name, revision string) (Commit, error) {
	if _, err := s.find(name); err != nil {
		return Commit{}, err
	}
	if strings.HasPrefix(revision, "-") {
		return Commit{}, wire.Errorf("CommitDoesNotExistException", "Commit %s does not exist", revision)
	}
	const format = "%H%x00%an%x00%ae%x00%aI%x00%cI%x00%P%x00%T%x00%B"
	out, err := git(context.Background(), s.dir(name), "log", "-1", "--format="+format, revision, "--")
	if err != nil {
		return Commit{}, wire.Errorf("CommitDoesNotExistException", "Commit %s does not exist in %s", revision, name)
	}
	f := strings.SplitN(out, "\x00", 8)
	return Commit{
		ID: f[0], Author: f[1], Email: f[2], AuthorDate: f[3], CommitterDate: f[4],
		Parents: strings.Fields(f[5]), Tree: f[6], Message: strings.TrimSpace(f[7]),
	}, nil
}

// Archive packs the tree of a commit or branch as the zip that a source action
// puts out.
func (s *Service) Archive(name, revision string) (Commit, []byte, error) {
	commit, err := s.Commit(name, revision)
	if err != nil {
		return Commit{}, nil, err
	}
	zip, err := git(context.Background(), s.dir(name), "archive", "--format=zip", commit.ID)
	if err != nil {
		return Commit{}, nil, fmt.Errorf("archive %s of %s: %w", commit.ID, name, err)
	}
	return commit, []byte(zip), nil
}

// git runs git with no configuration but its own.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(environment(), "PATH="+os.Getenv("PATH"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = errors.New(text)
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return stdout.String(), nil
}

func environment() []string {
	return []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "HOME=" + os.DevNull}
}
