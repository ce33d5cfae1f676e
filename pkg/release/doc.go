// Package release is cutover.yaml: what a release set is, how its traffic
// moves, and when it goes back. It loads the file strictly, with every fault and
// its line, and turns it into the steps that the actions follow. It calls
// nothing and changes nothing.
//
// A release set is one or many pairs of ECS services that are deployed, shifted
// and rolled back as one. Unknown keys are errors; so is everything that a
// release could stumble over later.
package release
