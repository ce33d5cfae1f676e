package ec2_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestDescribeInstanceTypes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, c := range []struct {
		name         types.InstanceType
		cpus         int32
		memory       int64
		architecture types.ArchitectureType
		virtual      types.VirtualizationType
	}{
		{types.InstanceTypeT2Micro, 1, 1024, types.ArchitectureTypeI386, types.VirtualizationTypeHvm},
		{types.InstanceTypeT2Large, 2, 8192, types.ArchitectureTypeX8664, types.VirtualizationTypeHvm},
		{types.InstanceTypeT3Micro, 2, 1024, types.ArchitectureTypeX8664, types.VirtualizationTypeHvm},
		{types.InstanceTypeT4g2xlarge, 8, 32768, types.ArchitectureTypeArm64, types.VirtualizationTypeHvm},
		{types.InstanceTypeM5Large, 2, 8192, types.ArchitectureTypeX8664, types.VirtualizationTypeHvm},
		{types.InstanceTypeM6gMedium, 1, 4096, types.ArchitectureTypeArm64, types.VirtualizationTypeHvm},
		{types.InstanceTypeC59xlarge, 36, 73728, types.ArchitectureTypeX8664, types.VirtualizationTypeHvm},
		{types.InstanceTypeR5Xlarge, 4, 32768, types.ArchitectureTypeX8664, types.VirtualizationTypeHvm},
		{types.InstanceTypeM1Small, 1, 1740, types.ArchitectureTypeI386, "paravirtual"},
	} {
		out, err := p.client.DescribeInstanceTypes(t.Context(), &sdk.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{c.name}})
		if err != nil || len(out.InstanceTypes) != 1 {
			t.Errorf("%s: got %v (error %v)", c.name, out, err)
			continue
		}
		i := out.InstanceTypes[0]
		if *i.VCpuInfo.DefaultVCpus != c.cpus || *i.MemoryInfo.SizeInMiB != c.memory || i.ProcessorInfo.SupportedArchitectures[0] != c.architecture || i.SupportedVirtualizationTypes[0] != c.virtual {
			t.Errorf("%s: got %d processors, %d MiB, %v, %v; want %d, %d, %s, %s", c.name, *i.VCpuInfo.DefaultVCpus, *i.MemoryInfo.SizeInMiB,
				i.ProcessorInfo.SupportedArchitectures, i.SupportedVirtualizationTypes, c.cpus, c.memory, c.architecture, c.virtual)
		}
	}
	_, err := p.client.DescribeInstanceTypes(t.Context(), &sdk.DescribeInstanceTypesInput{InstanceTypes: []types.InstanceType{"t9.huge"}})
	refused(t, "a type that nobody knows", err, "InvalidInstanceType")

	seen := map[types.InstanceType]bool{}
	pages := sdk.NewDescribeInstanceTypesPaginator(p.client, &sdk.DescribeInstanceTypesInput{
		MaxResults: aws.Int32(5), Filters: []types.Filter{{Name: aws.String("processor-info.supported-architecture"), Values: []string{"arm64"}}},
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.InstanceTypes {
			if seen[i.InstanceType] || i.ProcessorInfo.SupportedArchitectures[0] != types.ArchitectureTypeArm64 {
				t.Errorf("%s: shown twice, or not of arm64", i.InstanceType)
			}
			seen[i.InstanceType] = true
		}
	}
	if !seen[types.InstanceTypeT4gNano] || !seen[types.InstanceTypeC7gMedium] || len(seen) < 20 {
		t.Errorf("types of arm64: got %v", seen)
	}
}
