package ec2_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ec2"
)

// Whatever is made, copied, deregistered and deleted in whatever order and at
// whatever time: an image that is there has its snapshots, the machines have the
// content of every snapshot that is complete, and nothing besides.
func TestImages_NeverLoseOrLeakASnapshot(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
		machines := &machines{}
		s := ec2.New(ec2.Config{Region: "us-east-1", Account: "111122223333", Clock: c, Machines: machines})
		amazon := s.PublicImages()["/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64"]
		out, err := s.RunInstances(t.Context(), &ec2.RunInstancesInput{MinCount: 1, MaxCount: 1, ImageId: amazon, InstanceType: "t3.micro"})
		if err != nil {
			t.Fatal(err)
		}
		instance := out.InstancesSet[0].InstanceId
		c.Advance(time.Minute)
		names := 0
		images := func() (all []ec2.Image) {
			found, err := s.DescribeImages(t.Context(), &ec2.DescribeImagesInput{Owners: []string{"self"}})
			if err != nil {
				t.Fatal(err)
			}
			return found.ImagesSet
		}
		some := func(t *rapid.T) ec2.Image {
			all := images()
			if len(all) == 0 {
				t.Skip("no image")
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(t, "image")]
		}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				names++
				in := &ec2.CreateImageInput{InstanceId: instance, Name: fmt.Sprint("image ", names)}
				if all := images(); len(all) > 0 && all[0].ImageState == "available" && rapid.Bool().Draw(t, "sharing") {
					in.BlockDeviceMappings = []ec2.BlockDeviceMapping{{DeviceName: "/dev/sdf", Ebs: &ec2.EBS{SnapshotId: all[0].BlockDeviceMappings[0].Ebs.SnapshotId}}}
				}
				if _, err := s.CreateImage(t.Context(), in); err != nil {
					t.Fatal(err)
				}
			},
			"copy": func(t *rapid.T) {
				names++
				i := some(t)
				_, err := s.CopyImage(t.Context(), &ec2.CopyImageInput{SourceImageId: i.ImageId, SourceRegion: "us-east-1", Name: fmt.Sprint("image ", names)})
				if (err == nil) != (i.ImageState == "available") {
					t.Fatalf("copy an image that is %s: got error %v", i.ImageState, err)
				}
			},
			"deregister": func(t *rapid.T) {
				remove := rapid.Bool().Draw(t, "with its snapshots")
				if _, err := s.DeregisterImage(t.Context(), &ec2.DeregisterImageInput{ImageId: some(t).ImageId, DeleteAssociatedSnapshots: &remove}); err != nil {
					t.Fatal(err)
				}
			},
			"delete a snapshot": func(t *rapid.T) {
				found, err := s.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
				if err != nil || len(found.SnapshotSet) == 0 {
					t.Skip("no snapshot")
				}
				id := found.SnapshotSet[rapid.IntRange(0, len(found.SnapshotSet)-1).Draw(t, "snapshot")].SnapshotId
				used := slices.ContainsFunc(images(), func(i ec2.Image) bool { return slices.Contains(snapshotsOf(i), id) })
				if _, err := s.DeleteSnapshot(t.Context(), &ec2.DeleteSnapshotInput{SnapshotId: id}); (err != nil) != used {
					t.Fatalf("delete snapshot %s, used %v: got error %v", id, used, err)
				}
			},
			"wait": func(t *rapid.T) { c.Advance(time.Duration(rapid.IntRange(0, 240).Draw(t, "seconds")) * time.Second) },
			"": func(t *rapid.T) {
				kept := machines.snapshots()
				found, err := s.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
				if err != nil {
					t.Fatal(err)
				}
				there := map[string]bool{}
				for _, v := range found.SnapshotSet {
					there[v.SnapshotId] = true
					if v.Status == "completed" && !kept[v.SnapshotId] {
						t.Fatalf("snapshot %s is complete, and its content is lost", v.SnapshotId)
					}
				}
				for _, i := range images() {
					for _, id := range snapshotsOf(i) {
						if !there[id] {
							t.Fatalf("image %s (%s) has lost snapshot %s", i.ImageId, i.ImageState, id)
						}
					}
				}
			},
		})
		c.Advance(time.Hour)
		found, err := s.DescribeSnapshots(t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
		if err != nil {
			t.Fatal(err)
		}
		if kept := machines.snapshots(); len(kept) != len(found.SnapshotSet) {
			t.Fatalf("contents at the end: got %v, want those of %d snapshots", kept, len(found.SnapshotSet))
		}
	})
}

func snapshotsOf(i ec2.Image) (ids []string) {
	for _, m := range i.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != "" {
			ids = append(ids, m.Ebs.SnapshotId)
		}
	}
	return ids
}

// snapshots are those that were made or copied and not deleted.
func (m *machines) snapshots() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := map[string]bool{}
	for _, line := range m.done {
		switch words := strings.Fields(line); words[0] {
		case "snapshot", "copy":
			kept[words[2]] = true
		case "delete":
			delete(kept, words[1])
		}
	}
	return kept
}
