package ec2

import (
	"context"
	"time"

	"cutover/pkg/localaws/wire"
)

// InstanceStateChange is what a call did to an instance's state.
type InstanceStateChange struct {
	InstanceId    string
	CurrentState  InstanceState
	PreviousState InstanceState
}

// StateChanges lists what a call did.
type StateChanges struct{ InstancesSet []InstanceStateChange }

// StartInstancesInput names instances.
type StartInstancesInput struct {
	InstanceIds []string `aws:"InstanceId,required"`
}

// StopInstancesInput names instances. Force makes no difference here: a machine
// that does not stop is ended.
type StopInstancesInput struct {
	InstanceIds []string `aws:"InstanceId,required"`
	Force       *bool
}

// TerminateInstancesInput names instances.
type TerminateInstancesInput struct {
	InstanceIds []string `aws:"InstanceId,required"`
}

// RebootInstancesInput names instances.
type RebootInstancesInput struct {
	InstanceIds []string `aws:"InstanceId,required"`
}

// StartInstances answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html
func (s *Service) StartInstances(_ context.Context, in *StartInstancesInput) (*StateChanges, error) {
	return s.change(in.InstanceIds, "started", map[string]func(*instance){stopped: s.startLocked, pending: nil, running: nil})
}

// StopInstances answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
func (s *Service) StopInstances(_ context.Context, in *StopInstancesInput) (*StateChanges, error) {
	return s.change(in.InstanceIds, "stopped", map[string]func(*instance){running: s.stopLocked, stopping: nil, stopped: nil})
}

// TerminateInstances answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html
func (s *Service) TerminateInstances(_ context.Context, in *TerminateInstancesInput) (*StateChanges, error) {
	return s.change(in.InstanceIds, "terminated", map[string]func(*instance){
		pending: s.terminateLocked, running: s.terminateLocked, stopping: s.terminateLocked, stopped: s.terminateLocked,
		shuttingDown: nil, terminated: nil,
	})
}

// RebootInstances answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RebootInstances.html
func (s *Service) RebootInstances(_ context.Context, in *RebootInstancesInput) (*Return, error) {
	_, err := s.change(in.InstanceIds, "rebooted", map[string]func(*instance){running: s.rebootLocked})
	return &Return{err == nil}, err
}

// change does to instances what is to be done in the state that each is in
// (nothing where that is nil), or to none where one is in another state.
func (s *Service) change(ids []string, done string, from map[string]func(*instance)) (*StateChanges, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ids) == 0 {
		return nil, wire.Errorf("MissingParameter", "The request must contain the parameter InstanceId")
	}
	chosen, err := s.chosenLocked(ids)
	if err != nil {
		return nil, err
	}
	for _, i := range chosen {
		if _, ok := from[i.state]; !ok {
			return nil, wire.Errorf("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be %s.", i.id, done)
		}
	}
	out := &StateChanges{}
	for _, i := range chosen {
		previous := i.state
		if act := from[i.state]; act != nil {
			act(i)
		}
		out.InstancesSet = append(out.InstancesSet, InstanceStateChange{i.id, stateOf(i.state), stateOf(previous)})
	}
	return out, nil
}

// Terminate terminates an instance, as TerminateInstances does.
func (s *Service) Terminate(id string) error {
	_, err := s.TerminateInstances(context.Background(), &TerminateInstancesInput{InstanceIds: []string{id}})
	return err
}

// passLocked shows an instance in a state on the way, and in the one it leads to
// once that took its time and the machine's part of it is done.
func (s *Service) passLocked(i *instance, by, to string, takes time.Duration, part func(done func()) error) {
	i.state, i.checked = by, false
	i.epoch++
	epoch := i.epoch
	arrive := both(func() { s.arrive(i, epoch, to) })
	s.Clock.AfterFunc(takes, arrive)
	s.enqueueLocked(i, func(done func()) {
		if err := part(func() { done(); arrive() }); err != nil {
			done()
			s.lost(i, epoch, err)
		}
	})
}

