package alb

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"
)

// exchange is one request on its way through the load balancer. It stands in for
// the response's writer, to see what the client gets.
type exchange struct {
	http.ResponseWriter
	listener *listener
	rule     *rule
	group    *group
	target   *target
	body     []byte // the request's, if it was read ahead
	received atomic.Int64

	began    time.Time
	sent     time.Time // when the request went to the target
	answered time.Time // when the target's answer began
	status   int
	said     int // the target's status
	written  int64
	fault    string
	upgraded bool
	traceID  string
}

// ServeHTTP implements http.Handler.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !l.proxy.gate.enter() {
		panic(http.ErrAbortHandler) // Close broke the connection already
	}
	defer l.proxy.gate.leave()
	x := &exchange{ResponseWriter: w, listener: l, began: time.Now()}
	defer x.finish(r)
	l.balancer.counters.requests.Add(1)
	x.traceID = traceID(r.Header.Get(traceHeader), l.proxy.config.Clock.Now())
	x.rule = l.table.Load().match(r)
	switch {
	case x.rule == nil:
		x.fail(http.StatusServiceUnavailable, "no rules")
	case x.rule.forward != nil:
		x.forward(r)
	case x.rule.redirect != nil:
		l.balancer.counters.redirects.Add(1)
		x.redirect(r)
	default:
		l.balancer.counters.fixed.Add(1)
		x.answer(x.rule.fixed.StatusCode, x.rule.fixed.ContentType, x.rule.fixed.Body)
	}
}

// forward sends the request to a target and its answer to the client.
func (x *exchange) forward(r *http.Request) {
	f, p := x.rule.forward, x.listener.proxy
	if !x.readAhead(r) {
		return
	}
	g := f.choose(p, r)
	if g == nil {
		x.fail(http.StatusServiceUnavailable, "all weights are 0")
		return
	}
	t, v := g.pick()
	if t == nil {
		x.fail(http.StatusServiceUnavailable, "target group has no targets")
		return
	}
	defer t.done()
	x.group, x.target = g, t
	g.counters.requests.Add(1)
	proxy := httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { x.rewrite(r, v.scheme) },
		Transport:      t.transport,
		BufferPool:     &p.buffers,
		ModifyResponse: x.respond,
		ErrorHandler:   x.failed,
		ErrorLog:       discard, // failed and finish tell all
	}
	proxy.ServeHTTP(x, r)
}

var discard = log.New(io.Discard, "", 0)

// A request's body up to this many bytes is read before the request goes on, so
// that it can be sent again if none of it got out.
const readAheadLimit = 64 << 10

// readAhead reads a small body, and counts the bytes of a large one on its way.
// It says whether to go on.
func (x *exchange) readAhead(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	if r.ContentLength <= 0 || r.ContentLength > readAheadLimit {
		r.Body = &countedBody{ReadCloser: r.Body, count: &x.received}
		return true
	}
	x.body = make([]byte, r.ContentLength)
	n, err := io.ReadFull(r.Body, x.body)
	x.received.Store(int64(n))
	if err != nil {
		x.fail(statusClientClosed, "client closed the connection")
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(x.body))
	return true
}

type countedBody struct {
	io.ReadCloser
	count *atomic.Int64
}

func (b *countedBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.count.Add(int64(n))
	return n, err
}

