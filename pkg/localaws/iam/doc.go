// Package iam is the embedded AWS's Identity and Access Management: roles with
// their inline, managed and trust policies, the evaluation of those policies for
// every call to the one address, and the sessions in which functions, builds and
// pipelines act.
//
// It serves the query protocol of version 2010-05-08 and the resource types
// AWS::IAM::Role, AWS::IAM::Policy, AWS::IAM::ManagedPolicy and
// AWS::IAM::InstanceProfile. A put of a policy with the same name replaces it and
// may be repeated; creating a role or managed policy that exists is refused, as
// in AWS.
//
// Evaluation: an explicit Deny wins, then one Allow is needed. Elements that the
// evaluator does not know (condition operators for dates, addresses or sets,
// policy variables, NotPrincipal, Federated principals) are refused when the
// policy is put, never ignored.
//
// Known differences from AWS:
//  1. There are no users and groups. One administrator key pair may do
//     everything; everybody else is a session of a role.
//  2. There are no permission boundaries, session policies, service control or
//     resource policies; a role's own policies decide alone.
//  3. Of AWS's managed policies only those in managed.go are known.
//  4. A managed policy has one version, v1. Lists other than ListRoles and
//     ListPolicies fit one page.
//  5. A role that assumes a role needs both the permission and the trust, also
//     within one account.
//  6. A change of a policy is in force at once, for running sessions too.
package iam
