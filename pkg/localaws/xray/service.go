package xray

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/restjson"
)

const (
	maxTraces   = 2000
	maxSegments = 500 // a trace
)

// Config says what the service is made of. Logger may be left out.
type Config struct {
	Logger *slog.Logger
}

// A Service is the X-Ray of one embedded AWS. It is safe for concurrent use.
// Close it to stop its daemon.
type Service struct {
	logger *slog.Logger
	socket net.PacketConn
	done   chan struct{}

	mu        sync.Mutex
	traces    map[string]*trace
	order     []string // of trace ids, oldest first
	malformed int
}

// A trace is segments by id, in the order they came.
type trace struct {
	segments []*segment
	partial  bool // some were dropped
}

// New starts an X-Ray whose daemon listens on a free port of loopback.
func New(c Config) (*Service, error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for segments: %w", err)
	}
	s := &Service{logger: c.Logger, socket: socket, done: make(chan struct{}), traces: map[string]*trace{}}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	go s.listen()
	return s, nil
}

// Address is where the daemon listens, as AWS_XRAY_DAEMON_ADDRESS wants it.
func (s *Service) Address() string { return s.socket.LocalAddr().String() }

// Close stops the daemon.
func (s *Service) Close() error {
	err := s.socket.Close()
	<-s.done
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close daemon: %w", err)
	}
	return nil
}

// Malformed is how many packets and documents could not be read.
func (s *Service) Malformed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.malformed
}

func (s *Service) listen() {
	defer close(s.done)
	packet := make([]byte, 64<<10)
	for {
		n, _, err := s.socket.ReadFrom(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.reject(fmt.Errorf("receive packet: %w", err))
			continue
		}
		documents, err := decodePacket(packet[:n])
		if err != nil {
			s.reject(err)
			continue
		}
		for _, document := range documents {
			s.Put(document)
		}
	}
}

func (s *Service) reject(err error) {
	s.logger.Warn("drop segment", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.malformed++
}

// Put keeps a segment document, for services that trace what they do. One that
// can't be read is counted and logged.
func (s *Service) Put(document []byte) {
	if _, err := s.put(document); err != nil {
		s.reject(err)
	}
}

func (s *Service) put(document []byte) (*segment, error) {
	seg, err := decodeSegment(document)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traces[seg.TraceID]
	if t == nil {
		if len(s.order) >= maxTraces {
			delete(s.traces, s.order[0])
			s.order = s.order[1:]
		}
		t = &trace{}
		s.traces[seg.TraceID] = t
		s.order = append(s.order, seg.TraceID)
	}
	t.add(seg)
	return seg, nil
}

func (t *trace) add(seg *segment) {
	for i, other := range t.segments {
		if other.ID == seg.ID {
			t.segments[i] = seg
			return
		}
	}
	if len(t.segments) >= maxSegments {
		t.partial = true
		return
	}
	t.segments = append(t.segments, seg)
}

// Wire is X-Ray's API.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name: "xray",
		Protocols: []wire.Protocol{restjson.Protocol{Naming: wire.AsIs, Routes: map[string]string{
			"PutTraceSegments":    "POST /TraceSegments",
			"PutTelemetryRecords": "POST /TelemetryRecords",
			"GetTraceSummaries":   "POST /TraceSummaries",
			"BatchGetTraces":      "POST /Traces",
		}}},
		Invalid: invalid,
		Operations: []wire.Operation{
			wire.Op("PutTraceSegments", s.PutTraceSegments),
			wire.Op("PutTelemetryRecords", s.PutTelemetryRecords),
			wire.Op("GetTraceSummaries", s.GetTraceSummaries),
			wire.Op("BatchGetTraces", s.BatchGetTraces),
		},
	}
}

func invalid(message string) *wire.Error {
	return wire.Errorf("InvalidRequestException", "%s", message)
}
