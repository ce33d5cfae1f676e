package elbv2

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Listener is a listener as it is described.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Listener.html
type Listener struct {
	ListenerArn     string
	LoadBalancerArn string
	Port            int
	Protocol        string
	Certificates    []Certificate
	SslPolicy       string
	DefaultActions  []Action
}

// Certificate names a server certificate. It is recorded: what the listener
// shows is a certificate of the data plane's own.
type Certificate struct {
	CertificateArn string
}

// A listener is one as it is kept. Its last rule is the default one.
type listener struct {
	arn      string
	balancer *loadBalancer
	port     int
	protocol string
	certs    []Certificate
	policy   string
	rules    []*Rule // in order of their priority
	address  string  // where it really listens
}

func (l *listener) defaultRule() *Rule { return l.rules[len(l.rules)-1] }

func (l *listener) describe() Listener {
	return Listener{
		ListenerArn: l.arn, LoadBalancerArn: l.balancer.LoadBalancerArn, Port: l.port, Protocol: l.protocol,
		Certificates: l.certs, SslPolicy: l.policy, DefaultActions: l.defaultRule().Actions,
	}
}

// CreateListenerInput is a listener to be.
type CreateListenerInput struct {
	LoadBalancerArn string `aws:",required"`
	Protocol        string `aws:",required"` // HTTP, HTTPS
	Port            *int   `aws:",required"`
	Certificates    []Certificate
	SslPolicy       string
	DefaultActions  []Action `aws:",required"`
	Tags            []Tag
}

// ListenersOutput lists listeners.
type ListenersOutput struct{ Listeners []Listener }

// CreateListener answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
// It listens when this returns.
func (s *Service) CreateListener(_ context.Context, in *CreateListenerInput) (*ListenersOutput, error) {
	if err := validProtocol(in.Protocol, in.Certificates, in.SslPolicy); err != nil {
		return nil, err
	}
	if *in.Port < 1 || *in.Port > 65535 {
		return nil, validation("Port %d must be between 1 and 65535", *in.Port)
	}
	actions, err := normaliseActions(in.DefaultActions)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	l, err := s.newListenerLocked(in, actions)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.listeners = append(s.listeners, l)
	out := &ListenersOutput{Listeners: []Listener{l.describe()}}
	name := l.balancer.LoadBalancerName
	s.mu.Unlock()

	err = s.apply()
	if err != nil {
		s.removeListener(l.arn)
		return nil, refuse("InvalidConfigurationRequest", "listen for port %d of load balancer %s: %v", l.port, name, err)
	}
	return out, nil
}

// defaultPolicy is what an HTTPS listener gets where none is named.
const defaultPolicy = "ELBSecurityPolicy-2016-08"

func validProtocol(protocol string, certificates []Certificate, policy string) error {
	switch {
	case protocol == "HTTPS" && len(certificates) != 1:
		return refuse("CertificateNotFound", "A certificate must be specified for HTTPS listeners, and only one")
	case protocol == "HTTP" && len(certificates) > 0:
		return validation("A certificate cannot be specified for HTTP listeners")
	case protocol == "HTTP" && policy != "":
		return validation("A security policy cannot be specified for HTTP listeners")
	case protocol != "HTTP" && protocol != "HTTPS":
		return refuse("UnsupportedProtocol", "Listeners of an application load balancer have no protocol '%s'", protocol)
	}
	return nil
}

func (s *Service) newListenerLocked(in *CreateListenerInput, actions []Action) (*listener, error) {
	b, err := s.balancerLocked(in.LoadBalancerArn)
	if err != nil {
		return nil, refuse("LoadBalancerNotFound", "One or more load balancers not found")
	}
	mine := 0
	for _, l := range s.listeners {
		if l.balancer != b {
			continue
		}
		mine++
		if l.port == *in.Port {
			return nil, refuse("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", b.LoadBalancerArn)
		}
	}
	if mine >= 50 {
		return nil, refuse("TooManyListeners", "The maximum number of listeners on load balancer '%s' has been reached", b.LoadBalancerArn)
	}
	if err := s.forwardableLocked(b, actions); err != nil {
		return nil, err
	}
	stem := b.fullName() + "/" + s.newIDLocked("listener")
	l := &listener{arn: s.arn("listener/" + stem), balancer: b, port: *in.Port, protocol: in.Protocol, certs: in.Certificates}
	if l.protocol == "HTTPS" {
		l.policy = cmp.Or(in.SslPolicy, defaultPolicy)
	}
	l.rules = []*Rule{{
		RuleArn: s.arn("listener-rule/" + stem + "/" + s.newIDLocked("rule")), Priority: defaultPriority, IsDefault: true,
		Conditions: []Condition{}, Actions: actions,
	}}
	tags, err := s.mergedTagsLocked(l.arn, in.Tags)
	if err != nil {
		return nil, err
	}
	s.tags[l.arn] = tags
	return l, nil
}

