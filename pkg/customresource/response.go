package customresource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// response is an answer as it is sent.
type response struct {
	Status             string // SUCCESS or FAILED
	Reason             string `json:",omitempty"`
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	NoEcho             bool   `json:",omitempty"`
	Data               map[string]string
}

const (
	maxResponse   = 4096 // bytes that CloudFormation reads
	maxPhysicalID = 1024
	maxReason     = 2000 // leaves room for the ids
)

// encode makes the body of an answer. What does not fit CloudFormation's limits
// would be no answer at all, so it is turned into one that says so.
func (e event) encode(answer Answer, failure error) []byte {
	r := response{
		Status: "SUCCESS", StackID: e.StackID, RequestID: e.RequestID, LogicalResourceID: e.LogicalResourceID,
		PhysicalResourceID: e.physicalID(answer.PhysicalID, failure != nil), NoEcho: answer.NoEcho, Data: answer.Data,
	}
	if len(r.PhysicalResourceID) > maxPhysicalID {
		failure = fmt.Errorf("the resource's physical id has %d bytes; CloudFormation takes %d", len(r.PhysicalResourceID), maxPhysicalID)
		r.PhysicalResourceID = e.physicalID("", true)
	}
	body := r.with(failure)
	if len(body) > maxResponse {
		body = r.with(fmt.Errorf("the resource's attributes make an answer of %d bytes; CloudFormation takes %d", len(body), maxResponse))
	}
	return body
}

func (r response) with(failure error) []byte {
	if failure != nil {
		r.Status, r.Reason, r.Data = "FAILED", shortened(failure.Error(), maxReason), nil
	}
	body, err := json.Marshal(r)
	if err != nil { // strings and a map of strings can always be encoded
		panic(err)
	}
	return body
}

// shortened cuts a text to at most so many bytes as JSON, between characters.
func shortened(text string, most int) string {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "\uFFFD")
	size := func(s string) int {
		encoded, err := json.Marshal(s)
		if err != nil { // no string fails
			panic(err)
		}
		return len(encoded)
	}
	for size(text) > most {
		cut := len(text) - max(1, (size(text)-most)/6)
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	return text
}

// put sends the answer until it is taken, the context ends, or it is refused for
// good. No error names the URL.
func (h *Handler) put(ctx context.Context, address string, body []byte) error {
	var cause error // of the last attempt that had its time
	for attempt := 1; ; attempt++ {
		again, err := h.putOnce(ctx, address, body)
		if err == nil {
			return nil
		}
		if !again {
			return err
		}
		if cause == nil || ctx.Err() == nil {
			cause = err
		}
		h.config.Logger.Warn("CloudFormation did not take the answer", "attempt", attempt, "cause", err.Error())
		wait := time.NewTimer(h.config.Backoff(attempt))
		select {
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("%w; tried %d times", cause, attempt)
		case <-wait.C:
		}
	}
}

func (h *Handler) putOnce(ctx context.Context, address string, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.config.PutTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("answer CloudFormation: the ResponseURL is not a URL")
	}
	// No Content-Type: the URL is signed for none.
	answer, err := h.config.HTTP.Do(request)
	if err != nil {
		return true, fmt.Errorf("answer CloudFormation: %w", withoutURL(err))
	}
	defer answer.Body.Close()
	// The body is of no use but for the connection, which an error only ends.
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	switch s := answer.StatusCode; {
	case s < 300:
		return false, nil
	case s >= 500, s == http.StatusRequestTimeout, s == http.StatusTooManyRequests:
		return true, fmt.Errorf("answer CloudFormation: status %d", s)
	default:
		return false, fmt.Errorf("answer CloudFormation: status %d", s)
	}
}

// withoutURL is the cause of what the HTTP client says, which quotes the URL.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return withoutURL(wrapped.Err)
	}
	return err
}
