package release

import (
	"time"
)

// A File is cutover.yaml.
type File struct {
	// Name of the release set: 1 to 64 letters, digits, dashes and underscores.
	// The lock, the record and the verbs of the command line go by it.
	Set string `yaml:"set" jsonschema:"required,pattern=^[A-Za-z0-9_-]{1\\,64}$"`

	// The pairs that are released together, at least one.
	Services []Service `yaml:"services" jsonschema:"required,minItems=1,maxItems=100"`

	// How production traffic moves: all-at-once, canary, linear, or steps.
	// Default: all-at-once.
	Traffic Traffic `yaml:"traffic"`

	// How long everything is watched after 100 % before blue may go. Default: 0s.
	Bake Duration `yaml:"bake"`

	// CloudWatch alarms, metric or composite, by name. One in ALARM before the
	// shift keeps it from starting, one that goes to ALARM later takes it back.
	Alarms []string `yaml:"alarms" jsonschema:"maxItems=100"`

	// How many healthy targets green must have before it takes a share.
	Healthy Healthy `yaml:"healthy"`

	// Green against blue by the load balancer's own metrics. Default: none.
	Analysis *Analysis `yaml:"analysis"`

	// Lambda functions that are asked along the way.
	Hooks Hooks `yaml:"hooks"`

	// HTTP checks of the test route, before production traffic moves.
	Checks []Check `yaml:"checks" jsonschema:"maxItems=20"`

	// What becomes of blue after the bake.
	Blue Blue `yaml:"blue"`

	// What happens when another release of the set is under way.
	Lock Lock `yaml:"lock"`

	// Where the record of each release is kept, besides its parameter.
	Record Record `yaml:"record"`
}

// A Service is a blue/green pair of ECS services and the route to it.
type Service struct {
	// Name of the service within the set. Required, unique.
	Name string `yaml:"name" jsonschema:"required,pattern=^[A-Za-z0-9_-]{1\\,64}$"`

	// Name or ARN of the Application Load Balancer. Production is its listener on
	// port 443, else 80; the test route its listener on 8443, else 8080. On each
	// the route is the one rule, or the default action, that forwards to the pair.
	// Required unless the ARNs below name both routes.
	LoadBalancer string `yaml:"loadBalancer"`

	// ARN of the listener whose rule, or default action, is the production route.
	ProductionListenerARN string `yaml:"productionListenerArn"`
	// ARN of the rule that is the production route.
	ProductionRuleARN string `yaml:"productionRuleArn"`
	// ARN of the listener whose rule, or default action, is the test route.
	TestListenerARN string `yaml:"testListenerArn"`
	// ARN of the rule that is the test route.
	TestRuleARN string `yaml:"testRuleArn"`

	// Name or ARN of the ECS cluster. Required.
	Cluster string `yaml:"cluster" jsonschema:"required"`

	// Names of the pair's two ECS services, in any order. Required.
	Pair []string `yaml:"services" jsonschema:"required,minItems=2,maxItems=2"`

	// Container whose image is replaced. Default: the only one.
	Container string `yaml:"container"`

	// Key of the image in images.json. Default: the name.
	Image string `yaml:"image"`

	// Least number of tasks of a release. Default: 1.
	MinimumCount int `yaml:"minimumCount" jsonschema:"minimum=1"`
}

// ImageKey is the key of the image in images.json.
func (s Service) ImageKey() string {
	if s.Image != "" {
		return s.Image
	}
	return s.Name
}

// Healthy is what green must have before it takes a share of the traffic.
type Healthy struct {
	// Count of healthy targets. Default: as many as blue has.
	Count int `yaml:"count" jsonschema:"minimum=1"`

	// Share of blue's healthy targets, in percent, before green takes all of the
	// traffic; for a part of the traffic the same part of it is enough. Default: 100.
	Percent int `yaml:"percent" jsonschema:"minimum=1,maximum=100"`
}

