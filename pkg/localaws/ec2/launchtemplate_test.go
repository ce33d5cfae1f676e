package ec2_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cutover/pkg/localaws/resource"
)

// request is a launch template's data with every member that is served.
func (p *place) request() *types.RequestLaunchTemplateData {
	return &types.RequestLaunchTemplateData{
		ImageId: aws.String(p.amazon()), InstanceType: types.InstanceTypeT3Micro, KeyName: aws.String("ops"), UserData: encoded("#!/bin/sh\n<&>\n"),
		IamInstanceProfile: &types.LaunchTemplateIamInstanceProfileSpecificationRequest{Name: aws.String("web")},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{
			{DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{
				VolumeSize: aws.Int32(20), VolumeType: types.VolumeTypeGp3, Iops: aws.Int32(3000), Throughput: aws.Int32(125), DeleteOnTermination: aws.Bool(true),
				Encrypted: aws.Bool(false), SnapshotId: aws.String("snap-0123456789abcdef0"),
			}},
			{DeviceName: aws.String("/dev/sdf"), NoDevice: aws.String("")},
		},
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens: types.LaunchTemplateHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2), HttpEndpoint: types.LaunchTemplateInstanceMetadataEndpointStateEnabled,
		},
		Monitoring: &types.LaunchTemplatesMonitoringRequest{Enabled: aws.Bool(true)}, EbsOptimized: aws.Bool(true),
		TagSpecifications: []types.LaunchTemplateTagSpecificationRequest{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("web")}}}},
		NetworkInterfaces: []types.LaunchTemplateInstanceNetworkInterfaceSpecificationRequest{{
			DeviceIndex: aws.Int32(0), SubnetId: aws.String(p.subnet), Groups: []string{p.group}, AssociatePublicIpAddress: aws.Bool(true), DeleteOnTermination: aws.Bool(true),
		}},
		InstanceInitiatedShutdownBehavior: types.ShutdownBehaviorTerminate,
		CreditSpecification:               &types.CreditSpecificationRequest{CpuCredits: aws.String("unlimited")},
		Placement:                         &types.LaunchTemplatePlacementRequest{AvailabilityZone: aws.String("us-east-1b"), Tenancy: types.TenancyDefault},
	}
}

// response is the same as answers show it.
func (p *place) response() *types.ResponseLaunchTemplateData {
	r := p.request()
	root := r.BlockDeviceMappings[0].Ebs
	return &types.ResponseLaunchTemplateData{
		ImageId: r.ImageId, InstanceType: r.InstanceType, KeyName: r.KeyName, UserData: r.UserData,
		IamInstanceProfile: &types.LaunchTemplateIamInstanceProfileSpecification{Name: aws.String("web")},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMapping{
			{DeviceName: aws.String("/dev/xvda"), Ebs: &types.LaunchTemplateEbsBlockDevice{
				VolumeSize: root.VolumeSize, VolumeType: root.VolumeType, Iops: root.Iops, Throughput: root.Throughput,
				DeleteOnTermination: root.DeleteOnTermination, Encrypted: root.Encrypted, SnapshotId: root.SnapshotId,
			}},
			{DeviceName: aws.String("/dev/sdf"), NoDevice: aws.String("")},
		},
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptions{
			HttpTokens: types.LaunchTemplateHttpTokensStateRequired, HttpPutResponseHopLimit: aws.Int32(2), HttpEndpoint: types.LaunchTemplateInstanceMetadataEndpointStateEnabled,
		},
		Monitoring: &types.LaunchTemplatesMonitoring{Enabled: aws.Bool(true)}, EbsOptimized: aws.Bool(true),
		TagSpecifications: []types.LaunchTemplateTagSpecification{{ResourceType: types.ResourceTypeInstance, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("web")}}}},
		NetworkInterfaces: []types.LaunchTemplateInstanceNetworkInterfaceSpecification{{
			DeviceIndex: aws.Int32(0), SubnetId: aws.String(p.subnet), Groups: []string{p.group}, AssociatePublicIpAddress: aws.Bool(true), DeleteOnTermination: aws.Bool(true),
		}},
		InstanceInitiatedShutdownBehavior: types.ShutdownBehaviorTerminate,
		CreditSpecification:               &types.CreditSpecification{CpuCredits: aws.String("unlimited")},
		Placement:                         &types.LaunchTemplatePlacement{AvailabilityZone: aws.String("us-east-1b"), Tenancy: types.TenancyDefault},
	}
}

