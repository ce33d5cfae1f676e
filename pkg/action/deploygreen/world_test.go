package deploygreen

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/job"
)

// A shop is a release set of several pairs, each on a rule and of a family of its
// own: blue runs NAME:v1, green is to run NAME:v2.
type shop struct {
	t             *testing.T
	world         *fake.World
	files         map[string]string // of the input artifact
	names         []string
	blues, greens []string // target groups
}

// newShop makes a set in which every change of the action is due: test routes
// point at blue, and greens have a task less than blues.
func newShop(t *testing.T, services int) *shop {
	t.Helper()
	s := &shop{t: t, world: fake.New(), files: map[string]string{}}
	images := map[string]string{}
	var file strings.Builder
	file.WriteString("set: shop\nservices:\n")
	for i := range services {
		name := fmt.Sprintf("s%d", i)
		a, b := s.world.AddPair(name)
		s.names, s.blues, s.greens = append(s.names, name), append(s.blues, a), append(s.greens, b)
		arn := s.world.Register(name, name+":v1")
		for _, side := range []string{"-a", "-b"} {
			service := s.world.Services[name+side]
			service.TaskDefinition, service.Deployments[0].TaskDefinition = &arn, &arn
		}
		s.world.Services[name+"-b"].DesiredCount, s.world.Services[name+"-b"].RunningCount = 1, 1
		s.world.SetHealth(b, 1, 0)
		s.world.Rules[fake.Listener8080][0].Actions = fake.Forward(a, 100)
		images[name] = name + ":v2"
		fmt.Fprintf(&file, "  - {name: %s, loadBalancer: hello, cluster: main, services: [%s-a, %s-b]}\n", name, name, name)
	}
	text, err := json.Marshal(images)
	if err != nil {
		t.Fatal(err)
	}
	s.files["cutover.yaml"], s.files["images.json"] = file.String(), string(text)
	return s
}

func setParams() Params {
	return Params{Params: bluegreen.Params{Execution: execution}, Release: "cutover.yaml"}
}

// tick is one invocation.
func (s *shop) tick(state State) (job.Result[State], error) {
	s.t.Helper()
	p := setParams()
	if err := p.Validate(); err != nil {
		s.t.Fatalf("parameters: %v", err)
	}
	read := func(_ context.Context, _, path string, _ int64) ([]byte, error) {
		body, found := s.files[path]
		if !found {
			return nil, fs.ErrNotExist
		}
		return []byte(body), nil
	}
	j := job.Job[Params]{Params: p, Inputs: []job.Artifact{{Name: "build"}}}
	return on(s.world).stepSet(s.t.Context(), j, state, read)
}

// follow ticks until the job ends, and returns what each tick said.
func (s *shop) follow() (said []string, last job.Result[State], err error) {
	s.t.Helper()
	var state State
	for range 60 {
		if last, err = s.tick(state); err != nil {
			return said, last, err
		}
		said = append(said, last.Summary())
		if last.Done() {
			return said, last, nil
		}
		state = last.State()
		s.world.Advance()
	}
	s.t.Fatalf("not done after %d ticks: %s", len(said), last.Summary())
	return
}

// weights are a rule's, found by the listener and a group of the pair.
func (s *shop) weights(listener string, i int) map[string]int32 {
	for _, rule := range s.world.Rules[listener] {
		weights := bluegreen.Route{Actions: rule.Actions}.Weights()
		if weights[s.blues[i]]+weights[s.greens[i]] > 0 {
			return weights
		}
	}
	return nil
}

// untouched fails the test unless production is as it was.
func (s *shop) untouched() {
	s.t.Helper()
	for i, name := range s.names {
		got := s.weights(fake.Listener80, i)
		if got[s.blues[i]] != 100 || got[s.greens[i]] != 0 || len(got) != 2 {
			s.t.Errorf("production of %s: got weights %v, want all on blue", name, got)
		}
		if got, want := s.world.Active(name)[0], name+":1="+name+":v1"; got != want {
			s.t.Errorf("task definition of blue of %s: got %s, want %s", name, got, want)
		}
		if got := RevisionName(*s.world.Services[name+"-a"].TaskDefinition); got != name+":1" {
			s.t.Errorf("blue of %s: got %s, want it as it was", name, got)
		}
	}
}

// released fails the test unless all greens are deployed, and production is as it
// was.
func (s *shop) released() {
	s.t.Helper()
	s.untouched()
	for i, name := range s.names {
		if got := s.weights(fake.Listener8080, i); got[s.greens[i]] == 0 || got[s.blues[i]] != 0 {
			s.t.Errorf("test route of %s: got weights %v, want all on green", name, got)
		}
		if got := fmt.Sprint(s.world.Active(name)); got != fmt.Sprintf("[%s:1=%s:v1 %s:2=%s:v2]", name, name, name, name) {
			s.t.Errorf("task definitions of %s: got %s, want the old and one new", name, got)
		}
		green := s.world.Services[name+"-b"]
		if got := RevisionName(*green.TaskDefinition); got != name+":2" || green.RunningCount != 2 {
			s.t.Errorf("green of %s: got %d tasks of %s, want 2 of %s:2", name, green.RunningCount, got, name)
		}
		if got := s.world.Tag(s.greens[i], "cutover:execution") + " " + s.world.Tag(s.greens[i], "cutover:image"); got != execution+" "+name+":v2" {
			s.t.Errorf("tags of green of %s: got %s", name, got)
		}
	}
}

// pipeline takes the reports of a function, as CodePipeline does.
type pipeline struct {
	success *codepipeline.PutJobSuccessResultInput
	failure *codepipeline.PutJobFailureResultInput
}

func (p *pipeline) PutJobSuccessResult(_ context.Context, in *codepipeline.PutJobSuccessResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutJobSuccessResultOutput, error) {
	p.success = in
	return &codepipeline.PutJobSuccessResultOutput{}, nil
}

func (p *pipeline) PutJobFailureResult(_ context.Context, in *codepipeline.PutJobFailureResultInput, _ ...func(*codepipeline.Options)) (*codepipeline.PutJobFailureResultOutput, error) {
	p.failure = in
	return &codepipeline.PutJobFailureResultOutput{}, nil
}

// archive is an S3 with one object, a zip archive of files.
type archive map[string]string

func (a archive) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	var body bytes.Buffer
	w := zip.NewWriter(&body)
	for name, text := range a {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, text)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(&body), ContentLength: aws.Int64(int64(body.Len()))}, nil
}

func (a archive) PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return nil, fmt.Errorf("put object: %w", fs.ErrPermission)
}
