package alb

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// statusClientClosed is what AWS records for a client that did not wait.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
const statusClientClosed = 460

// fail answers with an error of the load balancer's own.
func (x *exchange) fail(status int, fault string) {
	x.fault = fault
	text := http.StatusText(status)
	switch status {
	case http.StatusServiceUnavailable:
		text = "Service Temporarily Unavailable"
	case http.StatusGatewayTimeout:
		text = "Gateway Time-out"
	case statusClientClosed:
		text = "Client Closed Request"
	}
	x.answer(status, "text/html", fmt.Sprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body><h1>%d %s</h1></body>\r\n</html>\r\n", status, text, status, text))
}

// answer writes a response of the load balancer's own.
func (x *exchange) answer(status int, contentType, body string) {
	header := x.Header()
	header.Set("Server", "awselb/2.0")
	if contentType != "" {
		header.Set("Content-Type", contentType)
	} else {
		header["Content-Type"] = nil // or Go would guess one
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	_, _ = x.Write([]byte(body)) // the client may be gone
}

// redirect sends the client where the rule says.
func (x *exchange) redirect(r *http.Request) {
	x.Header().Set("Location", x.location(r))
	x.answer(x.rule.redirect.StatusCode, "text/html", "")
}

func (x *exchange) location(r *http.Request) string {
	to := x.rule.redirect
	port := strconv.Itoa(x.listener.port)
	replacer := strings.NewReplacer(
		"#{protocol}", x.protocol(), "#{host}", hostname(r.Host), "#{port}", port,
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery)
	protocol, host, path, query := x.protocol(), hostname(r.Host), r.URL.EscapedPath(), r.URL.RawQuery
	if to.Protocol != "" {
		protocol = strings.ToLower(replacer.Replace(to.Protocol))
	}
	if to.Host != "" {
		host = replacer.Replace(to.Host)
	}
	if to.Port != "" {
		port = x.place(replacer.Replace(to.Port))
	}
	if to.Path != "" {
		path = replacer.Replace(to.Path)
	}
	if to.Query != nil {
		query = replacer.Replace(*to.Query)
	}
	location := protocol + "://" + net.JoinHostPort(strings.Trim(host, "[]"), port) + path
	if query != "" {
		location += "?" + query
	}
	return location
}

// place is the real port of a nominal one, if the load balancer listens there.
func (x *exchange) place(port string) string {
	nominal, err := strconv.Atoi(port)
	if err != nil {
		return port
	}
	if real, ok := (*x.listener.proxy.places.Load())[place{x.listener.LoadBalancer, nominal}]; ok {
		return strconv.Itoa(real)
	}
	return port
}