// forwardableLocked checks the target groups of actions of a load balancer's rule.
func (s *Service) forwardableLocked(b *loadBalancer, actions []Action) error {
	for _, arn := range groupsOf(actions) {
		g, err := s.groupLocked(arn)
		if err != nil {
			return refuse("TargetGroupNotFound", "Target group '%s' not found", arn)
		}
		if user := s.userLocked(arn); user != nil && user != b {
			return refuse("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: %s", arn)
		}
		if g.VpcId != b.VpcId && s.Subnet != nil {
			return refuse("InvalidConfigurationRequest", "The target group '%s' is in a different VPC than the load balancer '%s'", arn, b.LoadBalancerArn)
		}
	}
	return nil
}

func (s *Service) listenerLocked(arn string) (*listener, error) {
	for _, l := range s.listeners {
		if l.arn == arn {
			return l, nil
		}
	}
	return nil, refuse("ListenerNotFound", "One or more listeners not found")
}

// DescribeListenersInput names a load balancer, or listeners.
type DescribeListenersInput struct {
	LoadBalancerArn string
	ListenerArns    []string
	Page
}

// DescribeListeners answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeListeners.html
func (s *Service) DescribeListeners(_ context.Context, in *DescribeListenersInput) (*ListenersOutput, error) {
	if err := in.Page.validate(); err != nil {
		return nil, err
	}
	if (in.LoadBalancerArn == "") == (len(in.ListenerArns) == 0) {
		return nil, validation("You must specify either listener ARNs or a load balancer ARN")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &ListenersOutput{Listeners: []Listener{}}
	if in.LoadBalancerArn != "" {
		b, err := s.balancerLocked(in.LoadBalancerArn)
		if err != nil {
			return nil, refuse("LoadBalancerNotFound", "One or more load balancers not found")
		}
		for _, l := range s.listeners {
			if l.balancer == b {
				out.Listeners = append(out.Listeners, l.describe())
			}
		}
	}
	for _, arn := range in.ListenerArns {
		l, err := s.listenerLocked(arn)
		if err != nil {
			return nil, err
		}
		out.Listeners = append(out.Listeners, l.describe())
	}
	return out, nil
}

// ModifyListenerInput says what to change of a listener.
type ModifyListenerInput struct {
	ListenerArn    string `aws:",required"`
	Port           *int
	Protocol       string
	Certificates   []Certificate
	SslPolicy      string
	DefaultActions []Action
}

// ModifyListener answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html
// What is left out stays.
func (s *Service) ModifyListener(_ context.Context, in *ModifyListenerInput) (*ListenersOutput, error) {
	var actions []Action
	if in.DefaultActions != nil {
		var err error
		if actions, err = normaliseActions(in.DefaultActions); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	l, err := s.listenerLocked(in.ListenerArn)
	if err == nil {
		err = s.forwardableLocked(l.balancer, actions)
	}
	if err == nil && (in.Port != nil && *in.Port != l.port || in.Protocol != "" && in.Protocol != l.protocol) {
		err = refuse("InvalidConfigurationRequest", "The embedded AWS does not change a listener's port and protocol: delete it and create another")
	}
	if err == nil && (in.Certificates != nil || in.SslPolicy != "") {
		err = validProtocol(l.protocol, certificatesOr(in.Certificates, l.certs), in.SslPolicy)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	l.certs, l.policy = certificatesOr(in.Certificates, l.certs), cmp.Or(in.SslPolicy, l.policy)
	if actions != nil {
		l.defaultRule().Actions = actions
	}
	out := &ListenersOutput{Listeners: []Listener{l.describe()}}
	s.mu.Unlock()
	return out, s.apply()
}

func certificatesOr(wanted, present []Certificate) []Certificate {
	if wanted != nil {
		return wanted
	}
	return present
}

// ListenerInput names a listener.
type ListenerInput struct {
	ListenerArn string `aws:",required"`
}

// DeleteListener answers
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteListener.html
// Its rules go with it.
func (s *Service) DeleteListener(_ context.Context, in *ListenerInput) (*Empty, error) {
	s.mu.Lock()
	_, err := s.listenerLocked(in.ListenerArn)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return &Empty{}, s.removeListener(in.ListenerArn)
}

func (s *Service) removeListener(arn string) error {
	s.mu.Lock()
	s.listeners = slices.DeleteFunc(s.listeners, func(l *listener) bool {
		if l.arn != arn {
			return false
		}
		for _, r := range l.rules {
			delete(s.tags, r.RuleArn)
		}
		return true
	})
	delete(s.tags, arn)
	s.mu.Unlock()
	return s.apply()
}

// ListenerAddress is where a listener really listens, e.g. "127.0.0.1:40123".
func (s *Service) ListenerAddress(listenerARN string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.listenerLocked(listenerARN)
	if err != nil {
		return "", false
	}
	return l.address, true
}

// Listens is where the listener for a port of a load balancer, named by its name
// or its DNS name, really listens.
func (s *Service) Listens(loadBalancer string, port int) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		named := l.balancer.LoadBalancerName == loadBalancer || strings.EqualFold(l.balancer.DNSName, loadBalancer)
		if named && l.port == port {
			return l.address, true
		}
	}
	return "", false
}
