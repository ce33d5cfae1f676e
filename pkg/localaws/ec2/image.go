package ec2

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// amazon is the account that owns Amazon Linux's images, whose alias is "amazon".
const amazon = "137112412989"

// Image is an image as EC2 describes it.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html
type Image struct {
	ImageId                  string
	ImageLocation            string
	ImageState               string // pending, available, failed
	ImageOwnerId             string
	ImageOwnerAlias          string
	IsPublic                 bool
	Architecture             string
	ImageType                string
	Name                     string
	Description              string
	RootDeviceType           string
	RootDeviceName           string
	BlockDeviceMappings      []BlockDeviceMapping `aws:"blockDeviceMapping"`
	VirtualizationType       string
	Hypervisor               string
	EnaSupport               bool
	PlatformDetails          string
	UsageOperation           string
	CreationDate             time.Time
	BootMode                 string
	ImdsSupport              string
	SourceInstanceId         string
	SourceImageId            string
	SourceImageRegion        string
	DeregistrationProtection string
	StateReason              *StateReason
	TagSet                   []Tag
}

// StateReason says why something is in its state.
type StateReason struct {
	Code    string
	Message string
}

type image struct {
	Image
	place int
	// cooldown keeps a protection for a day after it was lifted.
	cooldown  bool
	protected time.Time // until when, once it was lifted with a cooldown
}

// root is the image's root device.
func (i *Image) root() *EBS {
	for _, m := range i.BlockDeviceMappings {
		if m.DeviceName == i.RootDeviceName && m.Ebs != nil {
			return m.Ebs
		}
	}
	return &EBS{}
}

// snapshotIDs are those that the image's volumes are made from.
func (i *Image) snapshotIDs() []string {
	var ids []string
	for _, m := range i.BlockDeviceMappings {
		if m.Ebs != nil && m.Ebs.SnapshotId != "" {
			ids = append(ids, m.Ebs.SnapshotId)
		}
	}
	return ids
}

// DescribeImagesInput asks for images; without ids and owners, for all that the
// account may use.
type DescribeImagesInput struct {
	ImageIds          []string `aws:"ImageId"`
	Owners            []string `aws:"Owner"`
	Filters           []Filter `aws:"Filter"`
	IncludeDeprecated *bool    // there are none
	IncludeDisabled   *bool    // there are none
	Page
}

// DescribeImagesOutput lists images.
type DescribeImagesOutput struct {
	ImagesSet []Image
	NextToken string
}

var imageFilters = tagged[*image]{tags: func(i *image) []Tag { return i.TagSet }, filters: filters[*image]{
	"image-id":                         func(i *image) []string { return []string{i.ImageId} },
	"name":                             func(i *image) []string { return []string{i.Name} },
	"description":                      func(i *image) []string { return []string{i.Description} },
	"state":                            func(i *image) []string { return []string{i.ImageState} },
	"architecture":                     func(i *image) []string { return []string{i.Architecture} },
	"owner-id":                         func(i *image) []string { return []string{i.ImageOwnerId} },
	"owner-alias":                      func(i *image) []string { return []string{i.ImageOwnerAlias} },
	"is-public":                        func(i *image) []string { return []string{strconv.FormatBool(i.IsPublic)} },
	"image-type":                       func(i *image) []string { return []string{i.ImageType} },
	"creation-date":                    func(i *image) []string { return []string{stamp(i.CreationDate)} },
	"root-device-name":                 func(i *image) []string { return []string{i.RootDeviceName} },
	"root-device-type":                 func(i *image) []string { return []string{i.RootDeviceType} },
	"virtualization-type":              func(i *image) []string { return []string{i.VirtualizationType} },
	"hypervisor":                       func(i *image) []string { return []string{i.Hypervisor} },
	"source-instance-id":               func(i *image) []string { return []string{i.SourceInstanceId} },
	"source-image-id":                  func(i *image) []string { return []string{i.SourceImageId} },
	"block-device-mapping.snapshot-id": func(i *image) []string { return i.snapshotIDs() },
	"block-device-mapping.device-name": func(i *image) []string {
		var names []string
		for _, m := range i.BlockDeviceMappings {
			names = append(names, m.DeviceName)
		}
		return names
	},
}}

// DescribeImages answers
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
func (s *Service) DescribeImages(_ context.Context, in *DescribeImagesInput) (*DescribeImagesOutput, error) {
	if err := imageFilters.check(in.Filters); err != nil {
		return nil, err
	}
	if err := unpaged(in.Page, "imagesSet", in.ImageIds); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cooledLocked()
	if _, err := s.findImagesLocked(in.ImageIds); err != nil {
		return nil, err
	}
	var all []*image
	for _, i := range s.images {
		if (len(in.ImageIds) == 0 || slices.Contains(in.ImageIds, i.ImageId)) && s.ownedBy(i, in.Owners) && imageFilters.keeps(in.Filters, i) {
			all = append(all, i)
		}
	}
	found, next, err := cut(in.Page, limits{5, 1000}, all, func(i *image) int { return i.place })
	out := &DescribeImagesOutput{ImagesSet: []Image{}, NextToken: next}
	for _, i := range found {
		out.ImagesSet = append(out.ImagesSet, i.Image)
	}
	return out, err
}

// ownedBy says whether one of the owners (self, an alias, an account) owns the
// image; no owners are any.
func (s *Service) ownedBy(i *image, owners []string) bool {
	return len(owners) == 0 || slices.ContainsFunc(owners, func(owner string) bool {
		return owner == i.ImageOwnerId || owner == "self" && i.ImageOwnerId == s.Account || owner == i.ImageOwnerAlias && owner != ""
	})
}

var imageID = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// findImagesLocked finds images by id and names all those that are missing.
func (s *Service) findImagesLocked(ids []string) ([]*image, error) {
	var found []*image
	var missing []string
	for _, id := range ids {
		if !imageID.MatchString(id) {
			return nil, wire.Errorf("InvalidAMIID.Malformed", "Invalid id: %q", id)
		}
		if i, ok := s.images[id]; ok {
			found = append(found, i)
		} else {
			missing = append(missing, id)
		}
	}
	switch {
	case len(missing) == 1:
		return nil, wire.Errorf("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", missing[0])
	case len(missing) > 1:
		return nil, wire.Errorf("InvalidAMIID.NotFound", "The image ids '[%s]' do not exist", strings.Join(missing, ", "))
	}
	return found, nil
}

// ownImageLocked finds an image that the account may change.
func (s *Service) ownImageLocked(id string) (*image, error) {
	found, err := s.findImagesLocked([]string{id})
	if err != nil {
		return nil, err
	}
	if found[0].ImageOwnerId != s.Account {
		return nil, wire.Errorf("AuthFailure", "Not authorized for image:%s", id).WithStatus(403)
	}
	return found[0], nil
}

// Image finds an image.
func (s *Service) Image(id string) (Image, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.images[id]
	if !ok {
		return Image{}, false
	}
	return i.Image, true
}

// stamp is a time as EC2 writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
