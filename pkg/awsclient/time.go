package awsclient

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// awsTime tells AWS's time from the Date headers of its answers. A function
// that decides by AWS's time agrees with the timestamps that it reads, however
// its own clock runs.
type awsTime struct {
	local func() time.Time

	mu     sync.Mutex
	known  bool
	remote time.Time // AWS's time ...
	at     time.Time // ... when the local clock showed this
}

func newAWSTime(local func() time.Time) *awsTime { return &awsTime{local: local} }

func (t *awsTime) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nowLocked()
}

func (t *awsTime) nowLocked() time.Time {
	now := t.local()
	if !t.known {
		return time.Time{}
	}
	return t.remote.Add(now.Sub(t.at)) // monotonic: both times are the local clock's
}

// saw notes a Date header's time. The header has whole seconds, so while the
// time told so far lies within its second, it stays: it must not step back.
func (t *awsTime) saw(date time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	told := t.nowLocked()
	if t.known && !told.Before(date) && told.Before(date.Add(time.Second)) {
		return
	}
	t.known, t.remote, t.at = true, date.UTC(), t.local()
}

// note adds a middleware that reads the Date header of every answer, also of
// errors and of attempts that are tried again.
func (t *awsTime) note(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("AWSTime", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if answer, ok := out.RawResponse.(*smithyhttp.Response); ok {
			if date, parseErr := http.ParseTime(answer.Header.Get("Date")); parseErr == nil {
				t.saw(date)
			}
		}
		return out, metadata, err
	}), middleware.Before)
}
