package codebuild_test

import (
	"archive/zip"
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/codebuild"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/resource"
)

// A bench is a service with one project, hello, and all that builds printed.
type bench struct {
	*codebuild.Service
	dir string
	mu  sync.Mutex
	log strings.Builder
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir()}
	b.Service = codebuild.New(codebuild.Config{
		Clock: clock.NewScaled(1), Region: "us-east-1", Account: "111122223333", Dir: b.dir, Logger: slog.New(slog.DiscardHandler),
		Endpoint:    func() string { return "http://127.0.0.1:1" },
		Environment: []string{"PATH=/usr/bin:/bin"},
		Assume: func(role, session string) (codebuild.Credentials, error) {
			return codebuild.Credentials{AccessKeyID: "KEY-OF-" + role}, nil
		},
		Log: func(_, _, message string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.log.WriteString(message + "\n")
		},
	})
	t.Cleanup(b.Close)
	_, err := b.Resources()[0].Create(t.Context(), resource.Request{LogicalID: "Project", Properties: map[string]any{
		"Name": "hello", "ServiceRole": "builder", "Source": map[string]any{"Type": "CODEPIPELINE"}, "Artifacts": map[string]any{"Type": "CODEPIPELINE"},
		"Environment": map[string]any{
			"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "aws/codebuild/standard:7.0",
			"EnvironmentVariables": []any{map[string]any{"Name": "FROM", "Value": "project"}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) build(t *testing.T, files map[string]string) codebuild.Outcome {
	t.Helper()
	var source bytes.Buffer
	w := zip.NewWriter(&source)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan codebuild.Outcome, 1)
	if _, err := b.Run(codebuild.Build{Project: "hello", Source: source.Bytes(), SourceVersion: "c0ffee", SecondarySources: map[string][]byte{"Other": source.Bytes()}, Environment: map[string]string{"FROM_RUN": "run"}}, func(o codebuild.Outcome) { ended <- o }); err != nil {
		t.Fatal(err)
	}
	select {
	case o := <-ended:
		return o
	case <-time.After(time.Minute):
		t.Fatal("the build did not end within a minute")
		panic("unreachable")
	}
}

func names(t *testing.T, archive []byte) []string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
	}
	return names
}

func TestBuild_RunsPhasesInOneShellAndPacksArtifacts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.build(t, map[string]string{
		"sub/in.txt": "in",
		"buildspec.yml": `
version: 0.2
env:
  variables: {GREETING: "it's"}
  exported-variables: [TAG]
phases:
  pre_build:
    commands:
      - test -f "$CODEBUILD_SRC_DIR_Other/sub/in.txt"
      - cd sub
      - export TAG=$CODEBUILD_RESOLVED_SOURCE_VERSION-$FROM-$FROM_RUN
  build:
    commands:
      - |
        printf '%s\n' "$GREETING" > out.txt
        mkdir -p deep/er && cp in.txt deep/er/
      - echo "key $AWS_ACCESS_KEY_ID endpoint $AWS_ENDPOINT_URL home ${HOME##*/}"
artifacts:
  base-directory: sub
  files: [out.txt, '**/in.txt']
`,
	})
	if !o.Succeeded {
		t.Fatalf("outcome: got %+v, want success", o)
	}
	if diff := cmp.Diff([]string{"deep/er/in.txt", "in.txt", "out.txt"}, names(t, o.Artifact)); diff != "" {
		t.Errorf("artifact (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"TAG": "c0ffee-project-run"}, o.Variables); diff != "" {
		t.Errorf("exported variables (-want +got):\n%s", diff)
	}
	if !strings.Contains(b.log.String(), "key KEY-OF-builder endpoint http://127.0.0.1:1 home home") {
		t.Errorf("log lacks what the build printed:\n%s", b.log.String())
	}
	if left, err := os.ReadDir(b.dir); err != nil || len(left) != 0 {
		t.Errorf("build directories left behind: %v, %v", left, err)
	}
}

func TestBuild_SeesNothingOfThisProcess(t *testing.T) {
	b := newBench(t)
	t.Setenv("CUTOVER_SECRET_OF_THE_HOST", "leaked")
	o := b.build(t, map[string]string{"buildspec.yml": "version: 0.2\nphases: {build: {commands: ['test -z \"$CUTOVER_SECRET_OF_THE_HOST\"']}}\n"})
	if !o.Succeeded {
		t.Errorf("outcome: got %q, want success: the environment leaked", o.Message)
	}
}

func TestBuild_Failures(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spec, want string
		logged     []string
		notLogged  []string
	}{
		"a failing install ends the build": {
			spec: "version: 0.2\nphases: {install: {commands: ['false']}, build: {commands: ['echo never']}}",
			want: "run phase install: exit status 1", notLogged: []string{"Running command echo never"},
		},
		"after a failing build its finally and post_build still run": {
			spec: "version: 0.2\nphases: {build: {commands: ['echo one', 'exit_status_7() { return 7; }; exit_status_7', 'echo two'], finally: ['echo tidy']}, post_build: {commands: ['echo post $CODEBUILD_BUILD_SUCCEEDING']}}",
			want: "run phase build: exit status 1", logged: []string{"one", "tidy", "post 0"}, notLogged: []string{"\ntwo\n"},
		},
		"a command that exits ends the build": {
			spec: "version: 0.2\nphases: {build: {commands: ['exit 3']}}",
			want: "run phase",
		},
		"no file matches the artifacts": {
			spec: "version: 0.2\nphases: {build: {commands: ['true']}}\nartifacts: {files: [none.json]}",
			want: "no matching files found for none.json",
		},
		"an unknown key is named": {
			spec: "version: 0.2\nphases: {build: {commands: ['true']}}\nreports: {}",
			want: `unknown field "reports"`,
		},
		"every fault of a buildspec is named": {
			spec: "version: 0.1\nenv: {shell: zsh}\nphases: {build: {on-failure: RETRY}}",
			want: `parse buildspec: version is "0.1", not 0.2; env.shell is "zsh", neither bash nor /bin/sh; phases.build.on-failure is "RETRY", neither ABORT nor CONTINUE; phases have no commands`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			o := b.build(t, map[string]string{"buildspec.yml": c.spec})
			if o.Succeeded || !strings.Contains(o.Message, c.want) {
				t.Errorf("outcome: got %v, %q, want a failure that says %q", o.Succeeded, o.Message, c.want)
			}
			for _, line := range c.logged {
				if !strings.Contains(b.log.String(), "\n"+line+"\n") {
					t.Errorf("log lacks %q:\n%s", line, b.log.String())
				}
			}
			for _, line := range c.notLogged {
				if strings.Contains(b.log.String(), line) {
					t.Errorf("log has %q:\n%s", line, b.log.String())
				}
			}
		})
	}
}

