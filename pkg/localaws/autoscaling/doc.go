// Package autoscaling is the embedded AWS's EC2 Auto Scaling: groups that keep
// their instances at the desired capacity, with launch templates or launch
// configurations, health checks, lifecycle hooks, scaling policies,
// notifications and instance refreshes.
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html
//
// It launches and terminates instances through Instances and registers them
// with target groups through TargetGroups; nothing else outside is changed. A
// group is brought nearer to what was asked in passes: each first looks at its
// instances and targets, then decides, then acts. A pass that is repeated finds
// nothing left to do, so one may be made at any time: after every call and by
// the clock. An instance goes
//
//	launch -> Pending -> (Pending:Wait -> Pending:Proceed) -> InService
//	-> Terminating (targets drain) -> (Terminating:Wait -> Terminating:Proceed) -> gone
//
// Known differences from AWS:
//  1. Served are the operations that Wire lists. Not served, among others: standby,
//     warm pools, scheduled actions, Classic load balancers, traffic sources,
//     metrics collection, predictive scaling, zonal shifts, instance requirements
//     in overrides, InstanceId as a model, and the ReplaceRootVolume refresh.
//  2. A target tracking policy is kept and described but makes no alarms and
//     scales nothing.
//  3. Health is looked at every 5 seconds while something is under way and every
//     15 otherwise; AWS's pace is not documented.
//  4. New instances go to the subnet with the fewest; AZRebalance, though it can be
//     suspended, moves no running ones.
//  5. On-Demand and Spot are not told apart: an override is tried in the order
//     given, and the next one after a launch that failed. InstancesDistribution is
//     returned as given, without AWS's defaults filled in.
//  6. The Default termination policy is the oldest launch configuration or
//     template version first, then the oldest instance; billing hours don't exist.
//  7. A forced delete skips lifecycle hooks and does not wait for draining.
//  8. History: the latest 500 activities of a group, for as long as it exists, and
//     its instance refreshes for six weeks.
//  9. A termination that EC2 refuses is tried again until it succeeds, so that
//     there is never a notification of a failed one.
//  10. An update with a MixedInstancesPolicy replaces the whole policy; whether AWS
//     keeps parts that are left out is not documented.
//  11. An attached instance has weight 1.
package autoscaling
