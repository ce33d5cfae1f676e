// Package deploymentgroup is the custom resource Custom::DeploymentGroup: a
// CodeDeploy deployment group whose blue/green deployments copy its Auto Scaling
// group, which CloudFormation's own AWS::CodeDeploy::DeploymentGroup cannot make.
//
// On a create it makes the deployment group, with tags that name the stack and
// the resource; a group with these tags is the one that an earlier, unanswered
// create made, and is taken over. A group without them is somebody else's: it is
// refused, and never changed or deleted.
//
// Each deployment replaces the Auto Scaling group by a copy named
// CodeDeploy_GROUP_DEPLOYMENT, which is in no stack. So an update leaves the Auto
// Scaling group as CodeDeploy last set it, and takes the template's only as long
// as none was copied. An update to another name makes a new deployment group,
// with the copy that is in production, and each of the two notes the other in a
// tag before the other is made, so that the old one's delete, or the new one's in
// a rollback, spares what the other still uses.
//
// A delete stops deployments under way, deletes the copies with their instances
// (unless DeleteCopies is false), waits until they are gone, and deletes the
// deployment group last, so that a delete that was cut off finds them again.
//
// Everything may be repeated at any time: each call names its target state, or
// finds that it is reached.
package deploymentgroup
