package lambda

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cutover/pkg/localaws/wire"
)

// An invocation is one run of a function's code on one event.
type invocation struct {
	requestID string
	function  string
	payload   []byte
	client    string // client context, Base64
	trace     traceHeader
	attempt   int // from 1
}

// A failure is what went wrong in a function or its runtime.
type failure struct {
	kind    string // errorType
	message string
	body    []byte // what the invoker gets; complete makes it where a runner did not
}

// complete gives a failure that Lambda itself found the form in which AWS tells
// it.
func (f *failure) complete(requestID string) *failure {
	if f == nil || f.body != nil {
		return f
	}
	return failed(f.kind, "RequestId: %s Error: %s", requestID, f.message)
}

func failed(kind, format string, args ...any) *failure {
	f := &failure{kind: kind, message: fmt.Sprintf(format, args...)}
	f.body = []byte(text(map[string]string{"errorType": f.kind, "errorMessage": f.message}))
	return f
}

// A result is how an invocation ended.
type result struct {
	payload []byte
	failure *failure
	tail    []byte // the last 4 KB of its log
}

var errClosed = errors.New("lambda is closed")

func throttled(reason string) error {
	return wire.Errorf("TooManyRequestsException", "Rate Exceeded. (%s)", reason).WithStatus(http.StatusTooManyRequests)
}

func requestTooLarge(got, limit int) error {
	return wire.Errorf("RequestTooLargeException", "%d byte payload is too large for the limit of %d bytes", got, limit).WithStatus(http.StatusRequestEntityTooLarge)
}

func badRequestContent() error {
	return wire.Errorf("InvalidRequestContentException", "Could not parse request body into json: the payload is not JSON")
}

// An InvokeInput is an event for a function.
type InvokeInput struct {
	FunctionName   string `aws:",required"`
	Qualifier      string // $LATEST, or empty
	InvocationType string `aws:"X-Amz-Invocation-Type,header"` // RequestResponse, Event or DryRun
	LogType        string `aws:"X-Amz-Log-Type,header"`        // None or Tail
	ClientContext  string `aws:"X-Amz-Client-Context,header"`  // Base64
	TraceID        string `aws:"X-Amzn-Trace-Id,header"`
	Payload        []byte `aws:",payload"`
}

// An InvokeOutput is the function's answer. FunctionError says that it is an
// error's description.
type InvokeOutput struct {
	StatusCode      int    `aws:",status"`
	FunctionError   string `aws:"X-Amz-Function-Error,header"`
	LogResult       string `aws:"X-Amz-Log-Result,header"` // Base64
	ExecutedVersion string `aws:"X-Amz-Executed-Version,header"`
	Payload         []byte `aws:",payload"`
}

// Invoke runs a function and waits for its answer, or queues the event.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (s *Service) Invoke(_ context.Context, in *InvokeInput) (*InvokeOutput, error) {
	s.mu.Lock()
	f, err := s.qualifiedLocked(&NameInput{in.FunctionName, in.Qualifier})
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if in.LogType != "" && in.LogType != "None" && in.LogType != "Tail" {
		return nil, invalid(fmt.Sprintf("LogType: %q is neither None nor Tail", in.LogType))
	}
	trace := parseTrace(in.TraceID)
	switch cmp.Or(in.InvocationType, "RequestResponse") {
	case "DryRun":
		return &InvokeOutput{StatusCode: http.StatusNoContent, ExecutedVersion: "$LATEST"}, nil
	case "Event":
		if _, err := s.queue(f.name, in.Payload, trace); err != nil {
			return nil, err
		}
		return &InvokeOutput{StatusCode: http.StatusAccepted}, nil
	case "RequestResponse":
	default:
		return nil, invalid(fmt.Sprintf("InvocationType: %q is not RequestResponse, Event or DryRun", in.InvocationType))
	}
	if err := checkPayload(in.Payload, maxPayload); err != nil {
		return nil, err
	}
	result, err := s.run(invocation{requestID: newID(), function: f.name, payload: in.Payload, client: in.ClientContext, trace: trace, attempt: 1})
	if err != nil {
		return nil, err
	}
	out := &InvokeOutput{StatusCode: http.StatusOK, ExecutedVersion: "$LATEST", Payload: result.payload}
	if result.failure != nil {
		out.FunctionError, out.Payload = "Unhandled", result.failure.body
	}
	if in.LogType == "Tail" {
		out.LogResult = base64.StdEncoding.EncodeToString(result.tail)
	}
	return out, nil
}

// run takes an invocation through a sandbox. An error says that no sandbox could
// be had; a failure of the function is part of the result.
func (s *Service) run(inv invocation) (result, error) {
	if !s.begin() {
		return result{}, errClosed
	}
	defer s.running.Done()
	if len(inv.payload) == 0 {
		inv.payload = []byte("{}") // as a function sees an invocation without payload
	}
	sb, err := s.acquire(inv.function)
	if err != nil {
		return result{}, err
	}
	rec := Invocation{
		Function: inv.function, RequestID: inv.requestID, Attempt: inv.attempt,
		Start: s.Clock.Now(), Cold: sb.cold(),
	}
	t := sb.beginTrace(inv)
	sb.tail.reset()
	outcome := s.execute(sb, inv, t, &rec)
	s.release(sb, outcome.dead)

	s.note(sb, rec, t)
	return result{payload: outcome.payload, failure: outcome.failure, tail: sb.tail.take()}, nil
}

// execute runs one invocation in a sandbox and logs it.
func (s *Service) execute(sb *sandbox, inv invocation, t *trace, rec *Invocation) outcome {
	began := time.Now()
	if rec.Cold {
		failure := sb.start()
		rec.Init = time.Since(began)
		if failure != nil {
			s.condemn(sb)
			sb.logStart(inv.requestID)
			sb.logFailure(inv.requestID, failure)
			rec.finish(failure, 0, sb.runner.peakMemory())
			sb.logReport(inv.requestID, *rec, t)
			return outcome{failure: failure.complete(inv.requestID), dead: true}
		}
	}
	sb.logStart(inv.requestID)
	began = time.Now()
	s.at(sb, inv.payload)
	outcome := sb.runner.invoke(inv, t.toFunction(), sb.settings.timeout)
	s.at(sb, nil)
	duration := time.Since(began)
	if outcome.dead {
		s.condemn(sb)
	}
	if f := outcome.failure; f != nil {
		sb.logFailure(inv.requestID, f)
		if f.kind == timedOut {
			duration = sb.settings.timeout
		}
	}
	rec.finish(outcome.failure, duration, sb.runner.peakMemory())
	sb.logReport(inv.requestID, *rec, t)
	outcome.failure = outcome.failure.complete(inv.requestID)
	return outcome
}

// note tells metrics, traces and the record of invocations how it went.
func (s *Service) note(sb *sandbox, rec Invocation, t *trace) {
	failed := 0.0
	if rec.Error != "" {
		failed = 1
	}
	s.metric(rec.Function, "Invocations", 1, "Count")
	s.metric(rec.Function, "Errors", failed, "Count")
	s.metric(rec.Function, "Duration", float64(rec.Duration)/float64(time.Millisecond), "Milliseconds")
	if s.Traces != nil {
		for _, document := range t.segments(sb, rec) {
			s.Traces.Put(document)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.add(rec)
}
