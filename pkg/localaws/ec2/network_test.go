package ec2_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"io"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ec2"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/resource"
)

// ask sends a signed query and returns the answer as it is on the wire.
func ask(t *testing.T, config aws.Config, form string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, *config.BaseEndpoint, strings.NewReader(form+"&Version=2016-11-15"))
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := config.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, "UNSIGNED-PAYLOAD", "ec2", config.Region, clock.NewScaled(1).Now()); err != nil {
		t.Fatal(err)
	}
	response, err := config.HTTPClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestNetwork_IsDescribedAsCreated(t *testing.T) {
	t.Parallel()
	s := ec2.New(ec2.Config{Region: "us-east-1", Account: "111122223333"})
	vpc := put(t, s, "AWS::EC2::VPC", "Vpc", map[string]any{"CidrBlock": "10.0.0.0/16", "Tags": []any{map[string]any{"Key": "Name", "Value": "hello"}}})
	a := put(t, s, "AWS::EC2::Subnet", "A", map[string]any{"VpcId": vpc.PhysicalID, "CidrBlock": "10.0.0.0/24"})
	b := put(t, s, "AWS::EC2::Subnet", "B", map[string]any{"VpcId": vpc.PhysicalID, "CidrBlock": "10.0.1.0/24"})
	if a.PhysicalID == b.PhysicalID {
		t.Errorf("subnets: both got id %s", a.PhysicalID)
	}
	put(t, s, "AWS::EC2::SecurityGroup", "Group", map[string]any{"VpcId": vpc.PhysicalID, "GroupDescription": "all"})

	config, _ := endpointtest.Serve(t, clock.NewScaled(1), s.Wire())
	for form, want := range map[string]string{
		"Action=DescribeVpcs":                               "<vpcId>" + vpc.PhysicalID + "</vpcId><state>available</state><cidrBlock>10.0.0.0/16</cidrBlock>",
		"Action=DescribeSubnets&SubnetId.1=" + a.PhysicalID: "<subnetSet><item><subnetId>" + a.PhysicalID + "</subnetId>",
		"Action=DescribeSubnets&SubnetId.1=subnet-none":     "<Code>InvalidSubnetID.NotFound</Code>",
		"Action=DescribeSecurityGroups":                     "<groupDescription>all</groupDescription>",
		"Action=DescribeAvailabilityZones":                  "<zoneName>us-east-1a</zoneName>",
		"Action=RunSpotFleet":                               "the embedded AWS does not serve ec2:RunSpotFleet",
		"Action=CreateImage&InstanceId=i-0123456789abcdef0": "<Code>MissingParameter</Code><Message>The request must contain the parameter Name</Message>",
		"Action=DescribeVpcs&Filter.1.Name=vpc-id":          "Filter: is unknown to the embedded AWS",
	} {
		if got := ask(t, config, form); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want it to contain %s", form, got, want)
		}
	}
}

func TestNetwork_AVpcInUseIsNotDeleted(t *testing.T) {
	t.Parallel()
	s := ec2.New(ec2.Config{Region: "us-east-1", Account: "111122223333"})
	vpc := put(t, s, "AWS::EC2::VPC", "Vpc", map[string]any{"CidrBlock": "10.0.0.0/16"})
	subnet := put(t, s, "AWS::EC2::Subnet", "A", map[string]any{"VpcId": vpc.PhysicalID, "CidrBlock": "10.0.0.0/24"})
	remove := resourceType(t, s, "AWS::EC2::VPC").Delete
	if err := remove(t.Context(), resource.Request{PhysicalID: vpc.PhysicalID}); err == nil || !strings.Contains(err.Error(), "DependencyViolation") {
		t.Errorf("delete a VPC with a subnet: got %v, want DependencyViolation", err)
	}
	for _, id := range []string{subnet.PhysicalID, vpc.PhysicalID} {
		if err := remove(t.Context(), resource.Request{PhysicalID: id}); err != nil {
			t.Errorf("delete %s: %v", id, err)
		}
	}
}
