package ec2_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

func TestTags_AreSetFoundAndRemoved(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	image := p.makeImage(t, id, "web")
	snapshot := *p.image(t, image).BlockDeviceMappings[0].Ebs.SnapshotId
	template := p.template(t, &types.RequestLaunchTemplateData{KeyName: aws.String("ops")})
	resources := []string{id, image, snapshot, template, p.vpc, p.subnet, p.group}
	tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
	if _, err := p.client.CreateTags(t.Context(), &sdk.CreateTagsInput{Resources: resources, Tags: []types.Tag{tag("team", "blue"), tag("stage", "test")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.CreateTags(t.Context(), &sdk.CreateTagsInput{Resources: []string{image}, Tags: []types.Tag{tag("team", "green")}}); err != nil {
		t.Fatal(err)
	}
	described := func(filters ...types.Filter) map[string]string {
		t.Helper()
		found := map[string]string{}
		pages := sdk.NewDescribeTagsPaginator(p.client, &sdk.DescribeTagsInput{Filters: filters, MaxResults: aws.Int32(5)})
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range out.Tags {
				found[string(d.ResourceType)+" "+*d.Key] = *d.Value
			}
		}
		return found
	}
	team := types.Filter{Name: aws.String("key"), Values: []string{"team"}}
	want := map[string]string{
		"instance team": "blue", "image team": "green", "snapshot team": "blue", "launch-template team": "blue",
		"vpc team": "blue", "subnet team": "blue", "security-group team": "blue",
	}
	if diff := cmp.Diff(want, described(team)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if got := described(); len(got) != 14 {
		t.Errorf("all tags by pages: got %v, want 14", got)
	}
	if _, err := p.client.DeleteTags(t.Context(), &sdk.DeleteTagsInput{Resources: resources, Tags: []types.Tag{tag("team", "blue")}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"image team": "green"}, described(team)); diff != "" {
		t.Errorf("tags after those of one value were removed (-want +got):\n%s", diff)
	}
	if _, err := p.client.DeleteTags(t.Context(), &sdk.DeleteTagsInput{Resources: resources}); err != nil {
		t.Fatal(err)
	}
	if got := described(); len(got) != 0 {
		t.Errorf("tags after all were removed: got %v", got)
	}
}

func TestCreateTags_Refuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	many := make([]types.Tag, 51)
	for i := range many {
		many[i] = types.Tag{Key: aws.String(fmt.Sprint("k", i)), Value: aws.String("")}
	}
	one := []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}
	for _, c := range []struct {
		what string
		in   sdk.CreateTagsInput
		code string
	}{
		{"a key of AWS's", sdk.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("aws:team"), Value: aws.String("")}}}, "InvalidParameterValue"},
		{"51 tags", sdk.CreateTagsInput{Resources: []string{id}, Tags: many}, "TagLimitExceeded"},
		{"an image that is not there", sdk.CreateTagsInput{Resources: []string{id, "ami-0123456789abcdef0"}, Tags: one}, "InvalidAMIID.NotFound"},
		{"no id", sdk.CreateTagsInput{Resources: []string{"web"}, Tags: one}, "InvalidID"},
	} {
		_, err := p.client.CreateTags(t.Context(), &c.in)
		refused(t, c.what, err, c.code)
	}
	if tags := p.instance(t, id).Tags; len(tags) != 0 {
		t.Errorf("tags after refusals: got %v, want none", tags)
	}
}
