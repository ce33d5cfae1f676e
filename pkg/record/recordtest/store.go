// Package recordtest is a Parameter Store in memory, for tests of what keeps
// releases there.
package recordtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// A Parameters is a Parameter Store. Its zero value is empty and ready.
type Parameters struct {
	// Before is called before each call takes effect, by its operation's name;
	// its error is the call's. Nil lets all pass.
	Before func(operation string) error
	// After is called after a call took effect; its error is that of an answer
	// that was lost.
	After func(operation string) error

	mu     sync.Mutex
	values map[string]string
}

// Values is a copy of what is stored.
func (p *Parameters) Values() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.values)
}

// Set stores a value.
func (p *Parameters) Set(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLocked(name, value)
}

func (p *Parameters) setLocked(name, value string) {
	if p.values == nil {
		p.values = map[string]string{}
	}
	p.values[name] = value
}

func (p *Parameters) before(operation string) error { return around(p.Before, operation) }
func (p *Parameters) after(operation string) error  { return around(p.After, operation) }

func around(f func(string) error, operation string) error {
	if f == nil {
		return nil
	}
	return f(operation)
}

// GetParameters implements record.API.
func (p *Parameters) GetParameters(_ context.Context, in *ssm.GetParametersInput, _ ...func(*ssm.Options)) (*ssm.GetParametersOutput, error) {
	if err := p.before("GetParameters"); err != nil {
		return nil, err
	}
	values, out := p.Values(), &ssm.GetParametersOutput{}
	for _, name := range in.Names {
		if value, ok := values[name]; ok {
			out.Parameters = append(out.Parameters, types.Parameter{Name: &name, Value: &value})
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, p.after("GetParameters")
}

// GetParametersByPath implements record.API, ten a page as AWS's most.
func (p *Parameters) GetParametersByPath(_ context.Context, in *ssm.GetParametersByPathInput, _ ...func(*ssm.Options)) (*ssm.GetParametersByPathOutput, error) {
	if err := p.before("GetParametersByPath"); err != nil {
		return nil, err
	}
	values, out := p.Values(), &ssm.GetParametersByPathOutput{}
	var names []string
	for name := range values {
		if rest, ok := strings.CutPrefix(name, *in.Path+"/"); ok && !strings.Contains(rest, "/") {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return -cmp.Compare(a, b) }) // AWS promises no order
	from := 0
	if in.NextToken != nil {
		from, _ = strconv.Atoi(*in.NextToken) // our own token
	}
	names = names[min(from, len(names)):]
	if len(names) > 10 {
		token := strconv.Itoa(from + 10)
		names, out.NextToken = names[:10], &token
	}
	for _, name := range names {
		value := values[name]
		out.Parameters = append(out.Parameters, types.Parameter{Name: &name, Value: &value})
	}
	return out, p.after("GetParametersByPath")
}

// PutParameter implements record.API.
func (p *Parameters) PutParameter(_ context.Context, in *ssm.PutParameterInput, _ ...func(*ssm.Options)) (*ssm.PutParameterOutput, error) {
	if err := p.before("PutParameter"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, exists := p.values[*in.Name]; exists && (in.Overwrite == nil || !*in.Overwrite) {
		return nil, &types.ParameterAlreadyExists{}
	}
	p.setLocked(*in.Name, *in.Value)
	return &ssm.PutParameterOutput{}, p.after("PutParameter")
}

// DeleteParameters implements record.API.
func (p *Parameters) DeleteParameters(_ context.Context, in *ssm.DeleteParametersInput, _ ...func(*ssm.Options)) (*ssm.DeleteParametersOutput, error) {
	if err := p.before("DeleteParameters"); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range in.Names {
		delete(p.values, name)
	}
	return &ssm.DeleteParametersOutput{}, p.after("DeleteParameters")
}
