package deploygreen

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"cutover/pkg/bluegreen"
)

// Params are DeployGreen's UserParameters.
type Params struct {
	bluegreen.Params

	// Container is the container whose image is replaced. May be left out when
	// the task definition has one container.
	Container string `json:"container,omitempty"`

	// Image is the image's URI. Without it, it is read from the input
	// artifacts.
	Image string `json:"image,omitempty"`

	// ImageFile is the file in the input artifacts that names the image.
	// Default: the first found of imageDetail.json, imagedefinitions.json and
	// images.json.
	ImageFile string `json:"imageFile,omitempty"`

	// ImageKey is the entry of a file that names several images. Default: the
	// container's name.
	ImageKey string `json:"imageKey,omitempty"`

	// MinimumCount is the least number of tasks that green is given, should
	// blue ask for fewer. Default 1.
	MinimumCount int `json:"minimumCount,omitempty"`

	// Release is the path of cutover.yaml in an input artifact. It takes the
	// place of everything above but the execution: all pairs in it are deployed.
	Release string `json:"release,omitempty"`

	// Images is the path of the file in an input artifact that names the images
	// of a release set by their keys. Default images.json; for a set of one pair
	// also imageDetail.json and imagedefinitions.json.
	Images string `json:"images,omitempty"`
}

// imageURI is a reference as a container runtime takes it: no spaces, nothing
// unresolved. Its length is checked apart: a count in the expression would be
// compiled as that many copies, at each cold start.
var imageURI = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/:@+-]*$`)

// isImage tells a reference from anything else; a scheme has no place in it.
func isImage(uri string) bool {
	return len(uri) <= 512 && imageURI.MatchString(uri) && !strings.Contains(uri, "://")
}

// Validate joins every fault of the parameters.
func (p Params) Validate() error {
	if p.Release != "" {
		return p.validateSet()
	}
	faults := p.Params.Faults()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if p.Image != "" {
		if !isImage(p.Image) {
			fault("image %q is not an image URI", p.Image)
		}
		if p.ImageFile != "" {
			fault("image and imageFile are both set: give one")
		}
		if p.ImageKey != "" {
			fault("image and imageKey are both set: give one")
		}
	}
	if p.MinimumCount < 0 {
		fault("minimumCount is %d: it must be at least 1", p.MinimumCount)
	}
	if p.Images != "" {
		fault("images is for release sets: give it with release, or give imageFile")
	}
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = errors.New(f)
	}
	return errors.Join(errs...)
}

// validateSet joins the faults of parameters that name cutover.yaml.
func (p Params) validateSet() error {
	var errs []error
	if fault := bluegreen.ExecutionFault(p.Execution); fault != "" {
		errs = append(errs, errors.New(fault))
	}
	pair := p
	pair.Execution, pair.Release, pair.Images = "", "", ""
	if !reflect.DeepEqual(pair, Params{}) {
		errs = append(errs, errors.New("release is set together with keys of a single pair: name the pairs, their containers and counts in "+p.Release))
	}
	return errors.Join(errs...)
}

// Annotations mark traces and logs.
func (p Params) Annotations() map[string]string {
	return map[string]string{"execution": p.Execution, "action": "DeployGreen"}
}
