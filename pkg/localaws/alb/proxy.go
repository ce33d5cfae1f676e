package alb

import (
	"context"
	"crypto/cipher"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cutover/pkg/localaws/clock"
)

// Config says how the load balancers of one embedded AWS run.
type Config struct {
	Clock clock.Clock
	// Locate finds the loopback address of an instance's port; it is asked for each
	// connection. Nil means that every target is an IP address.
	Locate func(instanceID string, port int) (address string, ok bool)
	// Metrics gets what was counted, each Period; nil counts for nobody.
	Metrics Metrics
	// Period is how often, by the clock; 0 means a minute.
	Period time.Duration
	// AccessLog gets a record of each request; nil means none. The last ones are
	// also in Records.
	AccessLog AccessLog
	// AccessRecords is how many records are kept per load balancer; 0 means 1024.
	AccessRecords int
	// IdleTimeout is how long a target may take for the beginning of its answer,
	// by the wall; 0 means 60 s, as AWS's idle_timeout.timeout_seconds.
	IdleTimeout time.Duration
	// Patience is the least time that a health check waits, by the wall; 0 means
	// a second.
	Patience time.Duration
	Logger   *slog.Logger
}

// A Proxy is the load balancers of one embedded AWS. It is safe for concurrent
// use; no call waits for traffic, except Close.
type Proxy struct {
	config Config
	// ctx ends with Close, and with it every request and health check.
	ctx         context.Context
	cancel      context.CancelFunc
	gate        *gate
	buffers     buffers
	cookies     cipher.AEAD
	certificate func() (*certificate, error)
	checks      *http.Transport
	// places says where the nominal ports of load balancers' listeners are.
	places atomic.Pointer[map[place]int]

	mu        sync.Mutex
	closed    bool
	listeners map[string]*listener
	groups    map[string]*group
	balancers map[string]*balancer
	period    clock.Timer
	serving   sync.WaitGroup
}

type place struct {
	loadBalancer string
	port         int
}

// Listener is a listener to open.
type Listener struct {
	ID           string
	LoadBalancer string // ID of the load balancer, for metrics and records
	// Address to listen on, e.g. 127.0.0.1:0.
	Address string
	// Port is the nominal port, e.g. 80; see the package's differences.
	Port int
	// TLS makes it an HTTPS listener, with the certificate of Proxy.Certificate.
	TLS bool
}

type listener struct {
	Listener
	proxy    *Proxy
	port     int // the real one
	addr     net.Addr
	server   *http.Server
	balancer *balancer
	table    atomic.Pointer[table]
}

// balancer is what listeners of one load balancer share.
type balancer struct {
	id       string
	counters balancerCounters
	records  ring
}

