// Package analysis judges the new side of a pair by the old one: whether green
// fails or takes its time more than blue does on the same traffic at the same
// time. It needs nothing but what an Application Load Balancer tells CloudWatch.
//
// It is pure: [Compare] looks at what both sides have answered since a step
// began and gives a [Verdict]. It calls nothing and remembers nothing, so asking
// it again is harmless, however often.
//
// # The test
//
// Green is worse if its share of failures exceeds blue's by more than a margin,
// or its average answer time exceeds blue's by more than a factor. That is
// tested one-sidedly, against the hypothesis that it is exactly at the limit:
//
//   - Failures: the signed root of the likelihood ratio of two binomials whose
//     shares lie the margin apart. For the few failures of a good service its
//     tail is honest where that of a score or a Wald statistic is far too short.
//     The common share is that of Miettinen and Nurminen (Statistics in Medicine
//     4, 1985).
//   - Answer times: the difference of green's mean and the factor times blue's,
//     over its standard error. CloudWatch has no variance, but average, p90, p99
//     and maximum bound it from above, whatever the distribution; the bound is
//     what the test goes by.
//
// A step is looked at every minute, for as long as it lasts, and a limit for one
// look would be crossed by luck sooner or later. The limit here is that of an
// asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and
// Ramdas, Annals of Statistics 52, 2024): a mixture over normal effects, tightest
// at the minimum sample, that holds for all looks together. So there is no count
// of looks to keep. The chance of a false alarm, 1 % for a whole release, is
// shared out among the services, the steps and the two tests.
//
// # When it is unsure
//
// Below the minimum sample nothing is said. Above it, green is also unsure while
// it looks bad but is not proven so: while a single look would call it worse at
// the level of 5 %. Such a step is to be held: more requests either clear it or
// prove it.
//
// [Simulate] measures what that is worth on made-up canaries with known effects.
//
// # Limits
//
// Requests count as independent. What hits both sides at once does no harm, as
// they are compared in the same window; a fault of one task of blue or green for
// a minute is taken for a property of its side. A request that a target never
// answers has no status of the target and no answer time, so that only the
// health of the targets and alarms tell of it.
package analysis
