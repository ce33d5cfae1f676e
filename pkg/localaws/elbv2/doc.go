// Package elbv2 keeps Application Load Balancers, their listeners and rules, and
// target groups, as Elastic Load Balancing does; package alb moves the traffic.
//
// Every change is validated as a whole, then made in the records, then handed to
// the data plane, which switches over at once: what Describe answers is what the
// next request meets. Modifying something to what it is already changes nothing.
//
// Known differences from Elastic Load Balancing:
//   - Load balancers of type application only; no authentication, transforms,
//     mutual TLS, or targets of type lambda and alb. Targets speak HTTP/1.1. An
//     HTTPS listener's certificate and policy are recorded; it shows a certificate
//     of the data plane's own.
//   - A listener listens on a loopback address (Config.Address), whatever its
//     port; ListenerAddress and Listens tell where. A load balancer is active at once. Subnets,
//     security groups, schemes and address types are recorded.
//   - A target of type ip is its address, also outside the VPC; one of
//     type instance is where package alb's Config.Locate finds it.
//   - Only the attributes deregistration delay, algorithm (round_robin and
//     least_outstanding_requests) and deletion protection can be changed; others
//     are accepted with AWS's default: what would not be honoured is refused.
//   - Everything fits one page: Marker and PageSize are accepted only where they
//     change nothing.
package elbv2