var unexported = cmpopts.IgnoreUnexported(
	types.ResponseLaunchTemplateData{}, types.LaunchTemplateIamInstanceProfileSpecification{}, types.LaunchTemplateBlockDeviceMapping{},
	types.LaunchTemplateEbsBlockDevice{}, types.LaunchTemplateInstanceMetadataOptions{}, types.LaunchTemplatesMonitoring{},
	types.LaunchTemplateTagSpecification{}, types.Tag{}, types.LaunchTemplateInstanceNetworkInterfaceSpecification{},
	types.CreditSpecification{}, types.LaunchTemplatePlacement{},
)

func (p *place) template(t testing.TB, data *types.RequestLaunchTemplateData) string {
	t.Helper()
	out, err := p.client.CreateLaunchTemplate(t.Context(), &sdk.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("web"), LaunchTemplateData: data})
	if err != nil {
		t.Fatal(err)
	}
	return *out.LaunchTemplate.LaunchTemplateId
}

func (p *place) versions(t testing.TB, in *sdk.DescribeLaunchTemplateVersionsInput) []types.LaunchTemplateVersion {
	t.Helper()
	var all []types.LaunchTemplateVersion
	pages := sdk.NewDescribeLaunchTemplateVersionsPaginator(p.client, in)
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out.LaunchTemplateVersions...)
	}
	return all
}

func TestLaunchTemplate_ReturnsWhatItWasGiven(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.template(t, p.request())
	got := p.versions(t, &sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"$Latest"}})
	if diff := cmp.Diff(p.response(), got[0].LaunchTemplateData, unexported); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

func TestLaunchTemplateVersion_InheritsAllButSnapshots(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.template(t, p.request())
	newer := p.service.PublishAmazonImage("x86_64")
	in := &sdk.CreateLaunchTemplateVersionInput{
		LaunchTemplateId: &id, SourceVersion: aws.String("1"), VersionDescription: aws.String("execution 2"), ClientToken: aws.String("once"),
		LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: &newer},
	}
	out, err := p.client.CreateLaunchTemplateVersion(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	v := out.LaunchTemplateVersion
	want := p.response()
	want.ImageId = &newer
	want.BlockDeviceMappings[0].Ebs.SnapshotId = nil
	if diff := cmp.Diff(want, v.LaunchTemplateData, unexported); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if *v.VersionNumber != 2 || *v.DefaultVersion || *v.VersionDescription != "execution 2" || out.Warning != nil {
		t.Errorf("version: got %d, default %v, %q, warning %+v; want 2, not the default, without a warning", *v.VersionNumber, *v.DefaultVersion, *v.VersionDescription, out.Warning)
	}
	again, err := p.client.CreateLaunchTemplateVersion(t.Context(), in)
	if err != nil || *again.LaunchTemplateVersion.VersionNumber != 2 {
		t.Errorf("the same token: got %+v (error %v), want version 2", again, err)
	}
	in.LaunchTemplateData.InstanceType = types.InstanceTypeT3Large
	_, err = p.client.CreateLaunchTemplateVersion(t.Context(), in)
	refused(t, "the token again for another type", err, "IdempotentParameterMismatch")
	in.ClientToken, in.SourceVersion = nil, aws.String("7")
	_, err = p.client.CreateLaunchTemplateVersion(t.Context(), in)
	refused(t, "a source that is not there", err, "InvalidLaunchTemplateId.VersionNotFound")
	if got := p.versions(t, &sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id}); len(got) != 2 {
		t.Errorf("versions: got %d, want 2", len(got))
	}
}

