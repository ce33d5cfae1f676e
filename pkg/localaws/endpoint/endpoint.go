// Package endpoint is the one HTTP address of the embedded AWS.
//
// A request goes through, in this order: who calls (by access key), which
// service (by SigV4's credential scope), which operation and input (by the
// service's protocol), whether its rate allows it, what the fault rules say,
// whether IAM allows it, the operation itself, and the record of calls.
// Signatures are not verified: this address listens on loopback only, and knows
// its callers by their keys. Requests to a proxy, which name a whole address or
// ask for a tunnel, go to Config.Proxy instead.
package endpoint

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// maxBody is the largest request body read for an API call, in bytes. Objects
// and images go around this limit, through Raw handlers.
const maxBody = 64 << 20

// IAM is what the endpoint asks of the IAM service.
type IAM interface {
	// Principal finds who holds an access key.
	Principal(accessKeyID string) (wire.Principal, bool)
	// Allowed says whether the principal's policies allow the access.
	Allowed(p wire.Principal, a wire.Access) bool
}

// Config says what an endpoint is made of.
type Config struct {
	Clock  clock.Clock
	IAM    IAM
	Faults *Faults
	Calls  *Calls
	Limits *Limits // nil limits nothing
	Logger *slog.Logger
	// Proxy gets the requests to a proxy; nil refuses them as unsigned ones.
	Proxy http.Handler
	// Kill ends the function invocation that holds an access key, for the fault
	// kinds that kill the caller.
	Kill func(accessKeyID string)
	// Dead says that the holder of an access key was killed: nothing it still
	// sends may take effect.
	Dead func(accessKeyID string) bool
}

// An Endpoint serves the APIs of all services. Make it with New, then add
// services before it serves.
type Endpoint struct {
	Config
	services map[string]wire.Service
	signed   map[string]http.Handler
	unsigned map[string]http.Handler
}

// New makes an endpoint without services.
func New(config Config) *Endpoint {
	return &Endpoint{
		Config:   config,
		services: map[string]wire.Service{},
		signed:   map[string]http.Handler{},
		unsigned: map[string]http.Handler{},
	}
}

// Add serves a service's API.
func (e *Endpoint) Add(s wire.Service) { e.services[s.Name] = s }

// AddObjects serves a service whose protocol is not one of package wire's: S3.
// Its calls are still subject to faults and recorded, by the name that S3 gives
// the method and path.
func (e *Endpoint) AddObjects(service string, h http.Handler) { e.signed[service] = h }

// AddUnsigned serves requests that carry no AWS signature below a path prefix,
// such as git's and the image registry's.
func (e *Endpoint) AddUnsigned(prefix string, h http.Handler) { e.unsigned[prefix] = h }

// Operations lists what is served: operation names by service name.
func (e *Endpoint) Operations() map[string][]string {
	all := map[string][]string{}
	for name, s := range e.services {
		for _, op := range s.Operations {
			all[name] = append(all[name], op.Name)
		}
	}
	return all
}

// credential finds the access key and the service in SigV4's scope:
// KEY/20260102/us-east-1/SERVICE/aws4_request.
var credential = regexp.MustCompile(`Credential=([^/, ]+)/\d{8}/[^/]+/([^/]+)/aws4_request`)

// ServeHTTP implements http.Handler.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.Proxy != nil && proxied(r) {
		e.Proxy.ServeHTTP(w, r) // not AWS's: nothing of the answer is either
		return
	}
	// The functions take the time from this header, so that they live in the
	// embedded AWS's time whatever its speed.
	w.Header().Set("Date", e.Clock.Now().Format(http.TimeFormat))

	scope := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if scope == nil {
		e.serveUnsigned(w, r)
		return
	}
	key, service := scope[1], scope[2]
	if e.Dead != nil && e.Dead(key) {
		abort()
	}
	if h, ok := e.signed[service]; ok {
		e.serveObjects(w, r, service, key, h)
		return
	}
	body, err := read(w, r)
	if err != nil {
		http.Error(w, "read request body: "+err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	s, ok := e.services[service]
	if !ok {
		e.Logger.Error("unknown service", "service", service, "path", r.URL.Path)
		http.Error(w, fmt.Sprintf("UnknownService: the embedded AWS has no service %q", service), http.StatusNotImplemented)
		return
	}
	e.serveAPI(w, wire.Request{Request: r, Body: body}, s, key)
}

// proxied says that a request is to a proxy and not to this address itself.
// https://www.rfc-editor.org/rfc/rfc9112#section-3.2
func proxied(r *http.Request) bool { return r.Method == http.MethodConnect || r.URL.IsAbs() }

// read reads a request's body, which SDKs compress when it is long.
func read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body := io.Reader(http.MaxBytesReader(w, r.Body, maxBody))
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = http.MaxBytesReader(w, unpacked, maxBody)
	}
	return io.ReadAll(body)
}

