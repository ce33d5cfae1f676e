package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"cutover/pkg/awsclient"
)

// API is what hooks call of Lambda.
type API interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Limit is how long a function has for one answer.
const Limit = 10 * time.Second

// A Call is what the function is told.
type Call struct {
	// Hook is the hook's key in cutover.yaml: beforeShift, afterStep, afterShift
	// or onRollback.
	Hook      string `json:"hook"`
	Set       string `json:"set"`
	Execution string `json:"execution"` // the pipeline's
	// Generation counts the set's releases; 0 before the release has one.
	Generation int `json:"generation,omitempty"`
	// Move is the index of the move that is in force, -1 before the first, and
	// Weight the share of production that green has with it, in percent.
	Move   int     `json:"move"`
	Weight float64 `json:"weight"`
	// Since is when the hook's point was reached.
	Since    time.Time `json:"since"`
	Strategy string    `json:"strategy,omitempty"`
	Services []Service `json:"services"`
	// Why is the reason of a rollback.
	Why string `json:"why,omitempty"`
}

// A Service is one of the release.
type Service struct {
	Name             string `json:"name"`
	Image            string `json:"image,omitempty"`
	GreenService     string `json:"greenService"`
	GreenTargetGroup string `json:"greenTargetGroup"`
	BlueService      string `json:"blueService"`
	BlueTargetGroup  string `json:"blueTargetGroup"`
	// TestURL is the test route's, without a path.
	TestURL string `json:"testUrl"`
}

// A Status is what a hook answers.
type Status string

// The statuses.
const (
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Pending   Status = "pending"
)

// An Answer is a hook's.
type Answer struct {
	Status  Status `json:"status"`
	Message string `json:"message"`
}

// Ask invokes the function, by its name or ARN, and waits for its answer. There is
// no error: what goes wrong is an answer too.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func Ask(ctx context.Context, api API, function string, call Call) Answer {
	payload, err := json.Marshal(call)
	if err != nil {
		return Answer{Failed, fmt.Sprintf("encode the call of function %s: %v", function, err)}
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	out, err := api.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &function, InvocationType: types.InvocationTypeRequestResponse, Payload: payload,
	}, func(o *lambda.Options) { o.RetryMaxAttempts = 1 }) // the next tick is the retry
	switch {
	case err != nil:
		return refused(function, err)
	case out.FunctionError != nil:
		return Answer{Failed, fmt.Sprintf("function %s ended in an error: %s", function, functionError(out.Payload))}
	}
	return decode(function, out.Payload)
}

// refused is the answer of a function that gave none.
func refused(function string, err error) Answer {
	if errors.Is(err, context.DeadlineExceeded) {
		return Answer{Pending, fmt.Sprintf("function %s has not answered within %s", function, Limit)}
	}
	_, answered := errors.AsType[smithy.APIError](err)
	if !answered || awsclient.IsTransient(err) {
		return Answer{Pending, fmt.Sprintf("function %s was not reached: %v", function, err)}
	}
	text := fmt.Sprintf("function %s cannot be invoked: %v", function, err)
	if awsclient.IsDenied(err) {
		action, _ := awsclient.Denied(err)
		text += fmt.Sprintf("; allow the role of this function %s on it", action)
	}
	return Answer{Failed, text}
}

// functionError is the message of a function that ended in an error.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-sync.html
func functionError(payload []byte) string {
	var e struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}
	if err := json.Unmarshal(payload, &e); err != nil || e.Message == "" && e.Type == "" {
		return cut(string(payload))
	}
	return cut(strings.TrimPrefix(e.Type+": "+e.Message, ": "))
}

// decode reads an answer. Keys that it does not know are the function's own.
func decode(function string, payload []byte) Answer {
	var a Answer
	if err := json.Unmarshal(payload, &a); err != nil {
		return Answer{Failed, fmt.Sprintf("function %s answered %q, which is not an object with status and message", function, cut(string(payload)))}
	}
	a.Message = cut(a.Message)
	switch a.Status {
	case Succeeded:
		return a
	case Failed, Pending:
		if a.Message == "" {
			a.Message = fmt.Sprintf("function %s answered %s", function, a.Status)
		}
		return a
	}
	return Answer{Failed, fmt.Sprintf("function %s answered %q: its status must be succeeded, failed or pending", function, cut(string(payload)))}
}

// longest is the most of a function's text that is passed on, in bytes.
const longest = 400

func cut(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= longest {
		return text
	}
	for at := range text {
		if at > longest-4 {
			return text[:at] + "…"
		}
	}
	return text
}
