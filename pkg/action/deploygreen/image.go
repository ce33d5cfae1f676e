package deploygreen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"cutover/pkg/job"
)

// imageFileLimit is CodePipeline's limit on image definitions files, in bytes
// (https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html).
const imageFileLimit = 100 << 10

// imageFiles are looked for in this order.
var imageFiles = []string{"imageDetail.json", "imagedefinitions.json", "images.json"}

// readFile reads one file of an input artifact; a missing one is fs.ErrNotExist.
type readFile func(ctx context.Context, artifact, path string) ([]byte, error)

// findImage takes the image from the parameters or from the first input
// artifact that names one. fault says what is wrong with what was found.
func findImage(ctx context.Context, p Params, artifacts []string, read readFile, container string) (image, fault string, err error) {
	if p.Image != "" {
		return p.Image, "", nil
	}
	names := imageFiles
	if p.ImageFile != "" {
		names = []string{p.ImageFile}
	}
	if len(artifacts) == 0 {
		return "", "no image: set image, or give the action an input artifact with " + strings.Join(names, " or "), nil
	}
	for _, artifact := range artifacts {
		for _, name := range names {
			body, err := read(ctx, artifact, name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case unfit(err):
				return "", err.Error(), nil
			case err != nil:
				return "", "", fmt.Errorf("read %s of input artifact %s: %w", name, artifact, err)
			}
			image, err := parseImage(body, p.ImageKey, container)
			if err != nil {
				return "", fmt.Sprintf("%s of input artifact %s: %v", name, artifact, err), nil
			}
			return image, "", nil
		}
	}
	return "", fmt.Sprintf("no image: input artifact %s has no %s", strings.Join(artifacts, " or "), strings.Join(names, " or ")), nil
}

// unfit tells an artifact or a path in it that is not to be read.
func unfit(err error) bool {
	f, ok := errors.AsType[*job.Failure](err)
	return ok && f.Type == types.FailureTypeConfigurationError
}

// parseImage reads any of the three forms, told apart by content:
// {"ImageURI": uri}, [{"name": key, "imageUri": uri}] and {key: uri}. The last
// two need a key, which is imageKey or else the container. Without either (the
// container is not known yet) the form alone is checked and the image is "".
func parseImage(body []byte, imageKey, container string) (string, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	images := map[string]string{}
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return "", errors.New("it is empty")
	}
	if trimmed[0] == '[' {
		var entries []struct {
			Name     string `json:"name"`
			ImageURI string `json:"imageUri"`
		}
		if err := json.Unmarshal(body, &entries); err != nil {
			return "", fmt.Errorf("not a list of objects with name and imageUri%s", syntax(err))
		}
		for i, e := range entries {
			if e.Name == "" {
				return "", fmt.Errorf("entry %d has no name", i+1)
			}
			if _, twice := images[e.Name]; twice {
				return "", fmt.Errorf("%q is named twice", e.Name)
			}
			images[e.Name] = e.ImageURI
		}
	} else {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(body, &object); err != nil {
			return "", fmt.Errorf("not a JSON object or list%s", syntax(err))
		}
		if raw, single := object["ImageURI"]; single {
			var uri string
			if err := json.Unmarshal(raw, &uri); err != nil {
				return "", errors.New("ImageURI is not a string")
			}
			return checkImage("ImageURI", uri)
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			var uri string
			if err := json.Unmarshal(object[key], &uri); err != nil {
				return "", fmt.Errorf("it has no ImageURI, and it does not map names to image URIs: %q is not a string", key)
			}
			images[key] = uri
		}
	}
	if len(images) == 0 {
		return "", errors.New("it names no image")
	}
	key := imageKey
	if key == "" {
		key = container
	}
	if key == "" {
		return "", nil
	}
	uri, found := images[key]
	if !found {
		return "", fmt.Errorf("it has no image for %q (it has %s): set imageKey to one that it has", key, strings.Join(slices.Sorted(maps.Keys(images)), ", "))
	}
	return checkImage(key, uri)
}

// syntax tells where JSON is broken; a type that does not fit would be told in
// Go's words, so it is left out.
func syntax(err error) string {
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(": at character %d, %v", broken.Offset, broken)
	}
	return ""
}

func checkImage(key, uri string) (string, error) {
	if !isImage(uri) {
		return "", fmt.Errorf("%s %q is not an image URI", key, uri)
	}
	return uri, nil
}
