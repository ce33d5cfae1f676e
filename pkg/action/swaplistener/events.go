package swaplistener

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"cutover/pkg/record"
)

// Events is what the action calls of EventBridge.
type Events interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Bucket is what the action calls of S3.
type Bucket interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Events of a release, as EventBridge's detail-type has them after "Cutover Release ".
const (
	started    = "Started"
	moved      = "Moved"
	rolledBack = "Rolled Back"
	ended      = "Ended"
)

// courtesy is how long a call may take that the release does not depend on.
const courtesy = 3 * time.Second

// A detail is what an event tells.
type detail struct {
	Set        string  `json:"set"`
	Execution  string  `json:"execution"`
	Generation int     `json:"generation"`
	Weight     float64 `json:"weight"` // green's share of production, in percent
	Verdict    string  `json:"verdict,omitempty"`
	Why        string  `json:"why,omitempty"`
}

// announce tells EventBridge and, by a line of the log, CloudWatch what has
// happened. It is told at most once, and nothing depends on it: what cannot be told
// is noted in the summary.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (t *setTick) announce(ctx context.Context, what string) {
	d := detail{
		Set: t.file.Set, Execution: t.job.Params.Execution, Generation: t.record.Generation,
		Weight: t.weight(), Verdict: t.record.Verdict, Why: t.record.Why,
	}
	if d.Why == "" {
		d.Why = t.record.Progress.Why
	}
	if err := t.logMetrics(what, d); err != nil {
		t.notes = append(t.notes, fmt.Sprintf("event %s was not logged: %v", what, err))
	}
	text, err := json.Marshal(d)
	if err == nil {
		err = t.putEvent(ctx, "Cutover Release "+what, string(text))
	}
	if err != nil {
		t.notes = append(t.notes, fmt.Sprintf("event %s was not sent: %v", what, err))
	}
}

func (t *setTick) putEvent(ctx context.Context, kind, text string) error {
	ctx, cancel := context.WithTimeout(ctx, courtesy)
	defer cancel()
	source, at := "cutover", t.job.Now
	out, err := t.clients.Events().PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
		Source: &source, DetailType: &kind, Detail: &text, Time: &at,
	}}}, func(o *eventbridge.Options) { o.RetryMaxAttempts = 1 })
	if err != nil {
		return fmt.Errorf("put event: %w", err)
	}
	for _, e := range out.Entries {
		if e.ErrorCode != nil {
			return fmt.Errorf("put event: %s: %s", *e.ErrorCode, deref(e.ErrorMessage))
		}
	}
	return nil
}

// A metric is one of CloudWatch's in embedded metric format.
type metric struct {
	Name string
	Unit string
}

// logMetrics writes the event as a line of the log, from which CloudWatch takes the
// metrics of namespace Cutover.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (t *setTick) logMetrics(what string, d detail) error {
	line := map[string]any{
		"event": "Cutover Release " + what, "ReleaseSet": d.Set, "execution": d.Execution, "generation": d.Generation,
		"weight": d.Weight, "verdict": d.Verdict, "why": d.Why,
	}
	var metrics []metric
	measure := func(name, unit string, value int64) {
		metrics = append(metrics, metric{name, unit})
		line[name] = value
	}
	timings := t.record.Measure()
	switch {
	case what == rolledBack:
		measure("Rollbacks", "Count", 1)
		measure("TimeToDetect", "Seconds", timings.TimeToDetect)
		measure("TimeToRestore", "Seconds", timings.TimeToRestore)
	case what == ended && t.record.Progress.Move >= 0:
		measure("Releases", "Count", 1)
		measure("ExposedRequests", "Count", t.record.Exposed)
		if d.Verdict == record.Succeeded {
			measure("LeadTime", "Seconds", timings.LeadTime)
		}
	}
	if len(metrics) > 0 {
		line["_aws"] = map[string]any{
			"Timestamp": t.job.Now.UnixMilli(),
			"CloudWatchMetrics": []any{map[string]any{
				"Namespace": "Cutover", "Dimensions": [][]string{{"ReleaseSet"}}, "Metrics": metrics,
			}},
		}
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = t.clients.Log.Write(append(text, '\n'))
	return err
}

// keep writes the whole record to the file's bucket, if it names one, with the
// function's role.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (t *setTick) keep(ctx context.Context) {
	bucket := t.file.Record.Bucket
	if bucket == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, courtesy)
	defer cancel()
	key, kind := fmt.Sprintf("cutover/%s/%s.json", t.file.Set, t.job.Params.Execution), "application/json"
	text, err := json.MarshalIndent(t.record, "", "  ")
	if err == nil {
		_, err = t.clients.Bucket().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, ContentType: &kind, Body: bytes.NewReader(append(text, '\n'))})
	}
	if err != nil {
		t.notes = append(t.notes, fmt.Sprintf("the record was not written to s3://%s/%s: %v", bucket, key, err))
	}
}

// noted is a text with what could not be told or kept.
func (t *setTick) noted(text string) string {
	if len(t.notes) == 0 {
		return text
	}
	return text + " (" + strings.Join(t.notes, "; ") + ")"
}
