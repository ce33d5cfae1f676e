// Package awsclient is how the functions call AWS: configuration from the
// environment, retries, traces, AWS's time, and errors by class.
//
// [New] makes no call and reads no file. The configuration is put together by
// hand from what Lambda's environment holds, and not by the SDK's config
// package: that one searches files, the instance metadata service and single
// sign-on for what Lambda always gives as variables, at twice the cold start.
// Clients are made by those who call them, when they first do, from
// [Clients.Config].
//
// The package changes nothing in AWS. Every call is tried a few times with a
// bounded backoff, so each may take effect more than once: what is not safe to
// repeat must be sent with RetryMaxAttempts 1. Spans and annotations go to the
// X-Ray daemon by UDP; without daemon, trace or sampling nothing is sent and
// nothing is logged.
package awsclient