// Needed is how many healthy targets green must have to take a share of the
// traffic, when blue has so many. It is at least 1.
func (h Healthy) Needed(blue int, share Weight) int {
	if h.Count > 0 {
		return h.Count
	}
	percent := h.Percent
	if percent == 0 {
		percent = 100
	}
	const whole = 100 * int(Whole)
	return max(1, (blue*percent*int(share)+whole-1)/whole)
}

// Analysis compares green with blue in the same window.
type Analysis struct {
	// How much green's share of answers with a status of 500 and more may exceed
	// blue's, in percentage points. Default: 1.
	ErrorRate Percent `yaml:"errorRate"`

	// How many times blue's average answer time green's may be. Default: 1.5; 0
	// leaves answer times out.
	Latency float64 `yaml:"latency" jsonschema:"minimum=0"`

	// Requests that green must have answered before anything is said. Default: 100.
	MinimumRequests int `yaml:"minimumRequests" jsonschema:"minimum=10"`

	// How long a step waits for as many requests before it goes on without a
	// verdict. Default: 0s, it holds until the deadline of the job.
	Patience Duration `yaml:"patience"`
}

// Hooks are Lambda functions that are asked along the way. One that answers
// anything but success takes the release back.
type Hooks struct {
	// Before production traffic moves.
	BeforeShift *Hook `yaml:"beforeShift"`
	// After each step of the traffic.
	AfterStep *Hook `yaml:"afterStep"`
	// After the last one and the bake.
	AfterShift *Hook `yaml:"afterShift"`
	// After production is back on blue. Its answer changes nothing.
	OnRollback *Hook `yaml:"onRollback"`
}

// A Hook is a Lambda function.
type Hook struct {
	// Name or ARN of the function. Required.
	Function string `yaml:"function" jsonschema:"required"`
	// How long it may go on saying that it is not done. Default: 5m.
	Timeout Duration `yaml:"timeout"`
}

// A Check asks the test route.
type Check struct {
	// Name of the service whose test route is asked. Default: the first one's.
	Service string `yaml:"service"`
	// Host header, for a route by host. Default: the load balancer's name.
	Host string `yaml:"host"`
	// Path, with a query if need be. Required.
	Path string `yaml:"path" jsonschema:"required"`
	// Status that the answer must have. Default: 200.
	Status int `yaml:"status" jsonschema:"minimum=100,maximum=599"`
	// Regular expression (RE2) that must match the first 64 KB of the body.
	Body string `yaml:"body"`
	// How long an answer may take. Default: 5s.
	Timeout Duration `yaml:"timeout"`
}

// Blue is what becomes of the old side after the bake.
type Blue struct {
	// How long it stays as it is. Default: 0s.
	Keep Duration `yaml:"keep"`
	// Desired count that it is scaled down to. Default: it is not scaled down.
	Count *int `yaml:"count" jsonschema:"minimum=0"`
	// Tasks that are stopped at once. Default: all that are too many.
	Step int `yaml:"step" jsonschema:"minimum=1"`
	// Pause between two such steps. Default: 1m.
	Pause Duration `yaml:"pause"`
}

// Lock is what happens when another release of the set is under way.
type Lock struct {
	// fail, or wait until it has ended. Default: fail.
	WhenHeld string `yaml:"whenHeld" jsonschema:"enum=fail,enum=wait"`
	// How long a lock lasts without a sign of life of its holder. Default: 1h.
	Expires Duration `yaml:"expires"`
}

// Record is where releases are recorded.
type Record struct {
	// Bucket for records, at cutover/SET/EXECUTION.json. Default: none.
	Bucket string `yaml:"bucket"`
}

// A Duration is a length of time, as Go writes them: 90s, 5m, 1h30m.
type Duration time.Duration

// String writes it as the file has it.
func (d Duration) String() string { return time.Duration(d).String() }

// Or is the duration, or another where it is not set.
func (d Duration) Or(other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return time.Duration(d)
}
