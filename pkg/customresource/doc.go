// Package customresource is CloudFormation's protocol for custom resources: it
// turns a typed piece of work into the handler of a Lambda function that always
// answers CloudFormation.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
//
// CloudFormation waits for an hour for a custom resource that stays silent, and
// again when it rolls the stack back. So each event is answered once, by a PUT to
// its pre-signed ResponseURL, whatever happens: properties that cannot be read, an
// error, a panic, work that does not end before the invocation does. The answer is
// tried again for as long as there is time; only if it could not be given does the
// invocation fail, and Lambda deliver the event again. Work is therefore to be
// safe to repeat.
//
// The package changes nothing but that answer. The ResponseURL is a secret: who
// has it can answer in the resource's place. It is kept out of logs and errors, as
// are the properties, which may hold secrets of the template's.
package customresource
