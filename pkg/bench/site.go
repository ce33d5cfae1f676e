package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"cutover/pkg/localaws"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/cloudformation/sam"
	"cutover/pkg/localaws/codepipeline"
	"cutover/pkg/localaws/endpoint"
)

const (
	app   = "hello" // the pipeline, the load balancer and the repository have this name
	speed = 60      // of AWS's timers, as `cutover local run` has it
)

// A site is an embedded AWS with the pipeline deployed. Functions and tasks are
// real processes; only the build is left out: its images are made beforehand.
type site struct {
	cloud  *localaws.Cloud
	images images

	events chan codepipeline.Event // those that somebody has to act on

	mu      sync.Mutex
	release int                       // that the source holds
	calls   map[string]map[string]int // by action, then by operation
}

// newSite deploys everything into a new embedded AWS.
func newSite(ctx context.Context, built artifacts) (_ *site, err error) {
	s := &site{calls: map[string]map[string]int{}, events: make(chan codepipeline.Event, 1000)}
	s.cloud, err = localaws.New(localaws.Config{
		Clock: clock.NewScaled(speed), Dir: filepath.Join(built.dir, "aws"), Repositories: s, Builds: s, Observe: s.count,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.cloud.Close())
		}
	}()
	s.images = images{host: s.cloud.Host(), apps: built.apps}
	s.cloud.CodePipeline.Watch(s.hear)
	return s, s.deploy(ctx, built.functions)
}

// deploy creates the stacks in the order in which they need each other.
func (s *site) deploy(ctx context.Context, functions []function) error {
	if err := s.cloud.S3.CreateBucket("code"); err != nil {
		return err
	}
	for _, f := range functions {
		code, err := os.ReadFile(f.zip)
		if err != nil {
			return fmt.Errorf("read code: %w", err)
		}
		if err := s.cloud.S3.Put("code", f.id, code); err != nil {
			return err
		}
	}
	architecture := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	for _, stack := range []struct {
		name, file string
		parameters map[string]string
	}{
		{app + "-network", "infra/network.yaml", map[string]string{"Name": app}},
		{app + "-ecs", "infra/ecs.yaml", map[string]string{"Name": app, "Architecture": architecture}},
		{app + "-functions", "template.yaml", map[string]string{"Architecture": architecture}},
		{app + "-pipeline", "infra/pipeline.yaml", map[string]string{"Name": app}},
	} {
		template, err := os.ReadFile(stack.file)
		if err != nil {
			return fmt.Errorf("read template: %w", err)
		}
		if stack.file == "template.yaml" {
			if template, err = sam.Package(template, func(id string) (string, error) { return "s3://code/" + id, nil }); err != nil {
				return err
			}
		}
		if err := s.cloud.CloudFormation.Deploy(ctx, cloudformation.Stack{Name: stack.name, Template: template, Parameters: stack.parameters}); err != nil {
			return err
		}
	}
	return nil
}

// Archive implements codepipeline.Repositories: the source is the number of the
// release.
func (s *site) Archive(_, _ string) (codepipeline.Commit, []byte, error) {
	s.mu.Lock()
	release := s.release
	s.mu.Unlock()
	if release == 0 { // a pipeline starts by itself once it is made
		return codepipeline.Commit{}, nil, errors.New("BranchDoesNotExistException: no commit yet")
	}
	archive, err := zipOf("RELEASE", fmt.Sprint(release))
	return codepipeline.Commit{ID: fmt.Sprintf("%040x", release), Message: fmt.Sprintf("Release %d", release)}, archive, err
}

// Run implements codepipeline.Builds: the build of a source is its image.
func (s *site) Run(b codepipeline.Build, done func(codepipeline.Outcome)) (string, error) {
	text, err := unzip(b.Source, "RELEASE")
	if err != nil {
		return "", err
	}
	image, err := s.images.named(text)
	if err != nil {
		return "", err
	}
	artifact, err := zipOf("imageDetail.json", fmt.Sprintf(`{"ImageURI": %q}`, image))
	if err != nil {
		return "", err
	}
	id := b.Project + ":" + text
	done(codepipeline.Outcome{BuildID: id, Succeeded: true, Artifact: artifact})
	return id, nil
}

// count notes what a function asked of AWS: its role carries the action's name,
// and the job's artifacts are read with the pipeline's role.
func (s *site) count(c endpoint.Call) {
	action := ""
	switch role := c.Principal.RoleName(); {
	case strings.Contains(role, "DeployGreenRole"), c.Service == "s3" && strings.Contains(role, "PipelineRole"):
		action = "DeployGreen"
	case strings.Contains(role, "SwapListenerRole"):
		action = "SwapListener"
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[action] == nil {
		s.calls[action] = map[string]int{}
	}
	s.calls[action][c.Service+":"+c.Operation]++
}

// takeCalls are the calls since it was last asked.
func (s *site) takeCalls() map[string]map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := maps.Clone(s.calls)
	clear(s.calls)
	return calls
}

// hear takes CodePipeline's news, and must not wait: of each release there are
// few that matter, and room for many.
func (s *site) hear(e codepipeline.Event) {
	if e.Stage == "" || e.Error != nil || e.Token != "" {
		s.events <- e
	}
}

// releaseNext takes a release through the pipeline, approves it, and returns its
// execution.
func (s *site) releaseNext(ctx context.Context, release int) (id string, err error) {
	s.mu.Lock()
	s.release = release
	s.mu.Unlock()
	started, err := s.cloud.CodePipeline.StartPipelineExecution(ctx, &codepipeline.StartPipelineExecutionInput{Name: app})
	if err != nil {
		return "", fmt.Errorf("start release %d: %w", release, err)
	}
	id = started.PipelineExecutionId
	var why []string
	for {
		var e codepipeline.Event
		select {
		case <-ctx.Done():
			return id, fmt.Errorf("follow release %d: %w", release, context.Cause(ctx))
		case e = <-s.events:
		}
		if e.ExecutionID != id {
			continue
		}
		if e.Error != nil {
			why = append(why, e.Action+": "+e.Error.Message)
		}
		switch {
		case e.Action != "" && e.Token != "" && e.Status == "InProgress":
			if err := s.approve(ctx, e); err != nil {
				return id, fmt.Errorf("approve release %d: %w", release, err)
			}
		case e.Stage == "" && e.Status == "Succeeded":
			return id, nil
		case e.Stage == "" && e.Status != "InProgress":
			return id, fmt.Errorf("release %d ended as %s: %s", release, e.Status, strings.Join(why, "; "))
		}
	}
}

func (s *site) approve(ctx context.Context, e codepipeline.Event) error {
	summary := "measured"
	_, err := s.cloud.CodePipeline.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{
		PipelineName: e.Pipeline, StageName: e.Stage, ActionName: e.Action, Token: e.Token,
		Result: codepipeline.ApprovalResult{Status: "Approved", Summary: &summary},
	})
	return err
}

func zipOf(name, text string) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(f, text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unzip(archive []byte, name string) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", err
	}
	f, err := z.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}
