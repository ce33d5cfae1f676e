package egress

import (
	"net"
	"net/url"
)

// Environment is what a program must find in its environment to reach load
// balancers: the proxy's address, in both spellings that are in use, and the
// addresses that it reaches by itself, which are loopback's and the host of the
// proxy's own. "localhost" is not among the latter: to say so would exempt every
// name below it, and with them the load balancers'.
func Environment(proxy *url.URL) map[string]string {
	direct := "127.0.0.1,::1"
	if host := proxy.Hostname(); host != "127.0.0.1" && host != "::1" && net.ParseIP(host) != nil {
		direct += "," + host
	}
	address := proxy.String()
	return map[string]string{
		"HTTP_PROXY": address, "HTTPS_PROXY": address, "NO_PROXY": direct,
		"http_proxy": address, "https_proxy": address, "no_proxy": direct,
	}
}
