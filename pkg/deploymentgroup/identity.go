package deploymentgroup

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"cutover/pkg/customresource"
)

// The tags of a deployment group. The first two say whose it is; the third, on
// both of a replacement's groups, names the other as APPLICATION/GROUP.
const (
	stackTag    = "cutover:stack"
	resourceTag = "cutover:resource"
	otherTag    = "cutover:replacement"
)

// An identity is a deployment group's; its String is the physical id.
type identity struct{ application, group string }

func (id identity) String() string { return id.application + "/" + id.group }

func (p Properties) identity() identity { return identity{p.ApplicationName, p.DeploymentGroupName} }

// parse reads a physical id. CloudFormation makes up ids without a slash for what
// never answered.
func parse(physicalID string) (identity, bool) {
	application, group, ok := strings.Cut(physicalID, "/")
	return identity{application, group}, ok && name.MatchString(application) && name.MatchString(group)
}

// arn is the deployment group's, in the stack's account and Region.
func (id identity) arn(stackID string) (string, error) {
	stack, err := arn.Parse(stackID)
	if err != nil {
		return "", fmt.Errorf("read StackId %q: %w", stackID, err)
	}
	stack.Service, stack.Resource = "codedeploy", "deploymentgroup:"+id.String()
	return stack.String(), nil
}

func ownTags(r customresource.Request) []types.Tag {
	return []types.Tag{tag(stackTag, r.StackID), tag(resourceTag, r.LogicalID)}
}

func tag(key, value string) types.Tag {
	return types.Tag{Key: aws.String(key), Value: aws.String(value)}
}
