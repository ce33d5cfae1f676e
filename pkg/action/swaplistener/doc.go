// Package swaplistener is the SwapListener action: it moves production's
// traffic to the side of a blue/green pair that DeployGreen named and filled.
//
// In this order, one change a tick, each only if the world does not show it
// already:
//
//  1. Mark the execution in blue's tag as retired, so that no late duplicate of
//     its jobs takes production back.
//  2. Write the production route: all to green, blue attached with weight 0.
//     Green's deployment must be complete, its tasks running and as many
//     targets healthy as blue has; its tag and the route are read again right
//     before the write, and the route is read back after it.
//  3. Point the test route at the old side.
//  4. Tag the target groups: IsProduction True on the new side, False on the
//     old one.
//
// Green is the target group that carries this pipeline execution in its tag.
// The swap is not a toggle: once that group is production, production is not
// written again, so all of it is safe to repeat, at once or later. If someone
// else moves production back in the middle the action fails and leaves it.
//
// It fails as ConfigurationError where something is to be corrected and the
// stage retried: parameters, a pair that is not one, a green that is not fit,
// a route that someone else changed before its write. It fails as JobFailed
// where nothing is to be corrected: another execution has taken green over or
// replaced this one, or someone else has changed a route after its write.
//
// Calls to AWS: those listed in package bluegreen, and none beyond them.
package swaplistener