func TestCreateLaunchTemplate_WarnsOfWhatCantBeLaunched(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	arm := p.service.PublicImages()["/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"]
	for _, c := range []struct {
		what string
		data types.RequestLaunchTemplateData
		code string
	}{
		{"an image that is not there", types.RequestLaunchTemplateData{ImageId: aws.String("ami-0123456789abcdef0")}, "InvalidAMIID.NotFound"},
		{"a type that is not there", types.RequestLaunchTemplateData{InstanceType: "t9.huge"}, "InvalidParameterValue"},
		{"an image that does not fit the type", types.RequestLaunchTemplateData{ImageId: &arm, InstanceType: types.InstanceTypeT3Micro}, "InvalidParameterValue"},
		{"a group that is not there", types.RequestLaunchTemplateData{SecurityGroupIds: []string{"sg-1"}}, "InvalidGroup.NotFound"},
		{"nothing", types.RequestLaunchTemplateData{ImageId: &arm, InstanceType: types.InstanceTypeT4gMicro, SecurityGroupIds: []string{p.group}}, ""},
		{"a parameter", types.RequestLaunchTemplateData{ImageId: aws.String("resolve:ssm:/golden")}, ""},
	} {
		out, err := p.client.CreateLaunchTemplate(t.Context(), &sdk.CreateLaunchTemplateInput{LaunchTemplateName: aws.String("of-" + fmt.Sprint(len(c.what))), LaunchTemplateData: &c.data})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		code := ""
		if out.Warning != nil {
			code = *out.Warning.Errors[0].Code
		}
		if code != c.code {
			t.Errorf("%s: got warning %q, want %q", c.what, code, c.code)
		}
	}
}

func TestLaunchTemplateVersions_AreFoundByNumberRangeAndName(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.template(t, &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Micro})
	for range 4 {
		if _, err := p.client.CreateLaunchTemplateVersion(t.Context(), &sdk.CreateLaunchTemplateVersionInput{
			LaunchTemplateName: aws.String("web"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: aws.String(p.amazon())},
		}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := p.client.ModifyLaunchTemplate(t.Context(), &sdk.ModifyLaunchTemplateInput{LaunchTemplateId: &id, DefaultVersion: aws.String("3")})
	if err != nil || *out.LaunchTemplate.DefaultVersionNumber != 3 || *out.LaunchTemplate.LatestVersionNumber != 5 {
		t.Fatalf("modify: got %+v (error %v), want default 3 of 5", out, err)
	}
	name := aws.String("web")
	for _, c := range []struct {
		what string
		in   sdk.DescribeLaunchTemplateVersionsInput
		want []int64
	}{
		{"all, newest first, by pages", sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, MaxResults: aws.Int32(2)}, []int64{5, 4, 3, 2, 1}},
		{"numbers and names", sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"1", "$Default", "$Latest", "5"}}, []int64{5, 3, 1}},
		{"a range", sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: name, MinVersion: aws.String("2"), MaxVersion: aws.String("3")}, []int64{3, 2}},
		{"the newest and the default of all", sdk.DescribeLaunchTemplateVersionsInput{Versions: []string{"$Latest", "$Default"}}, []int64{5, 3}},
		{"those with an image", sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Filters: []types.Filter{{Name: aws.String("image-id"), Values: []string{p.amazon()}}}}, []int64{5, 4, 3, 2}},
	} {
		var got []int64
		for _, v := range p.versions(t, &c.in) {
			got = append(got, *v.VersionNumber)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
	_, err = p.client.DescribeLaunchTemplateVersions(t.Context(), &sdk.DescribeLaunchTemplateVersionsInput{})
	refused(t, "versions of nothing", err, "MissingParameter")
	_, err = p.client.DescribeLaunchTemplateVersions(t.Context(), &sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"9"}})
	refused(t, "a version that is not there", err, "InvalidLaunchTemplateId.VersionNotFound")
}

