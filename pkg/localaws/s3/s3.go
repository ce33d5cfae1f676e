// Package s3 is the embedded AWS's object store: gofakes3 over memory, with the
// bucket types that templates create and the calls that other services make.
//
// Known differences from S3: bucket policies, encryption, public access blocks,
// lifecycle rules and ownership controls are accepted and have no effect;
// a caller's own policies decide alone. Objects live as long as the process.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/resource"
)

// A Service is the object store of one embedded AWS.
type Service struct {
	store   gofakes3.Backend
	handler http.Handler
}

// clockTime lets gofakes3 take its time from a clock.
type clockTime struct{ clock.Clock }

func (t clockTime) Since(then time.Time) time.Duration { return t.Now().Sub(then) }

// New makes an empty store.
func New(c clock.Clock) *Service {
	time := clockTime{c}
	store := s3mem.New(s3mem.WithTimeSource(time))
	// Requests may be signed by the wall's clock while the embedded AWS's runs
	// ahead of it, so their age says nothing.
	fake := gofakes3.New(store, gofakes3.WithTimeSource(time), gofakes3.WithTimeSkewLimit(0),
		gofakes3.WithLogger(gofakes3.DiscardLog()))
	return &Service{store: store, handler: fake.Server()}
}

// ServeHTTP speaks S3's REST XML protocol with path-style addresses.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Get reads an object.
func (s *Service) Get(bucket, key string) ([]byte, error) {
	object, err := s.store.GetObject(bucket, key, nil)
	if err != nil {
		return nil, fmt.Errorf("get s3://%s/%s: %w", bucket, key, err)
	}
	defer object.Contents.Close()
	body, err := io.ReadAll(object.Contents)
	if err != nil {
		return nil, fmt.Errorf("get s3://%s/%s: %w", bucket, key, err)
	}
	return body, nil
}

// Put writes an object.
func (s *Service) Put(bucket, key string, body []byte) error {
	_, err := s.store.PutObject(bucket, key, map[string]string{}, bytes.NewReader(body), int64(len(body)), nil)
	if err != nil {
		return fmt.Errorf("put s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

// CreateBucket makes a bucket; that it exists already is fine.
func (s *Service) CreateBucket(name string) error {
	err := s.store.CreateBucket(name)
	if err != nil && !gofakes3.HasErrorCode(err, gofakes3.ErrBucketAlreadyExists) {
		return fmt.Errorf("create bucket %s: %w", name, err)
	}
	return nil
}

// bucketProperties are those of AWS::S3::Bucket. The ones of type any are
// accepted without effect.
type bucketProperties struct {
	BucketName                     string
	BucketEncryption               any
	PublicAccessBlockConfiguration any
	OwnershipControls              any
	LifecycleConfiguration         any
	VersioningConfiguration        *struct {
		Status string `aws:",required"`
	}
	Tags []resource.Tag
}

type bucketPolicyProperties struct {
	Bucket         string `aws:",required"`
	PolicyDocument any    `aws:",required"`
}

// Resources lists the CloudFormation types of S3.
func (s *Service) Resources() []resource.Type {
	return []resource.Type{
		resource.Define("AWS::S3::Bucket", []string{"BucketName"}, s.createBucket, s.updateBucket, s.deleteBucket),
		resource.Define("AWS::S3::BucketPolicy", []string{"Bucket"}, s.putPolicy, s.putPolicy,
			func(context.Context, resource.Request) error { return nil }),
	}
}

func (s *Service) createBucket(_ context.Context, r resource.Request, p *bucketProperties) (resource.State, error) {
	name := p.BucketName
	if name == "" {
		name = strings.ToLower(r.GeneratedName(63))
	}
	if err := s.store.CreateBucket(name); err != nil {
		return resource.State{}, fmt.Errorf("create bucket %s: %w", name, err)
	}
	return s.configure(name, p)
}

func (s *Service) updateBucket(_ context.Context, r resource.Request, p *bucketProperties) (resource.State, error) {
	return s.configure(r.PhysicalID, p)
}

func (s *Service) configure(name string, p *bucketProperties) (resource.State, error) {
	if p.VersioningConfiguration != nil {
		versioned, ok := s.store.(gofakes3.VersionedBackend)
		if !ok {
			return resource.State{}, fmt.Errorf("set versioning of bucket %s: the store has none", name)
		}
		var c gofakes3.VersioningConfiguration
		c.SetEnabled(p.VersioningConfiguration.Status == "Enabled")
		if err := versioned.SetVersioningConfiguration(name, c); err != nil {
			return resource.State{}, fmt.Errorf("set versioning of bucket %s: %w", name, err)
		}
	}
	return resource.State{PhysicalID: name, Attributes: map[string]any{
		"Arn":                "arn:aws:s3:::" + name,
		"DomainName":         name + ".s3.amazonaws.com",
		"RegionalDomainName": name + ".s3.us-east-1.amazonaws.com",
	}}, nil
}

// deleteBucket refuses a bucket that holds objects, as CloudFormation does.
func (s *Service) deleteBucket(_ context.Context, r resource.Request) error {
	err := s.store.DeleteBucket(r.PhysicalID)
	if errors.Is(err, gofakes3.ErrNoSuchBucket) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete bucket %s: %w", r.PhysicalID, err)
	}
	return nil
}

func (s *Service) putPolicy(_ context.Context, r resource.Request, p *bucketPolicyProperties) (resource.State, error) {
	exists, err := s.store.BucketExists(p.Bucket)
	if err != nil {
		return resource.State{}, fmt.Errorf("put policy of bucket %s: %w", p.Bucket, err)
	}
	if !exists {
		return resource.State{}, fmt.Errorf("put policy of bucket %s: NoSuchBucket", p.Bucket)
	}
	return resource.State{PhysicalID: p.Bucket}, nil
}
