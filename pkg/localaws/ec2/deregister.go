package ec2

import (
	"context"
	"time"

	"cutover/pkg/localaws/wire"
)

// DeregisterImageInput names an image.
type DeregisterImageInput struct {
	ImageId                   string `aws:",required"`
	DeleteAssociatedSnapshots *bool
}

// DeregisterImageOutput says what became of the snapshots that were to be deleted.
type DeregisterImageOutput struct {
	Return                bool
	DeleteSnapshotResults []DeleteSnapshotResult `aws:"deleteSnapshotResultSet"`
}

// DeleteSnapshotResult is what became of a snapshot: success, skipped (another
// image uses it) or missing-permissions.
type DeleteSnapshotResult struct {
	SnapshotId string
	ReturnCode string
}

// DeregisterImage answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html
func (s *Service) DeregisterImage(ctx context.Context, in *DeregisterImageInput) (*DeregisterImageOutput, error) {
	removes := in.DeleteAssociatedSnapshots != nil && *in.DeleteAssociatedSnapshots
	allowed := map[string]bool{}
	if removes {
		allowed = s.deletable(ctx, in.ImageId)
	}
	s.mu.Lock()
	i, err := s.ownImageLocked(in.ImageId)
	s.cooledLocked()
	if err == nil && i.DeregistrationProtection != "disabled" {
		err = wire.Errorf("OperationNotPermitted", "The image '%s' cannot be deregistered because deregistration protection is enabled.", in.ImageId)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	delete(s.images, in.ImageId)
	out := &DeregisterImageOutput{Return: true}
	var gone []*snapshot
	if removes {
		out.DeleteSnapshotResults = []DeleteSnapshotResult{}
		for _, id := range i.snapshotIDs() {
			code := "skipped"
			switch v := s.snapshots[id]; {
			case v == nil || s.userLocked(id) != "":
			case !allowed[id]:
				code = "missing-permissions"
			default:
				code = "success"
				delete(s.snapshots, id)
				gone = append(gone, v)
			}
			out.DeleteSnapshotResults = append(out.DeleteSnapshotResults, DeleteSnapshotResult{SnapshotId: id, ReturnCode: code})
		}
	}
	s.mu.Unlock()
	s.forget(gone...)
	return out, nil
}

// deletable says which of an image's snapshots the caller may delete.
func (s *Service) deletable(ctx context.Context, imageID string) map[string]bool {
	image, _ := s.Image(imageID)
	allowed := map[string]bool{}
	for _, id := range image.snapshotIDs() {
		access := s.accessTo(id)[0]
		access.Action = "ec2:DeleteSnapshot"
		allowed[id] = s.Allowed(wire.Caller(ctx), access)
	}
	return allowed
}

// EnableImageDeregistrationProtectionInput names an image.
type EnableImageDeregistrationProtectionInput struct {
	ImageId      string `aws:",required"`
	WithCooldown *bool
}

// EnableImageDeregistrationProtection answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImageDeregistrationProtection.html
func (s *Service) EnableImageDeregistrationProtection(_ context.Context, in *EnableImageDeregistrationProtectionInput) (*Return, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.ownImageLocked(in.ImageId)
	if err != nil {
		return nil, err
	}
	i.DeregistrationProtection, i.cooldown, i.protected = "enabled-without-cooldown", false, time.Time{}
	if in.WithCooldown != nil && *in.WithCooldown {
		i.DeregistrationProtection, i.cooldown = "enabled-with-cooldown", true
	}
	return &Return{true}, nil
}

// DisableImageDeregistrationProtectionInput names an image.
type DisableImageDeregistrationProtectionInput struct {
	ImageId string `aws:",required"`
}

// DisableImageDeregistrationProtection answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisableImageDeregistrationProtection.html
func (s *Service) DisableImageDeregistrationProtection(_ context.Context, in *DisableImageDeregistrationProtectionInput) (*Return, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.ownImageLocked(in.ImageId)
	if err != nil {
		return nil, err
	}
	if i.DeregistrationProtection == "disabled" {
		return &Return{true}, nil
	}
	i.DeregistrationProtection = "disabled"
	if i.cooldown {
		const cooldown = 24 * time.Hour
		i.DeregistrationProtection, i.protected = "enabled-with-cooldown", s.Clock.Now().Add(cooldown)
	}
	return &Return{true}, nil
}

// cooledLocked lifts protections whose cooldown is over.
func (s *Service) cooledLocked() {
	now := s.Clock.Now()
	for _, i := range s.images {
		if !i.protected.IsZero() && !now.Before(i.protected) {
			i.DeregistrationProtection, i.cooldown, i.protected = "disabled", false, time.Time{}
		}
	}
}
