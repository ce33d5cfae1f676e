// Package rollout decides how production traffic moves from blue to green, move
// by move, for all services of a release set together, and when it goes back.
//
// It is pure: [Decide] looks at the world as it was read and at the progress
// that was recorded, and says what to do now. It calls nothing, knows no clock,
// and remembers nothing, so that asking it again, at any time and from any
// number of places, is harmless. What it promises, and what its tests explore at
// random over crashes, faults, retries, foreign edits and verbs:
//
//   - Progress is noted before routes are written, so that whoever goes on after
//     a crash knows what may have been written.
//   - A route is written only if it shows what was written last, and only if the
//     side that gains has the healthy targets for its share.
//   - Traffic moves to green once. After it has gone back it never moves again
//     for the same execution.
//   - All services end on the same side. Where somebody else has edited a route,
//     it stops and touches nothing.
//   - It goes back only to a blue that works, and never to one that it has scaled
//     down.
//   - A blue loses tasks only while all of production is on a green that works,
//     and while it answers nothing itself.
//   - What a hook is asked is noted first, so that its time runs out whoever asks.
package rollout
