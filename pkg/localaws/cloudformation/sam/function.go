package sam

import (
	"slices"
	"strings"

	"cutover/pkg/localaws/cloudformation/template"
)

// copied are the properties that AWS::Lambda::Function has under the same name
// and in the same form.
var copied = []string{
	"Architectures", "Description", "Environment", "EphemeralStorage", "FunctionName", "Handler", "KmsKeyArn",
	"Layers", "LoggingConfig", "MemorySize", "ReservedConcurrentExecutions", "Runtime", "Timeout", "VpcConfig",
}

// translated are the properties that become something else. PropagateTags is
// about resources that are not among those made here: the role has the
// function's tags in any case, an EventInvokeConfig has none.
var translated = []string{
	"AssumeRolePolicyDocument", "CodeUri", "EventInvokeConfig", "InlineCode", "PackageType", "PermissionsBoundary",
	"Policies", "PropagateTags", "Role", "RolePath", "Tags", "Tracing",
}

// inherited are the resource attributes that all resources made of a function
// get from it.
var inherited = []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy"}

// A function is an AWS::Serverless::Function as it is expanded.
type function struct {
	*transform
	id         string
	line       int
	path       string
	resource   *template.Node // as declared
	properties *template.Node // with the global ones
}

func (t *transform) function(p template.Pair, globals *template.Node) []template.Pair {
	f := function{transform: t, id: p.Key, line: p.Line, path: "Resources." + p.Key, resource: p.Value}
	f.properties = p.Value.Get("Properties")
	if f.properties == nil {
		f.properties = template.Map(p.Line)
	}
	if f.properties.Kind != template.Dict || isCall(f.properties) {
		t.Add(f.properties.Line, f.path+".Properties", "is not a map")
		return nil
	}
	for _, m := range f.properties.Pairs {
		if !slices.Contains(copied, m.Key) && !slices.Contains(translated, m.Key) {
			t.Add(m.Line, f.path+".Properties."+m.Key, "unknown property of %s", functionType)
		}
	}
	if globals != nil {
		f.properties = merged(globals, f.properties)
	}
	made := []template.Pair{f.pair(f.id, f.lambda())}
	if f.properties.Get("Role") == nil {
		made = append(made, f.pair(f.roleID(), f.role()))
	}
	if invoke := f.properties.Get("EventInvokeConfig"); invoke != nil {
		made = append(made, f.pair(f.id+"EventInvokeConfig", f.eventInvokeConfig(invoke)))
	}
	return made
}

func (f *function) pair(id string, n *template.Node) template.Pair {
	return template.Pair{Key: id, Line: f.line, Value: n}
}

func (f *function) roleID() string { return f.id + "Role" }

func (f *function) text(s string) *template.Node { return template.String(f.line, s) }

// made starts a resource that stands for the function.
func (f *function) made(kind string, properties *template.Node) *template.Node {
	n := template.Map(f.line).With("Type", f.text(kind)).With("Properties", properties)
	for _, name := range inherited {
		n.With(name, f.resource.Get(name))
	}
	return n
}

// lambda makes the AWS::Lambda::Function.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
func (f *function) lambda() *template.Node {
	properties := template.Map(f.line).With("Code", f.code())
	for _, name := range copied {
		properties.With(name, f.properties.Get(name))
	}
	role := f.properties.Get("Role")
	if role == nil {
		role = template.Call(f.line, "Fn::GetAtt", template.Listing(f.line, f.text(f.roleID()), f.text("Arn")))
	} else if f.properties.Get("Policies") != nil {
		f.Add(f.line, f.path, "Policies has no effect beside Role")
	}
	properties.With("Role", role).With("Tags", f.tags())
	if tracing := f.properties.Get("Tracing"); tracing != nil {
		properties.With("TracingConfig", template.Map(tracing.Line).With("Mode", tracing))
	}
	if kind := f.properties.Get("PackageType"); kind != nil && kind.Text != "Zip" {
		f.Add(kind.Line, f.path+".Properties.PackageType", "must be Zip")
	}
	n := f.made("AWS::Lambda::Function", properties)
	// The rest goes with the function; what is unknown is told when the template
	// is built. Metadata steers only the build of the code.
	for _, p := range f.resource.Pairs {
		if p.Key != "Type" && p.Key != "Properties" && !slices.Contains(inherited, p.Key) {
			n.With(p.Key, p.Value)
		}
	}
	return n
}

