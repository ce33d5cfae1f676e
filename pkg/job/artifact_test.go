package job

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// store is S3 with one object.
type store struct {
	object []byte
	length int64 // told instead of the object's, if set
	err    error
	gets   int
	put    *s3.PutObjectInput
	body   []byte
}

func (s *store) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	s.gets++
	if s.err != nil {
		return nil, s.err
	}
	if *in.Bucket != "artifacts" || *in.Key != "p/source/1" {
		return nil, fmt.Errorf("got s3://%s/%s", *in.Bucket, *in.Key)
	}
	length := int64(len(s.object))
	if s.length != 0 {
		length = s.length
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(s.object)), ContentLength: &length}, nil
}

func (s *store) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (_ *s3.PutObjectOutput, err error) {
	s.put = in
	if s.body, err = io.ReadAll(in.Body); err != nil {
		return nil, err
	}
	return &s3.PutObjectOutput{}, s.err
}

func storeOf(s *store) func(aws.CredentialsProvider) S3 {
	return func(aws.CredentialsProvider) S3 { return s }
}

type entry struct {
	name string
	body string
	mode fs.FileMode
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.body == "" {
			h.Method = zip.Store // an empty entry needs no compressor, and some archives have thousands
		}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// lying declares another unpacked size than the entry has.
func lying(t testing.TB, archive []byte, size uint32) []byte {
	t.Helper()
	at := bytes.LastIndex(archive, []byte("PK\x01\x02"))
	if at < 0 {
		t.Fatal("no central directory")
	}
	archive = bytes.Clone(archive)
	binary.LittleEndian.PutUint32(archive[at+24:], size)
	return archive
}

func TestReadInput(t *testing.T) {
	t.Parallel()
	file := entry{name: "a/b.json", body: "{}"}
	zeros := strings.Repeat("\x00", 1<<20)
	many := make([]entry, maxEntries+1)
	for i := range many {
		many[i].name = fmt.Sprintf("%d", i)
	}
	for name, c := range map[string]struct {
		store    store
		artifact string
		path     string
		kind     types.FailureType // "" if no failure
		says     string
	}{
		"a file":                         {store: store{object: zipOf(t, file)}},
		"a file named from here":         {store: store{object: zipOf(t, entry{name: "./a/b.json", body: "{}"})}},
		"an artifact that is not given":  {store: store{}, artifact: "other", kind: types.FailureTypeConfigurationError, says: `no input artifact "other" (it has source)`},
		"a path that climbs out":         {store: store{}, path: "../x", kind: types.FailureTypeConfigurationError, says: `"../x" is not a path`},
		"an absolute path":               {store: store{}, path: "/etc/passwd", kind: types.FailureTypeConfigurationError, says: `"/etc/passwd" is not a path`},
		"an archive that is too long":    {store: store{object: []byte("x"), length: maxArchive + 1}, kind: types.FailureTypeConfigurationError, says: "268435457 bytes long: 268435456 are read at most"},
		"no archive":                     {store: store{object: []byte("hello")}, kind: types.FailureTypeConfigurationError, says: "source: the archive s3://artifacts/p/source/1 is not a zip archive"},
		"an archive cut off":             {store: store{object: zipOf(t, file)[:40]}, kind: types.FailureTypeConfigurationError, says: "not a zip archive"},
		"too many entries":               {store: store{object: zipOf(t, many...)}, kind: types.FailureTypeConfigurationError, says: "too many entries: 20000 are allowed"},
		"a directory too long to keep":   {store: store{object: zipOf(t, longNames()...)}, kind: types.FailureTypeConfigurationError, says: "too many entries"},
		"an entry that climbs out":       {store: store{object: zipOf(t, file, entry{name: "a/../../x"})}, kind: types.FailureTypeConfigurationError, says: `an entry "a/../../x", which leads out of it`},
		"an entry with an absolute path": {store: store{object: zipOf(t, file, entry{name: "/x"})}, kind: types.FailureTypeConfigurationError, says: `"/x", which leads out`},
		"an entry with a backslash path": {store: store{object: zipOf(t, file, entry{name: `..\x`})}, kind: types.FailureTypeConfigurationError, says: "leads out"},
		"an entry on a drive":            {store: store{object: zipOf(t, file, entry{name: `c:\x`})}, kind: types.FailureTypeConfigurationError, says: "leads out"},
		"a symbolic link":                {store: store{object: zipOf(t, entry{name: "a/b.json", body: "/etc/passwd", mode: fs.ModeSymlink | 0o777})}, kind: types.FailureTypeConfigurationError, says: "source: file a/b.json is a symbolic link"},
		"a link that is not asked for":   {store: store{object: zipOf(t, file, entry{name: "l", body: "x", mode: fs.ModeSymlink})}},
		"a folder":                       {store: store{object: zipOf(t, entry{name: "a/b.json/"})}, kind: types.FailureTypeConfigurationError, says: "not a regular file"},
		"a file that is there twice":     {store: store{object: zipOf(t, file, file)}, kind: types.FailureTypeConfigurationError, says: "twice"},
		"a file that is too long":        {store: store{object: zipOf(t, entry{name: "a/b.json", body: zeros})}, kind: types.FailureTypeConfigurationError, says: "a/b.json is 1048576 bytes long: 100 are allowed"},
		"a bomb that declares little":    {store: store{object: lying(t, zipOf(t, entry{name: "a/b.json", body: zeros}), 5)}, kind: types.FailureTypeConfigurationError, says: "a/b.json"},
		"an object that is gone":         {store: store{err: apiError("GetObject", "NoSuchKey", "gone")}, kind: types.FailureTypeRevisionUnavailable, says: "source at s3://artifacts/p/source/1: it is not there any more"},
		"an object that it may not read": {store: store{err: apiError("GetObject", "AccessDenied", "no")}, kind: types.FailureTypePermissionError, says: "allow the pipeline's role"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.config.S3 = storeOf(&c.store)
			artifact, path := "source", "a/b.json"
			if c.artifact != "" {
				artifact = c.artifact
			}
			if c.path != "" {
				path = c.path
			}
			var body []byte
			r, err := w.run(t, func(ctx context.Context, j Job[params], _ state) (Result[state], error) {
				for range 2 {
					var err error
					if body, err = j.ReadInput(ctx, artifact, path, 100); err != nil {
						return Result[state]{}, err
					}
				}
				return Done[state]("read", nil), nil
			}, eventFor(job1, good, ""))
			if err != nil {
				t.Fatal(err)
			}
			if c.kind == "" {
				if r.Failure != nil {
					t.Fatalf("got failure %q, want none", *r.Failure.FailureDetails.Message)
				}
				if string(body) != "{}" || c.store.gets != 1 {
					t.Errorf("got %q from %d gets, want {} from 1", body, c.store.gets)
				}
				return
			}
			if got := r.failure(t, c.kind); !strings.Contains(got, c.says) || !strings.Contains(got, artifact) {
				t.Errorf("message: got %q, want it to have %q", got, c.says)
			}
		})
	}
}

