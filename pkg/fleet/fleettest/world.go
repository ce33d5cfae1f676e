// Package fleettest is a small world of one web fleet behind the interfaces of
// package fleet and of the BuildGoldenAMI action: an Auto Scaling group with a
// launch template, an Automation document that bakes images, parameters, images
// and CodeDeploy's deployment group. It keeps to the rules of AWS that matter
// there: a token replays its first answer, an image parameter is stored only
// after a check, versions do not inherit snapshots, a refresh that succeeds sets
// the group, one refresh runs at a time, an image that goes takes its snapshots.
//
// Nothing happens by itself: [World.Advance] moves bakes, images, parameters and
// refreshes on. Before and After see every call, to count, fail or interleave
// it.
package fleettest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
)

// Names of the world as New makes it.
const (
	Account  = "111122223333"
	Group    = "web"
	Template = "lt-0web"
	Document = "bake"
	Source   = "ami-0source"
	OldImage = "ami-0old"
)

// A World is everything the action sees. Its exported fields may be set before
// use, and under Change later.
type World struct {
	Now            time.Time
	Groups         map[string]*asgtypes.AutoScalingGroup
	Configurations map[string]*asgtypes.LaunchConfiguration
	Templates      map[string][]ec2types.LaunchTemplateVersion // by id, versions in order
	Images         map[string]*ec2types.Image
	Snapshots      map[string]bool
	Instances      map[string]*ec2types.Instance
	Architectures  map[string]ec2types.ArchitectureType // by instance type
	Refreshes      []*asgtypes.InstanceRefresh          // the oldest first
	Parameters     map[string]*ssmtypes.Parameter
	Bakes          []*Bake // the oldest first
	Tokens         map[string]string
	DocumentHash   string
	DocumentParams []ssmtypes.DocumentParameter
	Deployment     Deployment

	// FailStep is the bake's step that fails; NoImage makes a bake end without
	// output; BadImage makes images fail; Refuse keeps image parameters as they
	// are; BreakRefresh makes refreshes fail; NoConfigurations is an account
	// that can make none.
	FailStep                                                  string
	NoImage, BadImage, Refuse, BreakRefresh, NoConfigurations bool

	// Before and After run around every call, outside the lock. An error from
	// Before means the call did not happen, one from After that its answer was
	// lost.
	Before, After func(operation string) error

	mu         sync.Mutex
	numbered   int
	pending    map[string]string // parameter values that AWS checks
	calls      []string
	violations []string
}

// A Bake is an Automation execution with its tags.
type Bake struct {
	ssmtypes.AutomationExecution
	Tags map[string]string
}

// Deployment is CodeDeploy's deployment group webapp of application webapp.
type Deployment struct {
	Groups []string
	Active string // id of a deployment that is in progress
}

// New makes a fleet of two instances of [OldImage] from version 1 of its
// template, which the group pins.
func New() *World {
	w := &World{
		Now:            time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Groups:         map[string]*asgtypes.AutoScalingGroup{},
		Configurations: map[string]*asgtypes.LaunchConfiguration{},
		Templates:      map[string][]ec2types.LaunchTemplateVersion{},
		Images:         map[string]*ec2types.Image{},
		Snapshots:      map[string]bool{},
		Instances:      map[string]*ec2types.Instance{},
		Architectures:  map[string]ec2types.ArchitectureType{"t3.micro": ec2types.ArchitectureTypeX8664, "t4g.micro": ec2types.ArchitectureTypeArm64},
		Parameters:     map[string]*ssmtypes.Parameter{},
		Tokens:         map[string]string{},
		DocumentHash:   "hash-1",
		DocumentParams: []ssmtypes.DocumentParameter{
			{Name: ptr("SourceAmiId"), Type: ssmtypes.DocumentParameterTypeString, DefaultValue: ptr("{{ssm:/aws/service/source}}")},
			{Name: ptr("Commit"), Type: ssmtypes.DocumentParameterTypeString, DefaultValue: ptr("none")},
		},
		Deployment: Deployment{Groups: []string{Group}},
		pending:    map[string]string{},
	}
	w.AddImage(Source, nil)
	w.AddImage(OldImage, nil)
	w.Store("/aws/service/source", Source, "text")
	w.Templates[Template] = []ec2types.LaunchTemplateVersion{w.version(Template, 1, Data(OldImage), "by hand", true)}
	w.AddGroup(Group, &asgtypes.AutoScalingGroup{LaunchTemplate: &asgtypes.LaunchTemplateSpecification{
		LaunchTemplateId: ptr(Template), LaunchTemplateName: ptr("web"), Version: ptr("1"),
	}}, OldImage)
	return w
}

// Data are the settings of the fleet's template: a root disk from the old
// image's snapshot and a data disk from one of its own.
func Data(image string) ec2types.ResponseLaunchTemplateData {
	return ec2types.ResponseLaunchTemplateData{
		ImageId: ptr(image), InstanceType: "t3.micro", UserData: ptr("IyEvYmluL3No"), KeyName: ptr("ops"),
		SecurityGroupIds: []string{"sg-1", "sg-2"},
		BlockDeviceMappings: []ec2types.LaunchTemplateBlockDeviceMapping{
			{DeviceName: ptr("/dev/xvda"), Ebs: &ec2types.LaunchTemplateEbsBlockDevice{SnapshotId: ptr("snap-old-root"), VolumeSize: ptr(int32(20)), Encrypted: ptr(true)}},
			{DeviceName: ptr("/dev/xvdb"), Ebs: &ec2types.LaunchTemplateEbsBlockDevice{SnapshotId: ptr("snap-data"), VolumeSize: ptr(int32(5))}},
		},
		MetadataOptions: &ec2types.LaunchTemplateInstanceMetadataOptions{HttpTokens: ec2types.LaunchTemplateHttpTokensStateRequired},
	}
}