// code turns CodeUri into Code.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-functioncode.html
func (f *function) code() *template.Node {
	uri, inline := f.properties.Get("CodeUri"), f.properties.Get("InlineCode")
	path := f.path + ".Properties.CodeUri"
	switch {
	case inline != nil && uri != nil:
		f.Add(uri.Line, path, "InlineCode and CodeUri exclude each other")
	case inline != nil:
		return template.Map(inline.Line).With("ZipFile", inline)
	case uri == nil:
		f.Add(f.line, path, "is required")
	case uri.Kind == template.Dict && !isCall(uri):
		return f.objectCode(uri, path)
	default:
		return f.uriCode(uri, path)
	}
	return nil
}

func (f *function) uriCode(uri *template.Node, path string) *template.Node {
	text, _ := uri.IsString()
	bucketAndKey, isURI := strings.CutPrefix(text, "s3://")
	bucket, key, _ := strings.Cut(bucketAndKey, "/")
	if !isURI || bucket == "" || key == "" {
		f.Add(uri.Line, path, "must be an s3://bucket/key address or have Bucket and Key; package the template first")
		return nil
	}
	code := template.Map(uri.Line).With("S3Bucket", template.String(uri.Line, bucket))
	key, version, versioned := strings.Cut(key, "?versionId=")
	code.With("S3Key", template.String(uri.Line, key))
	if versioned {
		code.With("S3ObjectVersion", template.String(uri.Line, version))
	}
	return code
}

func (f *function) objectCode(uri *template.Node, path string) *template.Node {
	names := map[string]string{"Bucket": "S3Bucket", "Key": "S3Key", "Version": "S3ObjectVersion"}
	code := template.Map(uri.Line)
	for _, p := range uri.Pairs {
		if names[p.Key] == "" {
			f.Add(p.Line, path+"."+p.Key, "is unknown")
			continue
		}
		code.With(names[p.Key], p.Value)
	}
	for _, name := range []string{"Bucket", "Key"} {
		if uri.Get(name) == nil {
			f.Add(uri.Line, path+"."+name, "is required")
		}
	}
	return code
}

// tags turns a map of tags into a list, with the tag that SAM adds.
func (f *function) tags() *template.Node {
	list := template.Listing(f.line, f.tag("lambda:createdBy", f.text("SAM")))
	tags := f.properties.Get("Tags")
	if tags == nil {
		return list
	}
	if tags.Kind != template.Dict || isCall(tags) {
		f.Add(tags.Line, f.path+".Properties.Tags", "is not a map")
		return list
	}
	for _, p := range tags.Pairs {
		list.Items = append(list.Items, f.tag(p.Key, p.Value))
	}
	return list
}

func (f *function) tag(key string, value *template.Node) *template.Node {
	return template.Map(value.Line).With("Key", template.String(value.Line, key)).With("Value", value)
}

// eventInvokeConfig makes the AWS::Lambda::EventInvokeConfig.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventinvokeconfiguration.html
func (f *function) eventInvokeConfig(n *template.Node) *template.Node {
	path := f.path + ".Properties.EventInvokeConfig"
	properties := template.Map(n.Line).
		With("FunctionName", template.Call(n.Line, "Ref", f.text(f.id))).
		With("Qualifier", f.text("$LATEST"))
	if n.Kind != template.Dict || isCall(n) {
		f.Add(n.Line, path, "is not a map")
	}
	for _, p := range n.Pairs {
		switch p.Key {
		case "MaximumEventAgeInSeconds", "MaximumRetryAttempts":
			properties.With(p.Key, p.Value)
		case "DestinationConfig":
			properties.With(p.Key, f.destinations(p.Value, path+"."+p.Key))
		default:
			f.Add(p.Line, path+"."+p.Key, "is unknown")
		}
	}
	return f.made("AWS::Lambda::EventInvokeConfig", properties)
}

// destinations keeps the destination's ARN; SAM's Type only decides what the
// role may do.
func (f *function) destinations(n *template.Node, path string) *template.Node {
	config := template.Map(n.Line)
	for _, p := range n.Pairs {
		destination := p.Value.Get("Destination")
		switch {
		case p.Key != "OnFailure" && p.Key != "OnSuccess":
			f.Add(p.Line, path+"."+p.Key, "is unknown")
		case destination == nil:
			f.Add(p.Line, path+"."+p.Key, "Destination is required: the embedded AWS makes no queue or topic by itself")
		default:
			config.With(p.Key, template.Map(p.Line).With("Destination", destination))
		}
	}
	return config
}
