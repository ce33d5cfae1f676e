// Package fleet is what is known of an Auto Scaling group and of what it
// launches, and how its image is replaced with nothing else changed.
//
// [Observe] finds the group, by its name or as the one that a CodeDeploy
// deployment group names now, and reads the launch template versions or the
// launch configuration in use. [Fleet.Plan] is pure: it says what is missing
// until the group launches an image. What then changes AWS, in this order:
//
//  1. [CreateVersion] or [CreateConfiguration]: the version in use with another
//     image, or a full copy of the launch configuration. An equal version is
//     used again, a configuration's name derives from its base and the image.
//  2. [Update] or [StartRefresh]: the group's whole launch settings, every
//     template pinned to a number.
//  3. [Delete], one of the things that [Prune] lets go.
//
// Each names its target state or carries a token, so all of it is safe to
// repeat; where AWS refuses a repetition, as of a refresh, the error is nil and
// the next look tells.
package fleet
