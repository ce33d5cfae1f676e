package ec2

import (
	"errors"
	"sync"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Machine is the inside of an instance that is to be made.
type Machine struct {
	ID       string // of the instance
	Snapshot string // of its root device; "" is a bare Amazon Linux
	UserData string // raw text
}

// Machines are the inside of instances. Callbacks may come from any goroutine,
// and before the call returns; each comes once unless the call failed.
type Machines interface {
	// Launch makes a machine and boots it for the first time. A boot that failed
	// leaves an instance that is shown as impaired.
	Launch(m Machine, booted func(error)) error
	// Start boots a machine that was stopped.
	Start(id string, booted func(error)) error
	// Stop ends what runs in it and keeps its disk.
	Stop(id string, stopped func()) error
	// Terminate ends what runs in it and removes its disk.
	Terminate(id string, gone func()) error
	// Snapshot copies its root device under the snapshot's id.
	Snapshot(id, snapshot string) error
	CopySnapshot(from, to string) error
	DeleteSnapshot(snapshot string) error
	// Address is where the program that serves a port of it can be reached.
	Address(id string, port int) (address string, ok bool)
}

// Profiles are IAM's instance profiles.
type Profiles interface {
	// InstanceProfileRole finds a profile, by name or ARN, and its role.
	InstanceProfileRole(nameOrARN string) (profileARN, profileID, roleARN string, err error)
	// Credentials begins a session of the role for an instance.
	Credentials(roleARN, instanceID string) (Credentials, error)
}

// Credentials are an instance's, of its role.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time // by the embedded AWS's clock
}

// records are machines without an inside, and an IAM without profiles.
type records struct{}

func (records) Launch(_ Machine, booted func(error)) error { booted(nil); return nil }
func (records) Start(_ string, booted func(error)) error   { booted(nil); return nil }
func (records) Stop(_ string, stopped func()) error        { stopped(); return nil }
func (records) Terminate(_ string, gone func()) error      { gone(); return nil }
func (records) Snapshot(string, string) error              { return nil }
func (records) CopySnapshot(string, string) error          { return nil }
func (records) DeleteSnapshot(string) error                { return nil }
func (records) Address(string, int) (string, bool)         { return "", false }

func (records) InstanceProfileRole(name string) (string, string, string, error) {
	return "", "", "", wire.Errorf("NoSuchEntity", "Instance Profile %s cannot be found.", name)
}

func (records) Credentials(string, string) (Credentials, error) {
	return Credentials{}, errors.New("there are no roles")
}

// A step is something to do with a machine, which calls done when it is through.
type step func(done func())

// enqueueLocked has a machine do something after all that it has to do already.
func (s *Service) enqueueLocked(i *instance, next step) {
	i.steps = append(i.steps, next)
	if !i.busy {
		i.busy = true
		s.Clock.Go(func() { s.work(i) })
	}
}

// work does the first of a machine's steps, and comes back for the next.
func (s *Service) work(i *instance) {
	s.mu.Lock()
	if s.closed || len(i.steps) == 0 {
		i.busy = false
		s.mu.Unlock()
		return
	}
	next := i.steps[0]
	i.steps = i.steps[1:]
	s.mu.Unlock()
	next(sync.OnceFunc(func() { s.Clock.Go(func() { s.work(i) }) }))
}

// both calls then once it was itself called twice: by a timer, and by what takes
// its own time.
func both(then func()) (part func()) {
	var mu sync.Mutex
	left := 2
	return func() {
		mu.Lock()
		left--
		now := left == 0
		mu.Unlock()
		if now {
			then()
		}
	}
}
