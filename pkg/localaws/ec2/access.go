package ec2

import (
	"strings"

	"cutover/pkg/localaws/wire"
)

// arn is the ARN of what has this id, or of all of a kind ("image", "*").
// Images and snapshots have no account in theirs.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func (s *Service) arn(kind, id string) string {
	account := s.Account
	if kind == "image" || kind == "snapshot" {
		account = ""
	}
	return "arn:aws:ec2:" + s.Region + ":" + account + ":" + kind + "/" + id
}

// kinds of taggable resources, by the prefix of their ids.
var kinds = map[string]string{
	"ami": "image", "snap": "snapshot", "i": "instance", "lt": "launch-template", "vol": "volume",
	"vpc": "vpc", "subnet": "subnet", "sg": "security-group", "eni": "network-interface",
}

func kindOfID(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	return kinds[prefix]
}

// accessTo is the operation itself on resources, with their tags as condition keys.
func (s *Service) accessTo(ids ...string) []wire.Access {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []wire.Access
	for _, id := range ids {
		all = append(all, s.accessLocked(id))
	}
	return all
}

func (s *Service) accessLocked(id string) wire.Access {
	kind := kindOfID(id)
	if kind == "" {
		return wire.Access{Resource: "*"} // refused for its id later
	}
	a := wire.Access{Resource: s.arn(kind, id), Context: map[string]string{}}
	if held := s.tagsLocked(id); held != nil {
		for _, t := range *held {
			a.Context["aws:ResourceTag/"+t.Key] = t.Value
			a.Context["ec2:ResourceTag/"+t.Key] = t.Value
		}
	}
	return a
}

// accessToTemplate is the operation itself on a launch template.
func (s *Service) accessToTemplate(name TemplateName) []wire.Access {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.templateLocked(name)
	if err != nil {
		return nil // refused for its name later
	}
	return []wire.Access{s.accessLocked(t.LaunchTemplateId)}
}

// taggingAccess is what tagging at creation needs: ec2:CreateTags on what is made.
func (s *Service) taggingAccess(operation string, specifications []tagSpecificationRequest) []wire.Access {
	var all []wire.Access
	for _, spec := range specifications {
		a := wire.Access{Action: "ec2:CreateTags", Resource: s.arn(spec.ResourceType, "*"), Context: map[string]string{"ec2:CreateAction": operation}}
		for _, t := range spec.Tags {
			a.Context["aws:RequestTag/"+t.Key] = t.Value
		}
		all = append(all, a)
	}
	return all
}

func (s *Service) createTagsAccess(in *CreateTagsInput) []wire.Access {
	all := s.accessTo(in.Resources...)
	for _, a := range all {
		for _, t := range in.Tags {
			if a.Context != nil {
				a.Context["aws:RequestTag/"+t.Key] = t.Value
			}
		}
	}
	return all
}

// createImageAccess: the instance, and the image and snapshots that are made.
func (s *Service) createImageAccess(in *CreateImageInput) []wire.Access {
	all := append(s.accessTo(in.InstanceId), wire.Access{Resource: s.arn("image", "*")}, wire.Access{Resource: s.arn("snapshot", "*")})
	return append(all, s.taggingAccess("CreateImage", in.TagSpecifications)...)
}

func (s *Service) copyImageAccess(in *CopyImageInput) []wire.Access {
	all := []wire.Access{{Resource: s.arn("image", "*")}}
	return append(all, s.taggingAccess("CopyImage", in.TagSpecifications)...)
}

func (s *Service) createLaunchTemplateAccess(in *CreateLaunchTemplateInput) []wire.Access {
	all := []wire.Access{{Resource: s.arn("launch-template", "*")}}
	return append(all, s.taggingAccess("CreateLaunchTemplate", in.TagSpecifications)...)
}

// runInstancesAccess: all that the instances are made of, the role they get, and
// the parameter that names their image.
func (s *Service) runInstancesAccess(in *RunInstancesInput) []wire.Access {
	data, used, err := s.launchData(in.LaunchTemplate, in.data())
	if err != nil {
		return nil // refused for that later
	}
	all := []wire.Access{
		{Resource: s.arn("instance", "*"), Context: map[string]string{"ec2:InstanceType": data.InstanceType}},
		{Resource: s.arn("network-interface", "*")},
		{Resource: s.arn("volume", "*")},
	}
	if name, ok := strings.CutPrefix(data.ImageId, resolvePrefix); ok {
		name, _, _ = strings.Cut(name, ":")
		all = append(all, wire.Access{Action: "ssm:GetParameters", Resource: parameterARN(s.Region, s.Account, name)})
	}
	network := data.network(in.SubnetId)
	ids := append([]string{s.resolvedImage(data.ImageId), network.subnet}, network.groups...)
	if used != nil {
		ids = append(ids, used.LaunchTemplateId)
	}
	for _, id := range ids {
		if kindOfID(id) != "" {
			all = append(all, s.accessTo(id)...)
		}
	}
	if data.KeyName != "" {
		all = append(all, wire.Access{Resource: s.arn("key-pair", data.KeyName)})
	}
	if p := data.IamInstanceProfile; p != nil {
		if _, _, role, err := s.Profiles.InstanceProfileRole(p.nameOrARN()); err == nil {
			all = append(all, wire.Access{Action: "iam:PassRole", Resource: role, Context: map[string]string{"iam:PassedToService": "ec2.amazonaws.com"}})
		}
	}
	return append(all, s.taggingAccess("RunInstances", in.TagSpecifications)...)
}

// parameterARN is an SSM parameter's: public ones have no account.
func parameterARN(region, account, name string) string {
	if strings.HasPrefix(name, "/aws/") {
		account = ""
	}
	return "arn:aws:ssm:" + region + ":" + account + ":parameter/" + strings.TrimPrefix(name, "/")
}