// New makes load balancers without listeners. Close ends them.
func New(config Config) *Proxy {
	if config.Period == 0 {
		config.Period = time.Minute
	}
	if config.AccessRecords == 0 {
		config.AccessRecords = 1024
	}
	if config.IdleTimeout == 0 {
		config.IdleTimeout = time.Minute
	}
	if config.Patience == 0 {
		config.Patience = time.Second
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{
		config: config, cookies: newCookieCipher(),
		certificate: sync.OnceValues(newCertificate), gate: newGate(),
		listeners: map[string]*listener{}, groups: map[string]*group{}, balancers: map[string]*balancer{},
	}
	p.checks = p.newCheckTransport()
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.places.Store(&map[place]int{})
	p.schedulePeriod()
	return p
}

// Listen opens a listener and says where it listens. Until SetRules it answers 503.
func (p *Proxy) Listen(l Listener) (net.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("open listener %s: load balancer is closed", l.ID)
	}
	if _, ok := p.listeners[l.ID]; ok {
		return nil, fmt.Errorf("open listener %s: it is open", l.ID)
	}
	var secure *tls.Config
	if l.TLS {
		certificate, err := p.certificate()
		if err != nil {
			return nil, fmt.Errorf("open listener %s: %w", l.ID, err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{certificate.pair}}
	}
	socket, err := net.Listen("tcp", l.Address)
	if err != nil {
		return nil, fmt.Errorf("open listener %s: %w", l.ID, err)
	}
	p.serveLocked(l, socket, secure)
	return socket.Addr(), nil
}

func (p *Proxy) serveLocked(l Listener, socket net.Listener, secure *tls.Config) {
	opened := &listener{
		Listener: l, proxy: p, addr: socket.Addr(), port: socket.Addr().(*net.TCPAddr).Port,
		balancer: p.balancerLocked(l.LoadBalancer),
	}
	opened.table.Store(&table{})
	opened.server = &http.Server{
		Handler:     opened,
		TLSConfig:   secure,
		BaseContext: func(net.Listener) context.Context { return p.ctx },
		ConnState:   opened.balancer.counters.connection,
		ErrorLog:    log.New(io.Discard, "", 0), // clients' faults, which AWS doesn't show either
		IdleTimeout: time.Minute,
		// As AWS's quota of 64 KB for a request's headers.
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: time.Minute,
	}
	p.listeners[l.ID] = opened
	p.placeLocked()
	p.serving.Go(func() {
		serve := opened.server.Serve
		if secure != nil {
			serve = func(s net.Listener) error { return opened.server.ServeTLS(s, "", "") }
		}
		if err := serve(socket); err != http.ErrServerClosed {
			p.config.Logger.Error("listener ended", "listener", l.ID, "error", err)
		}
	})
}

func (p *Proxy) balancerLocked(id string) *balancer {
	b, ok := p.balancers[id]
	if !ok {
		b = &balancer{id: id, records: ring{records: make([]Record, 0, p.config.AccessRecords)}}
		p.balancers[id] = b
	}
	return b
}

func (p *Proxy) placeLocked() {
	places := map[place]int{}
	for _, l := range p.listeners {
		if l.Port != 0 {
			places[place{l.LoadBalancer, l.Port}] = l.port
		}
	}
	p.places.Store(&places)
}

// Addr says where an open listener listens.
func (p *Proxy) Addr(listenerID string) (net.Addr, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.listeners[listenerID]
	if !ok {
		return nil, false
	}
	return l.addr, true
}

// Unlisten closes a listener; requests in flight finish. One that is not open is
// left so.
func (p *Proxy) Unlisten(listenerID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.listeners[listenerID]
	if !ok || p.closed {
		return
	}
	delete(p.listeners, listenerID)
	p.placeLocked()
	p.attachLocked()
	p.forgetLocked(l.balancer)
	p.serving.Go(func() {
		if l.server.Shutdown(p.ctx) != nil { // Close came before the last answer
			_ = l.server.Close()
		}
	})
}

// forgetLocked drops a load balancer that lost its last listener.
func (p *Proxy) forgetLocked(b *balancer) {
	for _, l := range p.listeners {
		if l.balancer == b {
			return
		}
	}
	delete(p.balancers, b.id)
}

// SetRules replaces a listener's rules, all at once: one default rule and any
// number of others. It returns when every later request sees them.
func (p *Proxy) SetRules(listenerID string, rules []Rule) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.listeners[listenerID]
	if !ok {
		return fmt.Errorf("set rules of listener %s: it is not open", listenerID)
	}
	t, err := p.compileLocked(rules)
	if err != nil {
		return fmt.Errorf("set rules of listener %s: %w", listenerID, err)
	}
	l.table.Store(t)
	p.attachLocked()
	return nil
}

// attachLocked recomputes which load balancer uses each group, if any: health
// checks run only where one does.
func (p *Proxy) attachLocked() {
	users := map[*group]*balancer{}
	for _, id := range slices.Sorted(maps.Keys(p.listeners)) {
		l := p.listeners[id]
		for g := range l.table.Load().groups {
			users[g] = l.balancer
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.groups)) {
		p.useLocked(p.groups[id], users[p.groups[id]])
	}
}

// Close breaks every connection, ends every health check and waits until they
// have ended. Calls after it fail.
func (p *Proxy) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.cancel()
	p.period.Stop()
	for _, l := range p.listeners {
		_ = l.server.Close()
	}
	for _, g := range p.groups {
		for _, t := range g.targets {
			t.stopTimer()
		}
	}
	p.mu.Unlock()
	p.serving.Wait()
	p.gate.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checks.CloseIdleConnections()
	for _, g := range p.groups {
		for _, t := range g.targets {
			t.transport.CloseIdleConnections()
		}
	}
}

// buffers are shared by all proxied bodies.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
