package elbv2

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Action is what a rule does with a request.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html
type Action struct {
	Type                string `aws:",required"` // forward, redirect, fixed-response
	TargetGroupArn      string
	Order               *int
	ForwardConfig       *ForwardConfig
	RedirectConfig      *RedirectConfig
	FixedResponseConfig *FixedResponseConfig
}

// ForwardConfig spreads requests over target groups by weight.
type ForwardConfig struct {
	TargetGroups                []TargetGroupTuple
	TargetGroupStickinessConfig *StickinessConfig
}

// TargetGroupTuple is a target group and its weight, 0 to 999.
type TargetGroupTuple struct {
	TargetGroupArn string `aws:",required"`
	Weight         *int
}

// StickinessConfig keeps a client with its target group.
type StickinessConfig struct {
	Enabled         *bool
	DurationSeconds *int // 1 to 604800
}

// RedirectConfig answers with another address.
type RedirectConfig struct {
	Protocol   string
	Host       string
	Port       string
	Path       string
	Query      *string
	StatusCode string `aws:",required"` // HTTP_301, HTTP_302
}

// FixedResponseConfig answers by itself.
type FixedResponseConfig struct {
	StatusCode  string `aws:",required"`
	ContentType string
	MessageBody string // up to 1024 characters
}

// The limits of a forward action.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
const (
	maxForwardGroups = 5
	maxWeight        = 999
	maxStickiness    = 604800 // seconds
)

// normaliseActions checks a rule's actions and gives them as they are described:
// in their order, with the group of a forward to a single one in both places,
// and every weight and order spelled out.
func normaliseActions(actions []Action) ([]Action, error) {
	if len(actions) == 0 {
		return nil, validation("You must specify at least one action")
	}
	if len(actions) > 1 {
		return nil, refuse("TooManyActions", "The embedded AWS serves one action a rule: there is none that may go before a forward, redirect or fixed-response action")
	}
	a := actions[0]
	if a.Order == nil {
		a.Order = new(1)
	}
	if *a.Order < 1 || *a.Order > 50000 {
		return nil, validation("Action order %d must be between 1 and 50000", *a.Order)
	}
	var err error
	switch a.Type {
	case "forward":
		a, err = a.forward()
	case "redirect":
		a, err = a.redirect()
	case "fixed-response":
		a, err = a.fixedResponse()
	default:
		err = refuse("InvalidLoadBalancerAction", "The embedded AWS does not serve actions of type '%s'", a.Type)
	}
	return []Action{a}, err
}

func (a Action) forward() (Action, error) {
	if a.RedirectConfig != nil || a.FixedResponseConfig != nil {
		return a, refuse("InvalidLoadBalancerAction", "A forward action takes no redirect or fixed-response configuration")
	}
	config := ForwardConfig{}
	if a.ForwardConfig != nil {
		config = *a.ForwardConfig
	}
	groups := slices.Clone(config.TargetGroups)
	switch {
	case a.TargetGroupArn == "" && len(groups) == 0:
		return a, refuse("InvalidLoadBalancerAction", "A forward action must specify a target group")
	case len(groups) == 0:
		groups = []TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn}}
	case a.TargetGroupArn != "" && (len(groups) > 1 || groups[0].TargetGroupArn != a.TargetGroupArn):
		return a, validation("TargetGroupArn and ForwardConfig can both be specified only with the same single target group")
	case len(groups) > maxForwardGroups:
		return a, validation("A forward action can have at most %d target groups, not %d", maxForwardGroups, len(groups))
	}
	seen := map[string]bool{}
	for i := range groups {
		g := &groups[i]
		if seen[g.TargetGroupArn] {
			return a, validation("Target group '%s' is specified more than once in an action", g.TargetGroupArn)
		}
		seen[g.TargetGroupArn] = true
		if g.Weight == nil && len(groups) > 1 {
			return a, validation("Weight of target group '%s' must be specified when an action forwards to several", g.TargetGroupArn)
		}
		if g.Weight == nil {
			g.Weight = new(1)
		}
		if *g.Weight < 0 || *g.Weight > maxWeight {
			return a, validation("Weight '%d' of target group '%s' must be between 0 and %d", *g.Weight, g.TargetGroupArn, maxWeight)
		}
	}
	sticky, err := config.TargetGroupStickinessConfig.normalise()
	a.TargetGroupArn = ""
	if len(groups) == 1 {
		a.TargetGroupArn = groups[0].TargetGroupArn
	}
	a.ForwardConfig = &ForwardConfig{TargetGroups: groups, TargetGroupStickinessConfig: sticky}
	return a, err
}

