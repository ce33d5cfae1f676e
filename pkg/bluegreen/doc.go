// Package bluegreen knows a blue/green pair on ECS: two services, each with
// its target group, behind one Application Load Balancer with a production
// route and a test route. It reads a pair from AWS as it is now, tells which
// side is live, and writes routes and tags.
//
// Nothing is remembered or configured about which side is live: that is read
// from the production route's weights, every time. [Observe] only reads and
// may be repeated at will. [Route.Shift] reads the route again, refuses if
// someone changed it since, writes the whole wanted state, and reads it back;
// repeating it, also from two places at once, ends in the same route. Tagging
// overwrites and is safe to repeat too.
//
// Calls to AWS, for the policies of the functions that use the package:
//
//	elasticloadbalancing:DescribeLoadBalancers, DescribeListeners,
//	DescribeRules, DescribeTags, DescribeTargetHealth      on *
//	ecs:DescribeServices                                   on the two services
//	elasticloadbalancing:ModifyRule                        on the routes' rules
//	elasticloadbalancing:ModifyListener                    on the routes' listeners (routes that are default actions)
//	elasticloadbalancing:AddTags                           on the two target groups
package bluegreen
