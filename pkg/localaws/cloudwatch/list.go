package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"cutover/pkg/localaws/wire"
)

// A DimensionFilter picks metrics by a dimension's name, and by its value unless
// that is empty.
type DimensionFilter struct {
	Name  string `aws:",required"`
	Value string
}

// ListMetricsInput is the input of ListMetrics.
type ListMetricsInput struct {
	Namespace  string
	MetricName string
	Dimensions []DimensionFilter
	NextToken  string
}

// ListMetricsOutput is the output of ListMetrics.
type ListMetricsOutput struct {
	Metrics   []Metric
	NextToken string
}

// ListMetrics lists the metrics that have datapoints, 500 a page.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
func (s *Service) ListMetrics(_ context.Context, in *ListMetricsInput) (*ListMetricsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	seen := map[string]bool{} // several units of one metric are one metric
	all := []Metric{}
	for _, k := range slices.Sorted(maps.Keys(s.metrics)) {
		one := s.metrics[k]
		one.expire(now)
		id := key(one.namespace, one.name, one.dimensions, "")
		if len(one.minutes) > 0 && !seen[id] && in.wants(one) {
			seen[id] = true
			all = append(all, Metric{Namespace: one.namespace, MetricName: one.name, Dimensions: one.dimensions})
		}
	}
	var err error
	out := new(ListMetricsOutput)
	out.Metrics, out.NextToken, err = page(all, in.NextToken, 500)
	return out, err
}

func (in *ListMetricsInput) wants(s *series) bool {
	if in.Namespace != "" && in.Namespace != s.namespace || in.MetricName != "" && in.MetricName != s.name {
		return false
	}
	for _, f := range in.Dimensions {
		if !slices.ContainsFunc(s.dimensions, func(d Dimension) bool {
			return d.Name == f.Name && (f.Value == "" || d.Value == f.Value)
		}) {
			return false
		}
	}
	return true
}

// page cuts the page of at most limit items out that a token, which is an offset,
// points at, and gives the token of the next.
func page[T any](all []T, token string, limit int) ([]T, string, error) {
	start := 0
	if token != "" {
		var err error
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(all) {
			return nil, "", wire.Errorf("InvalidNextToken", "The next token %q is invalid.", token)
		}
	}
	end := min(start+limit, len(all))
	if end == len(all) {
		return all[start:], "", nil
	}
	return all[start:end], strconv.Itoa(end), nil
}
