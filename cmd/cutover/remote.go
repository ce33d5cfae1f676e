package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"cutover/pkg/bluegreen"
	"cutover/pkg/record"
	"cutover/pkg/release"
	"cutover/pkg/rollout/preview"
)

// balancers is what the commands call of Elastic Load Balancing.
type balancers interface {
	bluegreen.ELB
	bluegreen.RouteAPI
	AddTags(context.Context, *elb.AddTagsInput, ...func(*elb.Options)) (*elb.AddTagsOutput, error)
}

// A remote is AWS, or the embedded one, as the commands about release sets call
// it, and where they write.
type remote struct {
	elb    balancers
	ecs    bluegreen.ECS
	ssm    record.API
	alarms preview.AlarmAPI
	// now is AWS's time, after its first answer.
	now func() time.Time
	by  string // who says verbs
	out io.Writer
	err io.Writer // what is not the answer
}

// connect takes Region, credentials and endpoint from where the AWS CLI takes
// them: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL and so on.
// https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
func connect(ctx context.Context) (*remote, error) {
	var t awsTime
	cfg, err := config.LoadDefaultConfig(ctx, config.WithAPIOptions([]func(*middleware.Stack) error{t.note}))
	if err != nil {
		return nil, fmt.Errorf("configure calls to AWS: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("configure calls to AWS: no Region: set AWS_REGION, or AWS_PROFILE to a profile that has one")
	}
	return &remote{
		elb: elb.NewFromConfig(cfg), ecs: ecs.NewFromConfig(cfg), ssm: ssm.NewFromConfig(cfg), alarms: cloudwatch.NewFromConfig(cfg),
		now: t.now, by: speaker(), out: os.Stdout, err: os.Stderr,
	}, nil
}

// speaker is user@host.
func speaker() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	if name == "" {
		name = "unknown"
	}
	return name + "@" + host
}

// awsTime is AWS's time, by the Date of its answers: a release decides by it,
// and the embedded AWS's clock may run faster than this machine's.
type awsTime struct {
	mu    sync.Mutex
	ahead time.Duration // of this machine's clock
}

func (t *awsTime) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Add(t.ahead).UTC()
}

func (t *awsTime) note(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("AWSTime", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if answer, ok := out.RawResponse.(*smithyhttp.Response); ok {
			if date, parseErr := http.ParseTime(answer.Header.Get("Date")); parseErr == nil {
				t.mu.Lock()
				t.ahead = time.Until(date)
				t.mu.Unlock()
			}
		}
		return out, metadata, err
	}), middleware.Before)
}

func (r *remote) store(set string) *record.Store { return record.Open(r.ssm, set) }

func (r *remote) apis() preview.APIs {
	return preview.APIs{ELB: r.elb, ECS: r.ecs, Alarms: r.alarms, SSM: r.ssm}
}

// last reads a set's last release and what was said to it.
func (r *remote) last(ctx context.Context, set string) (record.Look, error) {
	history, err := r.store(set).History(ctx)
	if err != nil {
		return record.Look{}, err
	}
	if len(history) == 0 {
		return record.Look{}, unknownSet(set)
	}
	look, err := r.store(set).Read(ctx, history[0].Generation)
	if err != nil {
		return look, err
	}
	if !look.Found {
		look.Record, look.Found = history[0], true // deleted between the two calls
	}
	return look, nil
}

func unknownSet(set string) error {
	return fmt.Errorf("find release set %s: no release of it is recorded in this account and Region (below parameter /cutover/%s/releases)", set, set)
}

// say tells what is not the answer.
func (r *remote) say(format string, args ...any) {
	fmt.Fprintf(r.err, format+"\n", args...)
}

// printJSON writes a value on standard output.
func (r *remote) printJSON(v any) error {
	e := json.NewEncoder(r.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// loadFile reads cutover.yaml; its faults are shown by the compiler's habit,
// FILE:LINE: text, so that editors find them.
func loadFile(path string, faults io.Writer) (*release.File, error) {
	text, err := readAtMost(path, release.MaxSize)
	if err != nil {
		return nil, err
	}
	file, err := release.Load(text)
	wrong, isFaults := errors.AsType[release.FaultsError](err)
	if !isFaults {
		return file, err
	}
	for _, f := range wrong {
		where := path + ":"
		if f.Line > 0 {
			where += fmt.Sprintf("%d:", f.Line)
		}
		if _, err := fmt.Fprintln(faults, where, strings.TrimSpace(f.Path+" "+f.Text)); err != nil {
			return nil, fmt.Errorf("write faults: %w", err)
		}
	}
	return nil, errReported
}

// readAtMost reads one byte more than the limit, for [release.Load] to refuse.
func readAtMost(path string, limit int64) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read release file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if text, err = io.ReadAll(io.LimitReader(f, limit+1)); err != nil {
		return nil, fmt.Errorf("read release file: %w", err)
	}
	return text, nil
}

// A setName is the argument of the commands about one release set.
type setName struct {
	Set string `arg:"" help:"Name of the release set, as its cutover.yaml has it."`
}

// Validate refuses what is no set's name. One that is missing is told by kong.
func (s setName) Validate() error {
	letter := func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if len(s.Set) > 64 || strings.ContainsFunc(s.Set, letter) {
		return fmt.Errorf("%q is no name of a release set: it has 1 to 64 letters, digits, dashes and underscores", s.Set)
	}
	return nil
}
