package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// An inProcess runs a handler of this process as a function.
type inProcess struct {
	sandbox *sandbox
	make    func(env map[string]string) Handler
	handler Handler
	dead    context.Context // done when killed
	cancel  context.CancelFunc
}

func newInProcess(sb *sandbox, make func(env map[string]string) Handler) *inProcess {
	dead, kill := context.WithCancel(context.Background())
	return &inProcess{sandbox: sb, make: make, dead: dead, cancel: kill}
}

func (p *inProcess) start() (f *failure) {
	defer func() {
		if reason := recover(); reason != nil {
			f = panicked(reason)
		}
	}()
	p.handler = p.make(p.sandbox.environment())
	return nil
}

func (p *inProcess) invoke(inv invocation, trace string, timeout time.Duration) outcome {
	ctx, cancel := context.WithTimeout(p.dead, timeout)
	defer cancel()
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{
		AwsRequestID: inv.requestID, InvokedFunctionArn: p.sandbox.function.arn(),
	})
	// The key is a plain string because aws-lambda-go sets, and the X-Ray SDK
	// reads, that very one.
	//lint:ignore SA1029 see above
	ctx = context.WithValue(ctx, "x-amzn-trace-id", trace)

	answers := make(chan outcome, 1)
	p.sandbox.service.running.Add(1) // within run, so never after Close's wait
	go func() {
		defer p.sandbox.service.running.Done()
		answers <- p.call(ctx, inv.payload)
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case answer := <-answers:
		if ctx.Err() == context.DeadlineExceeded {
			return outcome{dead: true, failure: late(timeout)} // a process would have been killed before it answered
		}
		return answer
	case <-p.dead.Done():
		return outcome{dead: true, failure: &failure{kind: exitError, message: "Runtime exited with error: signal: killed"}}
	case <-timer.C:
		return outcome{dead: true, failure: late(timeout)}
	}
}

func (p *inProcess) call(ctx context.Context, payload []byte) (end outcome) {
	defer func() {
		if reason := recover(); reason != nil {
			end = outcome{failure: panicked(reason), dead: true}
		}
	}()
	answer, err := p.handler.Invoke(ctx, payload)
	if err != nil {
		return outcome{failure: failed(typeName(err), "%v", err)}
	}
	if len(answer) > 0 && !json.Valid(answer) {
		return outcome{failure: failed("Runtime.InvalidResponse", "the handler's answer is not JSON")}
	}
	return outcome{payload: answer}
}

// late is the failure of an invocation that took too long.
func late(timeout time.Duration) *failure {
	return &failure{kind: timedOut, message: fmt.Sprintf("Task timed out after %.2f seconds", timeout.Seconds())}
}

// panicked is a panic as aws-lambda-go reports it.
func panicked(reason any) *failure {
	f := failed(typeName(reason), "%v", reason)
	f.body = []byte(text(map[string]any{"errorType": f.kind, "errorMessage": f.message, "stackTrace": string(debug.Stack())}))
	return f
}

// typeName is what aws-lambda-go gives as errorType: the type's own name.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

func (p *inProcess) kill()             { p.cancel() }
func (p *inProcess) stop()             { p.cancel() }
func (p *inProcess) peakMemory() int64 { return 0 }
