package fleet

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"cutover/pkg/awsclient"
)

// Delete removes one thing; that it is gone already is no fault.
func Delete(ctx context.Context, api APIs, d Deletion) error {
	var err error
	switch d.Kind {
	case DeleteVersion:
		err = deleteVersion(ctx, api.EC2, d)
	case DeleteConfiguration:
		err = deleteConfiguration(ctx, api.AutoScaling, d.Name)
	case DeleteImage:
		err = deleteImage(ctx, api.EC2, d.Name)
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", d, err)
	}
	return nil
}

// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html
func deleteVersion(ctx context.Context, api EC2, d Deletion) error {
	out, err := api.DeleteLaunchTemplateVersions(ctx, &ec2.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: &d.Name, Versions: []string{strconv.FormatInt(d.Number, 10)}})
	if err != nil {
		return err
	}
	for _, u := range out.UnsuccessfullyDeletedLaunchTemplateVersions {
		if u.ResponseError != nil && u.ResponseError.Code != types.LaunchTemplateErrorCodeLaunchTemplateVersionDoesNotExist {
			return fmt.Errorf("%s: %s", u.ResponseError.Code, str(u.ResponseError.Message))
		}
	}
	return nil
}

// AWS has no code of its own for a configuration that does not exist.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteLaunchConfiguration.html
func deleteConfiguration(ctx context.Context, api AutoScaling, name string) error {
	_, err := api.DeleteLaunchConfiguration(ctx, &autoscaling.DeleteLaunchConfigurationInput{LaunchConfigurationName: &name})
	if awsclient.IsCode(err, "ValidationError") {
		if still, lookErr := configuration(ctx, api, name); lookErr == nil && still == nil {
			return nil
		}
	}
	return err
}

// A snapshot that belongs to another image too is kept by AWS.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeregisterImage.html
func deleteImage(ctx context.Context, api EC2, id string) error {
	yes := true
	out, err := api.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: &id, DeleteAssociatedSnapshots: &yes})
	switch {
	case awsclient.IsCode(err, "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"):
		return nil
	case err != nil:
		return err
	}
	var left []string
	for _, r := range out.DeleteSnapshotResults {
		if r.ReturnCode != types.SnapshotReturnCodesSuccess && r.ReturnCode != types.SnapshotReturnCodesWarnSkipped {
			left = append(left, fmt.Sprintf("%s (%s)", str(r.SnapshotId), r.ReturnCode))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("the image is gone, but snapshots are left: %s", strings.Join(left, ", "))
	}
	return nil
}
