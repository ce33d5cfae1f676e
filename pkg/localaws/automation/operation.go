package automation

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"cutover/pkg/localaws/wire"
)

// An operation is one operation of AWS's APIs that steps may call.
type operation struct {
	service, name string
	in            reflect.Type
	call          func(ctx context.Context, config aws.Config, in map[string]any) (any, error)
}

// operations are those that steps may call. Naming the methods, rather than
// finding them by reflection, keeps the SDK's others out of the program.
func operations() []operation {
	newEC2 := func(c aws.Config) *ec2.Client { return ec2.NewFromConfig(c) }
	newSSM := func(c aws.Config) *ssm.Client { return ssm.NewFromConfig(c) }
	newAutoScaling := func(c aws.Config) *autoscaling.Client { return autoscaling.NewFromConfig(c) }
	newSNS := func(c aws.Config) *sns.Client { return sns.NewFromConfig(c) }
	return []operation{
		op("autoscaling", newAutoScaling, (*autoscaling.Client).DescribeAutoScalingGroups),
		op("autoscaling", newAutoScaling, (*autoscaling.Client).UpdateAutoScalingGroup),
		op("ec2", newEC2, (*ec2.Client).CopyImage),
		op("ec2", newEC2, (*ec2.Client).CreateImage),
		op("ec2", newEC2, (*ec2.Client).CreateTags),
		op("ec2", newEC2, (*ec2.Client).DeleteSnapshot),
		op("ec2", newEC2, (*ec2.Client).DeleteTags),
		op("ec2", newEC2, (*ec2.Client).DeregisterImage),
		op("ec2", newEC2, (*ec2.Client).DescribeImages),
		op("ec2", newEC2, (*ec2.Client).DescribeInstanceStatus),
		op("ec2", newEC2, (*ec2.Client).DescribeInstances),
		op("ec2", newEC2, (*ec2.Client).DescribeSubnets),
		op("ec2", newEC2, (*ec2.Client).RunInstances),
		op("ec2", newEC2, (*ec2.Client).StartInstances),
		op("ec2", newEC2, (*ec2.Client).StopInstances),
		op("ec2", newEC2, (*ec2.Client).TerminateInstances),
		op("sns", newSNS, (*sns.Client).Publish),
		op("ssm", newSSM, (*ssm.Client).AddTagsToResource),
		op("ssm", newSSM, (*ssm.Client).DescribeInstanceInformation),
		op("ssm", newSSM, (*ssm.Client).GetAutomationExecution),
		op("ssm", newSSM, (*ssm.Client).GetCommandInvocation),
		op("ssm", newSSM, (*ssm.Client).GetParameter),
		op("ssm", newSSM, (*ssm.Client).GetParameters),
		op("ssm", newSSM, (*ssm.Client).PutParameter),
		op("ssm", newSSM, (*ssm.Client).SendCommand),
	}
}

// Operations lists what aws:executeAwsApi and its kin can call, as
// "ec2 DescribeImages".
func Operations() []string {
	var all []string
	for _, o := range operations() {
		all = append(all, o.service+" "+o.name)
	}
	return all
}

// find finds an operation under the API's name or boto3's, such as
// describe_images.
func find(service, name string) (operation, bool) {
	all := operations()
	i := slices.IndexFunc(all, func(o operation) bool {
		return o.service == service && (o.name == name || snake(o.name) == name)
	})
	if i < 0 {
		return operation{}, false
	}
	return all[i], true
}

var capital = regexp.MustCompile(`\B[A-Z]`)

// snake makes describe_images of DescribeImages.
func snake(name string) string {
	return strings.ToLower(capital.ReplaceAllString(name, "_$0"))
}

// An inputError says that an input does not fit the operation.
type inputError struct{ text string }

// Error implements error.
func (e *inputError) Error() string { return e.text }

// op makes an operation of a client's method.
func op[C, I, O, Opt any](service string, dial func(aws.Config) *C, method func(*C, context.Context, *I, ...func(*Opt)) (*O, error)) operation {
	in := reflect.TypeFor[I]()
	name := strings.TrimSuffix(in.Name(), "Input")
	return operation{service: service, name: name, in: in, call: func(ctx context.Context, config aws.Config, given map[string]any) (any, error) {
		var in I
		if wrong := (wire.Dialect{Naming: wire.AsIs}).Fill(&in, given); len(wrong) > 0 {
			return nil, &inputError{fmt.Sprintf("Parameter validation failed for %s of %s: %s", name, service, strings.Join(wrong, "; "))}
		}
		out, err := method(dial(config), ctx, &in)
		if err != nil {
			return nil, err
		}
		answer, _ := plainTree(wire.Tree(reflect.ValueOf(out), wire.AsIs)).(map[string]any)
		delete(answer, "ResultMetadata")
		return answer, nil
	}}
}

// plainTree leaves only what JSON has: times become texts.
func plainTree(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			node[key] = plainTree(value)
		}
	case []any:
		for i, value := range node {
			node[i] = plainTree(value)
		}
	case time.Time:
		return node.UTC().Format(time.RFC3339)
	case []byte:
		return string(node)
	}
	return node
}

// strangers are the paths of a tree that a type has no member for.
func strangers(t reflect.Type, node any, path string) (all []string) {
	switch t.Kind() {
	case reflect.Pointer:
		return strangers(t.Elem(), node, path)
	case reflect.Slice:
		list, _ := node.([]any)
		for i, item := range list {
			all = append(all, strangers(t.Elem(), item, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case reflect.Map:
		m, _ := node.(map[string]any)
		for key, item := range sorted(m) {
			all = append(all, strangers(t.Elem(), item, path+"."+key)...)
		}
	case reflect.Struct:
		members := map[string]reflect.Type{}
		for _, f := range wire.Fields(t, wire.AsIs) {
			members[f.Name] = f.Type
		}
		m, _ := node.(map[string]any)
		for key, item := range sorted(m) {
			if members[key] == nil {
				all = append(all, strings.TrimPrefix(path+"."+key, "."))
				continue
			}
			all = append(all, strangers(members[key], item, path+"."+key)...)
		}
	}
	return all
}
