package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"cutover/pkg/localaws/resource"
)

// Functions invokes the functions behind custom resources: Lambda. Invoke
// returns when the function has ended, whatever it made of the event; its error
// says that the function could not be invoked, or crashed.
type Functions interface {
	Invoke(function string, event []byte) error
}

// ResponsePrefix is the path below which custom resources send their answers.
// In AWS it is a bucket of CloudFormation's own.
const ResponsePrefix = "/cloudformation-custom-resource-response-useast1/"

const customResource = "AWS::CloudFormation::CustomResource"

func isCustom(kind string) bool {
	return kind == customResource || strings.HasPrefix(kind, "Custom::")
}

// A customRequest is the event that a custom resource's function gets.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
type customRequest struct {
	RequestType           string // Create, Update or Delete
	RequestID             string `json:"RequestId"`
	ResponseURL           string
	ResourceType          string
	LogicalResourceID     string         `json:"LogicalResourceId"`
	StackID               string         `json:"StackId"`
	PhysicalResourceID    string         `json:"PhysicalResourceId,omitempty"`
	ResourceProperties    map[string]any // with ServiceToken; every scalar is a string
	OldResourceProperties map[string]any `json:",omitempty"`
}

// A customResponse is what the function puts to the ResponseURL.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
type customResponse struct {
	Status             string // SUCCESS or FAILED
	Reason             string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	NoEcho             bool
	Data               map[string]any
}

// maxResponse is the size of an answer in bytes.
const maxResponse = 4096

// responses are the answers that custom resources owe. Its zero value is ready.
type responses struct {
	mu      sync.Mutex
	waiting map[string]*customResponse // by the secret in the ResponseURL; nil until answered
}

func (r *responses) expect(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = map[string]*customResponse{}
	}
	r.waiting[secret] = nil
}

func (r *responses) take(secret string) *customResponse {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := r.waiting[secret]
	delete(r.waiting, secret)
	return answer
}

// ServeHTTP takes an answer. The first one that can be read counts.
func (r *responses) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPut {
		http.Error(w, "a custom resource's answer is PUT", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxResponse+1))
	var answer customResponse
	if err == nil && len(body) <= maxResponse {
		err = json.Unmarshal(body, &answer)
	}
	status := r.note(strings.TrimPrefix(req.URL.Path, ResponsePrefix), answer, err != nil || len(body) > maxResponse)
	w.WriteHeader(status)
}

func (r *responses) note(secret string, answer customResponse, unreadable bool) (status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch earlier, ok := r.waiting[secret]; {
	case !ok:
		return http.StatusForbidden
	case unreadable: // S3 takes anything; CloudFormation finds no answer in it
	case earlier == nil:
		r.waiting[secret] = &answer
	}
	return http.StatusOK
}

// Responses takes the answers of custom resources, at ResponsePrefix.
func (s *Service) Responses() http.Handler { return &s.responses }

// custom is the type of all custom resources of a name.
func (s *Service) custom(name string) resource.Type {
	return resource.Type{
		Name:       name,
		CreateOnly: []string{"ServiceToken"},
		Create: func(_ context.Context, r resource.Request) (resource.State, error) {
			return s.ask("Create", name, r)
		},
		Update: func(_ context.Context, r resource.Request) (resource.State, error) {
			return s.ask("Update", name, r)
		},
		Delete: func(_ context.Context, r resource.Request) error {
			_, err := s.ask("Delete", name, r)
			return err
		},
	}
}

// ask has a custom resource's function do its work, and reads its answer.
func (s *Service) ask(verb, kind string, r resource.Request) (resource.State, error) {
	token, _ := r.Properties["ServiceToken"].(string)
	if token == "" {
		return resource.State{}, fmt.Errorf("%s (%s): ServiceToken is missing: it must be the ARN of a Lambda function", r.LogicalID, kind)
	}
	s.mu.Lock()
	request := customRequest{
		RequestType: verb, RequestID: s.newID(), ResourceType: kind, LogicalResourceID: r.LogicalID,
		StackID: r.StackID, PhysicalResourceID: r.PhysicalID, ResourceProperties: spelled(r.Properties).(map[string]any),
	}
	secret := s.newID()
	s.mu.Unlock()
	if r.Previous != nil {
		request.OldResourceProperties = spelled(r.Previous).(map[string]any)
	}
	request.ResponseURL = s.URL() + ResponsePrefix + secret
	event, err := json.Marshal(request)
	if err != nil {
		return resource.State{}, fmt.Errorf("encode request of %s: %w", r.LogicalID, err)
	}
	s.responses.expect(secret)
	err = s.Functions.Invoke(token, event)
	answer := s.responses.take(secret)
	if answer == nil {
		s.Logger.Error("custom resource did not answer", "resource", r.LogicalID, "request", verb, "function", token, "error", err)
		return resource.State{}, reasonf("CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [%s]", request.RequestID)
	}
	return answer.state(request)
}

// state is what an answer makes of the resource.
func (a *customResponse) state(request customRequest) (resource.State, error) {
	if a.RequestID != request.RequestID || a.StackID != request.StackID || a.LogicalResourceID != request.LogicalResourceID {
		return resource.State{}, reasonf("Invalid response: StackId, RequestId and LogicalResourceId must be those of the request")
	}
	switch {
	case a.Status == "FAILED":
		return resource.State{}, reasonf("Received response status [FAILED] from custom resource. Message returned: %s (RequestId: %s)", cmp.Or(a.Reason, "none"), request.RequestID)
	case a.Status != "SUCCESS":
		return resource.State{}, reasonf("Invalid response: Status is %q, must be SUCCESS or FAILED", a.Status)
	case a.PhysicalResourceID == "":
		return resource.State{}, reasonf("Invalid PhysicalResourceId")
	}
	attributes := map[string]any{}
	for name, value := range a.Data {
		attributes[name] = spelled(value)
	}
	return resource.State{PhysicalID: a.PhysicalResourceID, Attributes: attributes}, nil
}

// A reason is an error in AWS's own words, which stack events show as they are.
type reason string

func (r reason) Error() string { return string(r) }

func reasonf(format string, args ...any) error { return reason(fmt.Sprintf(format, args...)) }

// spelled writes every scalar as a string, as CloudFormation sends them.
func spelled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = spelled(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = spelled(value)
		}
		return out
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case nil, string:
		return v
	}
	return fmt.Sprint(v)
}
