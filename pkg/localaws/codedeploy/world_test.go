package codedeploy

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/wire"
)

const (
	serviceRole = "arn:aws:iam::111122223333:role/codedeploy"
	topicARN    = "arn:aws:sns:us-east-1:111122223333:releases"
	webARN      = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0123456789abcdef"
)

// A world is a service among fakes, on a clock that stands still, and the SDK's
// client of it.
type world struct {
	t       *testing.T
	mu      sync.Mutex // guards what follows it, on clocks that run by themselves
	clock   *clock.Manual
	pace    clock.Clock // the one that everything runs on
	service *Service
	client  *codedeploy.Client

	groups    map[string]*scaling
	launched  int
	launches  bool                // new instances come into service
	deletes   []string            // Auto Scaling groups, in order
	stuck     bool                // which cannot be deleted
	processes map[string][]string // suspended, by group
	attached  map[string][]string

	health   map[string]string // by instance, "" being not registered
	traffic  []string          // what became of instances
	sick     bool              // new targets never become healthy
	noGroups bool              // there are no target groups

	disks   string
	agents  func(id string) bool
	scripts map[string]outcome // by the end of their path
	ran     []execution
	objects map[string][]byte
	alarm   string // in alarm
	denied  string // an action
	sent    []message
	events  []string
}

type scaling struct{ ids []string }

// An outcome is what a script does, after a while.
type outcome struct {
	exit           int
	stdout, stderr string
	after          time.Duration
}

type execution struct {
	id, script, dir string
	env             map[string]string
	cancelled       bool
}

type message struct {
	topic, subject string
	body           map[string]any
}

func newWorld(t *testing.T) *world {
	c := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := newWorldAt(t, c)
	w.clock = c
	return w
}

// newWorldAt makes a world at the pace of any clock.
func newWorldAt(t *testing.T, pace clock.Clock) *world {
	w := &world{
		t: t, pace: pace,
		groups: map[string]*scaling{"web": {ids: []string{"i-1", "i-2"}}}, launches: true, launched: 2,
		processes: map[string][]string{}, attached: map[string][]string{}, health: map[string]string{"i-1": "healthy", "i-2": "healthy"},
		disks: t.TempDir(), agents: func(string) bool { return true }, scripts: map[string]outcome{}, objects: map[string][]byte{},
	}
	w.service = New(Config{
		Clock: pace, Region: "us-east-1", Account: "111122223333",
		Groups: w, TargetGroups: balancer{w}, Instances: machines{w}, Objects: w, Alarms: w, Topics: w, Events: bus{w}, Roles: w,
	})
	config, _ := endpointtest.Serve(t, pace, w.service.Wire())
	w.client = codedeploy.NewFromConfig(config)
	t.Cleanup(w.service.Close)
	return w
}

// Auto Scaling.

func (w *world) Copy(from, to string, capacity int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.groups[from] == nil {
		return errors.New("no such group")
	}
	made := &scaling{}
	w.groups[to] = made
	if !w.launches {
		return nil
	}
	w.pace.AfterFunc(time.Minute, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for range capacity {
			w.launched++
			made.ids = append(made.ids, fmt.Sprintf("i-%d", w.launched))
		}
	})
	return nil
}

func (w *world) InService(name string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.groups[name]; g != nil {
		return slices.Clone(g.ids)
	}
	return nil
}

func (w *world) AttachTargetGroups(name string, arns []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached[name] = append(w.attached[name], arns...)
	return nil
}

func (w *world) DetachTargetGroups(name string, arns []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached[name] = slices.DeleteFunc(w.attached[name], func(arn string) bool { return slices.Contains(arns, arn) })
	return nil
}

func (w *world) Suspend(name string, processes ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[name] = append(w.processes[name], processes...)
	return nil
}

func (w *world) Resume(name string, processes ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.processes[name] = slices.DeleteFunc(w.processes[name], func(p string) bool { return slices.Contains(processes, p) })
	return nil
}

func (w *world) Delete(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stuck {
		return errors.New("it has activities in progress")
	}
	w.deletes = append(w.deletes, name)
	w.pace.AfterFunc(30*time.Second, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.groups, name)
	})
	return nil
}

func (w *world) Exists(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.groups[name] != nil
}

// Elastic Load Balancing: targets become healthy and drained in 20 s.

type balancer struct{ *world }

func (b balancer) Find(name string) (string, int, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return webARN, 8080, name == "web" && !b.noGroups
}

func (b balancer) Register(arn, id string, port int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if arn != webARN || port != 8080 {
		return errors.New("no such target group")
	}
	b.traffic = append(b.traffic, "+"+id)
	b.health[id] = "initial"
	b.pace.AfterFunc(20*time.Second, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.health[id] == "initial" && b.sick && id != "i-1" && id != "i-2" {
			b.health[id] = "unhealthy"
		} else if b.health[id] == "initial" {
			b.health[id] = "healthy"
		}
	})
	return nil
}

