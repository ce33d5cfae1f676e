package egress

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// tunnel answers CONNECT: bytes to and from a listener, until both sides have
// ended or Close ends them.
// https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
func (p *Proxy) tunnel(w http.ResponseWriter, address string) {
	listener, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		http.Error(w, "reach load balancer: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer listener.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "open tunnel: "+err.Error(), http.StatusInternalServerError)
		return
	}
	defer client.Close()
	if !p.begin(client, listener) {
		return
	}
	defer p.end(client, listener)
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection Established\r\n\r\n"); err != nil {
		return // the client is gone
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// What the client sent along with its request was read already.
		p.pipe(listener, buffered)
	}()
	p.pipe(client, listener)
	<-done
}

// pipe copies until the source ends, and then ends the destination's input.
func (p *Proxy) pipe(to net.Conn, from io.Reader) {
	if _, err := io.Copy(to, from); err != nil && !errors.Is(err, net.ErrClosed) {
		p.logger.Debug("tunnel broke", "error", err)
		to.Close() // so that the other direction ends too
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // fails only where to is closed altogether
	}
}

// begin notes connections for Close; it refuses once closed.
func (p *Proxy) begin(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	for _, c := range conns {
		p.tunnels[c] = true
	}
	p.running.Add(1)
	return true
}

func (p *Proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	for _, c := range conns {
		delete(p.tunnels, c)
	}
	p.mu.Unlock()
	p.running.Done()
}
