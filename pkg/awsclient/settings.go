package awsclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Settings are what calls to AWS depend on.
type Settings struct {
	// Region is AWS_REGION. Required.
	Region string

	// Credentials are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
	// AWS_SESSION_TOKEN, which Lambda sets from the function's role. Required.
	Credentials aws.Credentials

	// Endpoint is AWS_ENDPOINT_URL, one address for all services; S3 is then
	// addressed by path. Default: AWS.
	Endpoint string

	// Endpoints are the addresses of single services by SDK id, from
	// AWS_ENDPOINT_URL_ECS and the like.
	Endpoints map[string]string

	// FIPS and DualStack are AWS_USE_FIPS_ENDPOINT and
	// AWS_USE_DUALSTACK_ENDPOINT.
	FIPS, DualStack bool

	// Trace is whether subsegments are sent: AWS_XRAY_DAEMON_ADDRESS is set and
	// AWS_XRAY_SDK_DISABLED is not true. The X-Ray SDK reads the address itself.
	Trace bool

	// MaxAttempts is how often a call is tried. Default 3.
	MaxAttempts int

	// MaxBackoff is the longest wait between two attempts. Default 2 s.
	MaxBackoff time.Duration

	// ConnectTimeout and AnswerTimeout bound one attempt: the connection, and
	// the wait for the answer's headers. Default 3 s and 15 s.
	ConnectTimeout, AnswerTimeout time.Duration
}

// services are the SDK ids whose own endpoint variables are read.
var services = [...]string{"Auto Scaling", "CloudWatch", "CodeDeploy", "CodePipeline", "EC2", "ECS", "Elastic Load Balancing v2", "S3", "SSM"}

// FromEnvironment reads the settings from variables, with os.LookupEnv as the
// usual lookup.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func FromEnvironment(lookup func(string) (string, bool)) Settings {
	get := func(name string) string { value, _ := lookup(name); return value }
	is := func(name string) bool { return strings.EqualFold(get(name), "true") }
	s := Settings{
		Region: get("AWS_REGION"),
		Credentials: aws.Credentials{
			AccessKeyID:     get("AWS_ACCESS_KEY_ID"),
			SecretAccessKey: get("AWS_SECRET_ACCESS_KEY"),
			SessionToken:    get("AWS_SESSION_TOKEN"),
			Source:          "environment",
		},
		FIPS:      is("AWS_USE_FIPS_ENDPOINT"),
		DualStack: is("AWS_USE_DUALSTACK_ENDPOINT"),
		Trace:     get("AWS_XRAY_DAEMON_ADDRESS") != "" && !is("AWS_XRAY_SDK_DISABLED"),
	}
	if is("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
		return s
	}
	s.Endpoint = get("AWS_ENDPOINT_URL")
	for _, id := range services {
		name := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(id, " ", "_"))
		if address := get(name); address != "" {
			if s.Endpoints == nil {
				s.Endpoints = map[string]string{}
			}
			s.Endpoints[id] = address
		}
	}
	return s
}

// Validate joins every fault of the settings.
func (s Settings) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Region == "" {
		fault("AWS_REGION is not set")
	}
	if !s.Credentials.HasKeys() {
		fault("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set")
	}
	if s.Endpoint != "" && !isURL(s.Endpoint) {
		fault("AWS_ENDPOINT_URL %q is not an http or https URL", s.Endpoint)
	}
	for _, id := range services {
		if address, set := s.Endpoints[id]; set && !isURL(address) {
			fault("AWS_ENDPOINT_URL of %s %q is not an http or https URL", id, address)
		}
	}
	if s.MaxAttempts < 0 {
		fault("max attempts is %d: it must be at least 1", s.MaxAttempts)
	}
	return errors.Join(faults...)
}

func isURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (s Settings) withDefaults() Settings {
	if s.MaxAttempts == 0 {
		s.MaxAttempts = 3
	}
	if s.MaxBackoff == 0 {
		s.MaxBackoff = 2 * time.Second
	}
	if s.ConnectTimeout == 0 {
		s.ConnectTimeout = 3 * time.Second
	}
	if s.AnswerTimeout == 0 {
		s.AnswerTimeout = 15 * time.Second
	}
	return s
}

// endpoints answers the SDK's questions about single services; the SDK finds
// these methods by their names among a configuration's sources.
type endpoints struct{ Settings }

// GetServiceBaseEndpoint is the service's own address.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	address, found := e.Endpoints[sdkID]
	return address, found, nil
}

// GetUseFIPSEndpoint is AWS_USE_FIPS_ENDPOINT.
func (e endpoints) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	if e.FIPS {
		return aws.FIPSEndpointStateEnabled, true, nil
	}
	return aws.FIPSEndpointStateUnset, false, nil
}

// GetUseDualStackEndpoint is AWS_USE_DUALSTACK_ENDPOINT.
func (e endpoints) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	if e.DualStack {
		return aws.DualStackEndpointStateEnabled, true, nil
	}
	return aws.DualStackEndpointStateUnset, false, nil
}
