// Package automation runs Systems Manager Automation documents (schema 0.3) for
// the embedded AWS. Parse checks a document whole before anything runs, Resolve
// its parameters; an Engine then runs one execution per Start.
//
// What changes, in what order: an execution is recorded with its first step in
// progress before Start returns; a step's calls go out one after another, with
// the credentials of the automation's role (or of whoever started it); what a
// step yielded is recorded before the next step begins. Starting an id twice is
// refused. A step is repeated only as its maxAttempts says; within an attempt, a
// call that was throttled or met a server fault is made again, and
// aws:runInstances gives every such call the same client token.
//
// Known differences from AWS:
//
//  1. These actions are there: aws:approve, aws:assertAwsResourceProperty,
//     aws:branch, aws:changeInstanceState, aws:copyImage, aws:createImage,
//     aws:createTags, aws:deleteImage, aws:executeAwsApi, aws:pause,
//     aws:runCommand, aws:runInstances, aws:sleep and
//     aws:waitForAwsResourceProperty. Any other is refused by Parse with its name.
//  2. aws:executeAwsApi and its kin know the operations of Operations. Their
//     names, inputs' names and selectors are checked by Parse, not at run time.
//     Selectors know $, .name, ['name'], [n] and [*].
//  3. A document whose steps can lead back to an earlier one is refused.
//  4. Document variables, attachments and interactive mode are not there.
//  5. A failed step has outputs only where its action is aws:runCommand; AWS
//     does not say for which others it has.
//  6. isEnd ends the automation at a failed step too, whatever its onFailure
//     says; AWS documents the first half of that sentence only.
//  7. Stop with kind Complete lets the current step finish and starts no other.
//  8. A parameter's default may name other parameters, as that of
//     AWS-UpdateLinuxAmi's TargetAmiName does, although the user guide says not.
//  9. An empty principal, that is the embedded AWS itself, may approve for anyone.
//  10. A rejected approval fails its step. AWS does not say which status it has.
//  11. A command whose step was cancelled or timed out goes on in its instance.
package automation
