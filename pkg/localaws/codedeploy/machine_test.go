package codedeploy

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"cutover/pkg/localaws/machine"
	"cutover/pkg/localaws/workload"
)

// fleetOf lets agents work in machines.
type fleetOf struct{ *machine.Fleet }

func (f fleetOf) Root(id string) (*os.Root, error) { return f.Fleet.Root(id) }

func (f fleetOf) Run(id, script, dir string, env map[string]string, timeout time.Duration, done func(int, string, string, bool)) (func(), error) {
	return f.Fleet.Run(machine.Run{ID: id, Script: script, Dir: dir, Env: env, Timeout: timeout}, func(r machine.Result) {
		done(r.ExitCode, r.Stdout, r.Stderr, r.TimedOut)
	})
}

func (f fleetOf) AgentActive(id string) bool { return f.Fleet.Active(id, "codedeploy-agent") }

// On a machine with a shell, scripts see what the agent tells them and find what
// was installed; one that fails tells why.
func TestAgent_RunsRealScriptsOnAMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	runner := workload.NewInProcess(w.clock, nil)
	fleet, err := machine.New(machine.Config{Clock: w.clock, Dir: t.TempDir(), Runner: runner})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fleet.Close(); err != nil {
			t.Errorf("close fleet: %v", err)
		}
		if err := runner.Close(); err != nil {
			t.Errorf("close runner: %v", err)
		}
	})
	w.service.Instances = fleetOf{fleet}
	w.setUp(inPlace())
	w.groups["web"].ids = []string{"i-1"}
	const userData = "#!/bin/bash\nwget -q https://aws-codedeploy-us-east-1.s3.us-east-1.amazonaws.com/latest/install\nchmod +x install\n./install auto\n"
	if err := fleet.Launch(machine.Launch{ID: "i-1", UserData: userData}, func(error) {}); err != nil {
		t.Fatal(err)
	}
	files := revisionFiles("one")
	files["scripts/configure.sh"] = "#!/bin/bash\nset -e\necho \"$APPLICATION_NAME $DEPLOYMENT_GROUP_NAME $LIFECYCLE_EVENT\" > /srv/hello/told\n"
	files["scripts/start.sh"] = "#!/bin/bash\ngrep -q one /srv/hello/VERSION\n"
	files["scripts/validate.sh"] = "#!/bin/bash\necho looking\necho 'no answer' >&2\nexit 3\n"
	id := w.deploy("one.zip", files)
	w.await(id, types.DeploymentStatusFailed)

	root, err := fleet.Root("i-1")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if got, err := root.ReadFile("srv/hello/told"); err != nil || string(got) != "hello web AfterInstall\n" {
		t.Errorf("what a script was told: got %q (error %v)", got, err)
	}
	e := w.instance(id, "i-1").LifecycleEvents[9]
	if e.Status != types.LifecycleEventStatusFailed || !strings.HasSuffix(*e.Diagnostics.LogTail, "[stdout]looking\n[stderr]no answer\n") ||
		!strings.HasSuffix(*e.Diagnostics.Message, "failed with exit code 3") {
		t.Errorf("%s: got %s, %s, log %q", *e.LifecycleEventName, e.Status, *e.Diagnostics.Message, *e.Diagnostics.LogTail)
	}
}
