package autoscaling_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"cutover/pkg/localaws/autoscaling"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/endpoint/endpointtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	web   = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/0123456789abcdef"
	topic = "arn:aws:sns:us-east-1:111122223333:fleet"
	role  = "arn:aws:iam::111122223333:role/web"
	boot  = 30 * time.Second
	drain = 60 * time.Second
)

// An ec2 is instances and templates in memory: an instance runs once it has
// booted. An image named "ami-bad" makes targets that stay unhealthy.
type ec2 struct {
	clock clock.Clock

	mu        sync.Mutex
	made      int
	instances map[string]*instance
	templates []autoscaling.Template // the versions of lt-1
	fail      error                  // of the next launches
	refuses   int                    // terminations to come
}

type instance struct {
	autoscaling.Instance
	launch  autoscaling.Launch
	running time.Time
}

func (e *ec2) Launch(l autoscaling.Launch) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return "", e.fail
	}
	e.made++
	id := fmt.Sprintf("i-%017x", e.made)
	i := &instance{launch: l, running: e.clock.Now().Add(boot)}
	if l.Configuration != nil {
		i.ImageID, i.InstanceType = l.Configuration.ImageId, l.Configuration.InstanceType
	} else {
		t := e.templates[l.Version-1]
		i.ImageID, i.InstanceType = t.ImageID, t.InstanceType
	}
	if l.ImageID != "" {
		i.ImageID = l.ImageID
	}
	if l.InstanceType != "" {
		i.InstanceType = l.InstanceType
	}
	i.State, i.Subnet, i.Zone = "pending", l.Subnet, l.Zone
	e.instances[id] = i
	return id, nil
}

func (e *ec2) Terminate(id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refuses > 0 {
		e.refuses--
		return errors.New("Request limit exceeded.")
	}
	e.instances[id].State = "terminated"
	return nil
}

func (e *ec2) set(id, state string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.instances[id].State = state
}

func (e *ec2) Instance(id string) (autoscaling.Instance, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, ok := e.instances[id]
	if !ok {
		return autoscaling.Instance{}, false
	}
	if i.State == "pending" && !e.clock.Now().Before(i.running) {
		i.State = "running"
	}
	return i.Instance, true
}

func (e *ec2) Template(idOrName, version string) (autoscaling.Template, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if idOrName != "lt-1" && idOrName != "web" {
		return autoscaling.Template{}, fmt.Errorf("The specified launch template, with template ID %s, does not exist.", idOrName)
	}
	switch version {
	case "$Latest":
		return e.templates[len(e.templates)-1], nil
	case "", "$Default":
		return e.templates[0], nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || n > len(e.templates) {
		return autoscaling.Template{}, errors.New("Invalid launch template version")
	}
	return e.templates[n-1], nil
}

func (e *ec2) Role(string) string { return role }

// version adds a version of lt-1 and returns its number.
func (e *ec2) version(image string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.templates) + 1
	e.templates = append(e.templates, autoscaling.Template{ID: "lt-1", Name: "web", Number: int64(n), ImageID: image, InstanceType: "t3.micro", RoleARN: role})
	return strconv.Itoa(n)
}

// live lists the images of the instances that are not terminated.
func (e *ec2) live() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	images := map[string]int{}
	for _, i := range e.instances {
		if i.State != "terminated" {
			images[i.ImageID]++
		}
	}
	return images
}

// An elb is target groups in memory. A target that has left drains for a while.
type elb struct {
	clock clock.Clock
	ec2   *ec2

	mu      sync.Mutex
	targets map[string]time.Time // when it began to drain, by group and instance
	sick    map[string]bool
	refuses int // registrations to come
}

func (b *elb) Exists(arn string) bool { return arn == web }

func (b *elb) Register(arn, id string, port int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if port != 0 {
		return fmt.Errorf("got port %d, want the group's own", port)
	}
	if b.refuses > 0 {
		b.refuses--
		return errors.New("Rate exceeded")
	}
	b.targets[arn+"/"+id] = time.Time{}
	return nil
}