func (e *Endpoint) serveUnsigned(w http.ResponseWriter, r *http.Request) {
	for prefix, h := range e.unsigned {
		if strings.HasPrefix(r.URL.Path, prefix) {
			h.ServeHTTP(w, r)
			return
		}
	}
	http.Error(w, "MissingAuthenticationToken: the request is not signed", http.StatusForbidden)
}

func (e *Endpoint) serveAPI(w http.ResponseWriter, r wire.Request, s wire.Service, key string) {
	protocol, name := protocolOf(s, r)
	if protocol == nil {
		e.Logger.Error("unknown protocol", "service", s.Name, "path", r.URL.Path)
		http.Error(w, fmt.Sprintf("UnknownProtocol: the embedded AWS does not speak this request's protocol for %s", s.Name), http.StatusNotImplemented)
		return
	}
	requestID := newRequestID()
	call := Call{
		ID: requestID, Start: e.Clock.Now(), Service: s.Name, Operation: name,
		TraceID: r.Header.Get("X-Amzn-Trace-Id"),
	}
	began := time.Now()
	out, err := e.carryOut(r, s, protocol, key, &call)
	call.Duration = time.Since(began)
	var denial *wire.Error
	if errors.As(err, &denial) {
		call.fail(denial.Code)
	} else if err != nil {
		e.Logger.Error("call ended abnormally", "service", s.Name, "operation", name, "error", err)
		denial = wire.Errorf("InternalFailure", "%v", err).WithStatus(http.StatusInternalServerError)
		call.fail(denial.Code)
	}
	if call.Error == dropped {
		e.Calls.add(call)
		abort()
	}
	e.Calls.add(call)
	if denial != nil {
		protocol.EncodeError(w, denial, requestID)
		return
	}
	protocol.Encode(w, name, out, requestID)
}

func protocolOf(s wire.Service, r wire.Request) (wire.Protocol, string) {
	for _, p := range s.Protocols {
		if name, ok := p.Operation(r); ok {
			return p, name
		}
	}
	return nil, ""
}

// carryOut takes a call through decoding, limits, faults, IAM and the operation.
func (e *Endpoint) carryOut(r wire.Request, s wire.Service, p wire.Protocol, key string, call *Call) (any, error) {
	principal, ok := e.IAM.Principal(key)
	if !ok {
		return nil, wire.Errorf("UnrecognizedClientException", "The security token included in the request is invalid: the embedded AWS knows no access key %s", key).WithStatus(http.StatusForbidden)
	}
	call.Principal = principal
	op, ok := s.Operation(call.Operation)
	if !ok {
		e.Logger.Error("unknown operation", "service", s.Name, "operation", call.Operation)
		return nil, wire.Errorf(p.Unknown(), "the embedded AWS does not serve %s", s.Action(call.Operation))
	}
	in := op.NewInput()
	if faults := p.Decode(r, call.Operation, in); len(faults) > 0 {
		return nil, s.InvalidInput(faults)
	}
	access := op.Access(in, s.Action(op.Name))
	for _, a := range access {
		call.Resources = append(call.Resources, a.Resource)
	}
	if !e.Limits.take(call.Start, s.Name, op.Name) {
		return nil, rateExceeded(p.Throttled())
	}
	fault := e.Faults.take(*call)
	call.Fault = fault.Kind
	if err := e.before(fault, p.Throttled(), p.Denied(), access, call, key); err != nil {
		return nil, err
	}
	if err := e.authorize(principal, access, p.Denied()); err != nil {
		return nil, err
	}
	ctx := wire.WithPrincipal(r.Context(), principal)
	out, err := op.Call(context.WithoutCancel(ctx), in)
	e.after(fault, call, key)
	return out, err
}

// dropped marks a call whose connection is cut instead of answered.
const dropped = "ConnectionDropped"

