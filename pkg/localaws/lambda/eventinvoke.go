package lambda

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// eventInvokeConfig is how a function's asynchronous events are treated.
type eventInvokeConfig struct {
	retries  int
	maxAge   time.Duration
	modified time.Time
}

// Lambda's own rules where none are set.
const (
	usualRetries = 2
	usualMaxAge  = 6 * time.Hour
)

func (f *function) asyncRules() eventInvokeConfig {
	if f.async != nil {
		return *f.async
	}
	return eventInvokeConfig{retries: usualRetries, maxAge: usualMaxAge}
}

// A PutFunctionEventInvokeConfigInput sets how asynchronous events are treated.
type PutFunctionEventInvokeConfigInput struct {
	FunctionName             string `aws:",required"`
	Qualifier                string // $LATEST, or empty
	MaximumRetryAttempts     *int   // 0 to 2; 2 when not given
	MaximumEventAgeInSeconds *int   // 60 to 21600; 21600 when not given
}

// An EventInvokeConfig as answers show it.
type EventInvokeConfig struct {
	FunctionArn              string
	LastModified             time.Time
	MaximumRetryAttempts     int
	MaximumEventAgeInSeconds int
}

func (f *function) eventInvokeView() *EventInvokeConfig {
	return &EventInvokeConfig{
		FunctionArn: f.arn() + ":$LATEST", LastModified: f.async.modified,
		MaximumRetryAttempts: f.async.retries, MaximumEventAgeInSeconds: int(f.async.maxAge / time.Second),
	}
}

// PutFunctionEventInvokeConfig replaces the rules for a function's asynchronous
// events; what is not given goes back to Lambda's own.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
func (s *Service) PutFunctionEventInvokeConfig(_ context.Context, in *PutFunctionEventInvokeConfigInput) (*EventInvokeConfig, error) {
	rules := eventInvokeConfig{retries: usualRetries, maxAge: usualMaxAge, modified: s.Clock.Now()}
	var faults []string
	if n := in.MaximumRetryAttempts; n != nil {
		rules.retries = *n
		if *n < 0 || *n > 2 {
			faults = append(faults, fmt.Sprintf("MaximumRetryAttempts: %d is not between 0 and 2", *n))
		}
	}
	if n := in.MaximumEventAgeInSeconds; n != nil {
		rules.maxAge = time.Duration(*n) * time.Second
		if *n < 60 || *n > 21_600 {
			faults = append(faults, fmt.Sprintf("MaximumEventAgeInSeconds: %d is not between 60 and 21600", *n))
		}
	}
	if len(faults) > 0 {
		return nil, invalid(strings.Join(faults, "; "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.qualifiedLocked(&NameInput{in.FunctionName, in.Qualifier})
	if err != nil {
		return nil, err
	}
	f.async = &rules
	return f.eventInvokeView(), nil
}

// GetFunctionEventInvokeConfig shows the rules that were put.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html
func (s *Service) GetFunctionEventInvokeConfig(_ context.Context, in *NameInput) (*EventInvokeConfig, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.configuredLocked(in)
	if err != nil {
		return nil, err
	}
	return f.eventInvokeView(), nil
}

// DeleteFunctionEventInvokeConfig goes back to Lambda's own rules.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionEventInvokeConfig.html
func (s *Service) DeleteFunctionEventInvokeConfig(_ context.Context, in *NameInput) (*Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.configuredLocked(in)
	if err != nil {
		return nil, err
	}
	f.async = nil
	return done(), nil
}

func (s *Service) configuredLocked(in *NameInput) (*function, error) {
	f, err := s.qualifiedLocked(in)
	if err == nil && f.async == nil {
		return nil, notFound("The function %s doesn't have an EventInvokeConfig", f.arn()+":$LATEST")
	}
	return f, err
}