func (b *elb) Deregister(arn, id string, _ int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, ok := b.targets[arn+"/"+id]; ok && at.IsZero() {
		b.targets[arn+"/"+id] = b.clock.Now()
	}
	return nil
}

func (b *elb) Health(arn, id string, _ int) (state, description string) {
	i, _ := b.ec2.Instance(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	since, ok := b.targets[arn+"/"+id]
	switch {
	case !ok || !since.IsZero() && !b.clock.Now().Before(since.Add(drain)):
		return "", ""
	case !since.IsZero():
		return "draining", ""
	case b.sick[id] || i.ImageID == "ami-bad":
		return "unhealthy", "Health checks failed"
	}
	return "healthy", ""
}

func (b *elb) sicken(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sick[id] = true
}

// count is how many targets a group has that do not drain.
func (b *elb) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, since := range b.targets {
		if since.IsZero() {
			n++
		}
	}
	return n
}

// A told is what topics, the event bus and alarms have to say.
type told struct {
	mu       sync.Mutex
	messages []map[string]any
	events   []string
	alarm    string
}

func (n *told) Publish(topicARN, subject, message string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if topicARN != topic {
		return errors.New("topic does not exist")
	}
	m := map[string]any{}
	if err := json.Unmarshal([]byte(message), &m); err != nil {
		return err
	}
	m["Subject"] = subject
	n.messages = append(n.messages, m)
	return nil
}

func (n *told) InAlarm(names []string) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.alarm, slices.Contains(names, n.alarm)
}

func (n *told) raise(alarm string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alarm = alarm
}

func (n *told) count(event string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := 0
	for _, e := range n.events {
		if e == event {
			c++
		}
	}
	return c
}

func (n *told) kinds() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, m := range n.messages {
		all = append(all, m["Event"].(string))
	}
	return all
}

type bus struct{ *told }

func (b bus) Publish(source, detailType string, resources []string, detail any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := json.Marshal(detail); err != nil || source != "aws.autoscaling" || len(resources) == 0 {
		detailType = fmt.Sprintf("malformed event %s: %v", detailType, err)
	}
	b.events = append(b.events, detailType)
}

// A world is an Auto Scaling service with a template lt-1 (web) that launches ami-1.
type world struct {
	*sdk.Client
	clock    *clock.Manual
	service  *autoscaling.Service
	endpoint *endpoint.Endpoint
	ec2      *ec2
	elb      *elb
	told     *told
}

func newWorld(t *testing.T, change ...func(*autoscaling.Config)) *world {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	w := newWorldOn(t, c, change...)
	w.clock = c
	return w
}

// newWorldOn makes a world on any clock.
func newWorldOn(t *testing.T, c clock.Clock, change ...func(*autoscaling.Config)) *world {
	t.Helper()
	w := &world{ec2: &ec2{clock: c, instances: map[string]*instance{}}, told: &told{}}
	w.elb = &elb{clock: c, ec2: w.ec2, targets: map[string]time.Time{}, sick: map[string]bool{}}
	w.ec2.version("ami-1")
	config := autoscaling.Config{
		Clock: c, Region: "us-east-1", Account: "111122223333", Instances: w.ec2, TargetGroups: w.elb, Topics: w.told, Events: bus{w.told}, Alarms: w.told,
		Subnet: func(id string) (vpc, zone string, ok bool) {
			zone, ok = map[string]string{"subnet-a": "us-east-1a", "subnet-b": "us-east-1b"}[id]
			return "vpc-1", zone, ok
		},
	}
	for _, f := range change {
		f(&config)
	}
	w.service = autoscaling.New(config)
	t.Cleanup(w.service.Close)
	served, e := endpointtest.Serve(t, c, w.service.Wire())
	w.Client, w.endpoint = sdk.NewFromConfig(served, func(o *sdk.Options) { o.RetryMaxAttempts = 1 }), e
	return w
}

