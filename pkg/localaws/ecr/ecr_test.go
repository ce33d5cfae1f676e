package ecr_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ecr"
	"cutover/pkg/localaws/endpoint/endpointtest"
	"cutover/pkg/localaws/resource"
)

func TestRegistry_PushedImagesAreDescribed(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	host := ""
	s := ecr.New(ecr.Config{Clock: clock.NewManual(start), Region: "us-east-1", Account: "111122223333", Host: func() string { return host }})
	registry := httptest.NewServer(s)
	defer registry.Close()
	host = strings.TrimPrefix(registry.URL, "http://")
	repository := s.Resources()[0]
	state, err := repository.Create(t.Context(), resource.Request{LogicalID: "Images", Properties: map[string]any{
		"RepositoryName": "team/hello", "ImageTagMutability": "IMMUTABLE",
	}})
	if err != nil {
		t.Fatal(err)
	}
	uri := state.Attributes["RepositoryUri"].(string)
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(image, uri+":v1"); err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(image, host+"/nowhere:v1"); err == nil || !strings.Contains(err.Error(), "does not exist in the registry") {
		t.Errorf("push to a repository that does not exist: got %v, want a refusal", err)
	}
	other, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := crane.Push(other, uri+":v1"); err == nil || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("move an immutable tag: got %v, want a refusal", err)
	}

	config, _ := endpointtest.Serve(t, s.Clock, s.Wire())
	client := sdk.NewFromConfig(config)
	images, err := client.DescribeImages(t.Context(), &sdk.DescribeImagesInput{RepositoryName: aws.String("team/hello")})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(images.ImageDetails) != 1 || *images.ImageDetails[0].ImageDigest != digest.String() || !images.ImageDetails[0].ImagePushedAt.Equal(start) {
		t.Errorf("images: got %+v, want the one pushed, %s at %v", images.ImageDetails, digest, start)
	}
	_, err = client.DescribeRepositories(t.Context(), &sdk.DescribeRepositoriesInput{RepositoryNames: []string{"none"}})
	if err == nil || !strings.Contains(err.Error(), "RepositoryNotFoundException") {
		t.Errorf("describe an unknown repository: got %v", err)
	}
	if err := repository.Delete(t.Context(), resource.Request{PhysicalID: "team/hello"}); err == nil {
		t.Error("delete a repository with images: got no error")
	}
	if err := repository.Delete(t.Context(), resource.Request{PhysicalID: "team/hello", Properties: map[string]any{"EmptyOnDelete": true}}); err != nil {
		t.Errorf("delete a repository that is emptied on delete: %v", err)
	}
}
