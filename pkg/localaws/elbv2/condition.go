package elbv2

import (
	"net/netip"
	"slices"
)

// Condition is what a request must meet for its rule.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html
type Condition struct {
	Field                   string
	Values                  []string
	HostHeaderConfig        *ValuesConfig
	PathPatternConfig       *ValuesConfig
	HttpHeaderConfig        *HeaderConfig
	QueryStringConfig       *QueryConfig
	HttpRequestMethodConfig *ValuesConfig
	SourceIpConfig          *ValuesConfig
}

// ValuesConfig are values of which one must match.
type ValuesConfig struct {
	Values []string
}

// HeaderConfig are values of a header of which one must match.
type HeaderConfig struct {
	HttpHeaderName string
	Values         []string
}

// QueryConfig are query parameters of which one must match.
type QueryConfig struct {
	Values []QueryPair
}

// QueryPair is a query parameter; without key, any of that value.
type QueryPair struct {
	Key   string
	Value string
}

// normaliseConditions checks a rule's conditions and gives them as they are
// described: hosts and paths in Values and in their own configuration.
func normaliseConditions(conditions []Condition) ([]Condition, error) {
	if len(conditions) == 0 {
		return nil, validation("A condition must be specified")
	}
	all := slices.Clone(conditions)
	seen := map[string]bool{}
	values := 0
	for i := range all {
		n, err := all[i].normalise()
		if err != nil {
			return nil, err
		}
		values += n
		repeats := all[i].Field == "http-header" || all[i].Field == "query-string"
		if seen[all[i].Field] && !repeats {
			return nil, validation("A rule can have only one condition of field '%s'", all[i].Field)
		}
		seen[all[i].Field] = true
	}
	if values > 5 {
		return nil, validation("A rule can have at most 5 condition values, not %d", values)
	}
	return all, nil
}

// normalise checks one condition and counts its values.
func (c *Condition) normalise() (count int, err error) {
	switch c.Field {
	case "path-pattern":
		c.Values, err = plainValues(c.Field, c.Values, c.PathPatternConfig)
		c.PathPatternConfig = &ValuesConfig{Values: c.Values}
	case "host-header":
		c.Values, err = plainValues(c.Field, c.Values, c.HostHeaderConfig)
		c.HostHeaderConfig = &ValuesConfig{Values: c.Values}
	case "http-request-method":
		_, err = plainValues(c.Field, c.Values, c.HttpRequestMethodConfig)
		return configured(c.HttpRequestMethodConfig), err
	case "source-ip":
		if _, err = plainValues(c.Field, c.Values, c.SourceIpConfig); err == nil {
			err = c.SourceIpConfig.prefixes()
		}
		return configured(c.SourceIpConfig), err
	case "http-header":
		if c.HttpHeaderConfig == nil || c.HttpHeaderConfig.HttpHeaderName == "" || len(c.HttpHeaderConfig.Values) == 0 {
			return 0, validation("A condition of field 'http-header' must specify a header's name and values")
		}
		return len(c.HttpHeaderConfig.Values), nil
	case "query-string":
		if c.QueryStringConfig == nil || len(c.QueryStringConfig.Values) == 0 {
			return 0, validation("A condition of field 'query-string' must specify values")
		}
		return len(c.QueryStringConfig.Values), nil
	default:
		return 0, validation("Condition field '%s' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'", c.Field)
	}
	return len(c.Values), err
}

func configured(c *ValuesConfig) int {
	if c == nil {
		return 0
	}
	return len(c.Values)
}

// plainValues takes a field's values from either place where they may stand.
func plainValues(field string, values []string, config *ValuesConfig) ([]string, error) {
	if config != nil {
		if len(values) > 0 && !slices.Equal(values, config.Values) {
			return nil, validation("Only one of Values and the configuration of field '%s' can be specified", field)
		}
		values = config.Values
	} else if field != "path-pattern" && field != "host-header" {
		return nil, validation("A condition of field '%s' must specify its configuration", field)
	}
	if len(values) == 0 {
		return nil, validation("A condition of field '%s' must specify a value", field)
	}
	for _, v := range values {
		if v == "" || len(v) > 128 {
			return nil, validation("Condition value '%s' must have 1 to 128 characters", v)
		}
	}
	return values, nil
}

func (c *ValuesConfig) prefixes() error {
	for _, v := range c.Values {
		if _, err := netip.ParsePrefix(v); err != nil {
			return validation("'%s' is not a valid CIDR block", v)
		}
	}
	return nil
}
