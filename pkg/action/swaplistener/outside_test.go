package swaplistener

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	fake "cutover/pkg/bluegreen/bluegreentest"
	"cutover/pkg/hook"
)

// An outside is everything around a release set: hooks, test routes, EventBridge, S3
// and the log.
type outside struct {
	before func(operation string) error
	after  func(operation string) error
	// answer is what a hook answers; nil is success.
	answer func(hook.Call) string
	// site answers the test route; nil is 200 ok.
	site func(*http.Request) (*http.Response, error)

	mu      sync.Mutex
	calls   []hook.Call
	events  []string
	objects map[string]string
	log     bytes.Buffer
	asked   []string // URLs
}

func (o *outside) Invoke(_ context.Context, in *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	if err := o.before("Invoke"); err != nil {
		return nil, err
	}
	var call hook.Call
	if err := json.Unmarshal(in.Payload, &call); err != nil {
		return nil, err
	}
	o.calls = append(o.calls, call)
	answer := `{"status":"succeeded"}`
	if o.answer != nil {
		answer = o.answer(call)
	}
	return &lambda.InvokeOutput{Payload: []byte(answer)}, o.after("Invoke")
}

func (o *outside) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	if err := o.before("PutEvents"); err != nil {
		return nil, err
	}
	for _, e := range in.Entries {
		o.events = append(o.events, *e.Source+" "+*e.DetailType+" "+*e.Detail)
	}
	return &eventbridge.PutEventsOutput{}, o.after("PutEvents")
}

func (o *outside) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	if err := o.before("PutObject"); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	if o.objects == nil {
		o.objects = map[string]string{}
	}
	o.objects[*in.Bucket+"/"+*in.Key] = string(text)
	return &s3.PutObjectOutput{}, o.after("PutObject")
}

// RoundTrip is the test route.
func (o *outside) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock() // checks are made at once
	o.asked = append(o.asked, r.URL.String())
	o.mu.Unlock()
	if o.site != nil {
		return o.site(r)
	}
	return page(http.StatusOK, "ok"), nil
}

func page(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}
}

// A scaler is the world's ECS, where a service's desired count can be set alone, and
// its tasks follow at once.
type scaler struct {
	fake.ContainerService
	s *shop
}

func (e scaler) UpdateService(_ context.Context, in *ecs.UpdateServiceInput, _ ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	if err := e.s.outside.before("UpdateService"); err != nil {
		return nil, err
	}
	if in.TaskDefinition != nil || in.ForceNewDeployment || *in.Cluster != "main" {
		return nil, errors.New("only the desired count is to change")
	}
	service, found := e.s.world.Services[*in.Service]
	if !found {
		return nil, errors.New("no service " + *in.Service)
	}
	e.s.scaled = append(e.s.scaled, scaling{service: *in.Service, count: *in.DesiredCount, shares: e.s.shares()})
	service.DesiredCount, service.RunningCount = *in.DesiredCount, *in.DesiredCount
	e.s.world.SetHealth(*service.LoadBalancers[0].TargetGroupArn, int(*in.DesiredCount), 0)
	return &ecs.UpdateServiceOutput{}, e.s.outside.after("UpdateService")
}

// A scaling is one write of a desired count, with how production stood.
type scaling struct {
	service string
	count   int32
	shares  []string
}
