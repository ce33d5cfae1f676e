// Package acceptance holds the tests of whole pipelines: the templates, the
// functions and their policies, deployed into an embedded AWS and released
// through it, with faults at every call. Everything is in its test files.
//
// In process, functions, tasks and builds are parts of the test binary and time
// stands still until the test moves it; with CUTOVER_BINARIES set, the functions
// are the bootstraps that `make build` makes, as processes, on a fast clock.
package acceptance
