package logs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

type group struct {
	name      string
	created   time.Time
	retention int // days; 0 keeps events for ever
	tags      map[string]string
	streams   map[string]*stream
}

var groupNames = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// retentions are the days that AWS offers.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

// groupName is the name in a group's ARN, with or without ":*" at its end, or the
// text itself.
func groupName(identifier string) string {
	return strings.TrimSuffix(strings.TrimPrefix(identifier, arnPrefix), ":*")
}

func (s *Service) groupLocked(name string) (*group, error) {
	g := s.groups[name]
	if g == nil {
		return nil, notFound("log group")
	}
	return g, nil
}

// horizon is the time before which events have expired.
func (g *group) horizon(now time.Time) time.Time {
	if g.retention == 0 {
		return time.Time{}
	}
	return now.AddDate(0, 0, -g.retention)
}

// An Empty is an answer without members.
type Empty struct{}

// A CreateLogGroupInput names a group to be.
type CreateLogGroupInput struct {
	LogGroupName string `aws:",required"`
	Tags         map[string]string
}

// CreateLogGroup makes an empty group whose events never expire.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
func (s *Service) CreateLogGroup(_ context.Context, in *CreateLogGroupInput) (*Empty, error) {
	if !groupNames.MatchString(in.LogGroupName) {
		return nil, invalid(fmt.Sprintf("logGroupName: %q must match %s", in.LogGroupName, groupNames))
	}
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[in.LogGroupName] != nil {
		return nil, alreadyExists("log group")
	}
	s.groups[in.LogGroupName] = newGroup(in.LogGroupName, now)
	s.groups[in.LogGroupName].tags = in.Tags
	return &Empty{}, nil
}

func newGroup(name string, now time.Time) *group {
	return &group{name: name, created: now, streams: map[string]*stream{}}
}

// A GroupInput names a group.
type GroupInput struct {
	LogGroupName string `aws:",required"`
}

// DeleteLogGroup removes a group with all its events.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html
func (s *Service) DeleteLogGroup(_ context.Context, in *GroupInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.groupLocked(in.LogGroupName); err != nil {
		return nil, err
	}
	delete(s.groups, in.LogGroupName)
	return &Empty{}, nil
}

// A PutRetentionPolicyInput says how long events are kept.
type PutRetentionPolicyInput struct {
	LogGroupName    string `aws:",required"`
	RetentionInDays int    `aws:",required"`
}

// PutRetentionPolicy sets after how many days a group's events expire.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func (s *Service) PutRetentionPolicy(_ context.Context, in *PutRetentionPolicyInput) (*Empty, error) {
	if !slices.Contains(retentions(), in.RetentionInDays) {
		return nil, invalid(fmt.Sprintf("retentionInDays: %d is none of %v", in.RetentionInDays, retentions()))
	}
	return s.retain(in.LogGroupName, in.RetentionInDays)
}

// DeleteRetentionPolicy keeps a group's events for ever.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteRetentionPolicy.html
func (s *Service) DeleteRetentionPolicy(_ context.Context, in *GroupInput) (*Empty, error) {
	return s.retain(in.LogGroupName, 0)
}

func (s *Service) retain(name string, days int) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(name)
	if err != nil {
		return nil, err
	}
	g.retention = days
	return &Empty{}, nil
}

// A DescribeLogGroupsInput asks for a page of groups.
type DescribeLogGroupsInput struct {
	LogGroupNamePrefix  string
	LogGroupNamePattern string // part of the name
	Limit               *int   // up to 50
	NextToken           string
}

// A LogGroup as answers show it. Times are milliseconds since the epoch.
type LogGroup struct {
	LogGroupName    string
	Arn             string
	LogGroupArn     string
	CreationTime    int64
	RetentionInDays *int
	StoredBytes     int64
	LogGroupClass   string
}

// A DescribeLogGroupsOutput is a page of groups.
type DescribeLogGroupsOutput struct {
	LogGroups []LogGroup
	NextToken string
}

// DescribeLogGroups lists groups by name.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
func (s *Service) DescribeLogGroups(_ context.Context, in *DescribeLogGroupsInput) (*DescribeLogGroupsOutput, error) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := []LogGroup{}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if strings.HasPrefix(name, in.LogGroupNamePrefix) && strings.Contains(name, in.LogGroupNamePattern) {
			groups = append(groups, s.groups[name].view(now))
		}
	}
	groups, next, err := page(groups, in.NextToken, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	return &DescribeLogGroupsOutput{LogGroups: groups, NextToken: next}, nil
}

func (g *group) view(now time.Time) LogGroup {
	view := LogGroup{
		LogGroupName: g.name, Arn: arnPrefix + g.name + ":*", LogGroupArn: arnPrefix + g.name,
		CreationTime: g.created.UnixMilli(), LogGroupClass: "STANDARD",
	}
	if g.retention > 0 {
		view.RetentionInDays = &g.retention
	}
	for _, st := range g.streams {
		st.expire(g.horizon(now))
		view.StoredBytes += int64(st.bytes)
	}
	return view
}

// maxStreams is how many streams of a group are kept.
const maxStreams = 500

// stream finds or makes a stream, and forgets the one that was written to the
// longest time ago when there are too many.
func (g *group) stream(name string, now time.Time) *stream {
	if st := g.streams[name]; st != nil {
		return st
	}
	if len(g.streams) >= maxStreams {
		oldest := slices.MinFunc(slices.Collect(maps.Values(g.streams)), func(a, b *stream) int {
			return cmp.Or(a.touched.Compare(b.touched), cmp.Compare(a.name, b.name))
		})
		delete(g.streams, oldest.name)
	}
	st := &stream{name: name, created: now, touched: now}
	g.streams[name] = st
	return st
}

// A ListTagsForResourceInput names a group by its ARN.
type ListTagsForResourceInput struct {
	ResourceArn string `aws:",required"`
}

// A ListTagsForResourceOutput lists a group's tags.
type ListTagsForResourceOutput struct{ Tags map[string]string }

// ListTagsForResource lists the tags of a group.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(_ context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.groupLocked(groupName(in.ResourceArn))
	if err != nil {
		return nil, err
	}
	tags := map[string]string{}
	maps.Copy(tags, g.tags)
	return &ListTagsForResourceOutput{Tags: tags}, nil
}
