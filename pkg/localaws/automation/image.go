package automation

import (
	"context"
	"fmt"
)

// createImage makes an image of an instance and waits until it is available.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-create.html
func createImage() *action {
	return &action{
		inputs: map[string]input{
			"BlockDeviceMappings": {tree, false}, "ImageDescription": {text, false}, "ImageName": {text, true},
			"InstanceId": {text, true}, "NoReboot": {flag, false},
		},
		outputs: []string{"ImageId", "ImageState"},
		begin:   executing,
		move: func(ctx context.Context, t *task) (next, error) {
			in := t.pick("InstanceId", "NoReboot", "BlockDeviceMappings")
			in["Name"], in["Description"] = t.text("ImageName"), t.text("ImageDescription")
			return t.imageMade(t.call(ctx, "ec2", "CreateImage", in))
		},
	}
}

// copyImage copies an image and waits until the copy is available.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-copyimage.html
func copyImage() *action {
	return &action{
		inputs: map[string]input{
			"ClientToken": {text, false}, "Encrypted": {flag, false}, "ImageDescription": {text, false}, "ImageName": {text, true},
			"KmsKeyId": {text, false}, "SourceImageId": {text, true}, "SourceRegion": {text, true},
		},
		outputs: []string{"ImageId", "ImageState"},
		begin:   executing,
		move: func(ctx context.Context, t *task) (next, error) {
			in := t.pick("ClientToken", "Encrypted", "KmsKeyId", "SourceImageId", "SourceRegion")
			in["Name"], in["Description"] = t.text("ImageName"), t.text("ImageDescription")
			if t.text("ClientToken") == "" {
				in["ClientToken"] = clientToken(t.token)
			}
			return t.imageMade(t.call(ctx, "ec2", "CopyImage", in))
		},
	}
}

// imageMade goes on with waiting for the image that an answer names.
func (t *task) imageMade(answer any, err error) (next, error) {
	if err != nil {
		return next{}, err
	}
	return later(pollInterval, polling, awaitImage(one(answer, "$.ImageId"))), nil
}

func awaitImage(id string) move {
	var look move
	look = func(ctx context.Context, t *task) (next, error) {
		answer, err := t.call(ctx, "ec2", "DescribeImages", map[string]any{"ImageIds": []any{id}})
		if t.pending(err, "InvalidAMIID.NotFound") {
			return later(pollInterval, polling, look), nil
		}
		if err != nil {
			return next{}, err
		}
		switch state := one(answer, "$.Images[0].State"); state {
		case "available":
			return done(map[string]any{"ImageId": id, "ImageState": state}), nil
		case "pending", "transient":
			return later(pollInterval, polling, look), nil
		default:
			why := one(answer, "$.Images[0].StateReason.Message")
			return next{}, unverified("Image %s entered unexpected state: %s. %s", id, state, why)
		}
	}
	return look
}

// deleteImage deregisters an image and deletes its snapshots.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-delete.html
func deleteImage() *action {
	return &action{
		inputs: map[string]input{"ImageId": {text, true}},
		begin:  executing,
		move: func(ctx context.Context, t *task) (next, error) {
			id := t.text("ImageId")
			answer, err := t.call(ctx, "ec2", "DescribeImages", map[string]any{"ImageIds": []any{id}})
			if err != nil {
				return next{}, err
			}
			if len(all(answer, "$.Images[*]")) == 0 {
				return next{}, fmt.Errorf("describe image %s: it is not there", id)
			}
			snapshots := all(answer, "$.Images[0].BlockDeviceMappings[*].Ebs.SnapshotId")
			return later(0, executing, deregister(id, snapshots)), nil
		},
	}
}

func deregister(id string, snapshots []any) move {
	return func(ctx context.Context, t *task) (next, error) {
		if _, err := t.call(ctx, "ec2", "DeregisterImage", map[string]any{"ImageId": id}); err != nil {
			return next{}, err
		}
		return later(0, executing, deleteSnapshots(snapshots)), nil
	}
}

// deleteSnapshots deletes one snapshot a move, so that a call made again after a
// throttle is that call only.
func deleteSnapshots(snapshots []any) move {
	return func(ctx context.Context, t *task) (next, error) {
		if len(snapshots) == 0 {
			return done(nil), nil
		}
		if _, err := t.call(ctx, "ec2", "DeleteSnapshot", map[string]any{"SnapshotId": snapshots[0]}); err != nil {
			return next{}, err
		}
		return later(0, executing, deleteSnapshots(snapshots[1:])), nil
	}
}

// createTags tags resources of EC2, or one of Systems Manager.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-createtag.html
func createTags() *action {
	return &action{
		inputs: map[string]input{"ResourceIds": {names, true}, "ResourceType": {text, false}, "Tags": {tree, true}},
		begin:  executing,
		move: func(ctx context.Context, t *task) (next, error) {
			kind, ids := t.text("ResourceType"), t.names("ResourceIds")
			if kind == "" || kind == "EC2" {
				_, err := t.call(ctx, "ec2", "CreateTags", map[string]any{"Resources": ids, "Tags": t.in["Tags"]})
				return done(nil), err
			}
			if len(ids) != 1 {
				return next{}, unfit("ResourceIds has %d items; resources of type %s are tagged one at a time", len(ids), kind)
			}
			_, err := t.call(ctx, "ssm", "AddTagsToResource", map[string]any{"ResourceType": kind, "ResourceId": ids[0], "Tags": t.in["Tags"]})
			return done(nil), err
		},
	}
}
