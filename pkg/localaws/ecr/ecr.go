// Package ecr is the embedded AWS's image registry: go-containerregistry's
// registry behind ECR's API.
//
// Known differences from ECR: images are pushed and pulled without a login (the
// registry listens on loopback only), a repository's URI is the cloud's own
// address followed by its name, and scanning, encryption and lifecycle policies
// are accepted without effect. Everything fits one page.
package ecr

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/resource"
	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// Config says where the registry is.
type Config struct {
	Clock   clock.Clock
	Region  string
	Account string
	// Host is the address that image references start with, e.g. 127.0.0.1:4580.
	Host func() string
}

// A Service is the registry of one embedded AWS.
type Service struct {
	Config
	registry http.Handler

	mu           sync.Mutex
	repositories map[string]*repository
}

type repository struct {
	name      string
	created   time.Time
	immutable bool
	tags      []resource.Tag
	// pushed holds when each manifest was pushed, by digest.
	pushed map[string]time.Time
}

// New makes a registry without repositories.
func New(config Config) *Service {
	return &Service{
		Config:       config,
		registry:     registry.New(registry.Logger(log.New(io.Discard, "", 0))),
		repositories: map[string]*repository{},
	}
}

// Wire is the service's API.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:      "ecr",
		Protocols: []wire.Protocol{awsjson.Protocol{Version: "1.1", Target: "AmazonEC2ContainerRegistry_V20150921", Naming: wire.LowerFirst}},
		Operations: []wire.Operation{
			wire.Op("GetAuthorizationToken", s.GetAuthorizationToken),
			wire.Op("DescribeRepositories", s.DescribeRepositories, wire.On(func(in *DescribeRepositoriesInput) []string {
				if len(in.RepositoryNames) == 0 {
					return []string{s.arn("*")}
				}
				return s.arns(in.RepositoryNames)
			})),
			wire.Op("DescribeImages", s.DescribeImages, wire.On(func(in *DescribeImagesInput) []string { return []string{s.arn(in.RepositoryName)} })),
			wire.Op("ListImages", s.ListImages, wire.On(func(in *ListImagesInput) []string { return []string{s.arn(in.RepositoryName)} })),
		},
		Invalid: func(message string) *wire.Error { return wire.Errorf("InvalidParameterException", "%s", message) },
	}
}

func (s *Service) arn(name string) string {
	return fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", s.Region, s.Account, name)
}

func (s *Service) arns(names []string) []string {
	arns := make([]string, len(names))
	for i, name := range names {
		arns[i] = s.arn(name)
	}
	return arns
}

// GetAuthorizationTokenInput has no members of use.
type GetAuthorizationTokenInput struct{ RegistryIds []string }

// GetAuthorizationTokenOutput holds one token.
type GetAuthorizationTokenOutput struct{ AuthorizationData []AuthorizationData }

// AuthorizationData is a login that the registry accepts, as it accepts any.
type AuthorizationData struct {
	AuthorizationToken string
	ExpiresAt          time.Time
	ProxyEndpoint      string
}

// GetAuthorizationToken answers
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
func (s *Service) GetAuthorizationToken(context.Context, *GetAuthorizationTokenInput) (*GetAuthorizationTokenOutput, error) {
	return &GetAuthorizationTokenOutput{AuthorizationData: []AuthorizationData{{
		AuthorizationToken: base64.StdEncoding.EncodeToString([]byte("AWS:no-login-needed")),
		ExpiresAt:          s.Clock.Now().Add(12 * time.Hour),
		ProxyEndpoint:      "http://" + s.Host(),
	}}}, nil
}

// DescribeRepositoriesInput names repositories; none means all.
type DescribeRepositoriesInput struct{ RepositoryNames []string }

// DescribeRepositoriesOutput lists them.
type DescribeRepositoriesOutput struct{ Repositories []Repository }

// Repository is a repository as ECR describes it.
type Repository struct {
	RepositoryArn      string
	RegistryId         string
	RepositoryName     string
	RepositoryUri      string
	CreatedAt          time.Time
	ImageTagMutability string
}

