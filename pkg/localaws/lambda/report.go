package lambda

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// logStart, logFailure and logReport write what Lambda itself logs, in the
// function's format.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
func (sb *sandbox) logStart(requestID string) {
	if sb.settings.logging.LogFormat == "JSON" {
		sb.logJSON("platform.start", map[string]any{"requestId": requestID, "version": "$LATEST"})
		return
	}
	sb.log(fmt.Sprintf("START RequestId: %s Version: $LATEST", requestID))
}

// logFailure says what went wrong where the function could not say it itself.
func (sb *sandbox) logFailure(requestID string, f *failure) {
	switch f.kind {
	case timedOut:
		sb.log(fmt.Sprintf("%s %s %s", sb.service.Clock.Now().Format("2006-01-02T15:04:05.000Z"), requestID, f.message))
	case exitError, invalidEntrypoint:
		sb.log(fmt.Sprintf("RequestId: %s Error: %s\n%s", requestID, f.message, f.kind))
	}
}

func (sb *sandbox) logReport(requestID string, rec Invocation, t *trace) {
	memory := rec.PeakRSS >> 20
	billed := int64(math.Ceil(ms(rec.Init + rec.Duration)))
	if sb.settings.logging.LogFormat == "JSON" {
		metrics := map[string]any{
			"durationMs": ms(rec.Duration), "billedDurationMs": billed,
			"memorySizeMB": sb.settings.memory, "maxMemoryUsedMB": memory,
		}
		if rec.Cold {
			metrics["initDurationMs"] = ms(rec.Init)
		}
		record := map[string]any{"requestId": requestID, "metrics": metrics, "status": status(rec.Error)}
		if rec.Error != "" {
			record["errorType"] = rec.Error
		}
		sb.logJSON("platform.report", record)
		return
	}
	sb.log("END RequestId: " + requestID)
	line := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		requestID, ms(rec.Duration), billed, sb.settings.memory, memory)
	if rec.Cold {
		line += fmt.Sprintf("Init Duration: %.2f ms\t", ms(rec.Init))
	}
	switch rec.Error {
	case timedOut:
		line += "Status: timeout"
	case exitError, invalidEntrypoint:
		line += "Status: error\tError Type: " + rec.Error
	}
	if t.sampled() {
		line += fmt.Sprintf("\nXRAY TraceId: %s\tSegmentId: %s\tSampled: true\t", t.root, t.functionID)
	}
	sb.log(line)
}

func status(errorType string) string {
	switch errorType {
	case "":
		return "success"
	case timedOut:
		return "timeout"
	}
	return "error"
}

func (sb *sandbox) logJSON(kind string, record map[string]any) {
	if sb.settings.logging.SystemLogLevel == "WARN" {
		return
	}
	sb.log(text(map[string]any{
		"time": sb.service.Clock.Now().Format("2006-01-02T15:04:05.000Z"), "type": kind, "record": record,
	}))
}

func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*100) / 100
}

// tailSize is how much of an invocation's log its invoker may see, in bytes.
const tailSize = 4 << 10

// A tail keeps the end of an invocation's log.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = nil
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(append(t.kept, line...), '\n')
	if over := len(t.kept) - tailSize; over > 0 {
		t.kept = t.kept[over:]
	}
}

func (t *tail) take() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept
}
