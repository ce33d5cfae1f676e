package ssm

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/wire"
)

// Config says what a service is made of.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	Logger  *slog.Logger // nil discards

	// PublicImages are the public parameters and the images they name; nil means
	// there are none. It is asked at each call.
	PublicImages func() map[string]string
	Images       Images    // nil: there are no images
	Instances    Instances // nil: there are no managed instances
	Events       Events    // nil: nobody hears
	Roles        Roles     // nil: every role may be assumed
	Automations  Automations
}

// Images knows which machine images can be used, for parameters of data type
// aws:ec2:image.
type Images interface {
	Available(id string) bool
}

// Events is where the service tells what happened.
type Events interface {
	Publish(source, detailType string, resources []string, detail any)
}

// Roles knows whether Systems Manager may assume a role.
type Roles interface {
	// Assumable refuses a role that is not there or does not trust the service.
	Assumable(service, roleARN string) error
}

// A Service is the Systems Manager of one embedded AWS. It is safe for
// concurrent use.
type Service struct {
	Config
	started time.Time // when public parameters were last modified

	mu         sync.Mutex
	parameters map[string]*parameter
	documents  map[string]*document
	commands   []*command
	executions map[string]*execution
	order      []*execution          // oldest first
	tokens     map[string]*execution // by ClientToken, in lower case
	tags       map[taggable]map[string]string
}

// New makes a service without parameters and documents of one's own.
func New(config Config) *Service {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.PublicImages == nil {
		config.PublicImages = func() map[string]string { return nil }
	}
	return &Service{
		Config: config, started: config.Clock.Now(),
		parameters: map[string]*parameter{}, documents: map[string]*document{},
		executions: map[string]*execution{}, tokens: map[string]*execution{},
		tags: map[taggable]map[string]string{},
	}
}

func (s *Service) arn(rest string) string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:%s", s.Region, s.Account, rest)
}

// publish tells the event bus; never with mu held.
func (s *Service) publish(detailType string, resources []string, detail any) {
	if s.Events != nil {
		s.Events.Publish("aws.ssm", detailType, resources, detail)
	}
}

func refuse(code, format string, args ...any) *wire.Error { return wire.Errorf(code, format, args...) }

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationException", format, args...)
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Empty is an answer without members.
type Empty struct{}