func template(version string) *types.LaunchTemplateSpecification {
	return &types.LaunchTemplateSpecification{LaunchTemplateId: aws.String("lt-1"), Version: aws.String(version)}
}

// fleet makes a group "fleet" of n instances behind the target group web, and
// waits until they are in service.
func (w *world) fleet(t *testing.T, n int, change ...func(*sdk.CreateAutoScalingGroupInput)) {
	t.Helper()
	in := &sdk.CreateAutoScalingGroupInput{
		AutoScalingGroupName: aws.String("fleet"), MinSize: aws.Int32(0), MaxSize: aws.Int32(20), DesiredCapacity: aws.Int32(int32(n)), LaunchTemplate: template("1"),
		VPCZoneIdentifier: aws.String("subnet-a,subnet-b"), TargetGroupARNs: []string{web}, HealthCheckType: aws.String("ELB"), HealthCheckGracePeriod: aws.Int32(60),
		DefaultInstanceWarmup: aws.Int32(30),
	}
	for _, f := range change {
		f(in)
	}
	if _, err := w.CreateAutoScalingGroup(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	w.await(t, 5*time.Minute, "the fleet in service", func() bool { return len(w.service.InService("fleet")) == n })
	w.clock.Advance(time.Minute)
}

func (w *world) await(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	if !w.clock.AdvanceUntil(limit, done) {
		t.Fatalf("waited %v for %s; the group is %s", limit, what, w.picture(t))
	}
}

// picture is the group in one line, for messages of tests that fail.
func (w *world) picture(t *testing.T) string {
	t.Helper()
	out, err := w.DescribeAutoScalingGroups(t.Context(), &sdk.DescribeAutoScalingGroupsInput{})
	if err != nil || len(out.AutoScalingGroups) == 0 {
		return fmt.Sprintf("gone (%v)", err)
	}
	text := ""
	for _, i := range out.AutoScalingGroups[0].Instances {
		text += fmt.Sprintf("%s %s %s %s; ", *i.InstanceId, i.LifecycleState, *i.HealthStatus, aws.ToString(i.ImageId))
	}
	refreshes, err := w.DescribeInstanceRefreshes(t.Context(), &sdk.DescribeInstanceRefreshesInput{AutoScalingGroupName: out.AutoScalingGroups[0].AutoScalingGroupName})
	if err == nil && len(refreshes.InstanceRefreshes) > 0 {
		r := refreshes.InstanceRefreshes[0]
		text += fmt.Sprintf("refresh %s %d%%: %s", r.Status, aws.ToInt32(r.PercentageComplete), aws.ToString(r.StatusReason))
	}
	return text
}

func (w *world) group(t *testing.T) types.AutoScalingGroup {
	t.Helper()
	out, err := w.DescribeAutoScalingGroups(t.Context(), &sdk.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"fleet"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.AutoScalingGroups) != 1 {
		t.Fatalf("groups: got %d, want fleet alone", len(out.AutoScalingGroups))
	}
	return out.AutoScalingGroups[0]
}

func (w *world) activities(t *testing.T) []types.Activity {
	t.Helper()
	out, err := w.DescribeScalingActivities(t.Context(), &sdk.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String("fleet")})
	if err != nil {
		t.Fatal(err)
	}
	return out.Activities
}

// images counts the group's instances in service by image.
func (w *world) images(t *testing.T) map[string]int {
	t.Helper()
	images := map[string]int{}
	for _, i := range w.group(t).Instances {
		if i.LifecycleState == types.LifecycleStateInService {
			images[*i.ImageId]++
		}
	}
	return images
}

func (w *world) is(t *testing.T, want map[string]int) bool {
	t.Helper()
	return maps.Equal(w.images(t), want) && maps.Equal(w.ec2.live(), want)
}

// wantCode checks AWS's error code.
func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if refusal, ok := errors.AsType[smithy.APIError](err); !ok || refusal.ErrorCode() != code {
		t.Errorf("%s: got error %v, want %s", what, err, code)
	}
}
