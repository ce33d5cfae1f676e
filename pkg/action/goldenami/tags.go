package goldenami

import (
	"strings"

	"cutover/pkg/fleet"
)

// The tags of images, and of their snapshots.
const (
	TagFleet       = "cutover:fleet"       // whose group the image is for
	TagExecution   = "cutover:execution"   // the pipeline execution that had it baked
	TagAutomation  = "cutover:automation"  // the Automation execution that baked it
	TagSource      = "cutover:source"      // the image it was made from
	TagFingerprint = "cutover:fingerprint" // a digest of all that it was made from
	TagPrevious    = "cutover:previous"    // the image that was live before it, for the way back
	TagReleased    = "cutover:released"    // the execution that released it, or found it live
	TagRevoked     = "cutover:revoked"     // set by people: never to be used again
)

// maxTag is the longest value of a tag, in characters.
const maxTag = 256

// tagValue makes a text fit for a tag's value.
func tagValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if r > 0x7e || r < 0x20 {
			return '-'
		}
		return r
	}, s)
	return s[:min(len(s), maxTag)]
}

// wantedTags are what a baked image must carry.
func wantedTags(p Params, s State) map[string]string {
	tags := map[string]string{TagFleet: tagValue(p.target().String()), TagExecution: p.Execution}
	for key, value := range map[string]string{TagAutomation: s.Automation, TagSource: s.Source, TagFingerprint: s.Fingerprint} {
		if value != "" {
			tags[key] = value
		}
	}
	return tags
}

// missingTags are those that the image does not have yet. Which image was live
// before it is set once: later the image itself is.
func missingTags(i fleet.Image, p Params, s State) map[string]string {
	missing := map[string]string{}
	for key, value := range wantedTags(p, s) {
		if i.Tag(key) != value {
			missing[key] = value
		}
	}
	if _, set := i.Tagged(TagPrevious); !set && s.Previous != "" && s.Previous != i.ID() {
		missing[TagPrevious] = s.Previous
	}
	return missing
}

func released(i fleet.Image) bool { _, is := i.Tagged(TagReleased); return is }
func revoked(i fleet.Image) bool  { _, is := i.Tagged(TagRevoked); return is }
