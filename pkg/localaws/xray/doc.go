// Package xray is the embedded AWS's X-Ray: a daemon that listens for segments on
// UDP, as functions send them, and an API that shows the traces they make.
//
// Whoever writes a segment again with the same id replaces it, as a daemon does
// with one in progress; so everything may be repeated. Nothing else is changed.
//
// Known differences from AWS:
//  1. The latest 2000 traces are kept, with up to 500 segments each.
//  2. Packets carry no credentials, so the daemon takes them whatever role sent
//     them; PutTraceSegments asks IAM.
//  3. The times in segments are those of their writers: for function processes the
//     wall's clock, which the embedded AWS's clock may be ahead of. StartTime and
//     EndTime of GetTraceSummaries are compared with them.
//  4. Filter expressions are not known, but for service("NAME"),
//     annotation.KEY = "VALUE", and the words fault, error, throttle and ok; other
//     ones are refused.
//  5. There are no groups, sampling rules, insights or service graph.
package xray
