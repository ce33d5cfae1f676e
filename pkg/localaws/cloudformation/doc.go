// Package cloudformation is the embedded CloudFormation: it makes, changes and
// deletes stacks of resources as templates describe them.
//
// It owns no resources itself: the other services offer their types through
// package resource, package template reads the templates, package sam expands
// serverless functions. Work on a stack goes through its resources one at a
// time, each after those it depends on; only then are replaced and removed
// resources deleted, in the reverse order. An update calls a type only for
// resources whose properties in the new template, as resolved, differ from those
// in the old one: what was changed out of band (traffic weights, desired counts)
// stays as it is, and repeating an update does nothing. When a resource fails,
// all that the work did is undone in the reverse order.
//
// Known differences from AWS:
//
//   - One resource at a time. A type is done when its call returns.
//   - Change sets are computed within CreateChangeSet, not some time after.
//   - NotificationARNs, service roles, stack policies, nested stacks, imports of
//     existing resources, drift, timeouts and termination protection are not
//     offered; members for them are refused as unknown.
//   - Tags of a stack are kept and shown, but not passed on to its resources.
//   - Every list fits one page: there is no NextToken.
//   - An attribute that a type does not have is found when the resource that
//     asks for it is made, not before.
//   - Parameters of AWS-specific types are not looked up.
//   - A custom resource's function is invoked once and waited for; its answer is
//     looked for when it has ended. AWS invokes it asynchronously, up to three
//     times, and waits for the answer for up to an hour. Only functions of Lambda
//     can be behind custom resources, not topics.
//
// See also the differences that packages template and sam list.
package cloudformation
