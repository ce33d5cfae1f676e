package ec2_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"net/http"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsquery"
)

// access lists what IAM is asked for a call, as ACTION on RESOURCE.
func access(t *testing.T, p *place, form url.Values) []string {
	t.Helper()
	w := p.service.Wire()
	op, ok := w.Operation(form.Get("Action"))
	if !ok {
		t.Fatalf("no operation %s", form.Get("Action"))
	}
	in := op.NewInput()
	r := wire.Request{Request: &http.Request{Method: http.MethodPost}, Body: []byte(form.Encode())}
	if faults := w.Protocols[0].(awsquery.Protocol).Decode(r, op.Name, in); len(faults) > 0 {
		t.Fatal(faults)
	}
	var all []string
	for _, a := range op.Access(in, w.Action(op.Name)) {
		text := a.Action + " on " + strings.NewReplacer(p.subnet, "SUBNET", p.group, "GROUP", p.amazon(), "AMI").Replace(a.Resource)
		for _, key := range []string{"ec2:CreateAction", "iam:PassedToService", "aws:ResourceTag/team", "aws:RequestTag/team"} {
			if value, ok := a.Context[key]; ok {
				text += " " + key + "=" + value
			}
		}
		all = append(all, text)
	}
	return all
}

func TestAccess_IsAskedByResource(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	id := p.run(t, p.input(p.amazon()))
	image := p.makeImage(t, id, "web")
	template := p.template(t, p.request())
	call := func(action string, pairs ...string) url.Values {
		form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	const here = "arn:aws:ec2:us-east-1:111122223333:"
	tag := call("CreateTags", "ResourceId.1", image, "Tag.1.Key", "team", "Tag.1.Value", "blue")
	for _, c := range []struct {
		what string
		form url.Values
		want []string
	}{
		{"describing", call("DescribeImages"), []string{"ec2:DescribeImages on *"}},
		{"tagging", tag, []string{"ec2:CreateTags on arn:aws:ec2:us-east-1::image/" + image + " aws:RequestTag/team=blue"}},
		{"an image", call("CreateImage", "InstanceId", id, "Name", "x", "TagSpecification.1.ResourceType", "image", "TagSpecification.1.Tag.1.Key", "team", "TagSpecification.1.Tag.1.Value", "blue"), []string{
			"ec2:CreateImage on " + here + "instance/" + id,
			"ec2:CreateImage on arn:aws:ec2:us-east-1::image/*",
			"ec2:CreateImage on arn:aws:ec2:us-east-1::snapshot/*",
			"ec2:CreateTags on arn:aws:ec2:us-east-1::image/* ec2:CreateAction=CreateImage aws:RequestTag/team=blue",
		}},
		{"a version of a template by name", call("CreateLaunchTemplateVersion", "LaunchTemplateName", "web", "LaunchTemplateData.KeyName", "x"), []string{
			"ec2:CreateLaunchTemplateVersion on " + here + "launch-template/" + template,
		}},
		{"instances of a template", call("RunInstances", "MinCount", "1", "MaxCount", "1", "LaunchTemplate.LaunchTemplateId", template), []string{
			"ec2:RunInstances on " + here + "instance/*",
			"ec2:RunInstances on " + here + "network-interface/*",
			"ec2:RunInstances on " + here + "volume/*",
			"ec2:RunInstances on arn:aws:ec2:us-east-1::image/AMI",
			"ec2:RunInstances on " + here + "subnet/SUBNET",
			"ec2:RunInstances on " + here + "security-group/GROUP",
			"ec2:RunInstances on " + here + "launch-template/" + template,
			"ec2:RunInstances on " + here + "key-pair/ops",
			"iam:PassRole on " + role + " iam:PassedToService=ec2.amazonaws.com",
		}},
		{"an image by its parameter", call("RunInstances", "MinCount", "1", "MaxCount", "1", "ImageId", "resolve:ssm:/golden/web:3"), []string{
			"ec2:RunInstances on " + here + "instance/*",
			"ec2:RunInstances on " + here + "network-interface/*",
			"ec2:RunInstances on " + here + "volume/*",
			"ssm:GetParameters on arn:aws:ssm:us-east-1:111122223333:parameter/golden/web",
		}},
		{"deregistering", call("DeregisterImage", "ImageId", image), []string{"ec2:DeregisterImage on arn:aws:ec2:us-east-1::image/" + image}},
		{"terminating", call("TerminateInstances", "InstanceId.1", id), []string{"ec2:TerminateInstances on " + here + "instance/" + id}},
		{"a template that is not there", call("DeleteLaunchTemplate", "LaunchTemplateName", "none"), []string{"ec2:DeleteLaunchTemplate on *"}},
	} {
		if diff := cmp.Diff(c.want, access(t, p, c.form)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
}
