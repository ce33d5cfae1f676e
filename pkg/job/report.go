package job

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"cutover/pkg/awsclient"
)

// A Reporter takes the reports on jobs. *codepipeline.Client is one.
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
// https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobFailureResult.html
type Reporter interface {
	PutJobSuccessResult(context.Context, *codepipeline.PutJobSuccessResultInput, ...func(*codepipeline.Options)) (*codepipeline.PutJobSuccessResultOutput, error)
	PutJobFailureResult(context.Context, *codepipeline.PutJobFailureResultInput, ...func(*codepipeline.Options)) (*codepipeline.PutJobFailureResultOutput, error)
}

// unbounded is the time for reports of an invocation that has no deadline.
const unbounded = 30 * time.Second

// report makes the one report of a job, as often as it takes. It returns nil
// when CodePipeline has an answer, be it another's: then a report that got lost
// on its way back had landed, or the event was delivered twice. A success that
// CodePipeline does not take is reported as a failure, which v then is.
func (t *tick) report(ctx context.Context, v *verdict) error {
	ctx, cancel := t.reporting(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := t.send(ctx, *v)
		if err == nil {
			t.reported(*v)
			return nil
		}
		cause := t.scrub(err.Error())
		switch {
		case awsclient.IsCode(err, "InvalidJobStateException", "JobNotFoundException"):
			t.log.Warn("the job is already answered or over: this report is not needed", "cause", cause)
			return nil
		case awsclient.IsDenied(err):
			t.denied(*v, cause)
			if v.failure != nil {
				return fmt.Errorf("report on job %s: %s", t.id, cause)
			}
			*v = verdict{failure: &Failure{Type: types.FailureTypePermissionError, Message: cause +
				"; the function may not report success or progress: allow codepipeline:PutJobSuccessResult on * in its role, then retry the stage: what is already done is not done again"}}
		case v.failure == nil && awsclient.IsCode(err, "ValidationException", "OutputVariablesSizeExceededException"):
			t.log.Error("CodePipeline does not take the report of success", "cause", cause)
			*v = failed("CodePipeline does not take the report of success: %s; this is a fault of the function; its summary was: %s", cause, cut(v.summary, maxSummary, "none"))
		case !awsclient.IsTransient(err) || !sleep(ctx, t.config.Backoff(attempt), t.margin/4):
			t.log.Error("the job could not be reported on: the pipeline will fail it after 20 minutes of silence", "cause", cause)
			return fmt.Errorf("report on job %s: %s", t.id, cause)
		default:
			t.log.Warn("a report did not go through and is tried again", "cause", cause)
		}
	}
}

// reporting is a context that leaves time for a report in any case.
func (t *tick) reporting(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return context.WithTimeout(context.WithoutCancel(ctx), max(t.margin, time.Second))
	}
	if _, bounded := ctx.Deadline(); bounded {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, unbounded)
}

// send makes one call. It may take half of the time that is left, so that one
// lost answer does not use it up.
func (t *tick) send(ctx context.Context, v verdict) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if v.failure != nil {
		_, err := t.config.CodePipeline.PutJobFailureResult(ctx, &codepipeline.PutJobFailureResultInput{
			JobId: &t.id,
			FailureDetails: &types.FailureDetails{
				Type:    v.failure.Type,
				Message: aws.String(cut(t.scrub(v.failure.Message), maxMessage, "the action failed and gave no reason")),
			},
		})
		return err
	}
	in := &codepipeline.PutJobSuccessResultInput{
		JobId: &t.id,
		ExecutionDetails: &types.ExecutionDetails{
			Summary:         aws.String(cut(t.scrub(v.summary), maxSummary, "no summary")),
			PercentComplete: aws.Int32(int32(v.percent)),
		},
	}
	if id := cut(t.scrub(v.externalID), maxExternalID, ""); id != "" {
		in.ExecutionDetails.ExternalExecutionId = &id
	}
	if v.token != "" {
		in.ContinuationToken = &v.token
	} else if len(v.outputs) > 0 {
		in.OutputVariables = v.outputs
	}
	_, err := t.config.CodePipeline.PutJobSuccessResult(ctx, in)
	return err
}

// reported leaves the tick's line in the log.
func (t *tick) reported(v verdict) {
	switch {
	case v.failure != nil:
		t.log.Error("job failed", "type", string(v.failure.Type), "message", t.scrub(v.failure.Message))
	case v.token != "":
		t.log.Info("job continues", "percent", v.percent, "summary", t.scrub(v.summary))
	default:
		t.log.Info("job done", "summary", t.scrub(v.summary))
	}
}

// denied says plainly what keeps the function from reporting.
func (t *tick) denied(v verdict, cause string) {
	action := "codepipeline:PutJobSuccessResult"
	if v.failure != nil {
		action = "codepipeline:PutJobFailureResult"
	}
	t.log.Error("the function may not report to CodePipeline: allow codepipeline:PutJobSuccessResult and codepipeline:PutJobFailureResult on * in its role; a pipeline fails an action that is silent for 20 minutes",
		"denied", action, "cause", cause)
}

// sleep waits, if the context then still leaves time to use.
func sleep(ctx context.Context, d, use time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d+use {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
