package egress

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"
)

// zone ends the DNS names of load balancers.
const zone = ".elb.localhost"

// dialTimeout is how long a listener may take to accept, on the wall: it is on
// this machine.
const dialTimeout = 5 * time.Second

// LoadBalancers is what the proxy asks of Elastic Load Balancing.
type LoadBalancers interface {
	// Listens is where the listener for a port of a load balancer, named by its
	// DNS name, really listens.
	Listens(loadBalancer string, port int) (address string, ok bool)
}

// A Proxy is an http.Handler for requests to a proxy: those that name a whole
// address, and CONNECT. It is safe for concurrent use. Make it with New and end
// it with Close.
type Proxy struct {
	balancers LoadBalancers
	logger    *slog.Logger
	transport *http.Transport
	forward   *httputil.ReverseProxy

	mu      sync.Mutex
	tunnels map[net.Conn]bool
	closed  bool
	running sync.WaitGroup
}

// New makes a proxy to load balancers. A nil logger discards.
func New(balancers LoadBalancers, logger *slog.Logger) *Proxy {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{balancers: balancers, logger: logger, tunnels: map[net.Conn]bool{}}
	p.transport = &http.Transport{
		DialContext:        (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableCompression: true, // what comes is handed on as it is
		DisableKeepAlives:  true, // a listener may be gone by the next request
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite: passOn, Transport: p.transport, FlushInterval: -1,
		ErrorHandler: p.unreachable, ErrorLog: log.New(io.Discard, "", 0),
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, usual := r.URL.Host, "80"
	if r.Method == http.MethodConnect {
		host, usual = r.Host, "443"
	} else if r.URL.Scheme != "http" {
		p.refuse(w, r.URL.Scheme+"://"+host)
		return
	}
	address, ok := p.locate(host, usual)
	if !ok {
		p.refuse(w, host)
		return
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w, address)
		return
	}
	to := r.Clone(r.Context())
	to.URL.Host = address // r.Host stays the load balancer's
	p.forward.ServeHTTP(w, to)
}

// locate finds where the listener of HOST[:PORT] really listens.
func (p *Proxy) locate(host, usual string) (address string, ok bool) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, usual
	}
	number, err := strconv.Atoi(port)
	// Listens knows load balancers by their plain names too; DNS does not.
	if err != nil || !strings.HasSuffix(strings.ToLower(name), zone) {
		return "", false
	}
	return p.balancers.Listens(name, number)
}

func (p *Proxy) refuse(w http.ResponseWriter, host string) {
	p.logger.Warn("refuse way out", "host", host)
	http.Error(w, fmt.Sprintf("no listener of a load balancer at %s: functions and tasks of the embedded AWS reach its own load balancers only, at NAME.REGION%s and a listener's port", host, zone), http.StatusForbidden)
}

func (p *Proxy) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	p.logger.Warn("reach load balancer", "host", r.Host, "error", err)
	http.Error(w, fmt.Sprintf("reach load balancer %s: %v", r.Host, err), http.StatusBadGateway)
}

// passOn leaves a request as it came. The package httputil takes out what proxies
// before this one noted, and parts of a query that it can't parse; this one is the
// network, and takes nothing.
func passOn(r *httputil.ProxyRequest) {
	r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
}

// Close ends all tunnels and waits for them.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for c := range p.tunnels {
		c.Close() // wakes its copying; what it returns is of no use
	}
	p.mu.Unlock()
	p.running.Wait()
	p.transport.CloseIdleConnections()
}
