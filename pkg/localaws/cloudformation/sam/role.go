package sam

import (
	"fmt"
	"strings"

	"cutover/pkg/localaws/cloudformation/template"
)

// role makes the AWS::IAM::Role of a function that names none.
func (f *function) role() *template.Node {
	trust := f.properties.Get("AssumeRolePolicyDocument")
	if trust == nil {
		trust = f.trust()
	}
	properties := template.Map(f.line).With("AssumeRolePolicyDocument", trust)
	managed, inline := f.policies()
	properties.With("ManagedPolicyArns", managed)
	if len(inline.Items) > 0 {
		properties.With("Policies", inline)
	}
	properties.With("PermissionsBoundary", f.properties.Get("PermissionsBoundary"))
	properties.With("Path", f.properties.Get("RolePath"))
	properties.With("Tags", f.tags())
	return f.made("AWS::IAM::Role", properties)
}

func (f *function) trust() *template.Node {
	statement := template.Map(f.line).
		With("Effect", f.text("Allow")).
		With("Principal", template.Map(f.line).With("Service", template.Listing(f.line, f.text("lambda.amazonaws.com")))).
		With("Action", template.Listing(f.line, f.text("sts:AssumeRole")))
	return f.document(template.Listing(f.line, statement))
}

func (f *function) document(statements *template.Node) *template.Node {
	return template.Map(f.line).With("Version", f.text("2012-10-17")).With("Statement", statements)
}

// policies are the managed policies of a function's role and its own.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html#sam-function-policies
func (f *function) policies() (managed, inline *template.Node) {
	managed = template.Listing(f.line, f.awsPolicy("service-role/AWSLambdaBasicExecutionRole"))
	if tracing := f.properties.Get("Tracing"); tracing != nil && tracing.Text == "Active" {
		managed.Items = append(managed.Items, f.awsPolicy("AWSXrayWriteOnlyAccess"))
	}
	if f.properties.Get("VpcConfig") != nil {
		managed.Items = append(managed.Items, f.awsPolicy("service-role/AWSLambdaVPCAccessExecutionRole"))
	}
	inline = template.Listing(f.line)
	f.destinationPolicies(inline)
	n := f.properties.Get("Policies")
	if n == nil {
		return managed, inline
	}
	path := f.path + ".Properties.Policies"
	list := n.Items
	if n.Kind != template.List {
		list = []*template.Node{n}
	}
	for i, policy := range list {
		f.policy(policy, i, fmt.Sprintf("%s[%d]", path, i), managed, inline)
	}
	return managed, inline
}

// destinationPolicies let the function send to the destinations of its
// asynchronous invocations.
func (f *function) destinationPolicies(inline *template.Node) {
	config := f.properties.Get("EventInvokeConfig").Get("DestinationConfig")
	if config == nil {
		return
	}
	actions := map[string]string{
		"SQS": "sqs:SendMessage", "SNS": "sns:Publish", "Lambda": "lambda:InvokeFunction", "EventBridge": "events:PutEvents",
	}
	for _, p := range config.Pairs {
		kind, destination := p.Value.Get("Type"), p.Value.Get("Destination")
		if kind == nil || destination == nil {
			continue
		}
		if actions[kind.Text] == "" {
			f.Add(kind.Line, f.path+".Properties.EventInvokeConfig.DestinationConfig."+p.Key+".Type", "must be SQS, SNS, Lambda or EventBridge")
			continue
		}
		statement := template.Map(p.Line).
			With("Effect", f.text("Allow")).
			With("Action", f.text(actions[kind.Text])).
			With("Resource", destination)
		inline.Items = append(inline.Items, template.Map(p.Line).
			With("PolicyName", f.text(f.id+"EventInvokeConfig"+p.Key+kind.Text+"Policy")).
			With("PolicyDocument", f.document(template.Listing(p.Line, statement))))
	}
}

// policy sorts one entry of Policies in.
func (f *function) policy(n *template.Node, i int, path string, managed, inline *template.Node) {
	name, isName := n.IsString()
	switch {
	case isName && strings.HasPrefix(name, "arn:"), isCall(n):
		managed.Items = append(managed.Items, n)
	case isName:
		managed.Items = append(managed.Items, f.awsPolicy(name))
	case n.Kind == template.Dict && n.Get("Statement") != nil:
		document := n
		if n.Get("Version") == nil {
			document = f.document(n.Get("Statement"))
		}
		entry := template.Map(n.Line).
			With("PolicyName", f.text(fmt.Sprintf("%sPolicy%d", f.roleID(), i))).
			With("PolicyDocument", document)
		inline.Items = append(inline.Items, entry)
	case n.Kind == template.Dict && len(n.Pairs) == 1:
		f.Add(n.Line, path, "unknown SAM policy template %s", n.Pairs[0].Key)
	default:
		f.Add(n.Line, path, "is neither a managed policy nor a policy document")
	}
}

// awsPolicy is the ARN of a policy that AWS manages.
func (f *function) awsPolicy(name string) *template.Node {
	return template.Call(f.line, "Fn::Sub", f.text("arn:${AWS::Partition}:iam::aws:policy/"+name))
}
