// Package codedeploy installs revisions on fleets of EC2 instances, as AWS
// CodeDeploy and its agent do.
//
// It serves applications of the compute platform Server, their deployment
// groups and revisions, and deployments in place and blue/green. What a
// deployment changes, and in what order: a blue/green one copies the Auto
// Scaling group, waits for the copy's instances and their agents, runs the
// revision's lifecycle events on them, registers them with the target groups,
// deregisters the original instances, waits, and only then deletes the original
// group. One in place takes the instances out of traffic, installs and brings
// them back, as many at a time as the deployment configuration allows. A
// deployment that fails or is stopped leaves the original fleet running; with
// automatic rollback traffic returns to it and the copy is deleted.
//
// A deployment is a list of steps (run.go); each ends by taking the next, by the
// clock or when an instance's script has ended, and a deployment that is over
// takes no more. Nothing is repeated: registering, deregistering and deleting
// are harmless to repeat, installing is not and happens once an instance.
//
// The agent's part (agent.go, bundle.go, install.go) leaves on an instance what
// the real agent does: the unpacked archive and scripts.log below
// /opt/codedeploy-agent/deployment-root, the last successful install whose
// ApplicationStop runs next time, and the list of files to clean up. It reaches
// an instance's files only through its os.Root.
//
// Where AWS publishes nothing, this is ours:
//
//  1. Fleets, targets and agents are looked at every 5 s, alarms every 10 s. An
//     event waits an hour for an agent, for a healthy target and for a drained
//     one; a copied group has an hour to come into service.
//  2. A deployment whose wait for rerouting ran out is Stopped with TIMEOUT; it is
//     rolled back if DEPLOYMENT_STOP_ON_REQUEST is.
//  3. A rollback of a blue/green deployment goes on past hooks that fail, and
//     keeps the copied group if the original instances do not become healthy.
//  4. Once the original group is being deleted, a deployment can be neither
//     stopped nor rolled back.
//
// Known differences from CodeDeploy:
//
//  1. Only S3 revisions of type zip are served; versions of objects are not. The
//     instance profile's right to read the bundle is not checked.
//  2. Instances are found by Auto Scaling groups only: tag filters, on-premises
//     instances and DISCOVER_EXISTING are refused. Load balancers are target
//     groups. Termination hooks, Lambda and ECS are not served.
//  3. Deployment configurations are the three built-in ones.
//  4. Files keep their modes and get those of permissions; owners, groups and
//     runas are noted in the install instructions and in the log, since instances
//     have one user. ACLs and SELinux contexts are refused.
//  5. What the service role must allow is checked for what deployments do
//     themselves; ec2:RunInstances, ec2:CreateTags and iam:PassRole for launch
//     templates are not.
//  6. An instance keeps the archives of all of its deployments, not of the last
//     five.
//  7. Every list fits one page except deployments, revisions and targets, of which
//     a page holds 100.
package codedeploy