func (s *Service) arrive(i *instance, epoch int, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.epoch != epoch {
		return // something else was asked for meanwhile
	}
	i.state = state
	switch state {
	case running:
		i.why, i.reason = nil, ""
		s.Clock.AfterFunc(s.StatusCheckTime, func() { s.check(i, epoch) })
	case terminated:
		s.Clock.AfterFunc(s.ShownTime, func() { s.drop(i) })
	}
}

// lost ends an instance whose machine failed.
func (s *Service) lost(i *instance, epoch int, err error) {
	s.Logger.Error("an instance is lost", "instance", i.id, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.epoch != epoch {
		return
	}
	starting := i.state == pending
	i.epoch++
	i.state, i.reason = terminated, "Server.InternalError"
	i.why = &StateReason{"Server.InternalError", "Server.InternalError: " + err.Error()}
	if starting {
		i.why.Message = "Server.InternalError: Internal error on launch: " + err.Error()
	}
	s.Clock.AfterFunc(s.ShownTime, func() { s.drop(i) })
}

// check notes that the time of the first status checks is over.
func (s *Service) check(i *instance, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i.epoch == epoch {
		i.checked = true
	}
}

// drop forgets an instance that was terminated a while ago.
func (s *Service) drop(i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.instances, i.id)
}

// booted hears whether the machine came up. One that did not is shown as
// impaired, and runs on.
func (s *Service) booted(i *instance) func(error) {
	return func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		i.boot = "passed"
		if err != nil {
			i.boot = "failed"
			s.Logger.Warn("an instance did not come up", "instance", i.id, "error", err)
		}
	}
}

// launchLocked makes a new instance's machine; content is its root snapshot's.
func (s *Service) launchLocked(i *instance, content, userData string) {
	i.why = &StateReason{"pending", "pending"}
	s.passLocked(i, pending, running, s.PendingTime, func(done func()) error {
		err := s.Machines.Launch(Machine{ID: i.id, Snapshot: content, UserData: userData}, s.booted(i))
		if err == nil {
			done()
		}
		return err
	})
}

func (s *Service) startLocked(i *instance) {
	i.boot, i.launched = "", s.Clock.Now()
	i.why, i.reason = &StateReason{"pending", "pending"}, ""
	s.passLocked(i, pending, running, s.PendingTime, func(done func()) error {
		err := s.Machines.Start(i.id, s.booted(i))
		if err == nil {
			done()
		}
		return err
	})
}

func (s *Service) stopLocked(i *instance) {
	s.userAskedLocked(i)
	s.passLocked(i, stopping, stopped, s.StoppingTime, func(done func()) error { return s.Machines.Stop(i.id, done) })
}

func (s *Service) terminateLocked(i *instance) {
	s.userAskedLocked(i)
	s.passLocked(i, shuttingDown, terminated, s.ShuttingDownTime, func(done func()) error { return s.Machines.Terminate(i.id, done) })
}

// userAskedLocked notes that a user is the reason for what comes.
func (s *Service) userAskedLocked(i *instance) {
	i.reason = "User initiated (" + s.Clock.Now().UTC().Format("2006-01-02 15:04:05") + " GMT)"
	i.why = &StateReason{"Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"}
}

// rebootLocked stops and starts the machine of an instance that is shown as
// running all the while.
func (s *Service) rebootLocked(i *instance) {
	s.enqueueLocked(i, func(done func()) {
		err := s.Machines.Stop(i.id, func() {
			if err := s.Machines.Start(i.id, s.booted(i)); err != nil {
				s.Logger.Error("an instance does not come back", "instance", i.id, "error", err)
			}
			done()
		})
		if err != nil {
			s.Logger.Error("an instance does not stop", "instance", i.id, "error", err)
			done()
		}
	})
}
