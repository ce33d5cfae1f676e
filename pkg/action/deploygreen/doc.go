// Package deploygreen is the DeployGreen action: it puts a new image on the
// idle service of a blue/green pair and follows it until it is truly healthy.
// It never touches the production route.
//
// In this order, one change a tick, each only if the world does not show it
// already:
//
//  1. Tag the idle target group with the pipeline execution: from here on
//     green is named, not guessed.
//  2. Point the test route at the idle group.
//  3. Register a task definition that differs from the present one in the
//     container's image only, unless an equal revision exists.
//  4. Update the idle service to it, with at least blue's desired count.
//  5. Follow the deployment until it is complete on that task definition, all
//     its tasks run and as many targets are healthy.
//
// Every step names its target state, so all of it is safe to repeat, at once
// or later. If production already carries this execution's release the action
// is done and nothing changes. Two concurrent ticks may both register; each
// reads back the family's newest revisions and takes back its own if an equal
// lower one exists, so that one stays.
//
// With the parameter release it does the same for all pairs of a release set, as
// cutover.yaml of an input artifact names them, side by side: each tick makes
// one of the changes above on every pair that is behind (of what is looked for
// and registered, on at most 25), and no pair goes on to the next one before all
// have come as far. The first pair that fails stops the set, and production has
// not moved. The images are those of images.json, by the services' keys.
//
// The calls of a set do not grow with its services but by what a Describe call
// takes. Where AWS has no such call, each service is asked for once in a phase:
// its task definitions when an attempt begins and when it is registered, green's
// targets once ECS has completed all deployments. What a tick leaves to the next
// is then a few bytes a service: the side that was claimed and the number of its
// revision.
//
// An execution that was rolled back is not deployed again.
//
// It fails as ConfigurationError where something is to be corrected and the
// stage retried: parameters, the image file, a pair that is not one, a test
// route that someone else changed. It fails as JobFailed where the release
// itself failed: its deployment did, another execution has taken green over,
// or production was moved to it by someone else.
//
// Calls to AWS beyond those listed in package bluegreen (of which ModifyRule
// or ModifyListener are needed on the test route only):
//
//	ecs:DescribeTaskDefinition, ecs:ListTaskDefinitions    on *
//	ecs:RegisterTaskDefinition                             on the families' task-definition/FAMILY:*
//	ecs:TagResource                                        on the same, for tags at registration
//	ecs:DeregisterTaskDefinition                           on *
//	ecs:UpdateService                                      on the two services
//	ecs:ListTasks                                          on *, condition ecs:cluster; only when a deployment failed
//	ecs:DescribeTasks                                      on the cluster's task/CLUSTER/*; only when a deployment failed
//	iam:PassRole                                           on the tasks' roles, to ecs-tasks.amazonaws.com
package deploygreen
