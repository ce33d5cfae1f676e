package goldenami

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	fake "cutover/pkg/fleet/fleettest"
)

// errCut is of the network, so that what is not the job's failure is tried again.
var errCut = fmt.Errorf("read: %w", syscall.ECONNRESET)

// A scenario is a world in which every change of the action is due.
type scenario struct {
	params func() Params
	world  func() *fake.World
}

func scenarios() map[string]scenario {
	return map[string]scenario{
		"template": {params: pruning, world: aged},
		"refresh": {world: aged, params: func() Params {
			p := pruning()
			p.Rollout, p.Refresh = rolloutRefresh, &Refresh{AutoRollback: true}
			return p
		}},
		"launch configuration": {params: params, world: configured},
	}
}

// pruning keeps one image and what is in use.
func pruning() Params {
	p := params()
	p.Keep = 1
	return p
}

// aged is a world with two old images of the fleet, one of them with a template
// version made here.
func aged() *fake.World {
	w := fake.New()
	w.Groups[fake.Group].LaunchTemplate.Version = ptr("$Latest")
	for _, id := range []string{"ami-0a", "ami-0b"} {
		w.AddImage(id, map[string]string{TagFleet: fake.Group})
	}
	v := w.Templates[fake.Template][0]
	data := fake.Data("ami-0b")
	v.LaunchTemplateData, v.VersionNumber, v.VersionDescription, v.DefaultVersion = &data, ptr(int64(2)), ptr("cutover: version 1 with ami-0b"), ptr(false)
	newest := w.Templates[fake.Template][0]
	newest.VersionNumber, newest.DefaultVersion = ptr(int64(3)), ptr(false)
	w.Templates[fake.Template] = append(w.Templates[fake.Template], v, newest)
	return w
}

// configured is a world whose group has a launch configuration.
func configured() *fake.World {
	w := fake.New()
	w.Configurations["web-lc"] = &types.LaunchConfiguration{
		LaunchConfigurationName: ptr("web-lc"), ImageId: ptr(fake.OldImage), InstanceType: ptr("t3.micro"), KeyName: ptr("ops"),
		SecurityGroups: []string{"sg-1", "sg-2"}, UserData: ptr("IyEvYmluL3No"), SpotPrice: ptr("0.01"), IamInstanceProfile: ptr("web"),
		EbsOptimized: ptr(true), AssociatePublicIpAddress: ptr(false), PlacementTenancy: ptr("default"), CreatedTime: ptr(w.Now),
		InstanceMonitoring: &types.InstanceMonitoring{Enabled: ptr(true)},
		MetadataOptions:    &types.InstanceMetadataOptions{HttpTokens: types.InstanceMetadataHttpTokensStateRequired},
		BlockDeviceMappings: []types.BlockDeviceMapping{
			{DeviceName: ptr("/dev/xvda"), Ebs: &types.Ebs{SnapshotId: ptr("snap-old-root"), VolumeSize: ptr(int32(20))}},
			{DeviceName: ptr("/dev/xvdb"), Ebs: &types.Ebs{SnapshotId: ptr("snap-data")}},
		},
	}
	g := w.Groups[fake.Group]
	g.LaunchTemplate, g.LaunchConfigurationName = nil, ptr("web-lc")
	for i := range g.Instances {
		g.Instances[i].LaunchTemplate, g.Instances[i].LaunchConfigurationName = nil, ptr("web-lc")
	}
	return w
}

// clean is an undisturbed run: the calls that it makes, and its world.
func clean(t *testing.T, s scenario) (calls []string, end string) {
	t.Helper()
	w := s.world()
	if _, err := begin(t, w, s.params(), "attempt-1").follow(); err != nil {
		t.Fatalf("clean run: %v", err)
	}
	calls = w.Calls()
	return calls, theWorld(t, w)
}

