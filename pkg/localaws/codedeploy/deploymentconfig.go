package codedeploy

import (
	"context"
	"time"

	"cutover/pkg/localaws/wire"
)

// DeploymentConfigInfo describes a deployment configuration.
type DeploymentConfigInfo struct {
	DeploymentConfigId   string
	DeploymentConfigName string
	MinimumHealthyHosts  MinimumHealthyHosts
	CreateTime           time.Time
	ComputePlatform      string
}

// MinimumHealthyHosts is how many hosts must stay healthy.
type MinimumHealthyHosts struct {
	Type  string // HOST_COUNT or FLEET_PERCENT
	Value int
}

// GetDeploymentConfigInput names a deployment configuration.
type GetDeploymentConfigInput struct{ DeploymentConfigName string }

// GetDeploymentConfigOutput describes it.
type GetDeploymentConfigOutput struct{ DeploymentConfigInfo DeploymentConfigInfo }

// ListDeploymentConfigsInput asks for all of them, which are one page.
type ListDeploymentConfigsInput struct{ NextToken string }

// ListDeploymentConfigsOutput lists names.
type ListDeploymentConfigsOutput struct{ DeploymentConfigsList []string }

const oneAtATime = "CodeDeployDefault.OneAtATime"

// builtIn lists the deployment configurations that every account has.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
func builtIn() []DeploymentConfigInfo {
	return []DeploymentConfigInfo{
		{DeploymentConfigName: "CodeDeployDefault.AllAtOnce", MinimumHealthyHosts: MinimumHealthyHosts{"HOST_COUNT", 0}},
		{DeploymentConfigName: "CodeDeployDefault.HalfAtATime", MinimumHealthyHosts: MinimumHealthyHosts{"FLEET_PERCENT", 50}},
		{DeploymentConfigName: oneAtATime, MinimumHealthyHosts: MinimumHealthyHosts{"FLEET_PERCENT", 99}},
	}
}

// configNamed finds a deployment configuration.
func configNamed(name string) (DeploymentConfigInfo, error) {
	if name == "" {
		return DeploymentConfigInfo{}, wire.Errorf("DeploymentConfigNameRequiredException", "Deployment config name is required")
	}
	for _, c := range builtIn() {
		if c.DeploymentConfigName == name {
			return c, nil
		}
	}
	return DeploymentConfigInfo{}, wire.Errorf("DeploymentConfigDoesNotExistException", "No deployment configuration found for name: %s", name)
}

// hosts is how many of so many hosts must stay healthy. At least one may always
// be worked on.
func (m MinimumHealthyHosts) hosts(total int) int {
	least := m.Value
	if m.Type == "FLEET_PERCENT" {
		least = (total*m.Value + 99) / 100
	}
	return max(0, min(least, total-1))
}

// GetDeploymentConfig answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_GetDeploymentConfig.html
func (s *Service) GetDeploymentConfig(_ context.Context, in *GetDeploymentConfigInput) (*GetDeploymentConfigOutput, error) {
	c, err := configNamed(in.DeploymentConfigName)
	if err != nil {
		return nil, err
	}
	c.DeploymentConfigId, c.CreateTime, c.ComputePlatform = "00000000-0000-0000-0000-000000000000", s.made, "Server"
	return &GetDeploymentConfigOutput{DeploymentConfigInfo: c}, nil
}

// ListDeploymentConfigs answers
// https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_ListDeploymentConfigs.html
func (s *Service) ListDeploymentConfigs(_ context.Context, in *ListDeploymentConfigsInput) (*ListDeploymentConfigsOutput, error) {
	if err := onePage(in.NextToken); err != nil {
		return nil, err
	}
	out := &ListDeploymentConfigsOutput{}
	for _, c := range builtIn() {
		out.DeploymentConfigsList = append(out.DeploymentConfigsList, c.DeploymentConfigName)
	}
	return out, nil
}
