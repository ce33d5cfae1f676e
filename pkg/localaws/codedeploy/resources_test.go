package codedeploy

import (
	"strings"
	"testing"

	"cutover/pkg/localaws/resource"
)

func (w *world) resourceType(name string) resource.Type {
	for _, r := range w.service.Resources() {
		if r.Name == name {
			return r
		}
	}
	w.t.Fatalf("there is no resource type %s", name)
	return resource.Type{}
}

func TestResources_AreCreatedUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	application, group := w.resourceType("AWS::CodeDeploy::Application"), w.resourceType("AWS::CodeDeploy::DeploymentGroup")
	request := resource.Request{StackName: "fleet", StackID: "s", LogicalID: "Application", Properties: map[string]any{"ComputePlatform": "Server"}}
	made, err := application.Create(t.Context(), request)
	if err != nil || !strings.HasPrefix(made.PhysicalID, "fleet-Application-") {
		t.Fatalf("create application: got %+v, %v", made, err)
	}
	properties := map[string]any{
		"ApplicationName": made.PhysicalID, "DeploymentGroupName": "web", "ServiceRoleArn": serviceRole, "AutoScalingGroups": []any{"web"},
		"DeploymentStyle":  map[string]any{"DeploymentType": "IN_PLACE", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
		"LoadBalancerInfo": map[string]any{"TargetGroupInfoList": []any{map[string]any{"Name": "web"}}},
		"Tags":             []any{map[string]any{"Key": "team", "Value": "blue"}},
	}
	state, err := group.Create(t.Context(), resource.Request{LogicalID: "Group", Properties: properties})
	if err != nil || state.PhysicalID != "web" {
		t.Fatalf("create deployment group: got %+v, %v", state, err)
	}
	properties["DeploymentConfigName"] = "CodeDeployDefault.AllAtOnce"
	if _, err := group.Update(t.Context(), resource.Request{LogicalID: "Group", PhysicalID: "web", Properties: properties}); err != nil {
		t.Fatalf("update deployment group: %v", err)
	}
	if got := w.service.DeploymentConfig(made.PhysicalID, "web"); got != "CodeDeployDefault.AllAtOnce" {
		t.Errorf("deployment configuration after the update: got %q", got)
	}
	for range 2 { // a second time it is gone already
		if err := group.Delete(t.Context(), resource.Request{PhysicalID: "web", Properties: properties}); err != nil {
			t.Errorf("delete deployment group: %v", err)
		}
		if err := application.Delete(t.Context(), resource.Request{PhysicalID: made.PhysicalID}); err != nil {
			t.Errorf("delete application: %v", err)
		}
	}
}

func TestResources_RefuseCopiedGroupsAsCloudFormationDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	group := w.resourceType("AWS::CodeDeploy::DeploymentGroup")
	for want, groups := range map[string][]any{
		"Property AutoScalingGroups cannot be specified":  {"web"},
		"Exactly one AutoScaling group must be specified": nil,
	} {
		properties := map[string]any{
			"ApplicationName": "hello", "ServiceRoleArn": serviceRole, "AutoScalingGroups": groups,
			"DeploymentStyle":                  map[string]any{"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
			"BlueGreenDeploymentConfiguration": map[string]any{"GreenFleetProvisioningOption": map[string]any{"Action": "COPY_AUTO_SCALING_GROUP"}},
		}
		_, err := group.Create(t.Context(), resource.Request{LogicalID: "Group", Properties: properties})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("create with groups %v: got error %v, want %s", groups, err, want)
		}
	}
}