func TestDeleteLaunchTemplateVersions_NeverTheDefault(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.template(t, &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeT3Micro})
	add := func() int64 {
		t.Helper()
		out, err := p.client.CreateLaunchTemplateVersion(t.Context(), &sdk.CreateLaunchTemplateVersionInput{LaunchTemplateId: &id, LaunchTemplateData: &types.RequestLaunchTemplateData{KeyName: aws.String("ops")}})
		if err != nil {
			t.Fatal(err)
		}
		return *out.LaunchTemplateVersion.VersionNumber
	}
	add()
	add()
	out, err := p.client.DeleteLaunchTemplateVersions(t.Context(), &sdk.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{"1", "3", "9"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.SuccessfullyDeletedLaunchTemplateVersions; len(got) != 1 || *got[0].VersionNumber != 3 {
		t.Errorf("deleted: got %+v, want version 3", got)
	}
	codes := map[int64]types.LaunchTemplateErrorCode{}
	for _, r := range out.UnsuccessfullyDeletedLaunchTemplateVersions {
		codes[*r.VersionNumber] = r.ResponseError.Code
	}
	if diff := cmp.Diff(map[int64]types.LaunchTemplateErrorCode{1: "unexpectedError", 9: "launchTemplateVersionDoesNotExist"}, codes); diff != "" {
		t.Errorf("not deleted (-want +got):\n%s", diff)
	}
	if got := add(); got != 4 {
		t.Errorf("the next version: got %d, want 4: numbers are not used again", got)
	}
	_, err = p.client.DeleteLaunchTemplateVersions(t.Context(), &sdk.DeleteLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: make([]string, 201)})
	refused(t, "201 versions", err, "InvalidParameterValue")
	if _, err := p.client.DeleteLaunchTemplate(t.Context(), &sdk.DeleteLaunchTemplateInput{LaunchTemplateId: &id}); err != nil {
		t.Fatal(err)
	}
	_, err = p.client.DescribeLaunchTemplates(t.Context(), &sdk.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"web"}})
	refused(t, "describe it by name after it was deleted", err, "InvalidLaunchTemplateName.NotFoundException")
	_, err = p.client.DescribeLaunchTemplates(t.Context(), &sdk.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{id}})
	refused(t, "describe it by id after it was deleted", err, "InvalidLaunchTemplateId.NotFound")
}

func TestLaunchTemplate_IsKeptByAStack(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kind := resourceType(t, p.service, "AWS::EC2::LaunchTemplate")
	properties := func(instanceType string) map[string]any {
		return map[string]any{
			"LaunchTemplateData": map[string]any{
				"ImageId": p.amazon(), "InstanceType": instanceType, "SecurityGroupIds": []any{p.group},
				"TagSpecifications": []any{map[string]any{"ResourceType": "instance", "Tags": []any{map[string]any{"Key": "Name", "Value": "web"}}}},
			},
			"TagSpecifications": []any{map[string]any{"ResourceType": "launch-template", "Tags": []any{map[string]any{"Key": "stack", "Value": "web"}}}},
		}
	}
	r := resource.Request{StackName: "web", StackID: "web/1", LogicalID: "Template", Properties: properties("t3.micro")}
	state, err := kind.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := kind.Create(t.Context(), r); err != nil || again.PhysicalID != state.PhysicalID {
		t.Errorf("create again: got %+v (error %v), want %s", again, err, state.PhysicalID)
	}
	r.PhysicalID, r.Previous, r.Properties = state.PhysicalID, r.Properties, properties("t3.small")
	state, err = kind.Update(t.Context(), r)
	want := map[string]any{"LaunchTemplateId": state.PhysicalID, "LatestVersionNumber": "2", "DefaultVersionNumber": "1"}
	if diff := cmp.Diff(want, state.Attributes); err != nil || diff != "" {
		t.Errorf("update (error %v; -want +got):\n%s", err, diff)
	}
	r.Previous = r.Properties
	if state, err = kind.Update(t.Context(), r); err != nil || state.Attributes["LatestVersionNumber"] != "2" {
		t.Errorf("an update that changes nothing: got %+v (error %v), want version 2 still", state, err)
	}
	v := p.versions(t, &sdk.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &state.PhysicalID, Versions: []string{"$Latest"}})[0]
	if d := v.LaunchTemplateData; d.InstanceType != types.InstanceTypeT3Small || d.SecurityGroupIds[0] != p.group || *d.TagSpecifications[0].Tags[0].Value != "web" {
		t.Errorf("version: got %+v", d)
	}
	for range 2 {
		if err := kind.Delete(t.Context(), resource.Request{PhysicalID: state.PhysicalID}); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
}
