package bluegreen

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Tags on target groups. IsProduction ("True" or "False") has the name and
// the values of AWS's ecs-blue-green-deployment sample, for what reads them.
const (
	TagExecution    = "cutover:execution" // whose release the group holds
	TagImage        = "cutover:image"     // the image of that release
	TagIsProduction = "IsProduction"
)

// retired marks the execution whose release another execution's swap takes
// production from. Without it a late duplicate of the old execution's job would
// find its name on an idle group, healthy and warm, and take production back.
// It is set before production moves: afterwards the group is idle, and the next
// execution may have claimed it.
const retired = "retired:"

// Retired is the tag value of an execution whose release is over.
func Retired(execution string) string {
	if execution == "" || strings.HasPrefix(execution, retired) || strings.HasPrefix(execution, rolledBack) {
		return execution
	}
	return retired + execution
}

// rolledBack marks the execution whose release production was taken back from.
const rolledBack = "rolled-back:"

// RolledBack is the tag value of an execution that was taken back.
func RolledBack(execution string) string {
	return rolledBack + strings.TrimPrefix(execution, rolledBack)
}

// DescribeExecution names a TagExecution value for messages.
func DescribeExecution(tag string) string {
	if past, found := strings.CutPrefix(tag, retired); found {
		return "the retired execution " + past
	}
	if past, found := strings.CutPrefix(tag, rolledBack); found {
		return "execution " + past + ", which was rolled back"
	}
	return "execution " + tag
}

// Tag sets tags on a target group; tags of other keys stay.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html
func Tag(ctx context.Context, api interface {
	AddTags(context.Context, *elb.AddTagsInput, ...func(*elb.Options)) (*elb.AddTagsOutput, error)
}, group string, tags map[string]string) error {
	in := &elb.AddTagsInput{ResourceArns: []string{group}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value := tags[key]
		in.Tags = append(in.Tags, elbtypes.Tag{Key: &key, Value: &value})
	}
	if _, err := api.AddTags(ctx, in); err != nil {
		return fmt.Errorf("tag target group %s: %w", group, err)
	}
	return nil
}

// ReadTags returns the tags of at most 20 target groups, by their ARNs.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
func ReadTags(ctx context.Context, api interface {
	DescribeTags(context.Context, *elb.DescribeTagsInput, ...func(*elb.Options)) (*elb.DescribeTagsOutput, error)
}, groups ...string) (map[string]map[string]string, error) {
	out, err := api.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: groups})
	if err != nil {
		return nil, fmt.Errorf("describe tags of target groups %s: %w", strings.Join(groups, ", "), err)
	}
	tags := map[string]map[string]string{}
	for _, g := range groups {
		tags[g] = map[string]string{}
	}
	for _, d := range out.TagDescriptions {
		for _, t := range d.Tags {
			tags[str(d.ResourceArn)][str(t.Key)] = str(t.Value)
		}
	}
	return tags, nil
}

func sortedGroups(shares map[string]int32) []string { return slices.Sorted(maps.Keys(shares)) }
