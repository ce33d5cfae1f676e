package ec2

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"cutover/pkg/localaws/wire"
)

// Snapshot is a snapshot as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Snapshot.html
type Snapshot struct {
	SnapshotId     string
	VolumeId       string
	Status         string // pending, completed, error
	StatusMessage  string
	StartTime      time.Time
	CompletionTime time.Time
	Progress       string
	OwnerId        string
	OwnerAlias     string
	VolumeSize     int32 // GiB
	Description    string
	Encrypted      bool
	StorageTier    string
	TagSet         []Tag
}

type snapshot struct {
	Snapshot
	place int
	// content is what Machines knows it by; "" is a bare Amazon Linux, or a
	// volume whose content is not kept.
	content string
	made    bool // Machines has it
}

// DescribeSnapshotsInput asks for snapshots.
type DescribeSnapshotsInput struct {
	SnapshotIds []string `aws:"SnapshotId"`
	OwnerIds    []string `aws:"Owner"`
	Filters     []Filter `aws:"Filter"`
	Page
}

// DescribeSnapshotsOutput lists snapshots.
type DescribeSnapshotsOutput struct {
	SnapshotSet []Snapshot
	NextToken   string
}

var snapshotFilters = tagged[*snapshot]{tags: func(v *snapshot) []Tag { return v.TagSet }, filters: filters[*snapshot]{
	"snapshot-id": func(v *snapshot) []string { return []string{v.SnapshotId} },
	"status":      func(v *snapshot) []string { return []string{v.Status} },
	"volume-id":   func(v *snapshot) []string { return []string{v.VolumeId} },
	"volume-size": func(v *snapshot) []string { return []string{strconv.Itoa(int(v.VolumeSize))} },
	"owner-id":    func(v *snapshot) []string { return []string{v.OwnerId} },
	"owner-alias": func(v *snapshot) []string { return []string{v.OwnerAlias} },
	"description": func(v *snapshot) []string { return []string{v.Description} },
	"start-time":  func(v *snapshot) []string { return []string{stamp(v.StartTime)} },
	"progress":    func(v *snapshot) []string { return []string{v.Progress} },
	"encrypted":   func(v *snapshot) []string { return []string{strconv.FormatBool(v.Encrypted)} },
}}

// DescribeSnapshots answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshots.html
func (s *Service) DescribeSnapshots(_ context.Context, in *DescribeSnapshotsInput) (*DescribeSnapshotsOutput, error) {
	if err := snapshotFilters.check(in.Filters); err != nil {
		return nil, err
	}
	if err := unpaged(in.Page, "snapshotSet", in.SnapshotIds); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range in.SnapshotIds {
		if _, err := s.snapshotLocked(id); err != nil {
			return nil, err
		}
	}
	var all []*snapshot
	for v := range maps.Values(s.snapshots) {
		owned := len(in.OwnerIds) == 0 || slices.ContainsFunc(in.OwnerIds, func(owner string) bool {
			return owner == v.OwnerId || owner == "self" && v.OwnerId == s.Account || owner == v.OwnerAlias && owner != ""
		})
		if owned && (len(in.SnapshotIds) == 0 || slices.Contains(in.SnapshotIds, v.SnapshotId)) && snapshotFilters.keeps(in.Filters, v) {
			all = append(all, v)
		}
	}
	found, next, err := cut(in.Page, limits{5, 1000}, all, func(v *snapshot) int { return v.place })
	out := &DescribeSnapshotsOutput{SnapshotSet: []Snapshot{}, NextToken: next}
	for _, v := range found {
		out.SnapshotSet = append(out.SnapshotSet, v.Snapshot)
	}
	return out, err
}

var snapshotID = regexp.MustCompile(`^snap-([0-9a-f]{8}|[0-9a-f]{17})$`)

func (s *Service) snapshotLocked(id string) (*snapshot, error) {
	if !snapshotID.MatchString(id) {
		return nil, wire.Errorf("InvalidSnapshotID.Malformed", "Invalid id: %q", id)
	}
	v, ok := s.snapshots[id]
	if !ok {
		return nil, wire.Errorf("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
	}
	return v, nil
}

// usableLocked refuses mappings whose snapshots are not complete.
func (s *Service) usableLocked(mappings []BlockDeviceMapping) error {
	for _, m := range mappings {
		if m.Ebs == nil || m.Ebs.SnapshotId == "" {
			continue
		}
		v, err := s.snapshotLocked(m.Ebs.SnapshotId)
		if err != nil {
			return err
		}
		if v.Status != "completed" {
			return wire.Errorf("IncorrectState", "The snapshot '%s' is in an invalid state - %s", v.SnapshotId, v.Status)
		}
	}
	return nil
}

// newSnapshotLocked begins a snapshot of the account's.
func (s *Service) newSnapshotLocked(volume string, size int32, description string, tags []Tag) *snapshot {
	v := &snapshot{place: s.nextLocked(), Snapshot: Snapshot{
		SnapshotId: randomID("snap"), VolumeId: volume, Status: "pending", StartTime: s.Clock.Now(), Progress: "0%",
		OwnerId: s.Account, VolumeSize: size, Description: description, StorageTier: "standard", TagSet: tags,
	}}
	s.snapshots[v.SnapshotId] = v
	return v
}

// endSnapshotLocked completes a snapshot, or ends it in error for a reason.
func (s *Service) endSnapshotLocked(id, reason string) {
	v, ok := s.snapshots[id]
	if !ok {
		return
	}
	if reason != "" {
		v.Status, v.StatusMessage = "error", reason
		return
	}
	v.Status, v.Progress, v.CompletionTime = "completed", "100%", s.Clock.Now()
}

// DeleteSnapshotInput names a snapshot.
type DeleteSnapshotInput struct {
	SnapshotId string `aws:",required"`
}

// DeleteSnapshot answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSnapshot.html
func (s *Service) DeleteSnapshot(_ context.Context, in *DeleteSnapshotInput) (*Return, error) {
	s.mu.Lock()
	v, err := s.snapshotLocked(in.SnapshotId)
	if err == nil && v.OwnerId != s.Account {
		err = wire.Errorf("UnauthorizedOperation", "You are not authorized to delete the snapshot '%s'.", in.SnapshotId).WithStatus(403)
	}
	if user := s.userLocked(in.SnapshotId); err == nil && user != "" {
		err = wire.Errorf("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s", in.SnapshotId, user)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	delete(s.snapshots, in.SnapshotId)
	s.mu.Unlock()
	s.forget(v)
	return &Return{true}, nil
}

// userLocked is an image that uses a snapshot, or "".
func (s *Service) userLocked(snapshotID string) string {
	for _, id := range slices.Sorted(maps.Keys(s.images)) {
		if slices.Contains(s.images[id].snapshotIDs(), snapshotID) {
			return id
		}
	}
	return ""
}

// madeContent notes that the content of a snapshot is there, and removes it
// where the snapshot was deleted meanwhile.
func (s *Service) madeContent(id string) {
	s.mu.Lock()
	v, wanted := s.snapshots[id]
	if wanted {
		v.made = true
	}
	s.mu.Unlock()
	if !wanted {
		s.deleteContent(id)
	}
}

// forget removes the content of snapshots that are gone. What is not made yet is
// removed by what makes it.
func (s *Service) forget(gone ...*snapshot) {
	for _, v := range gone {
		if v.made {
			s.deleteContent(v.content)
		}
	}
}

func (s *Service) deleteContent(content string) {
	if err := s.Machines.DeleteSnapshot(content); err != nil {
		s.Logger.Error("content of a snapshot left behind", "snapshot", content, "error", err)
	}
}
