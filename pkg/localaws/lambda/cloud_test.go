package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/lambda"
	"cutover/pkg/localaws/logs"
	"cutover/pkg/localaws/xray"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// archive is the test function's zip, built once.
var archive = sync.OnceValues(func() ([]byte, error) {
	directory, err := os.MkdirTemp("", "bootstrap-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(directory)
	binary := filepath.Join(directory, "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binary, "./testdata/bootstrap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build bootstrap: %w\n%s", err, out)
	}
	raw, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	return zipped(0o755, map[string][]byte{"bootstrap": raw})
})

func zipped(mode os.FileMode, files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, body := range files {
		header := &zip.FileHeader{Name: name}
		header.SetMode(mode)
		f, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		f.Write(body)
	}
	err := w.Close()
	return b.Bytes(), err
}

const (
	trust = `{"Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	role  = "arn:aws:iam::111122223333:role/function"
)

// A cloud is a Lambda with what it needs.
type cloud struct {
	t       *testing.T
	clock   *clock.Manual // nil when the cloud runs on another one
	iam     *iam.Service
	logs    *logs.Service
	xray    *xray.Service
	lambda  *lambda.Service
	metrics *metrics
	objects objects
	client  *sdk.Client
	url     string

	handlers bool // functions run in this process
}

type objects map[string][]byte

func (o objects) Get(bucket, key string) ([]byte, error) {
	if raw, ok := o[bucket+"/"+key]; ok {
		return raw, nil
	}
	return nil, errors.New("NoSuchKey")
}

type metrics struct {
	mu  sync.Mutex
	sum map[string]float64
}

func (m *metrics) Put(_ string, dimensions map[string]string, metric string, value float64, _ string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum[dimensions["FunctionName"]+" "+metric] += value
}

func (m *metrics) of(name string) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum[name]
}

func start(t *testing.T, handlers map[string]func(map[string]string) lambda.Handler) *cloud {
	t.Helper()
	manual := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	c := startOn(t, manual, handlers)
	c.clock = manual
	return c
}

func startOn(t *testing.T, clk clock.Clock, handlers map[string]func(map[string]string) lambda.Handler) *cloud {
	t.Helper()
	c := &cloud{t: t, metrics: &metrics{sum: map[string]float64{}}, objects: objects{}, handlers: handlers != nil}
	c.iam = iam.New(iam.Config{Clock: clk})
	c.logs = logs.New(logs.Config{Clock: clk})
	var err error
	if c.xray, err = xray.New(xray.Config{}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	c.url = "http://" + server.Listener.Addr().String()
	directory := t.TempDir()
	c.lambda = lambda.New(lambda.Config{
		Clock: clk, Roles: c.iam, Logs: c.logs, Objects: c.objects, Metrics: c.metrics, Traces: c.xray,
		Endpoint: c.url, DaemonAddress: c.xray.Address(), Directory: directory, Handlers: handlers,
	})
	e := endpoint.New(endpoint.Config{
		Clock: clk, IAM: c.iam, Faults: &endpoint.Faults{}, Calls: &endpoint.Calls{},
		Logger: slog.New(slog.DiscardHandler), Kill: c.lambda.Kill, Dead: c.lambda.Dead,
	})
	e.Add(c.lambda.Wire())
	e.Add(c.iam.Wire())
	server.Config.Handler = e
	server.Start()
	t.Cleanup(func() {
		if err := c.lambda.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(directory); err != nil || len(left) > 0 {
			t.Errorf("after Close: got files %v (%v), want none", left, err)
		}
		server.Close()
		c.xray.Close()
	})
	c.client = c.as(iam.AdministratorAccessKeyID)
	ctx := context.Background()
	if _, err := c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: "function", AssumeRolePolicyDocument: trust}); err != nil {
		t.Fatal(err)
	}
	_, err = c.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: "function", PolicyName: "logs",
		PolicyDocument: `{"Statement":{"Effect":"Allow","Action":["logs:*","iam:GetRole"],"Resource":"*"}}`})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cloud) as(key string) *sdk.Client {
	return sdk.New(sdk.Options{Region: "us-east-1", BaseEndpoint: &c.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", "")})
}

// function makes a function that runs the test's bootstrap, or its handler in this
// process where it has one.
func (c *cloud) function(name string, change func(*sdk.CreateFunctionInput)) {
	c.t.Helper()
	if !c.handlers && c.objects["code/v1.zip"] == nil {
		raw, err := archive()
		if err != nil {
			c.t.Fatal(err)
		}
		c.objects["code/v1.zip"] = raw
	}
	in := &sdk.CreateFunctionInput{
		FunctionName: &name, Role: ptr(role), Handler: ptr("bootstrap"), Runtime: types.RuntimeProvidedal2023,
		Code: &types.FunctionCode{S3Bucket: ptr("code"), S3Key: ptr("v1.zip")}, Timeout: ptr(int32(20)),
	}
	if change != nil {
		change(in)
	}
	if _, err := c.client.CreateFunction(context.Background(), in); err != nil {
		c.t.Fatal(err)
	}
}

type answer struct {
	Calls, PID     int
	Env            map[string]string
	All            []string
	RequestID, ARN string
	Trace          string
	Deadline       time.Time
	ErrorType      string
	ErrorMessage   string
	FunctionError  string
}

func (c *cloud) invoke(name, payload string) answer {
	c.t.Helper()
	a, err := c.tryInvoke(name, payload)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func (c *cloud) tryInvoke(name, payload string) (answer, error) {
	out, err := c.client.Invoke(context.Background(), &sdk.InvokeInput{FunctionName: &name, Payload: []byte(payload)})
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(out.Payload, &a); err != nil {
		return a, fmt.Errorf("read %s: %w", out.Payload, err)
	}
	if out.FunctionError != nil {
		a.FunctionError = *out.FunctionError
	}
	return a, nil
}

// lines are all log lines of a function, in order.
func (c *cloud) lines(name string) []string {
	out, err := c.logs.FilterLogEvents(context.Background(), &logs.FilterLogEventsInput{LogGroupName: "/aws/lambda/" + name})
	if err != nil {
		return nil
	}
	var lines []string
	for _, e := range out.Events {
		lines = append(lines, e.Message)
	}
	return lines
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within 20 s", what)
		}
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func ptr[T any](v T) *T { return &v }

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func contains(lines []string, part string) bool {
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, part) })
}
