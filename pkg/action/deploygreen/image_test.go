package deploygreen

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/bluegreen"
)

const digest = "111122223333.dkr.ecr.us-east-1.amazonaws.com/hello@sha256:2f4c4e1ba0d9b4f8f6a2f6a0c4a5e9d3b7c8a1f0e2d4c6b8a0f1e3d5c7b9a1f3"

func TestFindImage(t *testing.T) {
	t.Parallel()
	type files map[string]string // "artifact/file" to body
	for name, c := range map[string]struct {
		files  files
		params func(*Params)
		image  string
		fault  string
	}{
		"imageDetail.json":                        {files: files{"build/imageDetail.json": `{"ImageSizeInBytes":"1","ImageURI":"` + digest + `","ImageTags":["v2"]}`}, image: digest},
		"imagedefinitions.json, by the container": {files: files{"build/imagedefinitions.json": `[{"name":"proxy","imageUri":"proxy:1"},{"name":"app","imageUri":"app:v2"}]`}, image: "app:v2"},
		"images.json, by the container":           {files: files{"build/images.json": `{"app":"app:v2","proxy":"proxy:1"}`}, image: "app:v2"},
		"images.json, by key":                     {files: files{"build/images.json": `{"hello":"app:v2","other":"other:1"}`}, params: func(p *Params) { p.ImageKey = "hello" }, image: "app:v2"},
		"a byte order mark":                       {files: files{"build/images.json": "\xef\xbb\xbf" + `{"app":"app:v2"}`}, image: "app:v2"},
		"the usual order of files": {files: files{
			"build/images.json": `{"app":"app:v3"}`, "build/imagedefinitions.json": `[{"name":"app","imageUri":"app:v2"}]`,
		}, image: "app:v2"},
		"the second artifact": {files: files{"source/README.md": "", "build/images.json": `{"app":"app:v2"}`}, image: "app:v2"},
		"a file of another name": {files: files{"build/out/release.json": `{"ImageURI":"app:v2"}`},
			params: func(p *Params) { p.ImageFile = "out/release.json" }, image: "app:v2"},
		"the parameter before any file": {files: files{"build/images.json": `{"app":"app:v3"}`}, params: func(p *Params) { p.Image = "app:v2" }, image: "app:v2"},

		"no artifact": {files: files{}, fault: "no image: set image, or give the action an input artifact with imageDetail.json or imagedefinitions.json or images.json"},
		"no file": {files: files{"build/README.md": ""},
			fault: "no image: input artifact build has no imageDetail.json or imagedefinitions.json or images.json"},
		"no file of the name": {files: files{"build/images.json": `{}`}, params: func(p *Params) { p.ImageFile = "release.json" },
			fault: "no image: input artifact build has no release.json"},
		"not JSON": {files: files{"build/imageDetail.json": "ImageURI: app"},
			fault: "imageDetail.json of input artifact build: not a JSON object or list: at character 1, invalid character 'I' looking for beginning of value"},
		"an empty file": {files: files{"build/imageDetail.json": ""},
			fault: "imageDetail.json of input artifact build: it is empty"},
		"a list of strings": {files: files{"build/imagedefinitions.json": `["app:v2"]`},
			fault: "imagedefinitions.json of input artifact build: not a list of objects with name and imageUri"},
		"an entry without a name": {files: files{"build/imagedefinitions.json": `[{"imageUri":"app:v2"}]`},
			fault: "imagedefinitions.json of input artifact build: entry 1 has no name"},
		"a name twice": {files: files{"build/imagedefinitions.json": `[{"name":"app","imageUri":"app:v2"},{"name":"app","imageUri":"app:v3"}]`},
			fault: `imagedefinitions.json of input artifact build: "app" is named twice`},
		"an empty list": {files: files{"build/imagedefinitions.json": `[]`}, fault: "imagedefinitions.json of input artifact build: it names no image"},
		"another container only": {files: files{"build/images.json": `{"web":"web:1","db":"db:1"}`},
			fault: `images.json of input artifact build: it has no image for "app" (it has db, web): set imageKey to one that it has`},
		"an image that is none": {files: files{"build/images.json": `{"app":"https://example.com/app v2"}`},
			fault: `images.json of input artifact build: app "https://example.com/app v2" is not an image URI`},
		"an empty ImageURI": {files: files{"build/imageDetail.json": `{"ImageURI":""}`},
			fault: `imageDetail.json of input artifact build: ImageURI "" is not an image URI`},
		"an ImageURI that is no string": {files: files{"build/imageDetail.json": `{"ImageURI":7}`},
			fault: "imageDetail.json of input artifact build: ImageURI is not a string"},
		"an object of objects": {files: files{"build/images.json": `{"app":{"uri":"app:v2"}}`},
			fault: `images.json of input artifact build: it has no ImageURI, and it does not map names to image URIs: "app" is not a string`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p Params
			if c.params != nil {
				c.params(&p)
			}
			var artifacts []string
			for _, a := range []string{"source", "build"} {
				for path := range c.files {
					if strings.HasPrefix(path, a+"/") {
						artifacts = append(artifacts, a)
						break
					}
				}
			}
			read := func(_ context.Context, artifact, path string) ([]byte, error) {
				body, found := c.files[artifact+"/"+path]
				if !found {
					return nil, fs.ErrNotExist
				}
				return []byte(body), nil
			}
			image, fault, err := findImage(t.Context(), p, artifacts, read, "app")
			if err != nil || image != c.image {
				t.Errorf("got image %q and error %v, want %q", image, err, c.image)
			}
			if diff := cmp.Diff(c.fault, fault); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFindImage_PassesOnAFailedRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("access denied")
	_, fault, err := findImage(t.Context(), Params{}, []string{"build"}, func(context.Context, string, string) ([]byte, error) { return nil, broken }, "app")
	if !errors.Is(err, broken) || fault != "" || !strings.Contains(err.Error(), "read imageDetail.json of input artifact build") {
		t.Errorf("got error %v and fault %q, want the error with the file's name", err, fault)
	}
}

func FuzzParseImage(f *testing.F) {
	for _, seed := range []string{`{"ImageURI":"app:v2"}`, `[{"name":"app","imageUri":"app:v2"}]`, `{"app":"app:v2"}`, `null`, `[null]`, `{"app":null}`, "\xef\xbb\xbf{}"} {
		f.Add([]byte(seed), "", "app")
	}
	f.Fuzz(func(t *testing.T, body []byte, key, container string) {
		image, err := parseImage(body, key, container)
		if err == nil && image == "" && key+container != "" {
			t.Errorf("%q gives neither an image nor an error", body)
		}
		if image != "" && !imageURI.MatchString(image) {
			t.Errorf("%q gives %q, which is no image URI", body, image)
		}
	})
}

func TestValidate_ListsEveryFault(t *testing.T) {
	t.Parallel()
	p := Params{
		Params: bluegreen.Params{Execution: execution, LoadBalancer: "hello", Services: []string{"hello-a"}},
		Image:  "#{build.IMAGE}", ImageFile: "images.json", ImageKey: "app", MinimumCount: -1,
	}
	want := strings.Join([]string{
		"cluster is missing",
		"services has one name: give the names of the pair's two ECS services",
		`image "#{build.IMAGE}" is not an image URI`,
		"image and imageFile are both set: give one",
		"image and imageKey are both set: give one",
		"minimumCount is -1: it must be at least 1",
	}, "\n")
	if got := p.Validate(); got == nil || got.Error() != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if err := params().Validate(); err != nil {
		t.Errorf("got %v for complete parameters, want none", err)
	}
}
