package lambda

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/iam"
	"cutover/pkg/localaws/wire"
)

const (
	region  = "us-east-1"
	account = "111122223333"
)

// Roles is what the service asks of IAM.
type Roles interface {
	// AssumeAs starts a session of a role that trusts the service.
	AssumeAs(service, roleARN, session string) (iam.Credentials, error)
	// Revoke ends a session.
	Revoke(accessKeyID string)
	// RoleAllows says whether the role's policies allow an access.
	RoleAllows(roleARN string, a wire.Access) bool
}

// Logs takes the functions' output.
type Logs interface {
	Put(group, stream, message string)
}

// Objects is where code is fetched from.
type Objects interface {
	Get(bucket, key string) ([]byte, error)
}

// Metrics takes what CloudWatch shows of functions.
type Metrics interface {
	Put(namespace string, dimensions map[string]string, metric string, value float64, unit string)
}

// Traces takes X-Ray's segment documents.
type Traces interface {
	Put(document []byte)
}

// A Handler runs invocations within this process; aws-lambda-go's lambda.Handler
// is one.
type Handler interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

// Config says what the service is made of. Metrics, Traces, Environment,
// DaemonAddress, Handlers and Logger may be left out.
type Config struct {
	Clock   clock.Clock
	Roles   Roles
	Logs    Logs
	Objects Objects
	Metrics Metrics
	Traces  Traces
	// Endpoint is the embedded AWS's address, e.g. "http://127.0.0.1:4566".
	Endpoint string
	// Environment holds variables that every function finds besides Lambda's;
	// those of its own settings take precedence.
	Environment map[string]string
	// DaemonAddress is where X-Ray's daemon listens, as host:port.
	DaemonAddress string
	// Directory is where code is unpacked, a temporary one when empty.
	Directory string
	// Handlers run functions in this process instead of their code: by the
	// function's name, its logical id in the template that made it, or a prefix of
	// its name. The function is called for each cold start, with the variables
	// that a process would find in its environment.
	Handlers map[string]func(env map[string]string) Handler
	// Concurrency is the account's limit; zero means 1000.
	Concurrency int
	Logger      *slog.Logger
}

// A Service is the Lambda of one embedded AWS. It is safe for concurrent use.
// Close it to end its processes.
type Service struct {
	Config

	mu        sync.Mutex
	functions map[string]*function
	sandboxes map[string]*sandbox // by access key
	dead      map[string]bool     // access keys of sandboxes that were killed
	busy      int
	timers    map[*timer]bool
	records   ring
	directory string // made on first use
	closed    bool
	running   sync.WaitGroup
}

// New makes a Lambda without functions.
func New(c Config) *Service {
	c.Concurrency = cmp.Or(c.Concurrency, 1000)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		Config:    c,
		functions: map[string]*function{},
		sandboxes: map[string]*sandbox{},
		dead:      map[string]bool{},
		timers:    map[*timer]bool{},
	}
}

// Close kills every sandbox, waits until they are gone, and removes the code that
// was unpacked. Events that wait for a retry are lost.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	for t := range s.timers {
		t.Stop()
	}
	clear(s.timers)
	all := slices.Collect(maps.Values(s.sandboxes))
	var idle []*sandbox
	for _, f := range s.functions {
		idle = append(idle, s.outdateLocked(f)...)
	}
	s.mu.Unlock()
	for _, sb := range all {
		s.condemn(sb) // ends what runs, which then ends its sandbox
	}
	s.endAll(idle)
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.directory == "" {
		return nil
	}
	if err := os.RemoveAll(s.directory); err != nil {
		return fmt.Errorf("remove unpacked code: %w", err)
	}
	s.directory = ""
	return nil
}

// begin notes that work starts that Close waits for; it refuses once closed.
func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Add(1)
	return true
}

// A timer is a call to come that Close cancels.
type timer struct{ clock.Timer }

// after calls f later, unless the service is closed by then.
func (s *Service) after(d time.Duration, f func()) *timer {
	t := &timer{}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return t
	}
	s.timers[t] = true
	t.Timer = s.Clock.AfterFunc(d, func() {
		s.mu.Lock()
		live := s.timers[t]
		delete(s.timers, t)
		if live {
			s.running.Add(1)
		}
		s.mu.Unlock()
		if live {
			defer s.running.Done()
			f()
		}
	})
	return t
}

// soon calls f apart from the caller.
func (s *Service) soon(f func()) {
	s.Clock.Go(func() {
		if s.begin() {
			defer s.running.Done()
			f()
		}
	})
}

func (s *Service) metric(function, name string, value float64, unit string) {
	if s.Metrics != nil {
		s.Metrics.Put("AWS/Lambda", map[string]string{"FunctionName": function}, name, value, unit)
	}
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func hexID(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return fmt.Sprintf("%x", b)
}
