package ecs

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// ClusterSetting is a setting such as containerInsights.
type ClusterSetting struct {
	Name  string
	Value string
}

// Cluster is a cluster as ECS describes it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html
type Cluster struct {
	ClusterArn                        string
	ClusterName                       string
	Status                            string // ACTIVE, INACTIVE
	RegisteredContainerInstancesCount int
	RunningTasksCount                 int
	PendingTasksCount                 int
	ActiveServicesCount               int
	Settings                          []ClusterSetting
	Tags                              []Tag
}

// Failure names a resource that an operation did not find.
type Failure struct {
	Arn    string
	Reason string // MISSING
	Detail string
}

// CreateClusterInput names a cluster; "default" where it does not.
type CreateClusterInput struct {
	ClusterName string
	Settings    []ClusterSetting
	Tags        []Tag
}

// ClusterInput names a cluster by name or ARN.
type ClusterInput struct {
	Cluster string `aws:",required"`
}

// ClusterOutput is a cluster.
type ClusterOutput struct{ Cluster Cluster }

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// CreateCluster answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
// Creating one that is there answers with it.
func (s *Service) CreateCluster(_ context.Context, in *CreateClusterInput) (*ClusterOutput, error) {
	name := in.ClusterName
	if name == "" {
		name = "default"
	}
	if !clusterName.MatchString(name) {
		return nil, invalid("Cluster name %q must have 1 to 255 letters, numbers, hyphens and underscores.", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.arn("cluster", name)
	c := s.clusters[arn]
	if c == nil || c.Status != "ACTIVE" {
		c = &Cluster{ClusterArn: arn, ClusterName: name, Status: "ACTIVE", Settings: in.Settings}
		if len(c.Settings) == 0 {
			c.Settings = []ClusterSetting{{Name: "containerInsights", Value: "disabled"}}
		}
		delete(s.tags, arn)
		if err := s.tagLocked(arn, in.Tags); err != nil {
			return nil, err
		}
		s.clusters[arn] = c
	}
	out := s.describedClusterLocked(c)
	out.Tags = s.tagsLocked(arn)
	return &ClusterOutput{Cluster: out}, nil
}

func (s *Service) describedClusterLocked(c *Cluster) Cluster {
	out := *c
	for _, v := range s.services {
		if v.cluster != c.ClusterName || v.status == statusInactive {
			continue
		}
		if v.status == statusActive {
			out.ActiveServicesCount++
		}
		for _, t := range v.tasks {
			switch t.state {
			case taskPending:
				out.PendingTasksCount++
			case taskRunning:
				out.RunningTasksCount++
			}
		}
	}
	return out
}

// clusterLocked finds an active cluster by name or ARN; empty means "default".
func (s *Service) clusterLocked(name string) (*Cluster, error) {
	c, ok := s.clusters[s.clusterARN(name)]
	if !ok || c.Status != "ACTIVE" {
		return nil, refuse("ClusterNotFoundException", "Cluster not found.")
	}
	return c, nil
}

func (s *Service) clusterARN(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	if name == "" {
		name = "default"
	}
	return s.arn("cluster", name)
}

// clusterNameOf is the name in a cluster's name or ARN.
func clusterNameOf(cluster string) string {
	if cluster == "" {
		return "default"
	}
	return cluster[strings.LastIndexByte(cluster, '/')+1:]
}

// DeleteCluster answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
func (s *Service) DeleteCluster(_ context.Context, in *ClusterInput) (*ClusterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.clusterLocked(in.Cluster)
	if err != nil {
		return nil, err
	}
	described := s.describedClusterLocked(c)
	if described.ActiveServicesCount > 0 {
		return nil, refuse("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
	}
	if described.RunningTasksCount+described.PendingTasksCount > 0 {
		return nil, refuse("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
	}
	c.Status = "INACTIVE"
	described.Status = c.Status
	return &ClusterOutput{Cluster: described}, nil
}

// DescribeClustersInput names clusters; none means "default".
type DescribeClustersInput struct {
	Clusters []string
	Include  []string // TAGS, SETTINGS
}

// DescribeClustersOutput lists the clusters found, and failures for others.
type DescribeClustersOutput struct {
	Clusters []Cluster
	Failures []Failure
}

// DescribeClusters answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (s *Service) DescribeClusters(_ context.Context, in *DescribeClustersInput) (*DescribeClustersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := in.Clusters
	if len(names) == 0 {
		names = []string{"default"}
	}
	out := &DescribeClustersOutput{Clusters: []Cluster{}, Failures: []Failure{}}
	for _, name := range names {
		arn := s.clusterARN(name)
		c, ok := s.clusters[arn]
		if !ok {
			out.Failures = append(out.Failures, Failure{Arn: arn, Reason: "MISSING"})
			continue
		}
		described := s.describedClusterLocked(c)
		if !slices.Contains(in.Include, "SETTINGS") {
			described.Settings = nil
		}
		if slices.Contains(in.Include, "TAGS") {
			described.Tags = given(s.tagsLocked(arn))
		}
		out.Clusters = append(out.Clusters, described)
	}
	return out, nil
}

// ListClustersInput asks for a page.
type ListClustersInput struct {
	MaxResults *int
	NextToken  string
}

// ListClustersOutput is a page of ARNs.
type ListClustersOutput struct {
	ClusterArns []string
	NextToken   string
}

// ListClusters answers
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
func (s *Service) ListClusters(_ context.Context, in *ListClustersInput) (*ListClustersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arns := []string{}
	for arn, c := range s.clusters {
		if c.Status == "ACTIVE" {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	page, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ListClustersOutput{ClusterArns: page, NextToken: next}, err
}