// AddGroup adds a group with two instances in service of the image.
func (w *World) AddGroup(name string, g *asgtypes.AutoScalingGroup, image string) {
	g.AutoScalingGroupName, g.DesiredCapacity = ptr(name), ptr(int32(2))
	w.Groups[name] = g
	for range 2 {
		w.launch(g, image)
	}
}

func (w *World) launch(g *asgtypes.AutoScalingGroup, image string) {
	id := w.next("i-")
	w.Instances[id] = &ec2types.Instance{InstanceId: ptr(id), ImageId: ptr(image), State: &ec2types.InstanceState{Name: ec2types.InstanceStateNameRunning}}
	g.Instances = append(g.Instances, asgtypes.Instance{
		InstanceId: ptr(id), LifecycleState: asgtypes.LifecycleStateInService, HealthStatus: ptr("Healthy"),
		LaunchTemplate: g.LaunchTemplate, LaunchConfigurationName: g.LaunchConfigurationName,
	})
}

// AddImage adds an available image of this account with a snapshot.
func (w *World) AddImage(id string, tags map[string]string) *ec2types.Image {
	snapshot := strings.Replace(id, "ami-", "snap-", 1)
	w.Snapshots[snapshot] = true
	i := &ec2types.Image{
		ImageId: ptr(id), Name: ptr(id), OwnerId: ptr(Account), State: ec2types.ImageStateAvailable, Architecture: ec2types.ArchitectureValuesX8664,
		VirtualizationType: ec2types.VirtualizationTypeHvm, RootDeviceName: ptr("/dev/xvda"), CreationDate: ptr(w.Now.Format(time.RFC3339)),
		BlockDeviceMappings: []ec2types.BlockDeviceMapping{{DeviceName: ptr("/dev/xvda"), Ebs: &ec2types.EbsBlockDevice{SnapshotId: ptr(snapshot)}}},
	}
	for key, value := range tags {
		i.Tags = append(i.Tags, ec2types.Tag{Key: ptr(key), Value: ptr(value)})
	}
	w.Images[id] = i
	return i
}

// Store sets a parameter.
func (w *World) Store(name, value, dataType string) {
	w.Parameters[name] = &ssmtypes.Parameter{Name: ptr(name), Value: ptr(value), DataType: ptr(dataType), Type: ssmtypes.ParameterTypeString}
}

// Change changes the world under its lock, as someone else would.
func (w *World) Change(change func(w *World)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// Advance moves everything one step on.
func (w *World) Advance() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Now = w.Now.Add(30 * time.Second)
	for _, i := range w.Images {
		if i.State == ec2types.ImageStatePending {
			i.State = ec2types.ImageStateAvailable
			if w.BadImage {
				i.State, i.StateReason = ec2types.ImageStateFailed, &ec2types.StateReason{Message: ptr("snapshot failed")}
			}
		}
	}
	for _, b := range w.Bakes {
		w.advanceBake(b)
	}
	for name, value := range w.pending {
		delete(w.pending, name)
		if w.Images[value] != nil && !w.Refuse {
			w.Store(name, value, "aws:ec2:image")
		}
	}
	for _, r := range w.Refreshes {
		w.advanceRefresh(r)
	}
}

// Calls returns the calls made since it was last asked, in order.
func (w *World) Calls() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

// Writes are the calls of Calls that are not reads.
func (w *World) Writes() []string {
	return slices.DeleteFunc(w.Calls(), func(c string) bool { return strings.HasPrefix(c, "Describe") || strings.HasPrefix(c, "Get") })
}

// Violations lists what AWS would have let happen and must not: the removal of
// an image that something refers to.
func (w *World) Violations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.violations
}

func (w *World) next(prefix string) string {
	w.numbered++
	return fmt.Sprintf("%s%04d", prefix, w.numbered)
}

// call runs one operation of the world.
func call[Out any](w *World, operation string, do func() (*Out, error)) (*Out, error) {
	if before := w.Before; before != nil {
		if err := before(operation); err != nil {
			return nil, err
		}
	}
	out, err := locked(w, operation, do)
	if after := w.After; after != nil && err == nil {
		if lost := after(operation); lost != nil {
			return nil, lost
		}
	}
	return out, err
}

func locked[Out any](w *World, operation string, do func() (*Out, error)) (*Out, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, operation)
	return do()
}

func refuse[Out any](code, format string, args ...any) (*Out, error) {
	return nil, &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// clone keeps callers and the world apart.
func clone[T any](v T) T {
	deepen(reflect.ValueOf(&v).Elem())
	return v
}

// deepen gives a copy its own memory all the way down. The SDK's types are plain
// data.
func deepen(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			own := reflect.New(v.Type().Elem())
			own.Elem().Set(v.Elem())
			deepen(own.Elem())
			v.Set(own)
		}
	case reflect.Slice:
		if !v.IsNil() {
			own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(own, v)
			for i := range own.Len() {
				deepen(own.Index(i))
			}
			v.Set(own)
		}
	case reflect.Map:
		if !v.IsNil() {
			own := reflect.MakeMap(v.Type())
			for _, key := range v.MapKeys() {
				value := reflect.New(v.Type().Elem()).Elem()
				value.Set(v.MapIndex(key))
				deepen(value)
				own.SetMapIndex(key, value)
			}
			v.Set(own)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				deepen(v.Field(i))
			}
		}
	}
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func ptr[T any](v T) *T { return &v }
