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
	body, from, fault, err := firstFile(ctx, artifacts, names, read)
	if err != nil || fault != "" {
		return "", fault, err
	}
	if from == "" {
		return "", fmt.Sprintf("no image: input artifact %s has no %s", strings.Join(artifacts, " or "), strings.Join(names, " or ")), nil
	}
	if image, err = parseImage(body, p.ImageKey, container); err != nil {
		return "", fmt.Sprintf("%s: %v", from, err), nil
	}
	return image, "", nil
}

// firstFile reads the first of the files that an artifact has. from tells which
// it is, and is "" when there is none.
func firstFile(ctx context.Context, artifacts, names []string, read readFile) (body []byte, from, fault string, err error) {
	for _, artifact := range artifacts {
		for _, name := range names {
			body, err := read(ctx, artifact, name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case unfit(err):
				return nil, "", err.Error(), nil
			case err != nil:
				return nil, "", "", fmt.Errorf("read %s of input artifact %s: %w", name, artifact, err)
			}
			return body, fmt.Sprintf("%s of input artifact %s", name, artifact), "", nil
		}
	}
	return nil, "", "", nil
}

// unfit tells an artifact or a path in it that is not to be read.
func unfit(err error) bool {
	f, ok := errors.AsType[*job.Failure](err)
	return ok && f.Type == types.FailureTypeConfigurationError
}

// parseImage finds the image in a file of any of the three forms. Those with
// several images need a key, which is imageKey or else the container. Without
// either (the container is not known yet) the form alone is checked and the
// image is "".
func parseImage(body []byte, imageKey, container string) (string, error) {
	images, err := parseImages(body)
	if err != nil {
		return "", err
	}
	if images.single {
		return checkImage("ImageURI", images.uri)
	}
	key := imageKey
	if key == "" {
		key = container
	}
	if key == "" {
		return "", nil
	}
	uri, found := images.byKey[key]
	if !found {
		return "", fmt.Errorf("it has no image for %q (it has %s): set imageKey to one that it has", key, images.keys())
	}
	return checkImage(key, uri)
}

// images are what a file names.
type images struct {
	single bool
	uri    string            // of the one
	byKey  map[string]string // of several
}

func (i images) keys() string {
	return strings.Join(slices.Sorted(maps.Keys(i.byKey)), ", ")
}

// parseImages reads any of the three forms, told apart by content:
// {"ImageURI": uri}, [{"name": key, "imageUri": uri}] and {key: uri}.
func parseImages(body []byte) (found images, err error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimSpace(body)
	switch {
	case len(trimmed) == 0:
		return images{}, errors.New("it is empty")
	case trimmed[0] == '[':
		found.byKey, err = parseList(body)
	default:
		found, err = parseObject(body)
	}
	if err == nil && !found.single && len(found.byKey) == 0 {
		err = errors.New("it names no image")
	}
	return found, err
}

func parseList(body []byte) (map[string]string, error) {
	var entries []struct {
		Name     string `json:"name"`
		ImageURI string `json:"imageUri"`
	}
	if err := json.Unmarshal(body, &entries); err != nil {
		return nil, fmt.Errorf("not a list of objects with name and imageUri%s", syntax(err))
	}
	byKey := map[string]string{}
	for i, e := range entries {
		if e.Name == "" {
			return nil, fmt.Errorf("entry %d has no name", i+1)
		}
		if _, twice := byKey[e.Name]; twice {
			return nil, fmt.Errorf("%q is named twice", e.Name)
		}
		byKey[e.Name] = e.ImageURI
	}
	return byKey, nil
}

func parseObject(body []byte) (images, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return images{}, fmt.Errorf("not a JSON object or list%s", syntax(err))
	}
	if raw, single := object["ImageURI"]; single {
		var uri string
		if err := json.Unmarshal(raw, &uri); err != nil {
			return images{}, errors.New("ImageURI is not a string")
		}
		return images{single: true, uri: uri}, nil
	}
	byKey := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		var uri string
		if err := json.Unmarshal(object[key], &uri); err != nil {
			return images{}, fmt.Errorf("it has no ImageURI, and it does not map names to image URIs: %q is not a string", key)
		}
		byKey[key] = uri
	}
	return images{byKey: byKey}, nil
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
