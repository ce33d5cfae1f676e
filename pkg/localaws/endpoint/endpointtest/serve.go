// Package endpointtest serves single services to a test's SDK clients, with a
// caller who may do everything.
package endpointtest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/wire"
)

// allowAll is an IAM that knows everybody as the administrator.
type allowAll struct{}

func (allowAll) Principal(key string) (wire.Principal, bool) {
	return wire.Principal{ARN: "arn:aws:iam::111122223333:root", AccessKeyID: key}, true
}

func (allowAll) Allowed(wire.Principal, wire.Access) bool { return true }

// Serve serves services on a loopback port for as long as the test runs, and
// returns the configuration of SDK clients for it.
func Serve(t testing.TB, c clock.Clock, services ...wire.Service) (aws.Config, *endpoint.Endpoint) {
	t.Helper()
	e := endpoint.New(endpoint.Config{
		Clock: c, IAM: allowAll{}, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{},
		Logger: slog.New(slog.DiscardHandler),
	})
	for _, s := range services {
		e.Add(s)
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	// A connection a call, so that no call depends on what became of an earlier one.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(client.CloseIdleConnections)
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(server.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		HTTPClient:   client,
	}, e
}

// Host is the address part of a configuration's endpoint.
func Host(config aws.Config) string { return strings.TrimPrefix(*config.BaseEndpoint, "http://") }
