package job

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cutover/pkg/awsclient"
)

// wire is CodePipeline as it is reached by the real client. Each call meets the
// next of the faults.
type wire struct {
	mu     sync.Mutex
	faults []string
	calls  []string
	landed map[string]map[string]any
}

func (s *wire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var in map[string]any
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		panic(err)
	}
	s.calls = append(s.calls, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "CodePipeline_20150709."))
	fault := ""
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	id, _ := in["jobId"].(string)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch {
	case fault == "drop before":
		panic(http.ErrAbortHandler)
	case fault == "server":
		http.Error(w, `{"__type":"InternalFailure"}`, 500)
		return
	case fault != "" && fault != "drop after":
		http.Error(w, fmt.Sprintf(`{"__type":%q,"message":"m"}`, fault), 400)
		return
	case s.landed[id] != nil:
		http.Error(w, `{"__type":"InvalidJobStateException","message":"m"}`, 400)
		return
	}
	s.landed[id] = in
	if fault == "drop after" {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, "{}")
}

func TestHandler_ReportsOnceOverTheWire(t *testing.T) {
	t.Parallel()
	many := func(fault string, n int) []string {
		faults := make([]string, n)
		for i := range faults {
			faults[i] = fault
		}
		return faults
	}
	const success, failure = "PutJobSuccessResult", "PutJobFailureResult"
	for name, c := range map[string]struct {
		faults []string
		landed bool
		last   string
	}{
		"no fault":                               {nil, true, success},
		"throttled longer than the client tries": {many("ThrottlingException", 7), true, success},
		"faults of the server":                   {many("server", 7), true, success},
		"connections dropped before":             {many("drop before", 7), true, success},
		"an answer lost":                         {[]string{"drop after"}, true, success},
		"an answered job":                        {[]string{"InvalidJobStateException"}, false, success},
		"a job that is gone":                     {[]string{"JobNotFoundException"}, false, success},
		"a success that is not taken":            {[]string{"ValidationException"}, true, failure},
		"a success that is denied":               {[]string{"AccessDeniedException"}, true, failure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &wire{faults: c.faults, landed: map[string]map[string]any{}}
			server := httptest.NewServer(service)
			t.Cleanup(server.Close)
			settings := awsclient.Settings{Region: "us-east-1", Endpoint: server.URL, MaxBackoff: time.Millisecond,
				Credentials: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}}
			clients, err := awsclient.New(settings)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld()
			w.config.CodePipeline, w.config.Now, w.config.Span = clients.CodePipeline(), clients.Now, clients.Span
			if _, err := w.run(t, gives(Done[state]("done", map[string]string{"Side": "green"})), eventFor(job1, good, "")); err != nil {
				t.Fatal(err)
			}
			if got := service.landed[job1] != nil; got != c.landed || service.calls[len(service.calls)-1] != c.last {
				t.Errorf("got landed %t, calls %v, want %t and %s at last", got, service.calls, c.landed, c.last)
			}
		})
	}
}
