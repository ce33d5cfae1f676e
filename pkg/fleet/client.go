package fleet

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// NewEC2 is a client of EC2 that makes these calls and no others. The SDK's own
// has some 700, and the linker keeps them all as soon as the type can be reached
// from one that stands behind an interface: the function would be twice as
// large. So what is kept here are functions, whose types tell nothing of it.
func NewEC2(c *ec2.Client) EC2 {
	return calls{
		describeImages:                 c.DescribeImages,
		describeInstances:              c.DescribeInstances,
		describeInstanceTypes:          c.DescribeInstanceTypes,
		describeLaunchTemplateVersions: c.DescribeLaunchTemplateVersions,
		createLaunchTemplateVersion:    c.CreateLaunchTemplateVersion,
		deleteLaunchTemplateVersions:   c.DeleteLaunchTemplateVersions,
		deregisterImage:                c.DeregisterImage,
		createTags:                     c.CreateTags,
	}
}

// A call is one operation of a client.
type call[In, Out any] func(context.Context, *In, ...func(*ec2.Options)) (*Out, error)

type calls struct {
	describeImages                 call[ec2.DescribeImagesInput, ec2.DescribeImagesOutput]
	describeInstances              call[ec2.DescribeInstancesInput, ec2.DescribeInstancesOutput]
	describeInstanceTypes          call[ec2.DescribeInstanceTypesInput, ec2.DescribeInstanceTypesOutput]
	describeLaunchTemplateVersions call[ec2.DescribeLaunchTemplateVersionsInput, ec2.DescribeLaunchTemplateVersionsOutput]
	createLaunchTemplateVersion    call[ec2.CreateLaunchTemplateVersionInput, ec2.CreateLaunchTemplateVersionOutput]
	deleteLaunchTemplateVersions   call[ec2.DeleteLaunchTemplateVersionsInput, ec2.DeleteLaunchTemplateVersionsOutput]
	deregisterImage                call[ec2.DeregisterImageInput, ec2.DeregisterImageOutput]
	createTags                     call[ec2.CreateTagsInput, ec2.CreateTagsOutput]
}

func (c calls) DescribeImages(ctx context.Context, in *ec2.DescribeImagesInput, options ...func(*ec2.Options)) (*ec2.DescribeImagesOutput, error) {
	return c.describeImages(ctx, in, options...)
}

func (c calls) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, options ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error) {
	return c.describeInstances(ctx, in, options...)
}

func (c calls) DescribeInstanceTypes(ctx context.Context, in *ec2.DescribeInstanceTypesInput, options ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error) {
	return c.describeInstanceTypes(ctx, in, options...)
}

func (c calls) DescribeLaunchTemplateVersions(ctx context.Context, in *ec2.DescribeLaunchTemplateVersionsInput, options ...func(*ec2.Options)) (*ec2.DescribeLaunchTemplateVersionsOutput, error) {
	return c.describeLaunchTemplateVersions(ctx, in, options...)
}

func (c calls) CreateLaunchTemplateVersion(ctx context.Context, in *ec2.CreateLaunchTemplateVersionInput, options ...func(*ec2.Options)) (*ec2.CreateLaunchTemplateVersionOutput, error) {
	return c.createLaunchTemplateVersion(ctx, in, options...)
}

func (c calls) DeleteLaunchTemplateVersions(ctx context.Context, in *ec2.DeleteLaunchTemplateVersionsInput, options ...func(*ec2.Options)) (*ec2.DeleteLaunchTemplateVersionsOutput, error) {
	return c.deleteLaunchTemplateVersions(ctx, in, options...)
}

func (c calls) DeregisterImage(ctx context.Context, in *ec2.DeregisterImageInput, options ...func(*ec2.Options)) (*ec2.DeregisterImageOutput, error) {
	return c.deregisterImage(ctx, in, options...)
}

func (c calls) CreateTags(ctx context.Context, in *ec2.CreateTagsInput, options ...func(*ec2.Options)) (*ec2.CreateTagsOutput, error) {
	return c.createTags(ctx, in, options...)
}
