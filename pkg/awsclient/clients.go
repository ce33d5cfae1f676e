package awsclient

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// Clients make the function's clients, which share connections, retries,
// traces and AWS's time.
type Clients struct {
	config    aws.Config
	pathStyle bool
	trace     bool
	time      *awsTime
}

// New makes no call and opens no connection. Its error joins every fault of
// the settings.
func New(s Settings) (*Clients, error) {
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("configure calls to AWS: %w", err)
	}
	s = s.withDefaults()
	c := &Clients{time: newAWSTime(time.Now), trace: s.Trace, pathStyle: s.Endpoint != "" || s.Endpoints["S3"] != ""}
	c.config = aws.Config{
		Region:        s.Region,
		Credentials:   credentials.StaticCredentialsProvider{Value: s.Credentials},
		ConfigSources: []any{endpoints{s}},
		HTTPClient:    httpClient(s),
		Retryer:       func() aws.Retryer { return retryer(s) },
		APIOptions:    []func(*middleware.Stack) error{c.time.note},
	}
	if s.Endpoint != "" {
		c.config.BaseEndpoint = &s.Endpoint
	}
	if s.Trace {
		c.config.APIOptions = append(c.config.APIOptions, instruments()...)
	}
	return c, nil
}

// Config is for making a client of any service: ecs.NewFromConfig(c.Config()).
func (c *Clients) Config() aws.Config { return c.config.Copy() }

// Now is AWS's time: that of the last answer's Date header, advanced by the
// time that has passed here since. Before any answer it is zero.
func (c *Clients) Now() time.Time { return c.time.now() }

// CodePipeline is a client of CodePipeline.
func (c *Clients) CodePipeline() *codepipeline.Client {
	return codepipeline.NewFromConfig(c.config)
}

// S3 is a client of S3 with the given credentials, those of a job's artifacts.
func (c *Clients) S3(provider aws.CredentialsProvider) *s3.Client {
	return s3.NewFromConfig(c.config, func(o *s3.Options) {
		o.Credentials = provider
		o.UsePathStyle = c.pathStyle
		// Zips written by CodePipeline's own actions carry no checksum of S3's:
		// the SDK would log that it could not check one.
		o.DisableLogOutputChecksumValidationSkipped = true
	})
}

// retryer has no quota of its own: a function makes few calls, and what it
// cannot do in a few attempts is left to its next tick.
func retryer(s Settings) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = s.MaxAttempts
		o.MaxBackoff = s.MaxBackoff
		o.Backoff = retry.NewExponentialJitterBackoff(s.MaxBackoff)
		o.RateLimiter = ratelimit.None
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if IsTransient(err) {
				return aws.TrueTernary
			}
			return aws.UnknownTernary
		}))
	})
}

func httpClient(s Settings) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = s.ConnectTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = s.AnswerTimeout })
}
