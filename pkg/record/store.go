package record

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// API is what a store calls of Systems Manager.
type API interface {
	GetParameters(context.Context, *ssm.GetParametersInput, ...func(*ssm.Options)) (*ssm.GetParametersOutput, error)
	GetParametersByPath(context.Context, *ssm.GetParametersByPathInput, ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
	DeleteParameters(context.Context, *ssm.DeleteParametersInput, ...func(*ssm.Options)) (*ssm.DeleteParametersOutput, error)
}

// A Store has the releases of one set.
type Store struct {
	api API
	set string
}

// Open makes a store; it calls nothing.
func Open(api API, set string) *Store { return &Store{api: api, set: set} }

func (s *Store) path(name string) string { return "/cutover/" + s.set + "/" + name }

func (s *Store) generation(n int) string { return s.path(fmt.Sprintf("releases/%06d", n)) }

// A HeldError says that another release has the lock.
type HeldError struct{ By Record }

// Error names the holder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("release set %s is locked by execution %s, since %s; without a sign of life the lock expires at %s",
		e.By.Set, e.By.Execution, e.By.Started.UTC().Format(time.RFC3339), e.By.Expires.UTC().Format(time.RFC3339))
}

// A LostError says that a release's lock expired, and another release took it.
type LostError struct{ To Record }

// Error names the release that has taken over.
func (e *LostError) Error() string {
	return fmt.Sprintf("the lock of release set %s expired and was taken over by execution %s at %s",
		e.To.Set, e.To.Execution, e.To.Started.UTC().Format(time.RFC3339))
}

// History lists the set's releases, the newest first.
func (s *Store) History(ctx context.Context) ([]Record, error) {
	path := s.path("releases")
	var all []Record
	for in := (&ssm.GetParametersByPathInput{Path: &path}); ; {
		out, err := s.api.GetParametersByPath(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("get releases below parameter %s: %w", path, err)
		}
		for _, p := range out.Parameters {
			r, err := decode(p)
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil || *in.NextToken == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b Record) int { return cmp.Compare(b.Generation, a.Generation) })
	return all, nil
}

// decode reads a release. Its generation is its name's, whatever it says.
func decode(p types.Parameter) (Record, error) {
	var r Record
	name := deref(p.Name)
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '/')+1:])
	if err == nil {
		err = json.Unmarshal([]byte(deref(p.Value)), &r)
	}
	if err != nil {
		return r, fmt.Errorf("read parameter %s: it is no record of a release: %w", name, err)
	}
	r.Generation = n
	return r, nil
}

// Acquire takes the set's lock for a release, and returns the release as it is
// recorded. If the execution has a record already it returns that one: a release
// that goes on, or one that has ended. Its error is a HeldError if another
// release has the lock, a LostError if another has taken this one's.
func (s *Store) Acquire(ctx context.Context, now time.Time, r Record) (Record, error) {
	for {
		history, err := s.History(ctx)
		if err != nil {
			return Record{}, err
		}
		if i := slices.IndexFunc(history, func(h Record) bool { return h.Execution == r.Execution }); i >= 0 {
			if i > 0 && history[i].Ended == nil {
				return history[i], &LostError{To: history[0]}
			}
			return history[i], nil
		}
		r.Set, r.Generation = s.set, 1
		if len(history) > 0 {
			if history[0].Held(now) {
				return Record{}, &HeldError{By: history[0]}
			}
			r.Generation = history[0].Generation + 1
		}
		err = s.put(ctx, r, false)
		if _, taken := errors.AsType[*types.ParameterAlreadyExists](err); taken {
			continue // somebody was faster: a generation is there now that was not
		}
		return r, err
	}
}

// ErrStale says that a record was written by somebody else since it was read.
var ErrStale = errors.New("another delivery of the same job has written the release's record")

// Put overwrites the record of a release, which must have the lock, and returns
// it as written. Its error is ErrStale if the record is not the one that r was
// read as: a duplicate delivery of the same job is at work. Parameter Store
// cannot compare and swap, so two that write in the same few milliseconds are
// not told apart; the routes, which are read again before every write, are what
// keeps those from doing harm.
func (s *Store) Put(ctx context.Context, r Record) (Record, error) {
	look, err := s.Read(ctx, r.Generation)
	switch {
	case err != nil:
		return r, err
	case !look.Found, look.Record.Revision != r.Revision:
		return r, ErrStale
	}
	r.Revision++
	return r, s.put(ctx, r, true)
}

func (s *Store) put(ctx context.Context, r Record, overwrite bool) error {
	value, err := r.encode()
	if err != nil {
		return err
	}
	return s.putParameter(ctx, s.generation(r.Generation), value, overwrite)
}

func (s *Store) putParameter(ctx context.Context, name, value string, overwrite bool) error {
	_, err := s.api.PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: &overwrite})
	if err != nil {
		return fmt.Errorf("put parameter %s: %w", name, err)
	}
	return nil
}

// Prune deletes all but the newest releases, and the verbs of those that are gone.
func (s *Store) Prune(ctx context.Context, keep int) error {
	history, err := s.History(ctx)
	if err != nil || len(history) <= keep {
		return err
	}
	var names []string
	for _, r := range history[keep:] {
		names = append(names, s.generation(r.Generation))
	}
	return s.remove(ctx, names...)
}

func (s *Store) remove(ctx context.Context, names ...string) error {
	for part := range slices.Chunk(names, 10) { // as many as a call takes
		if _, err := s.api.DeleteParameters(ctx, &ssm.DeleteParametersInput{Names: part}); err != nil {
			return fmt.Errorf("delete parameters %s: %w", strings.Join(part, ", "), err)
		}
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
