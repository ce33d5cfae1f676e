// Package codepipeline is the embedded AWS's release orchestrator: pipelines as
// declared, their executions through stages and actions, the jobs that Lambda
// functions answer, and the operations of whoever presses Retry.
//
// What changes, and in what order: every change of a pipeline is one turn under
// one lock (turn.go). A turn applies what happened, then settles the pipeline:
// the pure functions of transition.go say what each stage does next and which
// execution enters it, until nothing moves. What a turn asks of other services
// is done after the lock is released, through the clock, and comes back as
// another turn. An answer that comes twice, or after the action has ended,
// changes nothing. State lives as long as the process.
//
// It serves V1 and V2 pipelines with one artifact store, the execution modes
// SUPERSEDED, QUEUED and PARALLEL, and the action providers CodeCommit,
// CodeBuild, Manual (approval) and Lambda. Any other provider, git triggers,
// stage conditions, blockers and cross-region actions are refused by name. As in
// AWS, creating a pipeline starts a first execution; where the repository is
// still empty, that one fails in its source.
//
// Where AWS publishes nothing, this is ours:
//
//  1. A continued Lambda job is invoked again 30 s after its report
//     (Config.Continuation). AWS names no delay.
//  2. A report for an answered, timed-out or abandoned job is refused with
//     InvalidJobStateException.
//  3. A parallel action that still runs in a failed stage keeps the stage locked
//     until it ends; onFailure takes effect then.
//  4. onFailure RETRY makes one attempt for each execution, of the failed
//     actions unless retryConfiguration says otherwise.
//  5. onFailure ROLLBACK goes to the latest standard execution of the current
//     structure that succeeded in the stage; without one the execution just
//     fails. A rollback that fails is not rolled back again. It runs its one
//     stage and ends.
//  6. #{codepipeline.PipelineExecutionId} in a rollback is the rollback's own id;
//     all other variables are the target's.
//  7. An update of the structure cancels what is in progress; running actions
//     are abandoned.
//  8. An action that fails while its execution is stopping fails the execution.
//     If all actions of the last stage succeed meanwhile, it has succeeded.
//  9. At most 50 executions of a QUEUED or PARALLEL pipeline are in progress.
//  10. Disabling the outbound transition of a stage is disabling the inbound one
//     of the next.
//
// Known differences from AWS:
//
//  1. Sources are not polled: PollForSourceChanges must be "false".
//  2. The pipeline's role must allow what the actions do (lambda:InvokeFunction,
//     codebuild:StartBuild and BatchGetBuilds, codedeploy's CreateDeployment,
//     GetDeployment, GetDeploymentConfig, GetApplicationRevision and
//     RegisterApplicationRevision, codecommit's GetBranch, GetCommit, UploadArchive
//     and GetUploadArchiveStatus, s3:PutObject for sources). A build's own access to
//     the artifact bucket is not checked, since builds get their sources handed
//     over.
//  3. Links to the console and artifact encryption have no effect; the
//     encryption key is passed on to jobs.
//  4. Events go out in order and once; AWS promises neither.
package codepipeline
