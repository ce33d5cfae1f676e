package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/machine/shell"
)

// maxBody is the largest answer that is read, in bytes.
const maxBody = 256 << 20

// patience is how long an answer may take by the wall, when no clock runs.
const patience = 30 * time.Second

// Why a request has no answer.
var (
	errNoHost  = errors.New("could not resolve host")
	errRefused = errors.New("connection refused")
	errTimeout = errors.New("operation timed out")
	errBadURL  = errors.New("malformed URL")
)

type request struct {
	method, url string
	header      http.Header
	body        string
	timeout     time.Duration // by the clock; 0 for none
}

type response struct {
	status int
	proto  string
	header http.Header
	body   []byte
}

// fetch makes a request as from the instance. It reaches the instance's own
// programs, its metadata, and the agents' installers; no other host is there.
func (m *machine) fetch(ctx context.Context, c *shell.Call, r request) (response, error) {
	if !strings.Contains(r.url, "://") {
		r.url = "http://" + r.url
	}
	u, err := url.Parse(r.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return response{}, fmt.Errorf("%w: %s", errBadURL, r.url)
	}
	switch host := u.Hostname(); {
	case host == "169.254.169.254" && u.Scheme == "http":
		base, err := url.Parse(c.Env["AWS_EC2_METADATA_SERVICE_ENDPOINT"])
		if err != nil || base.Host == "" {
			return response{}, fmt.Errorf("%w: %s", errTimeout, u.Host)
		}
		base = base.JoinPath(u.Path)
		base.RawQuery = u.RawQuery
		return m.ask(ctx, r, base.String(), u.Host)
	case host == "localhost" || host == "::1" || host == m.hostname() || net.ParseIP(host).IsLoopback():
		port, err := strconv.Atoi(u.Port())
		if err != nil {
			port = map[string]int{"http": 80, "https": 443}[u.Scheme]
		}
		address, ok := m.address(port)
		if !ok {
			return response{}, fmt.Errorf("%w: %s port %d", errRefused, host, port)
		}
		name := u.Host
		u.Host = address
		return m.ask(ctx, r, u.String(), name)
	}
	body, ok := published(u)
	if !ok {
		return response{}, fmt.Errorf("%w: %s", errNoHost, u.Hostname())
	}
	return response{status: http.StatusOK, proto: "HTTP/1.1", body: []byte(body)}, nil
}

// ask makes a request of an address of the machine's loopback.
func (m *machine) ask(ctx context.Context, r request, address, host string) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if r.timeout > 0 {
		timer := m.fleet.clock.AfterFunc(r.timeout, cancel)
		defer timer.Stop()
	}
	q, err := http.NewRequestWithContext(ctx, r.method, address, strings.NewReader(r.body))
	if err != nil {
		return response{}, fmt.Errorf("%w: %s", errBadURL, r.url)
	}
	q.Host = host
	for name, values := range r.header {
		q.Header[name] = values
		if name == "Host" {
			q.Host = values[0]
		}
	}
	// No proxy of ours, and no connection that outlives the command.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			return response{}, errTimeout
		}
		return response{}, fmt.Errorf("%w: %s", errRefused, host)
	}
	defer answer.Body.Close() // it was only read
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return response{}, fmt.Errorf("read answer of %s: %w", host, err)
	}
	return response{status: answer.StatusCode, proto: answer.Proto, header: answer.Header, body: body}, nil
}

// published is what the agents' installers' addresses hold.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/codedeploy-agent-operations-install-linux.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/download-cloudwatch-agent-commandline.html
// https://docs.aws.amazon.com/systems-manager/latest/userguide/agent-install-al2.html
// https://docs.aws.amazon.com/inspector/v1/userguide/inspector_installing-uninstalling-agents.html
func published(u *url.URL) (string, bool) {
	host, path := u.Hostname(), u.Path
	bucket, isBucket := strings.CutSuffix(host, ".amazonaws.com")
	switch {
	case isBucket && strings.HasPrefix(bucket, "aws-codedeploy-") && strings.Contains(bucket, ".s3"):
		switch {
		case path == "/latest/install":
			return codeDeployInstaller(u), true
		case strings.HasPrefix(path, "/releases/codedeploy-agent"):
			return archiveHeader + "codedeploy-agent\n", true
		}
	case isBucket && strings.HasPrefix(bucket, "amazoncloudwatch-agent") && strings.Contains(bucket, "s3") && strings.HasSuffix(path, "/latest/amazon-cloudwatch-agent.rpm"):
		return archiveHeader + "amazon-cloudwatch-agent\n", true
	case isBucket && strings.HasPrefix(bucket, "s3") && strings.HasSuffix(path, "/amazon-cloudwatch-agent.rpm"):
		return archiveHeader + "amazon-cloudwatch-agent\n", true
	case isBucket && (strings.HasPrefix(bucket, "s3") || strings.HasPrefix(bucket, "amazon-ssm-")) && strings.HasSuffix(path, "/amazon-ssm-agent.rpm"):
		return archiveHeader + "amazon-ssm-agent\n", true
	case host == "inspector-agent.amazonaws.com" && path == "/linux/latest/install":
		return inspectorInstaller, true
	case host == "inspector-agent.amazonaws.com" && path == "/linux/latest/awsagent.rpm":
		return archiveHeader + "awsagent\n", true
	}
	return "", false
}

// codeDeployInstaller is what install auto comes down to on Amazon Linux.
func codeDeployInstaller(u *url.URL) string {
	return `#!/bin/bash
# Installs the CodeDeploy agent: install auto [-v releases/FILE.rpm]
set -euo pipefail
if [ "${1:-}" != auto ] && [ "${1:-}" != rpm ]; then
  echo "usage: install auto|rpm [-v releases/FILE.rpm]" >&2
  exit 1
fi
archive=releases/codedeploy-agent.noarch.rpm
if [ "${2:-}" = -v ]; then
  archive=$3
fi
if rpm -q --quiet codedeploy-agent; then
  echo "The CodeDeploy agent is installed already"
  exit 0
fi
rpm -Uvh "` + u.Scheme + "://" + u.Host + `/$archive"
`
}

const inspectorInstaller = `#!/bin/bash
# Installs the Amazon Inspector Classic agent.
set -euo pipefail
if rpm -q --quiet awsagent; then
  echo "The Amazon Inspector agent is installed already"
  exit 0
fi
rpm -Uvh https://inspector-agent.amazonaws.com/linux/latest/awsagent.rpm
`