// rewrite makes the target's request of the client's.
func (x *exchange) rewrite(r *httputil.ProxyRequest, scheme string) {
	r.Out.URL.Scheme, r.Out.URL.Host = scheme, x.target.address
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, also if it is malformed
	r.Out.Host = r.In.Host
	x.setHeaders(r)
	if x.body != nil {
		body := x.body
		r.Out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	x.sent = time.Now()
}

// respond looks at the target's answer before it goes to the client.
func (x *exchange) respond(r *http.Response) error {
	x.answered = time.Now()
	x.said = r.StatusCode
	counters := &x.group.counters
	counters.responseTime.add(x.answered.Sub(x.sent))
	if hundred := r.StatusCode / 100; hundred < len(counters.codes) {
		counters.codes[hundred].Add(1)
	}
	if r.StatusCode == http.StatusSwitchingProtocols {
		x.upgraded, x.status = true, r.StatusCode
	}
	x.rule.forward.remember(x.listener.proxy, x.group, r.Header)
	return nil
}

// failed answers for a target that did not.
func (x *exchange) failed(_ http.ResponseWriter, r *http.Request, err error) {
	var timeout net.Error
	var dial *net.OpError
	switch {
	case r.Context().Err() != nil:
		x.fail(statusClientClosed, "client closed the connection")
		return
	case errors.As(err, &timeout) && timeout.Timeout():
		x.fail(http.StatusGatewayTimeout, err.Error())
	default:
		x.fail(http.StatusBadGateway, err.Error())
	}
	if errors.As(err, &dial) && dial.Op == "dial" {
		x.group.counters.connectionErrors.Add(1)
	}
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(body []byte) (int, error) {
	n, err := x.ResponseWriter.Write(body)
	x.written += int64(n)
	return n, err
}

// Unwrap lets an http.ResponseController flush and hijack.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// finish counts the request and records it. It runs also when the exchange broke
// off in the middle of an answer.
func (x *exchange) finish(r *http.Request) {
	ended := time.Now()
	counters := &x.listener.balancer.counters
	counters.bytes.Add(x.received.Load() + x.written)
	if x.said == 0 && x.status < len(counters.elb) {
		counters.elb[x.status].Add(1)
	}
	record := Record{
		Time: x.listener.proxy.config.Clock.Now(), Type: x.kind(r),
		LoadBalancer: x.listener.LoadBalancer, Listener: x.listener.ID, Client: r.RemoteAddr,
		RequestTime: -1, TargetTime: -1, ResponseTime: -1,
		Status: x.status, TargetStatus: x.said, Received: x.received.Load(), Sent: x.written,
		Method: r.Method, Host: r.Host, URL: r.URL.RequestURI(), Protocol: r.Proto,
		UserAgent: r.UserAgent(), TraceID: x.traceID, Fault: x.fault,
	}
	if x.rule != nil {
		record.Rule = x.rule.id
	}
	if x.target != nil {
		record.TargetGroup, record.Target = x.group.id, x.target.address
	}
	if !x.sent.IsZero() {
		record.RequestTime = x.sent.Sub(x.began)
	}
	if !x.answered.IsZero() {
		record.TargetTime, record.ResponseTime = x.answered.Sub(x.sent), ended.Sub(x.answered)
	}
	x.listener.balancer.records.add(&record)
	if sink := x.listener.proxy.config.AccessLog; sink != nil {
		sink.Record(record)
	}
}

// kind is the access log's type of a request.
func (x *exchange) kind(r *http.Request) string {
	switch {
	case x.upgraded && r.TLS != nil:
		return "wss"
	case x.upgraded:
		return "ws"
	case r.ProtoMajor == 2:
		return "h2"
	case r.TLS != nil:
		return "https"
	}
	return "http"
}

// Connections to targets: how many may wait for the next request, and how long.
// Programs close connections that lie idle, many after 2 s or 5 s; we are first,
// so that no request meets a connection that is just being closed.
const (
	idleConnections = 1024
	idleTime        = 1500 * time.Millisecond
	connectTime     = 10 * time.Second // as AWS's
)

func (p *Proxy) newTargetTransport() *http.Transport {
	return &http.Transport{
		DialContext:           p.dialTarget,
		MaxIdleConnsPerHost:   idleConnections,
		IdleConnTimeout:       idleTime,
		ResponseHeaderTimeout: p.config.IdleTimeout,
		DisableCompression:    true,
		TLSClientConfig:       &tls.Config{InsecureSkipVerify: true}, // a load balancer doesn't verify targets
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
}
