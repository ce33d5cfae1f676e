package customresource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "X-Amz-Signature=b4dc0ffee"

// bucket is where CloudFormation gets its answers: it answers with the statuses
// in turn, then with 200.
type bucket struct {
	mu       sync.Mutex
	statuses []int
	puts     []string
	types    []string
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPut {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.puts, b.types = append(b.puts, string(body)), append(b.types, r.Header.Get("Content-Type"))
	if len(b.statuses) > 0 {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(b.statuses[0])
		b.statuses = b.statuses[1:]
	}
}

// invocation is one event given to a handler, and what came of it.
type invocation struct {
	bucket  bucket
	log     bytes.Buffer
	err     error
	payload string
}

func (i *invocation) run(t *testing.T, ctx context.Context, changes map[string]any, c Config, work Work) {
	t.Helper()
	server := httptest.NewServer(&i.bucket)
	defer server.Close()
	event := map[string]any{
		"RequestType": "Create", "ResponseURL": server.URL + "/put?" + secret, "StackId": "stack", "RequestId": "request",
		"LogicalResourceId": "Thing", "ResourceType": "Custom::Thing", "ResourceProperties": map[string]any{"Password": "hunter2"},
	}
	for key, value := range changes {
		event[key] = value
		if value == nil {
			delete(event, key)
		}
	}
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	if i.payload != "" {
		payload = []byte(strings.ReplaceAll(i.payload, "HERE", server.URL+"/put?"+secret))
	}
	c.Logger = slog.New(slog.NewTextHandler(&i.log, nil))
	c.Backoff = func(int) time.Duration { return time.Millisecond }
	client := &http.Client{Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	c.HTTP = client
	_, i.err = New(c, work).Invoke(ctx, payload)
	for _, hidden := range []string{secret, "b4dc0ffee", "hunter2"} {
		if strings.Contains(i.log.String(), hidden) || i.err != nil && strings.Contains(i.err.Error(), hidden) {
			t.Errorf("got %q in the log or error, want it kept secret:\n%s%v", hidden, &i.log, i.err)
		}
	}
}

func fine(context.Context, Request) (Answer, error) {
	return Answer{PhysicalID: "thing-1", Data: map[string]string{"Arn": "arn"}}, nil
}

func TestInvoke_AlwaysAnswers(t *testing.T) {
	t.Parallel()
	const tail = `"StackId":"stack","RequestId":"request","LogicalResourceId":"Thing",`
	for _, c := range []struct {
		name    string
		changes map[string]any
		payload string
		config  Config
		work    Work
		want    string
	}{
		{name: "work that succeeds", work: fine,
			want: `{"Status":"SUCCESS","PhysicalResourceId":"thing-1",` + tail + `"Data":{"Arn":"arn"}}`},
		{name: "data that must not be shown", work: func(context.Context, Request) (Answer, error) {
			return Answer{PhysicalID: "thing-1", NoEcho: true, Data: map[string]string{"Password": "p"}}, nil
		}, want: `{"Status":"SUCCESS","PhysicalResourceId":"thing-1",` + tail + `"NoEcho":true,"Data":{"Password":"p"}}`},
		{name: "a create that made nothing", work: func(context.Context, Request) (Answer, error) { return Answer{}, errors.New("no") },
			want: `{"Status":"FAILED","Reason":"no","PhysicalResourceId":"not-created:Thing",` + tail + `"Data":null}`},
		{name: "a create that may have made something", work: func(context.Context, Request) (Answer, error) {
			return Answer{PhysicalID: "thing-1"}, errors.New("no")
		}, want: `{"Status":"FAILED","Reason":"no","PhysicalResourceId":"thing-1",` + tail + `"Data":null}`},
		{name: "an update that failed keeps its id", changes: map[string]any{"RequestType": "Update", "PhysicalResourceId": "thing-0"},
			work: func(context.Context, Request) (Answer, error) { return Answer{PhysicalID: "thing-1"}, errors.New("no") },
			want: `{"Status":"FAILED","Reason":"no","PhysicalResourceId":"thing-0",` + tail + `"Data":null}`},
		{name: "an update that replaces", changes: map[string]any{"RequestType": "Update", "PhysicalResourceId": "thing-0"}, work: fine,
			want: `{"Status":"SUCCESS","PhysicalResourceId":"thing-1",` + tail + `"Data":{"Arn":"arn"}}`},
		{name: "a delete", changes: map[string]any{"RequestType": "Delete", "PhysicalResourceId": "thing-0"},
			work: func(context.Context, Request) (Answer, error) { return Answer{}, nil },
			want: `{"Status":"SUCCESS","PhysicalResourceId":"thing-0",` + tail + `"Data":null}`},
		{name: "a delete of what was never created", changes: map[string]any{"RequestType": "Delete", "PhysicalResourceId": "not-created:Thing"},
			work: func(context.Context, Request) (Answer, error) { panic("there is no work to do") },
			want: `{"Status":"SUCCESS","PhysicalResourceId":"not-created:Thing",` + tail + `"Data":null}`},
		{name: "a panic", work: func(context.Context, Request) (Answer, error) { panic("oh") },
			want: `{"Status":"FAILED","Reason":"the work panicked: oh; this is a fault of the function; see its log","PhysicalResourceId":"not-created:Thing",` + tail + `"Data":null}`},
		{name: "settings that are wrong", config: Config{Fault: errors.New("AWS_REGION is not set")}, work: fine,
			want: `{"Status":"FAILED","Reason":"the function's settings are wrong: AWS_REGION is not set; correct its environment","PhysicalResourceId":"not-created:Thing",` + tail + `"Data":null}`},
		{name: "an event with several faults", changes: map[string]any{"RequestType": "Renew", "StackId": nil}, work: fine,
			want: `{"Status":"FAILED","Reason":"read the request: RequestType is \"Renew\", neither Create nor Update nor Delete\nStackId is missing\nPhysicalResourceId is missing","PhysicalResourceId":"not-created:Thing","StackId":"","RequestId":"request","LogicalResourceId":"Thing","Data":null}`},
		{name: "an event of another shape", payload: `{"ResponseURL":"HERE","RequestType":7,"RequestId":"request","LogicalResourceId":"Thing"}`, work: fine,
			want: `{"Status":"FAILED","Reason":"read the request: the event is not a request of CloudFormation's: its JSON is of another shape","PhysicalResourceId":"not-created:Thing","StackId":"","RequestId":"request","LogicalResourceId":"Thing","Data":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := &invocation{payload: c.payload}
			i.run(t, t.Context(), c.changes, c.config, c.work)
			if i.err != nil {
				t.Errorf("got error %v, want none", i.err)
			}
			if diff := cmp.Diff([]string{c.want}, i.bucket.puts); diff != "" {
				t.Errorf("answers differ (-want +got):\n%s", diff)
			}
			if i.bucket.types[0] != "" {
				t.Errorf("got content type %q, want none: the URL is signed for none", i.bucket.types[0])
			}
		})
	}
}

func TestInvoke_FailsWithoutSomewhereToAnswer(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{`{}`, `[]`, `nonsense ` + secret, `{"ResponseURL":"file:///etc/passwd?` + secret + `"}`} {
		i := &invocation{payload: payload}
		i.run(t, t.Context(), nil, Config{}, fine)
		if i.err == nil || len(i.bucket.puts) > 0 {
			t.Errorf("%s: got error %v and answers %v, want an error and none", payload, i.err, i.bucket.puts)
		}
	}
}

func TestInvoke_AnswersWhenWorkDoesNotEnd(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	for _, c := range []struct {
		name string
		work Work
		want string
	}{
		{"work that heeds its context", func(ctx context.Context, _ Request) (Answer, error) {
			<-ctx.Done()
			return Answer{PhysicalID: "thing-1"}, errors.New("group still there; delete again")
		}, "group still there; delete again"},
		{"work that does not", func(context.Context, Request) (Answer, error) { <-release; return Answer{}, nil },
			"the work did not end in the function's time"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		i := &invocation{}
		i.run(t, ctx, nil, Config{Margin: 4950 * time.Millisecond}, c.work)
		if i.err != nil || len(i.bucket.puts) != 1 || !strings.Contains(i.bucket.puts[0], c.want) {
			t.Errorf("%s: got error %v and answers %v, want one with %q", c.name, i.err, i.bucket.puts, c.want)
		}
	}
}

func TestInvoke_AnswersAgainUntilTaken(t *testing.T) {
	t.Parallel()
	i := &invocation{bucket: bucket{statuses: []int{503, 500, 429}}}
	worked := 0
	i.run(t, t.Context(), nil, Config{}, func(ctx context.Context, r Request) (Answer, error) { worked++; return fine(ctx, r) })
	if i.err != nil || len(i.bucket.puts) != 4 || worked != 1 {
		t.Errorf("got error %v after %d answers and %d times of work, want none after 4 and 1", i.err, len(i.bucket.puts), worked)
	}
}

func TestInvoke_FailsWhenTheAnswerIsRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusTemporaryRedirect} {
		i := &invocation{bucket: bucket{statuses: []int{status}}}
		i.run(t, t.Context(), nil, Config{}, fine)
		if i.err == nil || len(i.bucket.puts) != 1 {
			t.Errorf("status %d: got error %v after %d answers, want one after 1", status, i.err, len(i.bucket.puts))
		}
	}
}

// TestInvoke_SaysNothingOfTheURL asks a server that is not there, whose address
// the HTTP client puts into its errors.
func TestInvoke_SaysNothingOfTheURL(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	i := &invocation{}
	i.run(t, ctx, map[string]any{"ResponseURL": gone.URL + "/?" + secret}, Config{}, fine)
	if i.err == nil || !strings.Contains(i.err.Error(), "refused") {
		t.Errorf("got error %v, want one that says why", i.err)
	}
}

func TestInvoke_KeepsToCloudFormationsLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		work Work
		want string
	}{
		{"a reason of many characters that JSON escapes", func(context.Context, Request) (Answer, error) {
			return Answer{}, errors.New("reason " + strings.Repeat("<é\x00", 5000))
		}, `"Reason":"reason `},
		{"more data than fits", func(context.Context, Request) (Answer, error) {
			return Answer{PhysicalID: "thing-1", Data: map[string]string{"Big": strings.Repeat("x", 5000)}}, nil
		}, "attributes make an answer of"},
		{"an id that is too long", func(context.Context, Request) (Answer, error) {
			return Answer{PhysicalID: strings.Repeat("x", 1025)}, nil
		}, "physical id has 1025 bytes"},
	} {
		i := &invocation{}
		i.run(t, t.Context(), nil, Config{}, c.work)
		if len(i.bucket.puts) != 1 || len(i.bucket.puts[0]) > 4096 || !strings.Contains(i.bucket.puts[0], c.want) || !json.Valid([]byte(i.bucket.puts[0])) {
			t.Errorf("%s: got %.300s, want at most 4096 bytes with %q", c.name, i.bucket.puts, c.want)
		}
	}
}
