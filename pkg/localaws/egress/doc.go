// Package egress is the way out of functions and tasks: an HTTP proxy that leads
// to the embedded AWS's load balancers, and nowhere else.
//
// In AWS a program asks a load balancer by its DNS name and its listener's port.
// Here that name is in no DNS, and the listener has whatever loopback port was
// free. Programs therefore get the usual variables of a proxy (Environment), and
// the proxy looks up where the listener really is, for each request anew. What
// it passes on it does not change: the load balancer sees the name in Host, and
// TLS goes through a tunnel untouched.
//
// Everything else is refused with status 403 and a text that says so. Nothing
// here outlives Close.
//
// Known differences from AWS:
//
//  1. Programs that ignore a proxy's variables find no load balancer; nor does
//     any find the internet, an instance or a task.
//  2. The load balancer sees the proxy's loopback address as the client's.
//  3. An HTTPS listener shows the data plane's own certificate, which a program
//     must trust (alb.Proxy's Certificate) or not verify.
package egress
