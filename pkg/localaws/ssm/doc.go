// Package ssm is the embedded AWS's Systems Manager: Parameter Store, documents,
// commands, managed instances and the API of Automation. Package automation runs
// the automations, and whoever keeps the instances runs the commands.
//
// What changes, in what order: a parameter's new version takes effect before
// PutParameter answers (one of data type aws:ec2:image when its image was
// checked); a document's version likewise; a command is recorded before it goes
// to its instances; an automation is recorded before it starts. Creating twice
// is refused by AWS's own code, putting a parameter again makes a version, and
// StartAutomationExecution with a ClientToken is safe to repeat.
//
// Known differences from AWS:
//
//  1. Parameter policies, resource policies, sharing and KMS keys of one's own are
//     not there. A SecureString shows a blob in place of a ciphertext unless
//     WithDecryption asks for its value.
//  2. Public parameters have one version, without labels, and are not in
//     DescribeParameters.
//  3. Documents are of type Automation (schema 0.3). AWS-RunShellScript is the
//     one document for commands. Attachments, sharing and reviews are not there;
//     a document is active when its creation is answered.
//  4. Commands go to instances by id, all at once. Output is kept here only
//     (S3, CloudWatch Logs and notifications are refused by name).
//  5. Automations have no targets, rate controls, alarms or change requests, and
//     start at once, however many there are. The event bus hears of automations'
//     status, not of each step's, nor of commands'.
//  6. A ClientToken is remembered as long as the process lives.
//  7. PutParameter with data type aws:ec2:image gives up a version's number when
//     the image is not there; AWS does not say what becomes of it.
package ssm
