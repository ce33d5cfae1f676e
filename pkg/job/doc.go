// Package job is the job protocol of CodePipeline's Lambda actions: it turns a
// [Step] into a Lambda handler, and a job into a row of ticks, one invocation
// each.
//
// A tick reads the event (parameters strictly, the rest tolerantly), the state
// from the continuation token and AWS's time; runs the step once; and reports:
// success, failure, or a continuation, upon which CodePipeline invokes the
// function again with a new job. What it changes in AWS is that one report, and
// the output artifacts that the step writes. Nothing is remembered between
// ticks but the token, so any tick may be lost, repeated or run twice at once:
// CodePipeline takes one report of a job and refuses the others, which is not
// an error here.
//
// Every invocation that names a job ends in a report, whatever happens:
//
//   - What the step returns as a [Failure] is reported as it is. A throttle, a
//     server or network fault is waited out by repeating the step, within
//     [Limits].Faults, and is SystemUnavailable then. A denied call is a
//     PermissionError, anything else JobFailed.
//   - Panics are JobFailed. A step that does not end in time is left, and
//     repeated in the next tick.
//   - An event that cannot be read is JobFailed as long as a job id is found in
//     it. Wrong parameters, of the job or of the function, are one
//     ConfigurationError that lists every fault.
//   - A job without progress for [Limits].Progress, or older than
//     [Limits].Total, is JobFailed.
//   - A report that is throttled or lost is made again until the invocation's
//     time is over; a success that CodePipeline does not take is made a failure.
//
// Events carry credentials: no event is logged, and the credentials are taken
// out of every text that leaves the function by a report, a log line or a trace.
//
// Calls to AWS, for the policies of the functions:
//
//	codepipeline:PutJobSuccessResult, PutJobFailureResult  on *
//
// Artifacts are read and written with the job's own credentials.
package job
