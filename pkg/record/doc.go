// Package record keeps the releases of a set in Systems Manager's Parameter
// Store, and the verbs that people say to a release while it runs.
//
// The record of a release is the set's lock. Below /cutover/SET/releases/ each
// release has a generation, a parameter that is created and never overwritten
// but by its own release: whoever creates the next generation has the lock. It
// is held until the record says that the release has ended, or until it expires
// without a sign of life. Taking over an expired lock is creating the generation
// after it, so that two who try cannot both succeed, which Parameter Store,
// without compare-and-swap, could not promise for one parameter. A release that
// finds a generation after its own has lost the lock, and must not touch
// anything any more.
//
// Verbs are parameters of their own, so that two people who say different things
// at the same time cannot lose either; each names the execution it is for and is
// a state, not an event: saying it twice is saying it once.
//
// Calls to AWS:
//
//	ssm:GetParameters, ssm:GetParametersByPath, ssm:PutParameter,
//	ssm:DeleteParameters                                    on parameter/cutover/SET/*
package record
