package alb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// targetConn is a connection to a target that does not send a request into a
// connection that the target has closed. The transport looks for that in another
// goroutine, which may come too late; a request without a byte written it sends
// again on another connection, whatever its method.
type targetConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

var errClosedIdle = errors.New("target closed the idle connection")

// Write implements net.Conn.
func (c *targetConn) Write(b []byte) (int, error) {
	if c.ended() {
		return 0, errClosedIdle
	}
	return c.TCPConn.Write(b)
}

// ended says whether the other side has closed and all that it sent was read.
func (c *targetConn) ended() bool {
	ended := false
	// Control, for it does not wait for the transport's pending Read as Read would.
	err := c.raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		ended = n == 0 && err == nil || err != nil && !temporary(err)
	})
	return ended || err != nil
}

func temporary(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR)
}

// dial connects to a target's address: one of an IP address, or of an instance's
// ID, which is looked up each time.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.config.Locate != nil {
		var err error
		if address, err = p.locate(address); err != nil {
			return nil, err
		}
	}
	dialer := net.Dialer{Timeout: connectTime}
	return dialer.DialContext(ctx, network, address)
}

func (p *Proxy) locate(address string) (string, error) {
	id, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(id) != nil {
		return address, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return "", err
	}
	found, ok := p.config.Locate(id, number)
	if !ok {
		return "", fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	return found, nil
}

func (p *Proxy) dialTarget(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &targetConn{TCPConn: tcp, raw: raw}, nil
}
