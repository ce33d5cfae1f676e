package ec2_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/ec2"
	"cutover/pkg/localaws/wire"
)

func tagged(kind types.ResourceType, key, value string) types.TagSpecification {
	return types.TagSpecification{ResourceType: kind, Tags: []types.Tag{{Key: &key, Value: &value}}}
}

func TestCreateImage_OfAStoppedInstance(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	if _, err := p.client.StopInstances(t.Context(), &sdk.StopInstancesInput{InstanceIds: []string{id}}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(time.Minute)
	p.machines.took()
	out, err := p.client.CreateImage(t.Context(), &sdk.CreateImageInput{
		InstanceId: &id, Name: aws.String("web 1"), Description: aws.String("of commit 1"),
		TagSpecifications: []types.TagSpecification{tagged(types.ResourceTypeImage, "commit", "1"), tagged(types.ResourceTypeSnapshot, "commit", "2")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.image(t, *out.ImageId).State; got != types.ImageStatePending {
		t.Errorf("at first: got %s, want pending", got)
	}
	_, err = p.client.RunInstances(t.Context(), p.input(*out.ImageId))
	refused(t, "launch from an image that is pending", err, "InvalidAMIID.Unavailable")
	p.clock.Advance(3 * time.Minute)
	i := p.image(t, *out.ImageId)
	root := i.BlockDeviceMappings[0]
	if i.State != types.ImageStateAvailable || *i.OwnerId != "111122223333" || *i.SourceInstanceId != id || *i.SourceImageId != p.amazon() ||
		i.Architecture != types.ArchitectureValuesX8664 || i.VirtualizationType != types.VirtualizationTypeHvm || *i.RootDeviceName != "/dev/xvda" ||
		*i.Description != "of commit 1" || *i.Tags[0].Value != "1" || *i.CreationDate != "2026-01-02T12:04:00.000Z" || *root.DeviceName != "/dev/xvda" || *root.Ebs.VolumeSize != 8 {
		t.Errorf("image: got %+v", i)
	}
	snapshot := *root.Ebs.SnapshotId
	if diff := cmp.Diff([]string{"snapshot " + id + " " + snapshot}, p.machines.took()); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
	found, err := p.client.DescribeSnapshots(t.Context(), &sdk.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Snapshots) != 1 || *found.Snapshots[0].SnapshotId != snapshot || found.Snapshots[0].State != types.SnapshotStateCompleted || *found.Snapshots[0].Tags[0].Value != "2" {
		t.Errorf("snapshots: got %+v, want %s, completed, with its tag", found.Snapshots, snapshot)
	}
	web := p.run(t, p.input(*out.ImageId))
	if got := p.machines.took(); !slices.Contains(got, "launch "+web+" "+snapshot+" ") {
		t.Errorf("machines: got %q, want %s launched from %s", got, web, snapshot)
	}
}

func TestCreateImage_OfARunningInstance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what     string
		noReboot bool
		want     func(id, snapshot string) []string
	}{
		{"reboots it", false, func(id, snapshot string) []string {
			return []string{"stop " + id, "snapshot " + id + " " + snapshot, "start " + id, "terminate " + id}
		}},
		{"leaves it running if told so", true, func(id, snapshot string) []string {
			return []string{"snapshot " + id + " " + snapshot, "terminate " + id}
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			id := p.run(t, p.input(p.amazon()))
			p.machines.took()
			out, err := p.client.CreateImage(t.Context(), &sdk.CreateImageInput{InstanceId: &id, Name: aws.String("web"), NoReboot: &c.noReboot})
			if err != nil {
				t.Fatal(err)
			}
			// The image of an instance that is gone right afterwards is whole.
			if err := p.service.Terminate(id); err != nil {
				t.Fatal(err)
			}
			p.clock.Advance(10 * time.Minute)
			i := p.image(t, *out.ImageId)
			if i.State != types.ImageStateAvailable {
				t.Errorf("state: got %s, want available", i.State)
			}
			if diff := cmp.Diff(c.want(id, *i.BlockDeviceMappings[0].Ebs.SnapshotId), p.machines.took()); diff != "" {
				t.Errorf("machines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCreateImage_ThatComesToNothing(t *testing.T) {
	t.Parallel()
	fate := func(state, reason string) func(*ec2.Config) {
		return func(c *ec2.Config) { c.ImageFate = func(string) (string, string) { return state, reason } }
	}
	for _, c := range []struct {
		what   string
		change func(*ec2.Config)
		broken string
		state  types.ImageState
		reason string
	}{
		{"as it was decided", fate("failed", "the volume is gone"), "", types.ImageStateFailed, "the volume is gone"},
		{"for ever pending", fate("pending", ""), "", types.ImageStatePending, ""},
		{"as its disk can't be copied", func(*ec2.Config) {}, "snapshot", types.ImageStateFailed, "snapshot is broken"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, c.change)
			p.machines.broken = c.broken
			id := p.run(t, p.input(p.amazon()))
			i := p.image(t, p.makeImage(t, id, "web"))
			if i.State != c.state {
				t.Errorf("state: got %s, want %s", i.State, c.state)
			}
			if c.reason == "" && i.StateReason != nil || c.reason != "" && (i.StateReason == nil || !matchesEnd(*i.StateReason.Message, c.reason)) {
				t.Errorf("reason: got %+v, want %q", i.StateReason, c.reason)
			}
		})
	}
}

func matchesEnd(text, end string) bool {
	return len(text) >= len(end) && text[len(text)-len(end):] == end
}

func TestCreateImage_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	p.makeImage(t, id, "taken")
	starting, err := p.client.RunInstances(t.Context(), p.input(p.amazon()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, instance, name, code string }{
		{"a name in use", id, "taken", "InvalidAMIName.Duplicate"},
		{"a name of two characters", id, "ab", "InvalidAMIName.Malformed"},
		{"a name with a colon", id, "web:1", "InvalidAMIName.Malformed"},
		{"an instance that is not there", "i-0123456789abcdef0", "web", "InvalidInstanceID.NotFound"},
		{"no instance id", "web", "web", "InvalidInstanceID.Malformed"},
		{"an instance that is pending", *starting.Instances[0].InstanceId, "web", "IncorrectState"},
	} {
		_, err := p.client.CreateImage(t.Context(), &sdk.CreateImageInput{InstanceId: &c.instance, Name: &c.name})
		refused(t, c.what, err, c.code)
	}
	_, err = p.client.CreateImage(t.Context(), &sdk.CreateImageInput{InstanceId: &id, Name: aws.String("web"), BlockDeviceMappings: []types.BlockDeviceMapping{
		{DeviceName: aws.String("/dev/sdf"), Ebs: &types.EbsBlockDevice{SnapshotId: aws.String("snap-0123456789abcdef0")}},
	}})
	refused(t, "a snapshot that is not there", err, "InvalidSnapshot.NotFound")
}

func TestDescribeImages_ByOwnerFilterAndPage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	own := p.makeImage(t, id, "web-1")
	newer := p.service.PublishAmazonImage("x86_64")
	if newer != p.amazon() {
		t.Errorf("newest public image: got %s, want the one just published, %s", p.amazon(), newer)
	}
	filter := func(name string, values ...string) []types.Filter {
		return []types.Filter{{Name: &name, Values: values}}
	}
	for _, c := range []struct {
		what string
		in   sdk.DescribeImagesInput
		want int
	}{
		{"all that can be used", sdk.DescribeImagesInput{}, 4},
		{"own ones", sdk.DescribeImagesInput{Owners: []string{"self"}}, 1},
		{"an account's", sdk.DescribeImagesInput{Owners: []string{"111122223333", "999999999999"}}, 1},
		{"Amazon's for x86_64", sdk.DescribeImagesInput{Owners: []string{"amazon"}, Filters: filter("architecture", "x86_64")}, 2},
		{"Amazon's by name", sdk.DescribeImagesInput{Filters: filter("name", "al2023-ami-2023.*-kernel-6.1-arm64")}, 1},
		{"those of a snapshot", sdk.DescribeImagesInput{Filters: filter("block-device-mapping.snapshot-id", *p.image(t, own).BlockDeviceMappings[0].Ebs.SnapshotId)}, 1},
		{"those in a state", sdk.DescribeImagesInput{Filters: filter("state", "pending", "failed")}, 0},
		{"with a tag", sdk.DescribeImagesInput{Filters: filter("tag:commit", "*")}, 0},
	} {
		out, err := p.client.DescribeImages(t.Context(), &c.in)
		if err != nil || len(out.Images) != c.want {
			t.Errorf("%s: got %v (error %v), want %d images", c.what, out, err, c.want)
		}
	}
	_, err := p.client.DescribeImages(t.Context(), &sdk.DescribeImagesInput{ImageIds: []string{own, "ami-0123456789abcdef0"}})
	refused(t, "an image that is not there among others", err, "InvalidAMIID.NotFound")
	_, err = p.client.DescribeImages(t.Context(), &sdk.DescribeImagesInput{ImageIds: []string{"ami-web"}})
	refused(t, "no image id", err, "InvalidAMIID.Malformed")
}

func TestDeregisterImage_KeepsSnapshotsThatOthersUse(t *testing.T) {
	t.Parallel()
	denied := ""
	p := newPlace(t, func(c *ec2.Config) {
		c.Allowed = func(_ wire.Principal, a wire.Access) bool {
			return a.Action != "ec2:DeleteSnapshot" || a.Resource != denied
		}
	})
	id := p.run(t, p.input(p.amazon()))
	first := p.makeImage(t, id, "first")
	shared := *p.image(t, first).BlockDeviceMappings[0].Ebs.SnapshotId
	second, err := p.client.CreateImage(t.Context(), &sdk.CreateImageInput{InstanceId: &id, Name: aws.String("second"), BlockDeviceMappings: []types.BlockDeviceMapping{
		{DeviceName: aws.String("/dev/sdf"), Ebs: &types.EbsBlockDevice{SnapshotId: &shared}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(10 * time.Minute)
	own := *p.image(t, *second.ImageId).BlockDeviceMappings[0].Ebs.SnapshotId
	_, err = p.client.DeleteSnapshot(t.Context(), &sdk.DeleteSnapshotInput{SnapshotId: &shared})
	refused(t, "delete a snapshot that an image uses", err, "InvalidSnapshot.InUse")
	p.machines.took()

	deregister := func(image string) map[string]string {
		t.Helper()
		out, err := p.client.DeregisterImage(t.Context(), &sdk.DeregisterImageInput{ImageId: &image, DeleteAssociatedSnapshots: aws.Bool(true)})
		if err != nil {
			t.Fatal(err)
		}
		codes := map[string]string{}
		for _, r := range out.DeleteSnapshotResults {
			codes[*r.SnapshotId] = string(r.ReturnCode)
		}
		return codes
	}
	if diff := cmp.Diff(map[string]string{shared: "skipped"}, deregister(first)); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
	denied = "arn:aws:ec2:us-east-1::snapshot/" + shared
	if diff := cmp.Diff(map[string]string{shared: "missing-permissions", own: "success"}, deregister(*second.ImageId)); diff != "" {
		t.Errorf("the second (-want +got):\n%s", diff)
	}
	if _, err := p.client.DeleteSnapshot(t.Context(), &sdk.DeleteSnapshotInput{SnapshotId: &shared}); err != nil {
		t.Errorf("delete the snapshot that is left: %v", err)
	}
	if diff := cmp.Diff([]string{"delete " + own, "delete " + shared}, p.machines.took()); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
	_, err = p.client.DeregisterImage(t.Context(), &sdk.DeregisterImageInput{ImageId: &first})
	refused(t, "deregister it again", err, "InvalidAMIID.NotFound")
	_, err = p.client.DeregisterImage(t.Context(), &sdk.DeregisterImageInput{ImageId: aws.String(p.amazon())})
	refused(t, "deregister Amazon's image", err, "AuthFailure")
}

func TestDeregisterImage_WhilePendingLeavesItsSnapshotToDelete(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	out, err := p.client.CreateImage(t.Context(), &sdk.CreateImageInput{InstanceId: &id, Name: aws.String("web")})
	if err != nil {
		t.Fatal(err)
	}
	snapshot := *p.image(t, *out.ImageId).BlockDeviceMappings[0].Ebs.SnapshotId
	if _, err := p.client.DeregisterImage(t.Context(), &sdk.DeregisterImageInput{ImageId: out.ImageId, DeleteAssociatedSnapshots: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(10 * time.Minute)
	got := p.machines.took()
	if at := slices.Index(got, "delete "+snapshot); at < 0 || at < slices.Index(got, "snapshot "+id+" "+snapshot) {
		t.Errorf("machines: got %q, want %s made and then deleted", got, snapshot)
	}
}

func TestDeregistrationProtection_LastsThroughItsCooldown(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	image := p.makeImage(t, p.run(t, p.input(p.amazon())), "web")
	deregister := func() error {
		_, err := p.client.DeregisterImage(t.Context(), &sdk.DeregisterImageInput{ImageId: &image})
		return err
	}
	if _, err := p.client.EnableImageDeregistrationProtection(t.Context(), &sdk.EnableImageDeregistrationProtectionInput{ImageId: &image, WithCooldown: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	refused(t, "deregister a protected image", deregister(), "OperationNotPermitted")
	if _, err := p.client.DisableImageDeregistrationProtection(t.Context(), &sdk.DisableImageDeregistrationProtectionInput{ImageId: &image}); err != nil {
		t.Fatal(err)
	}
	p.clock.Advance(23 * time.Hour)
	refused(t, "deregister it within a day", deregister(), "OperationNotPermitted")
	p.clock.Advance(time.Hour)
	if err := deregister(); err != nil {
		t.Errorf("deregister it after a day: %v", err)
	}
}

func TestCopyImage_HasSnapshotsOfItsOwn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	source := p.makeImage(t, p.run(t, p.input(p.amazon())), "web")
	if _, err := p.client.CreateTags(t.Context(), &sdk.CreateTagsInput{Resources: []string{source}, Tags: []types.Tag{{Key: aws.String("commit"), Value: aws.String("1")}}}); err != nil {
		t.Fatal(err)
	}
	p.machines.took()
	in := &sdk.CopyImageInput{SourceImageId: &source, SourceRegion: aws.String("us-east-1"), Name: aws.String("copy"), CopyImageTags: aws.Bool(true), ClientToken: aws.String("once")}
	out, err := p.client.CopyImage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.client.CopyImage(t.Context(), in)
	if err != nil || *again.ImageId != *out.ImageId {
		t.Errorf("the same token: got %v (error %v), want %s", again, err, *out.ImageId)
	}
	p.clock.Advance(10 * time.Minute)
	i := p.image(t, *out.ImageId)
	from, to := *p.image(t, source).BlockDeviceMappings[0].Ebs.SnapshotId, *i.BlockDeviceMappings[0].Ebs.SnapshotId
	if i.State != types.ImageStateAvailable || *i.SourceImageId != source || *i.Tags[0].Value != "1" {
		t.Errorf("copy: got %+v", i)
	}
	if diff := cmp.Diff([]string{"copy " + from + " " + to}, p.machines.took()); diff != "" {
		t.Errorf("machines (-want +got):\n%s", diff)
	}
}
