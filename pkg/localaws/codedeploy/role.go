package codedeploy

import (
	"fmt"

	"cutover/pkg/localaws/wire"
)

// passRole is what IAM must allow whoever hands a deployment group its role.
func passRole(roleARN string) []wire.Access {
	if roleARN == "" {
		return nil
	}
	return []wire.Access{{
		Action: "iam:PassRole", Resource: roleARN,
		Context: map[string]string{"iam:PassedToService": "codedeploy.amazonaws.com"},
	}}
}

// permit says whether the service role allows all of the accesses, and fails the
// deployment if it does not.
func (r *run) permit(service string, all ...wire.Access) bool {
	for _, a := range all {
		if r.allows(a) {
			continue
		}
		r.Logger.Warn("service role of a deployment lacks a permission", "deployment", r.d.id, "role", r.d.role, "action", a.Action, "resource", a.Resource)
		r.fail("IAM_ROLE_PERMISSIONS", fmt.Sprintf("The IAM role %s does not give you permission to perform operations in the following AWS service: %s. "+
			"Contact your AWS administrator if you need help. If you are an AWS administrator, you can grant permissions to your users or groups by creating IAM policies.",
			r.d.role, service))
		return false
	}
	return true
}

func (r *run) allows(a wire.Access) bool {
	return r.Roles == nil || r.Roles.RoleAllows(r.d.role, a)
}

// scaling is an access to an Auto Scaling group.
func (s *Service) scaling(action, group string) wire.Access {
	return wire.Access{Action: "autoscaling:" + action, Resource: "arn:aws:autoscaling:" + s.Region + ":" + s.Account + ":autoScalingGroup:*:autoScalingGroupName/" + group}
}

// balancing lists the accesses to target groups.
func balancing(action string, all []targetGroup) []wire.Access {
	list := []wire.Access{
		{Action: "elasticloadbalancing:DescribeTargetGroups", Resource: "*"},
		{Action: "elasticloadbalancing:DescribeTargetHealth", Resource: "*"},
	}
	for _, g := range all {
		list = append(list, wire.Access{Action: "elasticloadbalancing:" + action, Resource: g.arn})
	}
	return list
}

// alarming lists the accesses to alarms.
func (s *Service) alarming(names []string) []wire.Access {
	var list []wire.Access
	for _, name := range names {
		list = append(list, wire.Access{Action: "cloudwatch:DescribeAlarms", Resource: "arn:aws:cloudwatch:" + s.Region + ":" + s.Account + ":alarm:" + name})
	}
	return list
}
