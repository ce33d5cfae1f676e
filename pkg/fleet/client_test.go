package fleet

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func TestNewEC2_MakesTheCallThatItIsAskedFor(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("Action"))
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	c := NewEC2(ec2.New(ec2.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	}))
	id := []string{"x"}
	var errs [8]error
	ctx := context.Background()
	_, errs[0] = c.DescribeImages(ctx, &ec2.DescribeImagesInput{})
	_, errs[1] = c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	_, errs[2] = c.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{})
	_, errs[3] = c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{})
	_, errs[4] = c.CreateLaunchTemplateVersion(ctx, Version{Base: version("lt-0", 1, "ami-0", "", true), Image: Image{}}.input("attempt"))
	_, errs[5] = c.DeleteLaunchTemplateVersions(ctx, &ec2.DeleteLaunchTemplateVersionsInput{Versions: id})
	_, errs[6] = c.DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: &id[0]})
	_, errs[7] = c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: id, Tags: []types.Tag{{Key: &id[0]}}})
	want := []string{
		"DescribeImages", "DescribeInstances", "DescribeInstanceTypes", "DescribeLaunchTemplateVersions",
		"CreateLaunchTemplateVersion", "DeleteLaunchTemplateVersions", "DeregisterImage", "CreateTags",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("got calls %v, want %v", asked, want)
	}
	if slices.Contains(errs[:], nil) {
		t.Errorf("got errors %v, want the server's refusal in each", errs)
	}
}
