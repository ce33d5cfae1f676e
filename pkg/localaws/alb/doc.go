// Package alb is the data plane of the embedded AWS's Application Load Balancers:
// reverse proxies on loopback ports that route by listener rules, keep target
// groups' health and count what happens. It knows nothing of the API in front.
//
// It changes nothing but its own sockets. Every call names the state that it
// wants (the rules of a listener, the settings of a group, the registered
// targets), so repeating one is harmless. A listener's rules are one immutable
// table behind an atomic pointer: a request sees the rules before a change or
// those after it, never a mixture, and a change makes no request wait.
//
// Two times: health checks' intervals, deregistration delays, metric periods and
// the age of cookies follow the clock, as AWS's own timers do. Traffic is real
// and so are the programs that answer it: response times and idle timeouts are
// the wall's, and a health check gives its target at least Config.Patience of the
// wall's time, or a fast clock would call every program slow.
//
// Rules: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
// Health: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
//
// Known differences from an Application Load Balancer:
//   - there is one node and one zone, so nothing cross-zone.
//   - X-Forwarded-Port and #{port} are the real port that the client used. A
//     redirect to the nominal port of another listener of the load balancer leads
//     to that listener's real port.
//   - a target whose deregistration delay ends keeps its requests in flight until
//     they are answered; AWS breaks them off.
//   - a connection that lies idle for 1.5 s is not used again for a target, and a
//     request (with a body of up to 64 KiB) is sent again if the target had closed
//     the connection before any of it was written: AWS answers 502 where the
//     target's keep-alive is the shorter.
//   - which group a client with an AWSALBTG cookie gets is the cookie's for as long
//     as the group is in the action, also at weight 0 (AWS doesn't say).
//   - weights that are all 0 answer 503 (AWS doesn't say).
//   - slow start, stickiness within a group, authentication, Lambda targets, gRPC
//     and HTTP/2 to targets are not there.
package alb
