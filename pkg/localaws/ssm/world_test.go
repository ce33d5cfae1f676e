package ssm_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"cutover/pkg/localaws/automation"
	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/endpoint"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/ssm"
	"cutover/pkg/localaws/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	publicName  = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
	publicImage = "ami-0aaaaaaaaaaaaaaaa"
	goldenImage = "ami-0bbbbbbbbbbbbbbbb"
	roleARN     = "arn:aws:iam::111122223333:role/automation"
)

// A place is a Systems Manager on a clock that the test moves.
type place struct {
	*sdk.Client
	clock     *clock.Manual
	service   *ssm.Service
	endpoint  *endpoint.Endpoint
	instances *instances
	images    images
	events    *events
}

func newPlace(t testing.TB) *place {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	p := &place{
		clock: c, events: &events{}, images: images{goldenImage: true},
		instances: &instances{clock: c, online: map[string]bool{"i-1": true, "i-2": true}},
	}
	// The runbooks of these tests call no AWS.
	engine := automation.New(automation.Config{
		Clock: c, Region: "us-east-1", Account: "111122223333", Changed: func(e automation.Execution) { p.service.AutomationChanged(e) },
		AWS: func(string, wire.Principal, string) (aws.Config, error) { return aws.Config{Region: "us-east-1"}, nil },
	})
	t.Cleanup(engine.Close)
	p.service = ssm.New(ssm.Config{
		Clock: c, Region: "us-east-1", Account: "111122223333", Instances: p.instances, Images: p.images, Events: p.events,
		PublicImages: func() map[string]string { return map[string]string{publicName: publicImage} }, Automations: engine, Roles: roles{},
	})
	config, e := endpointtest.Serve(t, c, p.service.Wire())
	p.endpoint = e
	p.Client = sdk.NewFromConfig(config, func(o *sdk.Options) { o.RetryMaxAttempts = 1 })
	return p
}

type images map[string]bool

func (i images) Available(id string) bool { return i[id] }

// roles knows one role.
type roles struct{}

func (roles) Assumable(service, role string) error {
	if service != "ssm.amazonaws.com" || role != roleARN {
		return errors.New("there is no such role that trusts " + service)
	}
	return nil
}

// events remembers what was published.
type events struct{ all []event }

type event struct {
	Source, DetailType string
	Resources          []string
	Detail             any
}

func (e *events) Publish(source, detailType string, resources []string, detail any) {
	e.all = append(e.all, event{source, detailType, resources, detail})
}

// instances run scripts that say in their first line how they go: "exit N",
// "sleep DURATION" (then exit 0), or anything else, which is what they print.
type instances struct {
	clock   *clock.Manual
	online  map[string]bool
	running int
	scripts []string
}

func (i *instances) Online(id string) bool { return i.online[id] }

func (i *instances) Managed() []ssm.Instance {
	return []ssm.Instance{
		{ID: "i-2", Platform: "Amazon Linux", Version: "2023", IPAddress: "10.0.0.2"},
		{ID: "i-1", Platform: "Amazon Linux", Version: "2023", IPAddress: "10.0.0.1"},
	}
}

func (i *instances) Run(id, script, dir string, _ map[string]string, timeout time.Duration, done func(int, string, string, bool)) (func(), error) {
	if !i.online[id] {
		return nil, errors.New("instance " + id + " is stopped")
	}
	i.scripts = append(i.scripts, dir+": "+script)
	i.running++
	takes, exit, out, line := time.Second, 0, "", strings.SplitN(script, "\n", 2)[0]
	switch word, rest, _ := strings.Cut(line, " "); word {
	case "exit":
		exit = int(rest[0] - '0')
	case "sleep":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return nil, err
		}
		takes = d
	default:
		out = line
	}
	late := takes > timeout
	timer := i.clock.AfterFunc(min(takes, timeout), func() {
		i.running--
		if late {
			exit = 137
		}
		done(exit, out, "", late)
	})
	return func() {
		if timer.Stop() {
			i.running--
		}
	}, nil
}

// wantCode holds that an error has AWS's code and says a text.
func wantCode(t testing.TB, err error, code, text string) {
	t.Helper()
	var refused smithy.APIError
	switch {
	case !errors.As(err, &refused):
		t.Errorf("got %v, want error %s", err, code)
	case refused.ErrorCode() != code:
		t.Errorf("got code %s (%s), want %s", refused.ErrorCode(), refused.ErrorMessage(), code)
	case !strings.Contains(refused.ErrorMessage(), text):
		t.Errorf("%s: got text %q, want it to say %q", code, refused.ErrorMessage(), text)
	}
}

func (p *place) put(t testing.TB, name, value string, change ...func(*sdk.PutParameterInput)) int64 {
	t.Helper()
	in := &sdk.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: aws.Bool(true)}
	for _, f := range change {
		f(in)
	}
	out, err := p.PutParameter(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.Version
}

// value is what GetParameter answers, or its error's code.
func (p *place) value(t testing.TB, name string) string {
	t.Helper()
	out, err := p.GetParameter(t.Context(), &sdk.GetParameterInput{Name: &name})
	var refused smithy.APIError
	if errors.As(err, &refused) {
		return refused.ErrorCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return *out.Parameter.Value
}

// access lists what IAM is asked for an input, as ACTION RESOURCE.
func (p *place) access(t testing.TB, operation string, in any) []string {
	t.Helper()
	op, ok := p.service.Wire().Operation(operation)
	if !ok {
		t.Fatalf("there is no operation %s", operation)
	}
	var all []string
	for _, a := range op.Access(in, "ssm:"+operation) {
		all = append(all, a.Action+" "+a.Resource)
	}
	return all
}
