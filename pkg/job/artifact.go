package job

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"cutover/pkg/awsclient"
)

// An Artifact is one of the action's artifacts, a zip archive in S3.
type Artifact struct {
	Name     string // as the pipeline names it
	Revision string // of an input, when its source has one
	Bucket   string
	Key      string
}

// S3 is what reading and writing artifacts calls of S3. *s3.Client is one.
type S3 interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// artifacts are those of one tick. The client is made and an archive is fetched
// when first asked for, and once.
type artifacts struct {
	client func() S3
	kmsKey string

	mu   sync.Mutex
	open map[string]*archive
}

func newArtifacts(j *eventJob, make func(aws.CredentialsProvider) S3) *artifacts {
	a := &artifacts{open: map[string]*archive{}}
	a.client = sync.OnceValue(func() S3 {
		if make == nil {
			return nil
		}
		return make(j.Data.ArtifactCredentials.provider())
	})
	if key := j.Data.EncryptionKey; key != nil {
		a.kmsKey = key.ID
	}
	return a
}

// close gives up what was fetched.
func (a *artifacts) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(a.open)) {
		errs = append(errs, a.open[name].close())
	}
	clear(a.open)
	return errors.Join(errs...)
}

// ReadInput reads one file, of at most limit bytes, of the input artifact. path
// is the file's in the archive, with slashes. A file that is not there is
// fs.ErrNotExist; an archive or file that is not to be trusted is a
// ConfigurationError. The archive is fetched once a tick.
func (j Job[P]) ReadInput(ctx context.Context, name, path string, limit int64) ([]byte, error) {
	input, err := find(j.Inputs, "input", name)
	if err != nil {
		return nil, err
	}
	if !fs.ValidPath(path) || path == "." || strings.ContainsRune(path, '\\') {
		return nil, ConfigurationError(fmt.Sprintf("input artifact %s: %q is not a path within an archive", name, path))
	}
	a, err := j.artifacts.fetch(ctx, input)
	if err != nil {
		return nil, err
	}
	body, err := a.read(path, limit)
	if unsafe, ok := errors.AsType[unsafeError](err); ok {
		return nil, ConfigurationError(fmt.Sprintf("input artifact %s: file %s %s", name, path, unsafe))
	}
	if err != nil {
		return nil, fmt.Errorf("read file %s of input artifact %s: %w", path, name, err)
	}
	return body, nil
}

// WriteOutput writes the output artifact: a zip archive of the files, by their
// paths. The same files make the same bytes, so repeating it is harmless. With
// a customer's key in the artifact store, the archive is encrypted with it.
func (j Job[P]) WriteOutput(ctx context.Context, name string, files map[string][]byte) error {
	output, err := find(j.Outputs, "output", name)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	w := zip.NewWriter(&body)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if !fs.ValidPath(path) || path == "." {
			return fmt.Errorf("write output artifact %s: %q is not a path within an archive", name, path)
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Deflate})
		if err == nil {
			_, err = f.Write(files[path])
		}
		if err != nil {
			return fmt.Errorf("write file %s of output artifact %s: %w", path, name, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write output artifact %s: %w", name, err)
	}
	in := &s3.PutObjectInput{
		Bucket: &output.Bucket, Key: &output.Key,
		Body: bytes.NewReader(body.Bytes()), ContentType: aws.String("application/zip"),
	}
	client, err := j.artifacts.s3()
	if err != nil {
		return err
	}
	if key := j.artifacts.kmsKey; key != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = s3types.ServerSideEncryptionAwsKms, &key
	}
	if _, err := client.PutObject(ctx, in); err != nil {
		return storeError("write output artifact", output, err)
	}
	return nil
}

func find(artifacts []Artifact, kind, name string) (Artifact, error) {
	var names []string
	for _, a := range artifacts {
		if a.Name == name {
			return a, nil
		}
		names = append(names, a.Name)
	}
	has := "none"
	if len(names) > 0 {
		has = strings.Join(names, ", ")
	}
	return Artifact{}, ConfigurationError(fmt.Sprintf("the action has no %s artifact %q (it has %s)", kind, name, has))
}

func (a *artifacts) s3() (S3, error) {
	if a != nil {
		if client := a.client(); client != nil {
			return client, nil
		}
	}
	return nil, errors.New("reach artifacts: this function has no client of S3")
}

func (a *artifacts) fetch(ctx context.Context, input Artifact) (*archive, error) {
	client, err := a.s3()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if opened, ok := a.open[input.Name]; ok {
		return opened, nil
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &input.Bucket, Key: &input.Key})
	if err != nil {
		return nil, storeError("read input artifact", input, err)
	}
	defer out.Body.Close() // read to its end, or given up
	opened, err := openArchive(out.Body, aws.ToInt64(out.ContentLength))
	if unsafe, ok := errors.AsType[unsafeError](err); ok {
		return nil, ConfigurationError(fmt.Sprintf("input artifact %s: the archive s3://%s/%s %s", input.Name, input.Bucket, input.Key, unsafe))
	}
	if err != nil {
		return nil, storeError("read input artifact", input, err)
	}
	a.open[input.Name] = opened
	return opened, nil
}

// storeError names the artifact and its place. Its credentials are not the
// function's, so what to do about a denial is not what the function's role says.
func storeError(verb string, a Artifact, err error) error {
	place := fmt.Sprintf("%s %s at s3://%s/%s", verb, a.Name, a.Bucket, a.Key)
	switch {
	case awsclient.IsDenied(err):
		action, _ := awsclient.Denied(err)
		return &Failure{Type: types.FailureTypePermissionError, Message: fmt.Sprintf(
			"%s: %v; allow the pipeline's role %s on arn:aws:s3:::%s/* and, if the bucket is encrypted with a KMS key, kms:Decrypt and kms:GenerateDataKey on the key; then retry the stage",
			place, err, action, a.Bucket)}
	case awsclient.IsCode(err, "NoSuchKey", "NoSuchBucket", "NoSuchVersion"):
		return &Failure{Type: types.FailureTypeRevisionUnavailable, Message: fmt.Sprintf(
			"%s: it is not there any more; start the pipeline again to make it anew", place)}
	}
	return fmt.Errorf("%s: %w", place, err)
}