// theWorld is all of it that a crash must not change.
func theWorld(t *testing.T, w *fake.World) string {
	t.Helper()
	if v := w.Violations(); len(v) > 0 {
		t.Errorf("violations: %v", v)
	}
	launched := w.Launched(fake.Group)
	for id, i := range w.Images {
		if id == launched {
			i.CreationDate = nil
		}
	}
	for _, g := range w.Groups {
		for i := range g.Instances {
			g.Instances[i].InstanceId = ptr(*w.Instances[*g.Instances[i].InstanceId].ImageId)
		}
	}
	for _, c := range w.Configurations {
		c.CreatedTime = nil
	}
	for _, i := range w.Images {
		i.Tags = sorted(i.Tags)
	}
	text, err := json.MarshalIndent(map[string]any{
		"bakes": len(w.Bakes), "groups": w.Groups, "templates": w.Templates, "configurations": w.Configurations,
		"images": w.Images, "snapshots": w.Snapshots, "parameters": w.Parameters, "refreshes": len(w.Refreshes),
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func sorted(tags []ec2types.Tag) []ec2types.Tag {
	all := map[string]string{}
	for _, t := range tags {
		all[*t.Key] = *t.Value
	}
	var out []ec2types.Tag
	for _, key := range sortedKeys(all) {
		out = append(out, ec2types.Tag{Key: ptr(key), Value: ptr(all[key])})
	}
	return out
}

// persevere ticks through errors: with the same state, as after a network
// fault, or from the beginning, as after a console retry. One report is
// accepted: the last tick's.
func persevere(t *testing.T, a *attempt, retry bool) {
	t.Helper()
	for n := range 100 {
		r, err := a.tick()
		switch {
		case err != nil && retry:
			fresh := begin(t, a.w, a.job.Params, fmt.Sprintf("retry-%d", n))
			a.job, a.state = fresh.job, State{}
		case err != nil:
		case r.Done():
			return
		default:
			a.state, a.job.ID = r.State(), "later"
		}
		a.w.Advance()
	}
	t.Fatal("not over after 100 ticks")
}

func TestCrash_AtAnyCallEndsInTheSameWorld(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		calls, want := clean(t, s)
		for nth := 1; nth <= len(calls); nth++ {
			for _, lost := range []bool{false, true} {
				if lost && isRead(calls[nth-1]) { // its answer is all there is to lose
					continue
				}
				for _, retry := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, call %d, answer lost %t, retried %t", name, nth, lost, retry), func(t *testing.T) {
						t.Parallel()
						w, n := s.world(), 0
						cut := func(string) error {
							if n++; n == nth {
								return errCut
							}
							return nil
						}
						if lost {
							w.After = cut
						} else {
							w.Before = cut
						}
						persevere(t, begin(t, w, s.params(), "attempt-1"), retry)
						w.Before, w.After = nil, nil
						equal(t, "world", theWorld(t, w), want)
					})
				}
			}
		}
	}
}

func isRead(call string) bool {
	return strings.HasPrefix(call, "Describe") || strings.HasPrefix(call, "Get")
}

// A second delivery of the tick runs whole inside every call of the first:
// before it, and after it.
func TestCrash_TwoDeliveriesAtOnceEndInTheSameWorld(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		calls, want := clean(t, s)
		for nth := 1; nth <= len(calls); nth++ {
			for _, after := range []bool{false, true} {
				if after && isRead(calls[nth-1]) { // the same as before the next call
					continue
				}
				t.Run(fmt.Sprintf("%s, inside call %d, after it %t", name, nth, after), func(t *testing.T) {
					t.Parallel()
					w, n := s.world(), 0
					a := begin(t, w, s.params(), "attempt-1")
					twin := func(string) error {
						if n++; n == nth {
							b := *a
							if _, err := b.tick(); err != nil {
								t.Errorf("second delivery: %v", err)
							}
						}
						return nil
					}
					if after {
						w.After = twin
					} else {
						w.Before = twin
					}
					persevere(t, a, false)
					w.Before, w.After = nil, nil
					equal(t, "world", theWorld(t, w), want)
				})
			}
		}
	}
}

// A duplicate of the first tick arrives late, inside any call of a later one.
func TestCrash_ALateDuplicateOfTheFirstTickEndsInTheSameWorld(t *testing.T) {
	t.Parallel()
	for name, s := range scenarios() {
		calls, want := clean(t, s)
		for nth := 1; nth <= len(calls); nth++ {
			t.Run(fmt.Sprintf("%s, inside call %d", name, nth), func(t *testing.T) {
				t.Parallel()
				w, n := s.world(), 0
				w.Before = func(string) error {
					if n++; n == nth {
						if _, err := begin(t, w, s.params(), "attempt-1").tick(); err != nil {
							t.Errorf("duplicate: %v", err)
						}
					}
					return nil
				}
				persevere(t, begin(t, w, s.params(), "attempt-1"), false)
				w.Before, w.After = nil, nil
				equal(t, "world", theWorld(t, w), want)
			})
		}
	}
}