func (c *StickinessConfig) normalise() (*StickinessConfig, error) {
	if c == nil || c.Enabled == nil || !*c.Enabled {
		return &StickinessConfig{Enabled: new(false)}, nil
	}
	if c.DurationSeconds == nil || *c.DurationSeconds < 1 || *c.DurationSeconds > maxStickiness {
		return nil, validation("Stickiness duration must be specified, between 1 and %d seconds", maxStickiness)
	}
	return c, nil
}

func (a Action) redirect() (Action, error) {
	if a.RedirectConfig == nil || a.TargetGroupArn != "" || a.ForwardConfig != nil || a.FixedResponseConfig != nil {
		return a, refuse("InvalidLoadBalancerAction", "A redirect action must specify its redirect configuration and no other")
	}
	r := *a.RedirectConfig
	if r.StatusCode != "HTTP_301" && r.StatusCode != "HTTP_302" {
		return a, validation("Redirect status code '%s' must be HTTP_301 or HTTP_302", r.StatusCode)
	}
	r.Protocol, r.Host = cmp.Or(r.Protocol, "#{protocol}"), cmp.Or(r.Host, "#{host}")
	r.Port, r.Path = cmp.Or(r.Port, "#{port}"), cmp.Or(r.Path, "/#{path}")
	if r.Query == nil {
		r.Query = new("#{query}")
	}
	if r.Protocol == "#{protocol}" && r.Host == "#{host}" && r.Port == "#{port}" && r.Path == "/#{path}" {
		return a, refuse("InvalidLoadBalancerAction", "The redirect configuration must change the protocol, host, port or path, or requests loop")
	}
	a.RedirectConfig = &r
	return a, nil
}

var fixedStatus = regexp.MustCompile(`^(2|4|5)\d\d$`)

func (a Action) fixedResponse() (Action, error) {
	c := a.FixedResponseConfig
	if c == nil || a.TargetGroupArn != "" || a.ForwardConfig != nil || a.RedirectConfig != nil {
		return a, refuse("InvalidLoadBalancerAction", "A fixed-response action must specify its fixed-response configuration and no other")
	}
	types := []string{"", "text/plain", "text/css", "text/html", "application/javascript", "application/json"}
	switch {
	case !fixedStatus.MatchString(c.StatusCode):
		return a, validation("Fixed response code '%s' must be a number between 200 and 299 or 400 and 599", c.StatusCode)
	case !slices.Contains(types, c.ContentType):
		return a, validation("Content type '%s' must be one of %s", c.ContentType, fmt.Sprint(types[1:]))
	case len(c.MessageBody) > 1024:
		return a, validation("A fixed response's message body can have at most 1024 characters")
	}
	return a, nil
}

// status is a fixed response's code as a number; normaliseActions checked it.
func (c *FixedResponseConfig) status() int {
	n, _ := strconv.Atoi(c.StatusCode)
	return n
}

// groupsOf lists the target groups that actions forward to, of any weight.
func groupsOf(actions []Action) []string {
	var arns []string
	for _, a := range actions {
		if a.ForwardConfig == nil {
			continue
		}
		for _, g := range a.ForwardConfig.TargetGroups {
			arns = append(arns, g.TargetGroupArn)
		}
	}
	return arns
}
