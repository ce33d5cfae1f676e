package alb

import "time"

// Rule is a listener rule.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Rule.html
type Rule struct {
	// ID names the rule in access records.
	ID string
	// Priority orders the rules, lowest first. The default rule has none.
	Priority int
	// Default marks the one rule that applies when no other does. It has no
	// conditions.
	Default    bool
	Conditions []Condition // all must match
	Action     Action
}

// Fields of a Condition.
const (
	PathPattern       = "path-pattern"
	HostHeader        = "host-header"
	HTTPHeader        = "http-header"
	HTTPRequestMethod = "http-request-method"
	QueryString       = "query-string"
	SourceIP          = "source-ip"
)

// Condition is one condition of a rule: it holds if any of its values matches.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
type Condition struct {
	Field string
	// Values are patterns with the wildcards * and ?; for http-request-method
	// exact names, for source-ip CIDR blocks.
	Values []string
	// HeaderName is the header that http-header looks at.
	HeaderName string
	// Query are the pairs that query-string looks for. An empty Key is any key.
	Query []QueryPair
}

// QueryPair is a key and value to look for, both patterns with wildcards and with
// a backslash before a character that is none.
type QueryPair struct{ Key, Value string }

// Action is what a rule does: exactly one of its fields is set.
type Action struct {
	Forward       *Forward
	Redirect      *Redirect
	FixedResponse *FixedResponse
}

// Forward sends requests to target groups by weight.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ForwardActionConfig.html
type Forward struct {
	TargetGroups []WeightedGroup
	// Stickiness is how long a client keeps the group it got; 0 means that it
	// does not.
	Stickiness time.Duration
}

// WeightedGroup is a target group's share: its weight (0-999) out of all.
type WeightedGroup struct {
	TargetGroup string
	Weight      int
}

// Redirect sends the client elsewhere. Each field but StatusCode may hold
// #{protocol}, #{host}, #{port}, #{path} and #{query}; empty means unchanged.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html
type Redirect struct {
	Protocol, Host, Port, Path string
	// Query is without the ?; nil means unchanged, empty means none.
	Query      *string
	StatusCode int // 301 or 302
}

// FixedResponse answers in the target's stead.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_FixedResponseActionConfig.html
type FixedResponse struct {
	StatusCode  int
	ContentType string
	Body        string
}
