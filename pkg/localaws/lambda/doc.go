// Package lambda is the embedded AWS's Lambda: it keeps functions and runs their
// unchanged binaries as processes that speak the Runtime API, one invocation at a
// time per sandbox.
//
// What an invocation does, in this order: find an idle sandbox or make one (a
// session of the function's role, a log stream, a process or an in-process
// handler), write START, hand the event over, wait for the answer, END and
// REPORT, metrics and trace segments. A sandbox whose invocation ended well is
// kept warm for ten minutes; one that timed out, exited or was killed is gone.
// Creating a function that exists is refused; all other writes may be repeated.
//
// Asynchronous invocations follow AWS's rules on the embedded AWS's clock: two
// retries of a function error, after one and two minutes, throttles tried again
// with growing waits up to five minutes, all within MaximumEventAgeInSeconds.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
//
// The wall's clock rules where a real process is watched: a function's timeout,
// its deadline header, the durations in REPORT and in segments. A process can't
// be made to run faster, so a clock that runs ahead does not shorten its time.
//
// Known differences from AWS:
//  1. Runtime provided.al2023 from a zip only; no layers, images, VPC, file
//     systems, dead-letter queues or destinations; one version, $LATEST.
//  2. MemorySize is told to the function and not enforced. Architectures is
//     checked and not emulated: the process runs on this machine's processor.
//  3. A failed init is not tried a second time within the invocation. Init has
//     ten seconds.
//  4. Sampling takes every trace of a function with active tracing.
//  5. A function is Active and Successful as soon as a write returns.
//  6. Logs need logs:CreateLogStream and logs:PutLogEvents of the role; a missing
//     group is made without asking for logs:CreateLogGroup.
//  7. An in-process handler (Config.Handlers) shares this process: after a kill or
//     a timeout its context is cancelled, nothing it still sends takes effect, and
//     its goroutine winds down by itself. Its peak memory is not known.
//  8. A sandbox is not reused in the second half of its session's twelve hours.
package lambda
