// Package ecs keeps services of tasks at their desired count, as Amazon ECS does.
//
// It serves clusters, task definitions, services with rolling deployments, and
// the tasks of services. A service is brought to what was asked by one function,
// reconcile, which observes (tasks and the health of their targets), decides
// (purely: decide.go) and acts (start, stop, register, deregister). It runs after
// every event and when its own timer fires, and repeating it is harmless: what it
// does follows from the state alone. Tasks run through a Runner; their targets
// are registered once they run, and deregistered and drained before they stop.
//
// Known differences from ECS:
//   - Sizes (cpu, memory), users, limits, labels, volumes' contents, networks and
//     placement are recorded and described; the Runner decides what it makes of
//     them. Container health checks are recorded and not run: healthStatus stays
//     UNKNOWN. Secrets, FireLens, EFS and logging other than awslogs are refused.
//   - Launch type EC2 runs tasks as FARGATE does: there are no container instances
//     to place them on.
//   - Every task's target is 127.0.0.1 with a port of its own, for target groups
//     of type ip; type instance needs container instances, which there are none of.
//   - A service without load balancer has a healthy task once it ran for 5 s; ECS
//     publishes no figure. A task that stops by itself is replaced at once, then
//     after 10 s, 20 s and so on up to 15 minutes, until one is healthy again; ECS
//     publishes only that the delay grows.
//   - The steady state is told once, not again every six hours.
//   - CODE_DEPLOY services run their first task definition as a rolling service
//     would; task sets are not served. EXTERNAL services run nothing. Services of
//     strategy BLUE_GREEN, LINEAR and CANARY can be made and scaled, but not given
//     a second deployment. Deployment alarms, capacity providers, daemons, service
//     discovery and Service Connect are not served: their members are refused.
//   - Stopped tasks are described for an hour, at most 100 for each service.
package ecs
