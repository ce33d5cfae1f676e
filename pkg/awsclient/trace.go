package awsclient

import (
	"context"
	"sync"

	"github.com/aws/aws-xray-sdk-go/v2/instrumentation/awsv2"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/aws-xray-sdk-go/v2/xraylog"
	"github.com/aws/smithy-go/middleware"
)

// quiet keeps the X-Ray SDK from printing to the function's log. It may only be
// told so once.
var quiet = sync.OnceFunc(func() { xray.SetLogger(xraylog.NullLogger) })

// instruments make a subsegment of every call that is made within a span.
func instruments() []func(*middleware.Stack) error {
	quiet()
	var traced []func(*middleware.Stack) error
	awsv2.AWSV2Instrumentor(&traced)
	return traced
}

// Span opens a subsegment in the trace that Lambda gave the invocation; calls
// with the returned context become its own subsegments. annotate adds what
// traces are searched by. (The function's segment is Lambda's, and cannot be
// annotated.) end closes it, with the error that it ended in or nil, and sends
// it. Without tracing, or without a trace in ctx, both do nothing.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-go-subsegments.html
func (c *Clients) Span(ctx context.Context, name string) (_ context.Context, annotate func(key, value string), end func(error)) {
	annotate, end = func(string, string) {}, func(error) {}
	if !c.trace {
		return ctx, annotate, end
	}
	if header, _ := ctx.Value(xray.LambdaTraceHeaderKey).(string); header == "" && xray.GetSegment(ctx) == nil {
		return ctx, annotate, end
	}
	ctx, segment := xray.BeginSubsegment(ctx, name)
	if segment == nil {
		return ctx, annotate, end
	}
	annotate = func(key, value string) {
		_ = segment.AddAnnotation(key, value) // refuses only what is not a string, number or bool
	}
	return ctx, annotate, segment.Close
}