func (b balancer) Deregister(_, id string, _ int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.traffic = append(b.traffic, "-"+id)
	b.health[id] = "draining"
	b.pace.AfterFunc(20*time.Second, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.health[id] == "draining" {
			delete(b.health, id)
		}
	})
	return nil
}

func (b balancer) Health(_, id string, _ int) (string, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.health[id], "as it is"
}

// The inside of instances.

type machines struct{ *world }

func (m machines) Root(id string) (*os.Root, error) {
	if err := os.MkdirAll(m.disk(id), 0o755); err != nil {
		return nil, err
	}
	return os.OpenRoot(m.disk(id))
}

func (m machines) Run(id, script, dir string, env map[string]string, timeout time.Duration, done func(int, string, string, bool)) (func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := len(m.ran)
	m.world.ran = append(m.ran, execution{id: id, script: strings.Trim(script, "'"), dir: dir, env: env})
	var does outcome
	for name, o := range m.scripts {
		if strings.HasSuffix(strings.Trim(script, "'"), name) {
			does = o
		}
	}
	late := does.after > timeout
	timer := m.pace.AfterFunc(min(does.after, timeout), func() { done(does.exit, does.stdout, does.stderr, late) })
	return func() {
		timer.Stop()
		m.mu.Lock()
		m.ran[at].cancelled = true
		m.mu.Unlock()
		done(-1, "", "", false)
	}, nil
}

func (m machines) AgentActive(id string) bool { return m.agents(id) }

func (w *world) disk(id string) string { return filepath.Join(w.disks, id) }

// read reads a file of an instance; "" if there is none.
func (w *world) read(id, file string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.disk(id), file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(text)
}

// The other services.

func (w *world) Get(bucket, key string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, ok := w.objects[bucket+"/"+key]
	if !ok {
		return nil, errors.New("The specified key does not exist.")
	}
	return body, nil
}

func (w *world) InAlarm(names []string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alarm, w.alarm != "" && slices.Contains(names, w.alarm)
}

func (w *world) Publish(topic, subject, text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := message{topic: topic, subject: subject}
	if err := json.Unmarshal([]byte(text), &m.body); err != nil {
		return err
	}
	w.sent = append(w.sent, m)
	return nil
}

type bus struct{ *world }

func (b bus) Publish(source, detailType string, resources []string, detail any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := detail.(map[string]any)
	if source != "aws.codedeploy" || len(resources) != 2 || d["application"] != "hello" {
		b.t.Errorf("event: got %s %v %v", source, resources, d)
	}
	b.world.events = append(b.events, fmt.Sprint(strings.Fields(detailType)[1], " ", d["state"]))
}

func (w *world) RoleAllows(role string, a wire.Access) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return role == serviceRole && a.Action != w.denied
}

// Revisions and groups to test with.

const spec = `version: 0.0
os: linux
files:
  - source: app
    destination: /srv/hello
hooks:
  ApplicationStop: [{location: scripts/stop.sh, timeout: 60}]
  AfterInstall: [{location: scripts/configure.sh, timeout: 300, runas: root}]
  ApplicationStart: [{location: scripts/start.sh, timeout: 300}]
  ValidateService: [{location: scripts/validate.sh, timeout: 300}]
  BeforeBlockTraffic: [{location: scripts/drain.sh, timeout: 60}]
`

func revisionFiles(version string) map[string]string {
	return map[string]string{
		"appspec.yml": spec, "app/VERSION": version, "app/bin/hello": "#!/bin/sh\n",
		"scripts/stop.sh": "stop", "scripts/configure.sh": "configure", "scripts/start.sh": "start",
		"scripts/validate.sh": "validate", "scripts/drain.sh": "drain",
	}
}

func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var body bytes.Buffer
	z := zip.NewWriter(&body)
	for name := range sorted(files) {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o640)
		if strings.HasSuffix(name, "bin/hello") {
			header.SetMode(0o755)
		}
		f, err := z.CreateHeader(header)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

func revisionAt(key string) *types.RevisionLocation {
	return &types.RevisionLocation{RevisionType: types.RevisionLocationTypeS3, S3Location: &types.S3Location{
		Bucket: aws.String("artifacts"), Key: aws.String(key), BundleType: types.BundleTypeZip,
	}}
}

