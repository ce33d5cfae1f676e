package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A runtimeAPI is what a function's process talks to.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	ready   chan struct{}   // holds one while the process waits for an event
	events  chan delivery   // taken by the process
	answers chan posted     // what it posted for the event
	initial chan *failure   // what it posted instead of coming up
	closed  <-chan struct{} // when the process is gone

	mu      sync.Mutex
	current string // request id that may be answered; empty between invocations
}

// A delivery is an event as the process gets it.
type delivery struct {
	invocation
	trace    string
	deadline time.Time // on the wall
	arn      string
}

// A posted answer is a payload or a failure.
type posted struct {
	payload []byte
	failure *failure
}

func newRuntimeAPI(closed <-chan struct{}) *runtimeAPI {
	return &runtimeAPI{
		ready:   make(chan struct{}, 1),
		events:  make(chan delivery),
		answers: make(chan posted, 1),
		initial: make(chan *failure, 1),
		closed:  closed,
	}
}

func (api *runtimeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", api.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", api.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", api.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", api.initFailure)
	return mux
}

func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	select {
	case api.ready <- struct{}{}:
	default:
	}
	select {
	case d := <-api.events:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", d.requestID)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(d.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", d.arn)
		h.Set("Lambda-Runtime-Trace-Id", d.trace)
		if raw, err := base64.StdEncoding.DecodeString(d.client); err == nil && len(raw) > 0 {
			h.Set("Lambda-Runtime-Client-Context", string(raw))
		}
		w.Write(d.payload)
	case <-api.closed:
	case <-r.Context().Done():
	}
}

func (api *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	var tooLarge *http.MaxBytesError
	answer := posted{payload: body}
	switch kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); {
	case errors.As(err, &tooLarge):
		answer = posted{failure: failed("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload)}
	case err != nil:
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	case kind != "": // the function's own reader broke off
		detail, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		answer = posted{failure: errorBody(kind, detail)}
	}
	api.answer(w, r.PathValue("id"), answer)
}

func (api *runtimeAPI) failure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	}
	api.answer(w, r.PathValue("id"), posted{failure: errorBody(r.Header.Get("Lambda-Runtime-Function-Error-Type"), body)})
}

// answer takes the first answer to the event that is being handled.
func (api *runtimeAPI) answer(w http.ResponseWriter, id string, answer posted) {
	api.mu.Lock()
	awaited := id == api.current
	if awaited {
		api.current = ""
	}
	api.mu.Unlock()
	if !awaited {
		refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID "+id)
		return
	}
	api.answers <- answer
	accept(w)
}

func (api *runtimeAPI) initFailure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidRequest", err.Error())
		return
	}
	select {
	case api.initial <- errorBody(r.Header.Get("Lambda-Runtime-Function-Error-Type"), body):
		accept(w)
	default:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "the runtime has failed to come up before")
	}
}

// expect lets the event with that id be answered.
func (api *runtimeAPI) expect(id string) {
	api.mu.Lock()
	defer api.mu.Unlock()
	api.current = id
}

func accept(w http.ResponseWriter) {
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, `{"status":"OK"}`)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"errorType": kind, "errorMessage": message})
}
