package automation

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// A caller calls AWS. Inputs and outputs are trees of maps, lists and scalars
// under the names of boto3. An error of AWS is a *callError.
type caller interface {
	call(ctx context.Context, service, operation string, in map[string]any) (any, error)
}

// A callError is AWS's refusal of a call, or its failure to answer.
type callError struct {
	service, operation string
	code, message      string
	status             int // HTTP's; zero where there was no answer
	requestID          string
}

// Error implements error, in the words that Automation uses.
func (e *callError) Error() string {
	return fmt.Sprintf("Get Exception from %s API of %s Service. Exception Message from %s API: [%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s)]",
		e.operation, e.service, e.operation, e.message, serviceName(e.service), e.status, e.code, e.requestID)
}

// serviceName is how AWS's Java SDK calls a service.
func serviceName(service string) string {
	switch service {
	case "ec2":
		return "AmazonEC2"
	case "ssm":
		return "AWSSimpleSystemsManagement"
	case "autoscaling":
		return "AmazonAutoScaling"
	case "sns":
		return "AmazonSNS"
	}
	return service
}

// newCallError reads what the SDK made of an answer.
func newCallError(service, operation string, err error) *callError {
	e := &callError{service: service, operation: operation, code: "InternalError", message: err.Error()}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		e.code, e.message = refused.ErrorCode(), refused.ErrorMessage()
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		e.status, e.requestID = answer.HTTPStatusCode(), answer.ServiceRequestID()
	}
	return e
}

// throttled says that the call came too often.
func (e *callError) throttled() bool {
	_, known := retry.DefaultThrottleErrorCodes[e.code]
	return known || e.status == http.StatusTooManyRequests
}

// transient says that the same call may go through later.
func (e *callError) transient() bool {
	return e.throttled() || e.status == 0 || e.status >= http.StatusInternalServerError
}

// failureType is the class of failure that Automation reports for it.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_FailureDetails.html
func (e *callError) failureType() string {
	switch e.code {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthFailure":
		return "Permission"
	}
	switch {
	case e.throttled():
		return "Throttling"
	case e.status == http.StatusForbidden:
		return "Permission"
	case e.transient():
		return "Internal"
	}
	return "Action"
}

// A client calls the operations of the table with the SDK.
type client struct{ config aws.Config }

// newClient makes a client that leaves retries to the engine's clock.
func newClient(config aws.Config) caller {
	config = config.Copy()
	config.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return client{config}
}

// call implements caller.
func (c client) call(ctx context.Context, service, name string, in map[string]any) (any, error) {
	op, ok := find(service, name)
	if !ok {
		return nil, fmt.Errorf("call %s %s: the embedded AWS's Automation does not know it", service, name)
	}
	out, err := op.call(ctx, c.config, in)
	var faulty *inputError
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &faulty):
		return out, err
	}
	return nil, newCallError(service, op.name, err)
}
