package alb

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"
)

const traceHeader = "X-Amzn-Trace-Id"

// setHeaders adds what a load balancer tells a target. The client's address is
// appended to what came; protocol and port replace it.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
func (x *exchange) setHeaders(r *httputil.ProxyRequest) {
	out, in := r.Out.Header, r.In.Header
	for _, name := range []string{"Forwarded", "X-Forwarded-Host"} {
		if values, ok := in[name]; ok { // ReverseProxy took it out
			out[name] = values
		}
	}
	client, _, err := net.SplitHostPort(r.In.RemoteAddr)
	if err != nil {
		client = r.In.RemoteAddr
	}
	if before := in["X-Forwarded-For"]; len(before) > 0 {
		client = strings.Join(before, ", ") + ", " + client
	}
	out["X-Forwarded-For"] = []string{client}
	out["X-Forwarded-Proto"] = []string{x.protocol()}
	out["X-Forwarded-Port"] = []string{strconv.Itoa(x.listener.port)}
	out[traceHeader] = []string{x.traceID}
}

func (x *exchange) protocol() string {
	if x.listener.TLS {
		return "https"
	}
	return "http"
}

// traceID makes the request's trace header of the one it came with: a root if it
// has none, else a self of ours before it, in place of any other.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
func traceID(came string, now time.Time) string {
	ours := newTraceID(now)
	var kept []string
	rooted := false
	for field := range strings.SplitSeq(came, ";") {
		field = strings.TrimSpace(field)
		switch {
		case field == "" || strings.HasPrefix(field, "Self="):
			continue
		case strings.HasPrefix(field, "Root="):
			rooted = true
		}
		kept = append(kept, field)
	}
	name := "Root="
	if rooted {
		name = "Self="
	}
	return strings.Join(append([]string{name + ours}, kept...), ";")
}

func newTraceID(now time.Time) string {
	var id [12]byte
	a, b := rand.Uint64(), rand.Uint32()
	for i := range 8 {
		id[i] = byte(a >> (8 * i))
	}
	for i := range 4 {
		id[8+i] = byte(b >> (8 * i))
	}
	return fmt.Sprintf("1-%08x-%s", uint32(now.Unix()), hex.EncodeToString(id[:]))
}