// before carries out faults that keep a call from taking effect.
func (e *Endpoint) before(fault Fault, throttled, denied string, access []wire.Access, call *Call, key string) error {
	switch fault.Kind {
	case Throttle:
		return rateExceeded(throttled)
	case ServerError:
		return wire.Errorf("InternalFailure", "The request processing has failed because of an unknown error, exception or failure").WithStatus(http.StatusInternalServerError)
	case Denied:
		return denial(call.Principal, access[0], denied)
	case Latency:
		wait := make(chan struct{})
		e.Clock.AfterFunc(fault.Latency, func() { close(wait) })
		<-wait
	case KillBefore:
		e.Kill(key)
		return wire.Errorf(dropped, "killed before the call")
	case DropBefore:
		return wire.Errorf(dropped, "dropped before the call")
	}
	return nil
}

// after carries out faults that lose the answer to a call that took effect.
func (e *Endpoint) after(fault Fault, call *Call, key string) {
	switch fault.Kind {
	case KillAfter:
		e.Kill(key)
		call.Error = dropped
	case DropAfter:
		call.Error = dropped
	}
}

func (e *Endpoint) authorize(p wire.Principal, access []wire.Access, code string) error {
	for _, a := range access {
		if !p.Administrator() && !e.IAM.Allowed(p, a) {
			return denial(p, a, code)
		}
	}
	return nil
}

func denial(p wire.Principal, a wire.Access, code string) error {
	return wire.Errorf(code, "User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		p.ARN, a.Action, a.Resource, a.Action).WithStatus(http.StatusForbidden)
}

// serveObjects takes an S3 call through faults, IAM and the store.
func (e *Endpoint) serveObjects(w http.ResponseWriter, r *http.Request, service, key string, h http.Handler) {
	principal, ok := e.IAM.Principal(key)
	if !ok {
		writeObjectError(w, wire.Errorf("InvalidAccessKeyId", "the embedded AWS knows no access key %s", key).WithStatus(http.StatusForbidden))
		return
	}
	operation, access := objectCall(r)
	call := Call{
		ID: newRequestID(), Start: e.Clock.Now(), Service: service, Operation: operation,
		Principal: principal, Resources: []string{access.Resource}, TraceID: r.Header.Get("X-Amzn-Trace-Id"),
	}
	began := time.Now()
	fault := e.Faults.take(call)
	call.Fault = fault.Kind
	err := e.before(fault, "SlowDown", "AccessDenied", []wire.Access{access}, &call, key)
	if err == nil {
		err = e.authorize(principal, []wire.Access{access}, "AccessDenied")
	}
	answer := &answer{header: w.Header(), status: http.StatusOK}
	if err == nil {
		h.ServeHTTP(answer, r)
		e.after(fault, &call, key)
	}
	call.Duration = time.Since(began)
	var refused *wire.Error
	if errors.As(err, &refused) {
		call.fail(refused.Code)
	}
	e.Calls.add(call)
	switch {
	case call.Error == dropped:
		abort()
	case refused != nil:
		writeObjectError(w, refused)
	default:
		w.WriteHeader(answer.status)
		w.Write(answer.body.Bytes())
	}
}

// objectCall names what S3 calls a method on a path-style address, and what IAM
// must allow for it. An operation on one object is an action of the same name
// (but for HeadObject), one on a bucket is named well enough by its query.
func objectCall(r *http.Request) (operation string, access wire.Access) {
	bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	verb := map[string]string{
		http.MethodGet: "Get", http.MethodPut: "Put", http.MethodHead: "Head",
		http.MethodDelete: "Delete", http.MethodPost: "Post",
	}[r.Method]
	switch {
	case bucket == "":
		return "ListBuckets", wire.Access{Action: "s3:ListAllMyBuckets", Resource: "*"}
	case object != "":
		action := "s3:" + verb + "Object"
		if verb == "Head" {
			action = "s3:GetObject"
		}
		return verb + "Object", wire.Access{Action: action, Resource: "arn:aws:s3:::" + bucket + "/" + object}
	}
	action, resource := verb+"Bucket", "arn:aws:s3:::"+bucket
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Has("location"):
		action = "GetBucketLocation"
	case r.Method == http.MethodGet && r.URL.Query().Has("versioning"):
		action = "GetBucketVersioning"
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		action = "ListBucket"
	case r.Method == http.MethodPut && r.URL.RawQuery == "":
		action = "CreateBucket"
	}
	return action, wire.Access{Action: "s3:" + action, Resource: resource}
}

func writeObjectError(w http.ResponseWriter, err *wire.Error) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(err.HTTPStatus())
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", err.Code, err.Message)
}

// An answer holds a response back until faults have had their say.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// abort cuts the connection without an answer.
func abort() { panic(http.ErrAbortHandler) }

func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
