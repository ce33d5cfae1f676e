package cloudformation_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/cloudformation"
	"cutover/pkg/localaws/resource"
)

// TestCLI_Deploy runs the real aws CLI on a clock that runs by itself.
func TestCLI_Deploy(t *testing.T) {
	t.Parallel()
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the aws CLI is not installed")
	}
	w := newWorld(nil)
	running := clock.NewScaled(100)
	s := cloudformation.New(cloudformation.Config{Clock: running, Types: []resource.Type{
		resource.Define("Test::Thing", []string{"Name"}, create[thingProperties](w), create[thingProperties](w), w.delete),
	}})
	url := serve(t, s, running)
	dir := t.TempDir()
	run := func(arguments ...string) (string, error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, cli, arguments...)
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+url, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
			"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret", "AWS_CONFIG_FILE="+filepath.Join(dir, "none"),
			"AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(dir, "none"), "AWS_PAGER=", "NO_PROXY=127.0.0.1")
		out, err := cmd.CombinedOutput()
		return string(bytes.TrimSpace(out)), err
	}
	file := filepath.Join(dir, "demo.yaml")
	deploy := func(template string) (string, error) {
		t.Helper()
		if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
			t.Fatal(err)
		}
		return run("cloudformation", "deploy", "--stack-name", "demo", "--template-file", file, "--no-fail-on-empty-changeset")
	}
	for _, step := range []struct{ name, template, want, calls string }{
		{"create", three, "Successfully created/updated stack - demo", "create A, create B, create C"},
		{"nothing to change", three, "No changes to deploy. Stack demo is up to date", ""},
		{"change", edited(three, "Value: 1}}\n  B", "Value: 2}}\n  B"), "Successfully created/updated stack - demo", "update C"},
	} {
		out, err := deploy(step.template)
		if err != nil || !strings.Contains(out, step.want) {
			t.Fatalf("%s: got %s (error %v), want %q", step.name, out, err, step.want)
		}
		wantCalls(t, w, step.calls)
	}
	if out, err := deploy(edited(three, "!Ref A", "!Ref Z")); err == nil || !strings.Contains(out, "line 7: Outputs.A.Value.Ref: unknown parameter or resource Z") {
		t.Errorf("bad template: got %s (error %v), want its fault", out, err)
	}
}