func longNames() []entry {
	entries := make([]entry, 90)
	for i := range entries {
		entries[i].name = fmt.Sprintf("%d/", i) + strings.Repeat("n", 60_000)
	}
	return entries
}

func TestReadInput_MissingFileAndFaults(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.config.S3 = storeOf(&store{object: zipOf(t)})
	_, _ = w.run(t, func(ctx context.Context, j Job[params], _ state) (Result[state], error) {
		if _, err := j.ReadInput(ctx, "source", "x", 1); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "read file x of input artifact source") {
			t.Errorf("missing file: got %v, want fs.ErrNotExist", err)
		}
		return Done[state]("s", nil), nil
	}, eventFor(job1, good, ""))
	w.config.S3 = storeOf(&store{err: apiError("GetObject", "SlowDown", "s")})
	r, _ := w.run(t, func(ctx context.Context, j Job[params], _ state) (Result[state], error) {
		_, err := j.ReadInput(ctx, "source", "x", 1)
		return Result[state]{}, err
	}, eventFor(job2, good, ""))
	if _, summary := r.continued(t); !strings.Contains(summary, "read input artifact source at s3://artifacts/p/source/1") {
		t.Errorf("summary: got %q", summary)
	}
	if _, err := (Job[params]{Inputs: []Artifact{{Name: "a"}}}).ReadInput(t.Context(), "a", "f", 1); err == nil {
		t.Error("a job without artifacts: got nil, want an error")
	}
}

func TestWriteOutput(t *testing.T) {
	t.Parallel()
	var bodies [][]byte
	for range 2 {
		s := &store{}
		w := newWorld()
		w.config.S3 = func(p aws.CredentialsProvider) S3 {
			if got, err := p.Retrieve(t.Context()); err != nil || got.SecretAccessKey != secretAccess || got.SessionToken != secretToken {
				t.Error("the job's credentials are not used")
			}
			return s
		}
		r, err := w.run(t, func(ctx context.Context, j Job[params], _ state) (Result[state], error) {
			if err := j.WriteOutput(ctx, "other", nil); err == nil || !strings.Contains(err.Error(), "it has result") {
				t.Errorf("unknown artifact: got %v", err)
			}
			if err := j.WriteOutput(ctx, "result", map[string][]byte{"../x": nil}); err == nil {
				t.Error("path that escapes: got nil, want an error")
			}
			return Done[state]("written", nil), j.WriteOutput(ctx, "result", map[string][]byte{"b": []byte("2"), "a/c": []byte("1")})
		}, eventFor(job1, good, ""))
		if err != nil || r.Success == nil {
			t.Fatalf("got %+v, %v", r, err)
		}
		if s.put.ServerSideEncryption != s3types.ServerSideEncryptionAwsKms || *s.put.SSEKMSKeyId != "arn:aws:kms:us-east-1:111122223333:key/k" || *s.put.Key != "p/result/1" {
			t.Errorf("put: got %+v", s.put)
		}
		bodies = append(bodies, s.body)
	}
	if !bytes.Equal(bodies[0], bodies[1]) {
		t.Error("the same files make other bytes")
	}
	z, err := zip.NewReader(bytes.NewReader(bodies[0]), int64(len(bodies[0])))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(z, "a/c"); err != nil || string(got) != "1" {
		t.Errorf("a/c: got %q, %v", got, err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(zipOf(f, entry{name: "a", body: "b"}), "a")
	f.Add(zipOf(f, entry{name: "l", body: "b", mode: fs.ModeSymlink}), "l")
	f.Add(lying(f, zipOf(f, entry{name: "a", body: strings.Repeat("b", 5000)}), 5), "a")
	f.Fuzz(func(t *testing.T, object []byte, name string) {
		z, err := readDirectory(bytes.NewReader(object), int64(len(object)))
		if err != nil {
			return
		}
		body, err := (&archive{zip: z}).read(name, 1000)
		if err == nil && len(body) > 1000 {
			t.Errorf("got %d bytes, want at most 1000", len(body))
		}
	})
}
