package deploygreen

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"cutover/pkg/bluegreen"
)

// A Revision is a task definition with its tags, which AWS tells apart from it.
type Revision struct {
	types.TaskDefinition
	Tags []types.Tag
}

// ARN of the revision.
func (r Revision) ARN() string { return str(r.TaskDefinitionArn) }

// Image of the named container, or "".
func (r Revision) Image(container string) string {
	for _, c := range r.ContainerDefinitions {
		if str(c.Name) == container {
			return str(c.Image)
		}
	}
	return ""
}

func (r Revision) containers() []string {
	names := make([]string, len(r.ContainerDefinitions))
	for i, c := range r.ContainerDefinitions {
		names[i] = str(c.Name)
	}
	return names
}

// withImage is what to register for the revision with another image. Only the
// fields that AWS adds on registration are left out. The tags are kept, save
// those that AWS reserves and that of an earlier execution.
//
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
func (r Revision) withImage(container, image, execution string) *ecs.RegisterTaskDefinitionInput {
	in := r.content()
	in.ContainerDefinitions = slices.Clone(in.ContainerDefinitions)
	for i := range in.ContainerDefinitions {
		if str(in.ContainerDefinitions[i].Name) == container {
			in.ContainerDefinitions[i].Image = &image
		}
	}
	for _, t := range r.Tags {
		if key := str(t.Key); !strings.HasPrefix(key, "aws:") && key != bluegreen.TagExecution {
			in.Tags = append(in.Tags, t)
		}
	}
	key := bluegreen.TagExecution
	in.Tags = append(in.Tags, types.Tag{Key: &key, Value: &execution})
	return in
}

// content is everything that a registration decides, without tags.
func (r Revision) content() *ecs.RegisterTaskDefinitionInput {
	return &ecs.RegisterTaskDefinitionInput{
		Family:               r.Family,
		ContainerDefinitions: r.ContainerDefinitions,
		Cpu:                  r.Cpu,
		EnableFaultInjection: r.EnableFaultInjection,
		EphemeralStorage:     r.EphemeralStorage,
		ExecutionRoleArn:     r.ExecutionRoleArn,
		//lint:ignore SA1019 a definition from when they existed keeps them
		InferenceAccelerators:   r.InferenceAccelerators,
		IpcMode:                 r.IpcMode,
		Memory:                  r.Memory,
		NetworkMode:             r.NetworkMode,
		PidMode:                 r.PidMode,
		PlacementConstraints:    r.PlacementConstraints,
		ProxyConfiguration:      r.ProxyConfiguration,
		RequiresCompatibilities: r.RequiresCompatibilities,
		RuntimePlatform:         r.RuntimePlatform,
		TaskRoleArn:             r.TaskRoleArn,
		Volumes:                 r.Volumes,
	}
}

// equals tells whether the revision is what registering in would make.
func (r Revision) equals(in *ecs.RegisterTaskDefinitionInput) bool {
	return fingerprint(r.content()) == fingerprint(in)
}

// fingerprint spells a registration's content in one way: unset and empty are
// the same, and so are environments in another order, since AWS does not
// promise to return either as it was sent.
func fingerprint(in *ecs.RegisterTaskDefinitionInput) string {
	content := *in
	content.Tags = nil
	encoded, err := json.Marshal(content)
	if err != nil { // plain structs of strings and numbers
		panic(fmt.Sprintf("encode task definition: %v", err))
	}
	var tree any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		panic(fmt.Sprintf("decode task definition: %v", err))
	}
	encoded, err = json.Marshal(prune("", tree))
	if err != nil {
		panic(fmt.Sprintf("encode task definition: %v", err))
	}
	return string(encoded)
}

// prune drops empty members and sorts the lists whose order means nothing.
func prune(name string, node any) any {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			if value = prune(key, value); value == nil {
				delete(n, key)
			} else {
				n[key] = value
			}
		}
		if len(n) == 0 {
			return nil
		}
	case []any:
		if len(n) == 0 {
			return nil
		}
		for i := range n {
			n[i] = prune("", n[i])
		}
		if name == "Environment" || name == "Secrets" {
			slices.SortFunc(n, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	case string:
		if n == "" {
			return nil
		}
	}
	return node
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
