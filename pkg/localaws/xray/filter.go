package xray

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	serviceFilter    = regexp.MustCompile(`^service\(\s*"([^"]*)"\s*\)$`)
	annotationFilter = regexp.MustCompile(`^annotation[.\[]"?([A-Za-z0-9_]+)"?\]?\s*=\s*(?:"([^"]*)"|(\S+))$`)
)

// compile reads the filter expressions that the package comment names, joined by
// AND.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html
func compile(expression string) (func(TraceSummary) bool, error) {
	var all []func(TraceSummary) bool
	for part := range strings.SplitSeq(expression, " AND ") {
		part = strings.TrimSpace(part)
		if part == "" && strings.TrimSpace(expression) == "" {
			continue
		}
		service, annotation := serviceFilter.FindStringSubmatch(part), annotationFilter.FindStringSubmatch(part)
		switch {
		case part == "fault":
			all = append(all, func(t TraceSummary) bool { return t.HasFault })
		case part == "error":
			all = append(all, func(t TraceSummary) bool { return t.HasError })
		case part == "throttle":
			all = append(all, func(t TraceSummary) bool { return t.HasThrottle })
		case part == "ok":
			all = append(all, func(t TraceSummary) bool { return !t.HasFault && !t.HasError && !t.HasThrottle })
		case service != nil:
			all = append(all, func(t TraceSummary) bool {
				return slices.ContainsFunc(t.ServiceIds, func(id ServiceID) bool { return id.Name == service[1] })
			})
		case annotation != nil:
			all = append(all, func(t TraceSummary) bool {
				return slices.ContainsFunc(t.Annotations[annotation[1]], func(v AnnotatedValue) bool {
					return v.AnnotationValue.text() == annotation[2]+annotation[3]
				})
			})
		default:
			return nil, invalid("FilterExpression: the embedded AWS does not know " + strconv.Quote(part))
		}
	}
	return func(t TraceSummary) bool {
		return !slices.ContainsFunc(all, func(f func(TraceSummary) bool) bool { return !f(t) })
	}, nil
}

func (v AnnotationValue) text() string {
	switch {
	case v.BooleanValue != nil:
		return strconv.FormatBool(*v.BooleanValue)
	case v.NumberValue != nil:
		return strconv.FormatFloat(*v.NumberValue, 'f', -1, 64)
	}
	return v.StringValue
}
