// Package hook asks people's own Lambda functions whether a release may go on. It
// changes nothing itself; what the function does is its own affair.
//
// A hook is invoked synchronously, once a tick for as long as it says that it is
// pending, so it must answer within [Limit] and be safe to invoke again: what
// takes longer is started by the first call and looked up by the later ones. Two
// deliveries of one job may even invoke it at the same time. What the calls of
// one question have in common are execution, hook and move.
//
// It gets a [Call]:
//
//	{
//	  "hook": "afterStep", "set": "shop", "execution": "b5c1...", "generation": 12,
//	  "move": 1, "weight": 10, "since": "2026-03-04T12:00:00Z", "strategy": "canary of 10 % for 5m0s",
//	  "services": [{
//	    "name": "web", "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/web@sha256:...",
//	    "greenService": "web-b", "greenTargetGroup": "arn:...", "blueService": "web-a", "blueTargetGroup": "arn:...",
//	    "testUrl": "http://shop-1.us-east-1.elb.amazonaws.com:8080"
//	  }]
//	}
//
// and answers:
//
//	{"status": "succeeded", "message": "checkout works"}
//
// status is succeeded, pending or failed. An error of the function, and an answer
// of another form, count as failed. That the function cannot be reached, or is
// throttled, counts as pending: the hook's timeout bounds it.
//
// Calls to AWS:
//
//	lambda:InvokeFunction                                   on the hooks' functions
package hook