// DescribeRepositories answers
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
func (s *Service) DescribeRepositories(_ context.Context, in *DescribeRepositoriesInput) (*DescribeRepositoriesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := in.RepositoryNames
	if len(names) == 0 {
		for name := range s.repositories {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	out := &DescribeRepositoriesOutput{Repositories: []Repository{}}
	for _, name := range names {
		r, err := s.findLocked(name)
		if err != nil {
			return nil, err
		}
		mutability := "MUTABLE"
		if r.immutable {
			mutability = "IMMUTABLE"
		}
		out.Repositories = append(out.Repositories, Repository{
			RepositoryArn: s.arn(name), RegistryId: s.Account, RepositoryName: name,
			RepositoryUri: s.uri(name), CreatedAt: r.created, ImageTagMutability: mutability,
		})
	}
	return out, nil
}

func (s *Service) uri(name string) string { return s.Host() + "/" + name }

func (s *Service) findLocked(name string) (*repository, error) {
	r, ok := s.repositories[name]
	if !ok {
		return nil, wire.Errorf("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", name, s.Account)
	}
	return r, nil
}

// ImageID names an image by tag, digest or both.
type ImageID struct {
	ImageDigest string
	ImageTag    string
}

// ListImagesInput names a repository.
type ListImagesInput struct {
	RegistryId     string
	RepositoryName string `aws:"repositoryName,required"`
}

// ListImagesOutput lists its images.
type ListImagesOutput struct{ ImageIds []ImageID }

// ListImages answers
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImages.html
func (s *Service) ListImages(ctx context.Context, in *ListImagesInput) (*ListImagesOutput, error) {
	tags, err := s.tagged(ctx, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ListImagesOutput{ImageIds: []ImageID{}}
	for _, tag := range tags {
		out.ImageIds = append(out.ImageIds, ImageID{ImageDigest: tag.digest, ImageTag: tag.name})
	}
	return out, nil
}

// DescribeImagesInput names images of a repository; none means all.
type DescribeImagesInput struct {
	RegistryId     string
	RepositoryName string `aws:"repositoryName,required"`
	ImageIds       []ImageID
}

// DescribeImagesOutput lists them.
type DescribeImagesOutput struct{ ImageDetails []ImageDetail }

// ImageDetail is an image as ECR describes it.
type ImageDetail struct {
	RegistryId             string
	RepositoryName         string
	ImageDigest            string
	ImageTags              []string
	ImagePushedAt          time.Time
	ImageManifestMediaType string
}

// DescribeImages answers
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
func (s *Service) DescribeImages(ctx context.Context, in *DescribeImagesInput) (*DescribeImagesOutput, error) {
	tags, err := s.tagged(ctx, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &DescribeImagesOutput{ImageDetails: []ImageDetail{}}
	found := map[string]int{}
	for _, tag := range tags {
		i, seen := found[tag.digest]
		if !seen {
			i = len(out.ImageDetails)
			found[tag.digest] = i
			out.ImageDetails = append(out.ImageDetails, ImageDetail{
				RegistryId: s.Account, RepositoryName: in.RepositoryName, ImageDigest: tag.digest,
				ImagePushedAt: tag.pushed, ImageManifestMediaType: tag.mediaType,
			})
		}
		out.ImageDetails[i].ImageTags = append(out.ImageDetails[i].ImageTags, tag.name)
	}
	if len(in.ImageIds) == 0 {
		return out, nil
	}
	var wanted []ImageDetail
	for _, id := range in.ImageIds {
		i := slices.IndexFunc(out.ImageDetails, func(d ImageDetail) bool {
			return (id.ImageDigest == "" || id.ImageDigest == d.ImageDigest) &&
				(id.ImageTag == "" || slices.Contains(d.ImageTags, id.ImageTag))
		})
		if i < 0 {
			return nil, wire.Errorf("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
				id.ImageDigest, id.ImageTag, in.RepositoryName, s.Account)
		}
		wanted = append(wanted, out.ImageDetails[i])
	}
	out.ImageDetails = wanted
	return out, nil
}

type tagged struct {
	name, digest, mediaType string
	pushed                  time.Time
}

// tagged asks the registry itself, so that there is one truth.
func (s *Service) tagged(ctx context.Context, name string) ([]tagged, error) {
	s.mu.Lock()
	r, err := s.findLocked(name)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	listing := s.ask(ctx, http.MethodGet, "/v2/"+name+"/tags/list")
	if listing.Code == http.StatusNotFound {
		return nil, nil // nothing was pushed yet
	}
	var list struct{ Tags []string }
	if err := json.Unmarshal(listing.Body.Bytes(), &list); err != nil {
		return nil, fmt.Errorf("list tags of %s: %w", name, err)
	}
	var all []tagged
	for _, tag := range list.Tags {
		head := s.ask(ctx, http.MethodHead, "/v2/"+name+"/manifests/"+tag)
		digest := head.Header().Get("Docker-Content-Digest")
		s.mu.Lock()
		pushed := r.pushed[digest]
		s.mu.Unlock()
		all = append(all, tagged{name: tag, digest: digest, mediaType: head.Header().Get("Content-Type"), pushed: pushed})
	}
	return all, nil
}

func (s *Service) ask(ctx context.Context, method, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	s.registry.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, method, path, nil))
	return recorder
}

var manifestPath = regexp.MustCompile(`^/v2/(.+)/manifests/([^/]+)$`)

// ServeHTTP speaks the OCI distribution protocol below /v2/. A push to a
// repository that does not exist, and one that moves an immutable tag, is
// refused as ECR does.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := repositoryOf(r.URL.Path)
	if name != "" {
		s.mu.Lock()
		_, err := s.findLocked(name)
		s.mu.Unlock()
		if err != nil {
			refuse(w, http.StatusNotFound, "NAME_UNKNOWN", err.Error())
			return
		}
	}
	match := manifestPath.FindStringSubmatch(r.URL.Path)
	if match == nil || r.Method != http.MethodPut {
		s.registry.ServeHTTP(w, r)
		return
	}
	s.pushManifest(w, r, match[1], match[2])
}

func repositoryOf(path string) string {
	rest := strings.TrimPrefix(path, "/v2/")
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/"} {
		if name, _, ok := strings.Cut(rest, part); ok {
			return name
		}
	}
	return ""
}

func (s *Service) pushManifest(w http.ResponseWriter, r *http.Request, name, reference string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", err.Error())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	repo := s.repositories[name]
	s.mu.Unlock()
	held := s.ask(r.Context(), http.MethodHead, "/v2/"+name+"/manifests/"+reference)
	if repo.immutable && !strings.HasPrefix(reference, "sha256:") && held.Code == http.StatusOK {
		refuse(w, http.StatusBadRequest, "TAG_INVALID", fmt.Sprintf("The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the repository is immutable.", reference, name))
		return
	}
	s.registry.ServeHTTP(w, r)
	if digest := w.Header().Get("Docker-Content-Digest"); digest != "" {
		s.mu.Lock()
		repo.pushed[digest] = s.Clock.Now()
		s.mu.Unlock()
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
