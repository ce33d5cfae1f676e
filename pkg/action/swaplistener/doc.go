// Package swaplistener is the SwapListener action: it moves production's
// traffic to the side of a blue/green pair that DeployGreen named and filled.
//
// In this order, one change a tick, each only if the world does not show it
// already:
//
//  1. Mark the execution in blue's tag as retired, so that no late duplicate of
//     its jobs takes production back.
//  2. Write the production route: all to green, blue attached with weight 0.
//     Green's deployment must be complete, its tasks running and as many
//     targets healthy as blue has; its tag and the route are read again right
//     before the write, and the route is read back after it.
//  3. Point the test route at the old side.
//  4. Tag the target groups: IsProduction True on the new side, False on the
//     old one.
//
// Green is the target group that carries this pipeline execution in its tag.
// The swap is not a toggle: once that group is production, production is not
// written again, so all of it is safe to repeat, at once or later. If someone
// else moves production back in the middle the action fails and leaves it.
//
// It fails as ConfigurationError where something is to be corrected and the
// stage retried: parameters, a pair that is not one, a green that is not fit,
// a route that someone else changed before its write. It fails as JobFailed
// where nothing is to be corrected: another execution has taken green over or
// replaced this one, or someone else has changed a route after its write.
//
// # Release sets
//
// With the parameter release it moves all pairs of a set together, as cutover.yaml
// of an input artifact tells. What it does when is decided by package rollout; the
// order is:
//
//  1. Take the set's lock, by creating the release's record (package record).
//  2. See that nothing speaks against it: alarms, the digest of an approved plan,
//     green's health; then the checks of the test route, then hook beforeShift.
//     Until here nothing was changed, and a refusal is a ConfigurationError.
//  3. Mark the executions on blue as retired. Then, for each move: note it, write
//     all production routes, note that they have it, ask hook afterStep, and watch
//     for its pause. The last one's pause is the bake; then hook afterShift.
//  4. Point the test routes at the old sides, and tag the target groups.
//  5. If the file says what becomes of blue: keep it for its time, then scale its
//     services down in steps, each service only while its production route gives
//     it nothing, read again right before, and only after two whole minutes without
//     a request. The job and the lock last until then; the release has succeeded
//     before, and only abort takes it back, as long as nothing was scaled down.
//     What keeps blue busy, an alarm, a hold or an ill green keep it as it is, to
//     the end of the job if need be, and the job succeeds all the same. Promote,
//     said after the bake, ends the time that blue is kept.
//  6. Note the end, which releases the lock.
//
// A rollback notes that it goes back and why, writes all production routes, marks
// greens as rolled back, asks hook onRollback, whose answer changes nothing, and
// ends the record. Then the job fails with the evidence.
//
// Clients with a cookie of a sticky route, and connections that stay open, may go
// on reaching blue after production has left it. The load balancer counts requests
// when they begin, so those of sticky clients keep blue, while a WebSocket or a
// long poll of more than two minutes does not: what is left of it ends with the
// task, after the target group's deregistration delay at the latest. Requests on
// the test route keep blue too. Where Application Auto Scaling manages blue, its
// minimum must not be above the file's count, or it scales it up again.
//
// Checks are made by the function itself: it must reach the load balancer's test
// listener, for an internal one from within its VPC. The variables HTTP_PROXY,
// HTTPS_PROXY and NO_PROXY are honoured.
//
// Everything that only tells, events, metrics and the record in a bucket, is done
// once, at most, and its failure is noted in the summary.
//
// With mode "plan" it does none of this: it reads the same, makes the checks, and
// has the plan and its digest as output variables.
//
// # Calls to AWS
//
// Those listed in package bluegreen. For release sets also:
//
//	ssm:GetParameters, ssm:GetParametersByPath, ssm:PutParameter,
//	ssm:DeleteParameters                                    on parameter/cutover/SET/*
//	cloudwatch:GetMetricData                                on *
//	events:PutEvents                                        on event-bus/default
//	cloudwatch:DescribeAlarms                               on *, for alarms
//	lambda:InvokeFunction                                   on the functions, for hooks
//	ecs:UpdateService                                       on the pairs' services, for blue
//	s3:PutObject                                            on BUCKET/cutover/SET/*, for record
//
// Metrics are lines of the function's log in CloudWatch's embedded metric format,
// namespace Cutover, by ReleaseSet: Releases, Rollbacks, ExposedRequests,
// TimeToDetect, TimeToRestore and LeadTime.
package swaplistener
