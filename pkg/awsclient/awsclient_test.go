package awsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-xray-sdk-go/v2/xray"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// cloud answers calls with the handler.
func cloud(t *testing.T, answer http.HandlerFunc, change func(*Settings)) *Clients {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	s := Settings{Region: "us-east-1", Credentials: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, Endpoint: server.URL, MaxBackoff: time.Millisecond}
	if change != nil {
		change(&s)
	}
	c, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(c *Clients, ctx context.Context) error {
	id := "11111111-1111-4111-8111-111111111111"
	_, err := c.CodePipeline().PutJobSuccessResult(ctx, &codepipeline.PutJobSuccessResultInput{JobId: &id})
	return err
}

func refuse(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":"com.amazonaws#%s","message":%q}`, code, message)
	}
}

func drop(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		err = conn.Close()
	}
	if err != nil {
		panic(err)
	}
}

func TestErrors_AreClassedByWhatAWSAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer                      http.HandlerFunc
		code                        string
		throttle, transient, denied bool
		calls                       int32
	}{
		"a throttle":            {refuse(400, "ThrottlingException", "m"), "ThrottlingException", true, true, false, 3},
		"another throttle":      {refuse(400, "RequestLimitExceeded", "m"), "RequestLimitExceeded", true, true, false, 3},
		"too many requests":     {refuse(429, "Odd", "m"), "Odd", true, true, false, 3},
		"a server fault":        {refuse(500, "ServerException", "m"), "ServerException", false, true, false, 3},
		"unavailable":           {refuse(503, "Odd", "m"), "Odd", false, true, false, 3},
		"a fault by its code":   {refuse(400, "InternalFailure", "m"), "InternalFailure", false, true, false, 3},
		"a dropped connection":  {drop, "", false, true, false, 3},
		"denied":                {refuse(400, "AccessDeniedException", "m"), "AccessDeniedException", false, false, true, 1},
		"status 501":            {refuse(501, "Odd", "m"), "Odd", false, false, false, 1},
		"a quota":               {refuse(400, "ResourceLimitExceeded", "m"), "ResourceLimitExceeded", false, false, false, 1},
		"a fault of the caller": {refuse(400, "ValidationException", "Throttling, AccessDenied"), "ValidationException", false, false, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			err := put(cloud(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); c.answer(w, r) }, nil), t.Context())
			err = fmt.Errorf("wrapped: %w", err)
			if got := Code(err); got != c.code || IsThrottle(err) != c.throttle || IsTransient(err) != c.transient || IsDenied(err) != c.denied {
				t.Errorf("got code %q, throttle %t, transient %t, denied %t of %v", got, IsThrottle(err), IsTransient(err), IsDenied(err), err)
			}
			if got := calls.Load(); got != c.calls && c.code != "" || got < c.calls {
				t.Errorf("attempts: got %d, want %d", got, c.calls)
			}
		})
	}
}

func TestErrors_OfTheCallersOwnContext(t *testing.T) {
	t.Parallel()
	wait := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client go
		<-r.Context().Done()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := put(cloud(t, wait, nil), ctx); err == nil || IsTransient(err) {
		t.Errorf("cancelled: got transient of %v, want not", err)
	}
	err := put(cloud(t, wait, func(s *Settings) { s.AnswerTimeout = time.Millisecond }), t.Context())
	if !IsTransient(err) {
		t.Errorf("no answer in time: got not transient of %v, want it", err)
	}
	if IsTransient(nil) || IsThrottle(nil) || IsDenied(nil) || Code(nil) != "" || IsCode(nil, "") {
		t.Error("nil has a class")
	}
	if IsTransient(errors.New("Throttling")) {
		t.Error("a text is taken for a class")
	}
}

func TestDenied_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	of := func(service, operation, message string) error {
		return fmt.Errorf("w: %w", &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: "AccessDenied", Message: message}})
	}
	for name, c := range map[string]struct {
		err              error
		action, resource string
	}{
		"another action than the call's": {of("ECS", "UpdateService", "User: x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/r because no policy allows it"), "iam:PassRole", "arn:aws:iam::1:role/r"},
		"no resource":                    {of("ECS", "UpdateService", "User: x is not authorized to perform: ecs:UpdateService because"), "ecs:UpdateService", ""},
		"a resource at the end":          {of("ECS", "UpdateService", "is not authorized to perform: ecs:UpdateService on resource: arn:x."), "ecs:UpdateService", "arn:x"},
		"nothing told":                   {of("Elastic Load Balancing v2", "ModifyRule", "no"), "elasticloadbalancing:ModifyRule", ""},
		"no call":                        {errors.New("x"), "", ""},
	} {
		if action, resource := Denied(c.err); action != c.action || resource != c.resource {
			t.Errorf("%s: got %q, %q, want %q, %q", name, action, resource, c.action, c.resource)
		}
	}
}

func TestNow_IsAWSsTime(t *testing.T) {
	t.Parallel()
	date := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	c := cloud(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		refuse(400, "InvalidJobStateException", "m")(w, r)
	}, nil)
	if got := c.Now(); !got.IsZero() {
		t.Errorf("before any answer: got %s, want zero", got)
	}
	if err := put(c, t.Context()); !IsCode(err, "InvalidJobStateException") {
		t.Fatal(err)
	}
	if got := c.Now().Sub(date); got < 0 || got > time.Minute {
		t.Errorf("after an error's answer: got %s past its date, want a moment", got)
	}
}