func blueGreen(wait int32) *codedeploy.CreateDeploymentGroupInput {
	return &codedeploy.CreateDeploymentGroupInput{
		ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web"), ServiceRoleArn: aws.String(serviceRole),
		DeploymentConfigName: aws.String("CodeDeployDefault.AllAtOnce"), AutoScalingGroups: []string{"web"},
		DeploymentStyle: &types.DeploymentStyle{
			DeploymentType: types.DeploymentTypeBlueGreen, DeploymentOption: types.DeploymentOptionWithTrafficControl,
		},
		LoadBalancerInfo: &types.LoadBalancerInfo{TargetGroupInfoList: []types.TargetGroupInfo{{Name: aws.String("web")}}},
		BlueGreenDeploymentConfiguration: &types.BlueGreenDeploymentConfiguration{
			GreenFleetProvisioningOption:              &types.GreenFleetProvisioningOption{Action: types.GreenFleetProvisioningActionCopyAutoScalingGroup},
			DeploymentReadyOption:                     &types.DeploymentReadyOption{ActionOnTimeout: types.DeploymentReadyActionContinueDeployment},
			TerminateBlueInstancesOnDeploymentSuccess: &types.BlueInstanceTerminationOption{Action: types.InstanceActionTerminate, TerminationWaitTimeInMinutes: wait},
		},
		AutoRollbackConfiguration: &types.AutoRollbackConfiguration{Enabled: true, Events: []types.AutoRollbackEvent{
			types.AutoRollbackEventDeploymentFailure, types.AutoRollbackEventDeploymentStopOnAlarm,
		}},
	}
}

func inPlace() *codedeploy.CreateDeploymentGroupInput {
	in := blueGreen(0)
	in.DeploymentStyle.DeploymentType = types.DeploymentTypeInPlace
	in.BlueGreenDeploymentConfiguration = nil
	return in
}

// setUp makes the application and its group.
func (w *world) setUp(in *codedeploy.CreateDeploymentGroupInput) {
	w.t.Helper()
	if _, err := w.client.CreateApplication(w.t.Context(), &codedeploy.CreateApplicationInput{ApplicationName: in.ApplicationName}); err != nil {
		w.t.Fatalf("create application: %v", err)
	}
	if _, err := w.client.CreateDeploymentGroup(w.t.Context(), in); err != nil {
		w.t.Fatalf("create deployment group: %v", err)
	}
}

// deploy begins to deploy a revision and returns the deployment's id.
func (w *world) deploy(key string, files map[string]string) string {
	w.t.Helper()
	w.objects["artifacts/"+key] = zipped(w.t, files)
	out, err := w.client.CreateDeployment(w.t.Context(), &codedeploy.CreateDeploymentInput{
		ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web"), Revision: revisionAt(key),
	})
	if err != nil {
		w.t.Fatalf("create deployment: %v", err)
	}
	return *out.DeploymentId
}

func (w *world) deployment(id string) *types.DeploymentInfo {
	w.t.Helper()
	out, err := w.client.GetDeployment(context.WithoutCancel(w.t.Context()), &codedeploy.GetDeploymentInput{DeploymentId: &id})
	if err != nil {
		w.t.Fatalf("get deployment: %v", err)
	}
	return out.DeploymentInfo
}

// await moves the clock until a deployment has a status.
func (w *world) await(id string, status types.DeploymentStatus) *types.DeploymentInfo {
	w.t.Helper()
	is := func() bool {
		w.service.mu.Lock()
		defer w.service.mu.Unlock()
		return w.service.findLocked(id).info.Status == string(status)
	}
	if !w.clock.AdvanceUntil(100*time.Hour, is) {
		d := w.deployment(id)
		w.t.Fatalf("status of deployment: got %s (%+v), want %s", d.Status, d.ErrorInformation, status)
	}
	return w.deployment(id)
}

func (w *world) instance(deployment, id string) *types.InstanceTarget {
	w.t.Helper()
	out, err := w.client.GetDeploymentTarget(w.t.Context(), &codedeploy.GetDeploymentTargetInput{DeploymentId: &deployment, TargetId: &id})
	if err != nil {
		w.t.Fatalf("get deployment target: %v", err)
	}
	return out.DeploymentTarget.InstanceTarget
}

// eventsOf lists an instance's lifecycle events as NAME STATUS.
func (w *world) eventsOf(deployment, id string) []string {
	w.t.Helper()
	var all []string
	for _, e := range w.instance(deployment, id).LifecycleEvents {
		all = append(all, *e.LifecycleEventName+" "+string(e.Status))
	}
	return all
}

func (w *world) group() *types.DeploymentGroupInfo {
	w.t.Helper()
	out, err := w.client.GetDeploymentGroup(w.t.Context(), &codedeploy.GetDeploymentGroupInput{ApplicationName: aws.String("hello"), DeploymentGroupName: aws.String("web")})
	if err != nil {
		w.t.Fatalf("get deployment group: %v", err)
	}
	return out.DeploymentGroupInfo
}
