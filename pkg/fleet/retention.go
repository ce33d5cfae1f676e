package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Holdings are what retention decides on: the images of a fleet, and
// everything that may refer to one.
type Holdings struct {
	Images         []HeldImage         // the fleet's
	Versions       []HeldVersion       // of all templates, as far as they may matter
	Configurations []HeldConfiguration // all of the account
	Groups         []HeldGroup         // all of the account
	Instances      []string            // images of the instances that are not terminated
	Parameters     []string            // values of the parameters that may hold an image
}

// A HeldImage is an image of the fleet.
type HeldImage struct {
	ID        string
	Created   time.Time
	Revoked   bool // does not count as one that is kept
	Protected bool // against deregistration
}

// A HeldVersion is a version of a launch template.
type HeldVersion struct {
	Template string // id
	Number   int64
	Image    string
	Ours     bool // made here
	Default  bool
	Latest   bool
}

// A HeldConfiguration is a launch configuration.
type HeldConfiguration struct {
	Name  string
	Image string
	Ours  bool // made here
}

// A HeldGroup is what a group and its instances launch from.
type HeldGroup struct {
	Configurations []string
	Versions       []string // TEMPLATE:NUMBER, $Latest and $Default resolved
	Images         []string // of overrides
}

// A DeletionKind is what is deleted.
type DeletionKind int

// The kinds, in the order in which they go: what refers to an image goes before
// it.
const (
	DeleteVersion DeletionKind = iota
	DeleteConfiguration
	DeleteImage
)

// A Deletion is one thing to remove.
type Deletion struct {
	Kind   DeletionKind
	Name   string // the template's id, the configuration's name or the image's id
	Number int64  // the version's
}

// String names the thing.
func (d Deletion) String() string {
	switch d.Kind {
	case DeleteVersion:
		return fmt.Sprintf("launch template version %s:%d", d.Name, d.Number)
	case DeleteConfiguration:
		return "launch configuration " + d.Name
	}
	return "image " + d.Name
}

// Prune is pure: it says what may go when keep of the fleet's images are kept,
// the newest that are not revoked, besides all that are in use. An image goes
// only if no launch template version, launch configuration, group, instance or
// parameter will refer to it; versions and configurations only if they were
// made here for an image that goes, and nothing launches from them. The default
// and the latest version of a template stay.
func Prune(h Holdings, keep int) []Deletion {
	held := h.held()
	going := map[string]bool{}
	kept := 0
	for _, i := range newestFirst(h.Images) {
		if kept < keep && !i.Revoked {
			kept++
			continue
		}
		going[i.ID] = !i.Protected && !held[i.ID]
	}
	var all []Deletion
	for _, v := range h.Versions {
		if going[v.Image] && h.free(v) {
			all = append(all, Deletion{Kind: DeleteVersion, Name: v.Template, Number: v.Number})
		}
	}
	for _, c := range h.Configurations {
		if going[c.Image] && c.Ours && !h.configured(c.Name) {
			all = append(all, Deletion{Kind: DeleteConfiguration, Name: c.Name})
		}
	}
	for _, i := range newestFirst(h.Images) {
		if going[i.ID] {
			all = append(all, Deletion{Kind: DeleteImage, Name: i.ID})
		}
	}
	return all
}

// held are the images that something refers to which will stay.
func (h Holdings) held() map[string]bool {
	held := map[string]bool{}
	for _, v := range h.Versions {
		if !h.free(v) {
			held[v.Image] = true
		}
	}
	for _, c := range h.Configurations {
		if !c.Ours || h.configured(c.Name) {
			held[c.Image] = true
		}
	}
	for _, g := range h.Groups {
		for _, image := range g.Images {
			held[image] = true
		}
	}
	for _, image := range slices.Concat(h.Instances, h.Parameters) {
		held[image] = true
	}
	return held
}

// free tells whether a version may go if its image does.
func (h Holdings) free(v HeldVersion) bool {
	key := fmt.Sprintf("%s:%d", v.Template, v.Number)
	return v.Ours && !v.Default && !v.Latest && !slices.ContainsFunc(h.Groups, func(g HeldGroup) bool { return slices.Contains(g.Versions, key) })
}

func (h Holdings) configured(name string) bool {
	return slices.ContainsFunc(h.Groups, func(g HeldGroup) bool { return slices.Contains(g.Configurations, name) })
}

func newestFirst(images []HeldImage) []HeldImage {
	return slices.SortedFunc(slices.Values(images), func(a, b HeldImage) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}
