package s3_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/s3"
)

func create(t *testing.T, s *s3.Service, name string, properties map[string]any) (resource.State, error) {
	t.Helper()
	for _, kind := range s.Resources() {
		if kind.Name == name {
			return kind.Create(t.Context(), resource.Request{StackName: "app", StackID: "app/1", LogicalID: "Artifacts", Properties: properties})
		}
	}
	t.Fatalf("no resource type %s", name)
	return resource.State{}, nil
}

func TestService_SDKAndServicesSeeTheSameObjects(t *testing.T) {
	t.Parallel()
	// The cloud's clock is far from the wall's: requests are signed by the latter.
	s := s3.New(clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	server := httptest.NewServer(s)
	defer server.Close()
	client := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("k", "s", ""),
	})
	state, err := create(t, s, "AWS::S3::Bucket", map[string]any{
		"BucketEncryption": map[string]any{}, "VersioningConfiguration": map[string]any{"Status": "Enabled"},
	})
	if err != nil {
		t.Fatal(err)
	}
	bucket := state.PhysicalID
	if !strings.HasPrefix(bucket, "app-artifacts-") || bucket != strings.ToLower(bucket) {
		t.Errorf("bucket name: got %q, want app-artifacts-... in lower case", bucket)
	}
	if err := s.Put(bucket, "in/a.zip", []byte("from a service")); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(context.Background(), &sdk.GetObjectInput{Bucket: &bucket, Key: aws.String("in/a.zip")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil || string(body) != "from a service" {
		t.Errorf("object read by SDK: got %q, %v", body, err)
	}
	if _, err := client.PutObject(context.Background(), &sdk.PutObjectInput{Bucket: &bucket, Key: aws.String("out"), Body: strings.NewReader("from the SDK")}); err != nil {
		t.Fatal(err)
	}
	if body, err = s.Get(bucket, "out"); err != nil || string(body) != "from the SDK" {
		t.Errorf("object read by a service: got %q, %v", body, err)
	}
	if _, err := s.Get(bucket, "nothing"); err == nil || !strings.Contains(err.Error(), "get s3://"+bucket+"/nothing") {
		t.Errorf("missing object: got %v, want an error that names it", err)
	}
}

func TestBucket_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := s3.New(clock.NewScaled(1))
	_, err := create(t, s, "AWS::S3::Bucket", map[string]any{"WebsiteConfiguration": map[string]any{}})
	if err == nil || !strings.Contains(err.Error(), "WebsiteConfiguration: is unknown") {
		t.Errorf("got %v, want an error that names WebsiteConfiguration", err)
	}
	if _, err := create(t, s, "AWS::S3::BucketPolicy", map[string]any{"Bucket": "none", "PolicyDocument": map[string]any{}}); err == nil {
		t.Error("policy of a bucket that does not exist: got no error")
	}
}

func TestBucket_IsNotDeletedWhileItHoldsObjects(t *testing.T) {
	t.Parallel()
	s := s3.New(clock.NewScaled(1))
	if err := s.CreateBucket("full"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put("full", "key", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Resources()[0].Delete(t.Context(), resource.Request{PhysicalID: "full"}); err == nil {
		t.Error("delete a full bucket: got no error")
	}
}
