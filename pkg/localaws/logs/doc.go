// Package logs is the embedded AWS's CloudWatch Logs: groups, their streams, and
// the events in them, as functions, builds and tasks write them and as
// `aws logs tail` reads them.
//
// It serves AWS JSON 1.1 (Logs_20140328) and the type AWS::Logs::LogGroup.
// Creating what exists is refused, as in AWS; Put, the way in for other services,
// makes what is missing and may be repeated.
//
// Known differences from AWS:
//  1. Memory is bounded: a stream keeps its latest 4 MiB, a group its 500 latest
//     streams. Older events are gone, without an error.
//  2. Events are readable at once, and sequence tokens are not asked for.
//  3. Retention takes events away when they are read or when the stream is
//     written to, by the embedded AWS's clock.
//  4. Filter patterns are terms ("ERROR", ?either ?or, -without) and JSON
//     comparisons of one field ({ $.level = "ERROR" }); others are refused.
//  5. Account-wide features (metric and subscription filters, insights,
//     encryption, anomaly detection) are not there.
package logs
