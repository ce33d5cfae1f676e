// Package cloudwatch is the embedded AWS's CloudWatch: metrics, and the metric
// and composite alarms over them.
//
// It serves the API by RPC v2 CBOR (current SDKs), JSON 1.0 (the AWS CLI) and the
// query protocol of version 2010-08-01, and the resource types
// AWS::CloudWatch::Alarm and AWS::CloudWatch::CompositeAlarm. Other embedded
// services put their metrics with Put. Puts of alarms may be repeated: they
// replace the configuration and keep the state.
//
// Metric alarms are evaluated at each full minute of the clock, over periods that
// end there (AWS's sliding window); a metric alarm's change of state is followed
// at once by those of the composite alarms above it. As in AWS an alarm looks back
// two periods more than EvaluationPeriods when datapoints are missing, so that a
// single bad one keeps a 1-of-1 alarm in ALARM for three minutes.
//
// Memory is bounded: datapoints are aggregated by minute (count, sum, minimum,
// maximum and a histogram of at most 256 bins, which is exact to 4 % for
// percentiles), kept for 25 hours, for at most 5000 series; when there are more,
// the one written to longest ago is dropped. Alarm history keeps the latest 5000
// entries of all alarms.
//
// Known differences from AWS:
//  1. Actions are carried out as far as the embedded AWS has what they name:
//     topics, scaling policies and functions.
//  2. There is no metric math, no anomaly detection, no PromQL, no log alarm and
//     no mute rule; members that ask for them are refused by name.
//  3. Of the extended statistics there are percentiles only.
//  4. Periods and storage resolutions below a minute are refused, and so are
//     alarms that look back for more than a day, and datapoints older than the
//     retention.
//  5. A datapoint counts as soon as it is put; an evaluation does not wait for
//     those that are late, but sees them the next time.
//  6. AWS evaluates a new metric alarm within a minute, here it is at the next
//     full one.
//  7. Rules of composite alarms that make a cycle are refused rather than never
//     evaluated. There are no actions suppressors and no AT_LEAST.
//  8. An alarm's EvaluationState is never shown.
//  9. GetMetricData answers on one page, and without label options. Tags are
//     those given when an alarm is made, or by CloudFormation.
package cloudwatch