func TestBuild_WithoutABuildspecSaysSo(t *testing.T) {
	t.Parallel()
	o := newBench(t).build(t, map[string]string{"README": ""})
	if want := "read buildspec: the source has no buildspec.yml"; o.Message != want {
		t.Errorf("got %q, want %q", o.Message, want)
	}
}

func TestBuild_StopEndsAllItStarted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config, _ := endpointtest.Serve(t, b.Clock, b.Wire())
	client := sdk.NewFromConfig(config)
	var source bytes.Buffer
	w := zip.NewWriter(&source)
	f, err := w.Create("buildspec.yml")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "version: 0.2\nphases: {build: {commands: ['sleep 300 & sleep 300']}}")
	w.Close()
	ended := make(chan codebuild.Outcome, 1)
	id, err := b.Run(codebuild.Build{Project: "hello", Source: source.Bytes()}, func(o codebuild.Outcome) { ended <- o })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.StopBuild(t.Context(), &sdk.StopBuildInput{Id: &id}); err != nil {
		t.Fatal(err)
	}
	select {
	case o := <-ended:
		if o.Succeeded || o.Message != "build was stopped" {
			t.Errorf("outcome: got %+v, want stopped", o)
		}
	case <-time.After(time.Minute):
		t.Fatal("a stopped build did not end within a minute")
	}
	builds, err := client.BatchGetBuilds(t.Context(), &sdk.BatchGetBuildsInput{Ids: []string{id, "hello:none"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(builds.Builds) != 1 || builds.Builds[0].BuildStatus != "STOPPED" || len(builds.BuildsNotFound) != 1 {
		t.Errorf("builds: got %+v, want one STOPPED and one not found", builds)
	}
}
