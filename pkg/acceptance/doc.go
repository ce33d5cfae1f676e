// Package acceptance holds the tests of whole pipelines: the templates, the
// functions and their policies, deployed into an embedded AWS and released
// through it, with faults at every call. Everything is in its test files.
//
// The functions, tasks and builds are parts of the test binary, and time stands
// still until the test moves it. With CUTOVER_BINARIES naming the directory that
// `make build` fills, the crash matrix, retries and rollback run with the real
// bootstraps, as processes.
package acceptance
