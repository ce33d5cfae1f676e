package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// filterValues is the most that a filter of EC2 takes.
const filterValues = 200

// Instances reads those whose property, a filter of EC2, has one of the values,
// and that are not terminated nor about to be. Ids that are not known are passed
// over.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
func Instances(ctx context.Context, api EC2, property string, values []string) ([]types.Instance, error) {
	var all []types.Instance
	for some := range slices.Chunk(values, filterValues) {
		in := &ec2.DescribeInstancesInput{Filters: []types.Filter{
			{Name: &property, Values: some},
			{Name: ptr("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}},
		}}
		for pages := ec2.NewDescribeInstancesPaginator(api, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("describe instances with %s %s: %w", property, strings.Join(some, ", "), err)
			}
			for _, r := range page.Reservations {
				all = append(all, r.Instances...)
			}
		}
	}
	return all, nil
}
