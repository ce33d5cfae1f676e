package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

const (
	missing = "not-there" // the load balancer that AWS does not find

	bucket, key = "artifacts", "hello/Image/1" // of the job's artifact
	artifact    = bucket + "/" + key
)

// answers is as much of AWS as the job of a cold start meets, so that what is
// measured is the function: every answer is at hand. It also is the X-Ray daemon.
type answers struct {
	server *http.Server
	url    string
	image  []byte // the input artifact
	daemon net.PacketConn
	heard  chan struct{} // closed when the daemon has ended

	mu       sync.Mutex
	reports  int
	segments int
	faults   []error
}

func newAnswers() (*answers, error) {
	image, err := zipOf("imageDetail.json", `{"ImageURI": "111122223333.dkr.ecr.us-east-1.amazonaws.com/hello:1"}`)
	if err != nil {
		return nil, fmt.Errorf("make artifact: %w", err)
	}
	daemon, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as the X-Ray daemon: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen as AWS: %w", err), daemon.Close())
	}
	a := &answers{url: "http://" + listener.Addr().String(), image: image, daemon: daemon, heard: make(chan struct{})}
	a.server = &http.Server{Handler: a}
	go a.server.Serve(listener) // until close
	go a.hear()
	return a, nil
}

func (a *answers) hear() {
	defer close(a.heard)
	packet := make([]byte, 1<<16)
	for {
		if _, _, err := a.daemon.ReadFrom(packet); err != nil {
			return // closed
		}
		a.mu.Lock()
		a.segments++
		a.mu.Unlock()
	}
}

// environment is what Lambda sets for a function.
func (a *answers) environment() []string {
	return []string{
		"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_ACCESS_KEY_ID=ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		"AWS_ENDPOINT_URL=" + a.url, "AWS_XRAY_DAEMON_ADDRESS=" + a.daemon.LocalAddr().String(),
	}
}

// ServeHTTP implements http.Handler.
func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.fault(fmt.Errorf("read call: %w", err))
		return
	}
	operation := r.Header.Get("X-Amz-Target")
	switch {
	case strings.HasSuffix(operation, ".PutJobFailureResult"):
		a.report(string(body))
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		io.WriteString(w, "{}")
	case strings.HasSuffix(operation, ".DescribeServices"):
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		io.WriteString(w, `{"services": [], "failures": [
			{"arn": "arn:aws:ecs:us-east-1:111122223333:service/hello/hello-blue", "reason": "MISSING"},
			{"arn": "arn:aws:ecs:us-east-1:111122223333:service/hello/hello-green", "reason": "MISSING"}]}`)
	case strings.Contains(string(body), "Action=DescribeLoadBalancers"):
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `<ErrorResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><Error><Type>Sender</Type>`+
			`<Code>LoadBalancerNotFound</Code><Message>Load balancers '[`+missing+`]' not found</Message></Error></ErrorResponse>`)
	case r.Method == http.MethodGet && r.URL.Path == "/"+artifact:
		w.Write(a.image)
	default:
		a.fault(fmt.Errorf("a call that is not expected: %s %s %s %s", r.Method, r.URL, operation, body))
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// report counts a report, which must be the one that the job is to end in.
func (a *answers) report(body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports++
	if !strings.Contains(body, "ConfigurationError") || !strings.Contains(body, missing) {
		a.faults = append(a.faults, fmt.Errorf("a report does not name the load balancer that is not there: %s", body))
	}
}

func (a *answers) fault(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, err)
}

// takeReports is how many reports came since it was last asked.
func (a *answers) takeReports() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.reports
	a.reports = 0
	return n
}

// check says whether the functions did what they were measured for.
func (a *answers) check() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.faults) > 0 {
		return a.faults[0]
	}
	if a.segments == 0 {
		return errors.New("no function sent a trace")
	}
	return nil
}

func (a *answers) close() {
	a.server.Close()
	a.daemon.Close()
	<-a.heard
}