func TestAWSTime_DoesNotStepBackWithinASecond(t *testing.T) {
	t.Parallel()
	local := time.Now()
	aws := newAWSTime(func() time.Time { return local })
	date := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, s := range []struct{ local, date, want time.Duration }{
		{0, 0, 0},
		{900 * time.Millisecond, 0, 900 * time.Millisecond},        // the same second
		{100 * time.Millisecond, 5 * time.Second, 5 * time.Second}, // AWS's clock is faster
		{2 * time.Second, 6 * time.Second, 6 * time.Second},        // or ours was
	} {
		local = local.Add(s.local)
		aws.saw(date.Add(s.date))
		if got := aws.now().Sub(date); got != s.want {
			t.Errorf("after %+v: got %s, want %s", s, got, s.want)
		}
	}
}

func TestFromEnvironment(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c",
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2": "http://127.0.0.1:2",
		"AWS_USE_FIPS_ENDPOINT": "true", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
	}
	lookup := func(name string) (string, bool) { v, ok := environment[name]; return v, ok }
	got := FromEnvironment(lookup)
	want := Settings{
		Region: "eu-west-1", Credentials: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c", Source: "environment"},
		Endpoint: "http://127.0.0.1:1", Endpoints: map[string]string{"Elastic Load Balancing v2": "http://127.0.0.1:2"}, FIPS: true, Trace: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	environment["AWS_XRAY_SDK_DISABLED"], environment["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "TRUE", "true"
	if got := FromEnvironment(lookup); got.Trace || got.Endpoint != "" || got.Endpoints != nil {
		t.Errorf("switched off: got %+v", got)
	}
	_, err := New(Settings{Endpoint: "localhost", MaxAttempts: -1})
	for _, part := range []string{"AWS_REGION", "AWS_SECRET_ACCESS_KEY", `AWS_ENDPOINT_URL "localhost"`, "max attempts is -1"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("faults: got %v, want %q among them", err, part)
		}
	}
}

func TestClients_AddressServices(t *testing.T) {
	t.Parallel()
	var paths sync.Map
	c := cloud(t, func(w http.ResponseWriter, r *http.Request) {
		paths.Store(r.URL.Path, r.Header.Get("Authorization"))
		w.WriteHeader(404)
	}, nil)
	provider := credentials.NewStaticCredentialsProvider("JOBKEY", "s", "t")
	bucket, key := "artifacts", "p/1"
	if _, err := c.S3(provider).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key}); err == nil {
		t.Fatal("got nil, want not found")
	}
	if signed, ok := paths.Load("/artifacts/p/1"); !ok || !strings.Contains(signed.(string), "Credential=JOBKEY/") {
		t.Errorf("signature: got %v, want by path with the job's key", signed)
	}
	own, err := New(Settings{Region: "us-east-1", Credentials: aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, Endpoint: "http://127.0.0.1:1", FIPS: true, DualStack: true})
	if err != nil {
		t.Fatal(err)
	}
	o := codepipeline.NewFromConfig(own.Config()).Options()
	if *o.BaseEndpoint != "http://127.0.0.1:1" || o.EndpointOptions.UseFIPSEndpoint != aws.FIPSEndpointStateEnabled || o.EndpointOptions.UseDualStackEndpoint != aws.DualStackEndpointStateEnabled {
		t.Errorf("options: got %+v", o.EndpointOptions)
	}
}

// emitter keeps what would be sent to the X-Ray daemon.
type emitter struct {
	mu   sync.Mutex
	sent []*xray.Segment
}

func (e *emitter) Emit(s *xray.Segment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent = append(e.sent, s)
}
func (e *emitter) RefreshEmitterWithAddress(*net.UDPAddr) {}

func TestSpan_HoldsTheCalls(t *testing.T) {
	t.Parallel()
	header := "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="
	for name, c := range map[string]struct {
		header string
		trace  bool
		sent   int
	}{
		"a sampled trace":      {header + "1", true, 1},
		"one not sampled":      {header + "0", true, 0},
		"no trace":             {"", true, 0},
		"tracing switched off": {header + "1", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients := cloud(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "{}") }, func(s *Settings) { s.Trace = c.trace })
			var e emitter
			ctx, err := xray.ContextWithConfig(t.Context(), xray.Config{Emitter: &e})
			if err != nil {
				t.Fatal(err)
			}
			//lint:ignore SA1029 the key that aws-lambda-go sets
			ctx = context.WithValue(ctx, xray.LambdaTraceHeaderKey, c.header)
			spanned, annotate, end := clients.Span(ctx, "Test")
			annotate("execution", "e-1")
			if err := put(clients, spanned); err != nil {
				t.Fatal(err)
			}
			end(errors.New("ill"))
			if len(e.sent) != c.sent {
				t.Fatalf("sent: got %d, want %d", len(e.sent), c.sent)
			}
			if c.sent == 0 {
				return
			}
			s := e.sent[0]
			if s.Name != "Test" || s.Annotations["execution"] != "e-1" || !s.Fault || s.ParentID != "53995c3f42cd8ad8" || s.TraceID != "1-5759e988-bd862e3fe1be46a994272793" {
				b, _ := json.Marshal(s)
				t.Errorf("span: got %s", b)
			}
		})
	}
}
