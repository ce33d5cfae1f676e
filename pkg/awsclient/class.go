package awsclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The codes of each class, over all services that the functions call.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
// and its like for the other services.
var (
	throttleCodes = []string{
		"BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete",
		"ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled",
		"RequestThrottledException", "SlowDown", "ThrottledException", "Throttling",
		"ThrottlingException", "TooManyRequestsException",
	}
	transientCodes = []string{
		"InternalError", "InternalFailure", "InternalServerError", "InternalServerErrorException",
		"InternalServiceError", "InternalServiceException", "InternalServiceFault", "RequestTimeout",
		"RequestTimeoutException", "ServerException", "ServiceException", "ServiceUnavailable",
		"ServiceUnavailableException", "Unavailable",
	}
	deniedCodes = []string{
		"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
		"NotAuthorized", "UnauthorizedOperation",
	}
)

// Code is AWS's code of the error, without a namespace; "" when AWS did not
// answer.
func Code(err error) string {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return ""
	}
	code := api.ErrorCode()
	return code[strings.LastIndexByte(code, '#')+1:]
}

// IsCode reports whether AWS answered with one of the codes.
func IsCode(err error, codes ...string) bool {
	code := Code(err)
	return code != "" && slices.Contains(codes, code)
}

// IsThrottle reports whether AWS refused the call because of their number. A
// quota on resources, as LimitExceededException, is not a throttle: it does not
// pass by waiting.
func IsThrottle(err error) bool {
	return IsCode(err, throttleCodes...) || status(err) == http.StatusTooManyRequests
}

// IsTransient reports whether the call may succeed when made again: a throttle,
// a fault on AWS's side, or one of the network. The call may have taken effect.
// A context that was cancelled is not transient; one whose deadline has passed
// is.
func IsTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if IsThrottle(err) || IsCode(err, transientCodes...) {
		return true
	}
	if s := status(err); s >= 500 && s != http.StatusNotImplemented || s == http.StatusRequestTimeout {
		return true
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorFault() == smithy.FaultServer && status(err) == 0
	}
	return isNetwork(err)
}

// isNetwork reports whether the call got no whole answer.
func isNetwork(err error) bool {
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, cause := range []error{context.DeadlineExceeded, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.EPIPE} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}

// IsDenied reports whether a policy forbids the call.
func IsDenied(err error) bool { return IsCode(err, deniedCodes...) }

// status is the answer's HTTP status, 0 without one.
func status(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// prefixes are the services' names in IAM where they are not the SDK's in lower
// case.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var prefixes = map[string]string{
	"Auto Scaling":              "autoscaling",
	"CloudWatch Logs":           "logs",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"EventBridge":               "events",
}

// forbidden is how AWS names what was denied. The class of an error never
// depends on it, only the details that a person reads.
var forbidden = regexp.MustCompile(`not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z0-9]+)(?: on resource:? "?([^\s",]+))?`)

// Denied names what a policy forbids: the IAM action, and the resource if AWS's
// answer tells it, else "". The action may be another than the call's:
// UpdateService may need iam:PassRole. Both are "" if err is not of a call to
// AWS.
func Denied(err error) (action, resource string) {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if m := forbidden.FindStringSubmatch(api.ErrorMessage()); m != nil {
			return m[1], strings.TrimRight(m[2], ".;)")
		}
	}
	call, ok := errors.AsType[*smithy.OperationError](err)
	if !ok {
		return "", ""
	}
	service, known := prefixes[call.Service()]
	if !known {
		service = strings.ToLower(strings.ReplaceAll(call.Service(), " ", ""))
	}
	return service + ":" + call.Operation(), ""
}
