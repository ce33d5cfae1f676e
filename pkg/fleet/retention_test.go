package fleet

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawHoldings makes a world of few images, templates, configurations and
// groups, so that they often meet.
func drawHoldings(t *rapid.T) Holdings {
	number := func(label string, most int) int { return rapid.IntRange(0, most).Draw(t, label) }
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	image := func() string { return fmt.Sprintf("ami-%d", number("image", 8)) } // some are not the fleet's
	var h Holdings
	for i := range number("images", 6) {
		h.Images = append(h.Images, HeldImage{
			ID: fmt.Sprintf("ami-%d", i), Created: time.Unix(int64(number("created", 3)), 0), Revoked: flag("revoked"), Protected: number("protected", 5) == 0,
		})
	}
	for template := range number("templates", 3) {
		count := number("versions", 4)
		for n := range count {
			h.Versions = append(h.Versions, HeldVersion{
				Template: fmt.Sprintf("lt-%d", template), Number: int64(n + 1), Image: image(), Ours: flag("ours"), Default: n == 0, Latest: n == count-1,
			})
		}
	}
	for i := range number("configurations", 3) {
		h.Configurations = append(h.Configurations, HeldConfiguration{Name: fmt.Sprintf("lc-%d", i), Image: image(), Ours: flag("ours")})
	}
	for range number("groups", 2) {
		var g HeldGroup
		for range number("uses", 2) {
			g.Versions = append(g.Versions, fmt.Sprintf("lt-%d:%d", number("template", 2), number("version", 4)+1))
			g.Configurations = append(g.Configurations, fmt.Sprintf("lc-%d", number("configuration", 3)))
		}
		if flag("override") {
			g.Images = append(g.Images, image())
		}
		h.Groups = append(h.Groups, g)
	}
	for range number("instances", 1) {
		h.Instances = append(h.Instances, image())
	}
	for range number("parameters", 1) {
		h.Parameters = append(h.Parameters, image())
	}
	return h
}

// after is the world when the deletions are done, up to the given one; what was
// in it is looked at, not what Prune thought of it.
func after(h Holdings, done []Deletion) Holdings {
	gone := func(kind DeletionKind, name string, number int64) bool {
		return slices.Contains(done, Deletion{Kind: kind, Name: name, Number: number})
	}
	h.Versions = slices.DeleteFunc(slices.Clone(h.Versions), func(v HeldVersion) bool { return gone(DeleteVersion, v.Template, v.Number) })
	h.Configurations = slices.DeleteFunc(slices.Clone(h.Configurations), func(c HeldConfiguration) bool { return gone(DeleteConfiguration, c.Name, 0) })
	h.Images = slices.DeleteFunc(slices.Clone(h.Images), func(i HeldImage) bool { return gone(DeleteImage, i.ID, 0) })
	return h
}

// references are all that name the image, counted without Prune's own code.
func references(h Holdings, image string) (by []string) {
	for _, v := range h.Versions {
		if v.Image == image {
			by = append(by, fmt.Sprintf("%s:%d", v.Template, v.Number))
		}
	}
	for _, c := range h.Configurations {
		if c.Image == image {
			by = append(by, c.Name)
		}
	}
	for _, g := range h.Groups {
		if slices.Contains(g.Images, image) {
			by = append(by, "a group's override")
		}
	}
	if slices.Contains(h.Instances, image) {
		by = append(by, "an instance")
	}
	if slices.Contains(h.Parameters, image) {
		by = append(by, "a parameter")
	}
	return by
}

func TestPrune_NeverRemovesWhatIsReferredTo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHoldings(t)
		keep := rapid.IntRange(1, 3).Draw(t, "keep")
		all := Prune(h, keep)
		for i, d := range all {
			before := after(h, all[:i]) // it may end anywhere
			switch d.Kind {
			case DeleteImage:
				if by := references(before, d.Name); len(by) > 0 {
					t.Fatalf("%s goes and is referred to by %s", d, strings.Join(by, ", "))
				}
			case DeleteVersion, DeleteConfiguration:
				if !removable(h, d) {
					t.Fatalf("%s goes and was not made here, or is its template's default or latest", d)
				}
				for _, g := range h.Groups {
					if slices.Contains(g.Versions, fmt.Sprintf("%s:%d", d.Name, d.Number)) || d.Kind == DeleteConfiguration && slices.Contains(g.Configurations, d.Name) {
						t.Fatalf("%s goes and a group launches from it", d)
					}
				}
			}
		}
		left := after(h, all)
		if rest := Prune(left, keep); len(rest) > 0 {
			t.Fatalf("a second look finds %v", rest)
		}
		usable := func(h Holdings) (n int) {
			for _, i := range h.Images {
				if !i.Revoked {
					n++
				}
			}
			return n
		}
		if got, want := usable(left), min(keep, usable(h)); got < want {
			t.Fatalf("got %d images left that are not revoked, want at least %d", got, want)
		}
	})
}

func removable(h Holdings, d Deletion) bool {
	return slices.ContainsFunc(h.Versions, func(v HeldVersion) bool {
		return d.Kind == DeleteVersion && v.Template == d.Name && v.Number == d.Number && v.Ours && !v.Default && !v.Latest
	}) || slices.ContainsFunc(h.Configurations, func(c HeldConfiguration) bool {
		return d.Kind == DeleteConfiguration && c.Name == d.Name && c.Ours
	})
}

func TestPrune_GoesOnAfterAnyDeletion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := drawHoldings(t)
		all := Prune(h, 1)
		at := rapid.IntRange(0, len(all)).Draw(t, "killed after")
		rest := Prune(after(h, all[:at]), 1)
		for i := range rest {
			if rest[i] != all[at+i] {
				t.Fatalf("after %v got %v, want %v", all[:at], rest, all[at:])
			}
		}
	})
}

func TestPrune_Cases(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	images := []HeldImage{{ID: "ami-1", Created: day(1)}, {ID: "ami-2", Created: day(2)}, {ID: "ami-3", Created: day(3)}}
	ours := func(n int64, image string) HeldVersion {
		return HeldVersion{Template: "lt-1", Number: n, Image: image, Ours: true}
	}
	for name, c := range map[string]struct {
		h    Holdings
		keep int
		want string
	}{
		"the oldest go":                              {Holdings{Images: images}, 2, "image ami-1"},
		"a revoked one does not count":               {Holdings{Images: []HeldImage{images[0], images[1], {ID: "ami-3", Created: day(3), Revoked: true}}}, 2, "image ami-3"},
		"a protected one stays":                      {Holdings{Images: []HeldImage{{ID: "ami-1", Created: day(1), Protected: true}, images[2]}}, 1, ""},
		"a version made here goes with its image":    {Holdings{Images: images, Versions: []HeldVersion{ours(1, "ami-1")}}, 2, "launch template version lt-1:1, image ami-1"},
		"a version made by others holds its image":   {Holdings{Images: images, Versions: []HeldVersion{{Template: "lt-1", Number: 1, Image: "ami-1"}}}, 2, ""},
		"a version that a group launches stays":      {Holdings{Images: images, Versions: []HeldVersion{ours(1, "ami-1")}, Groups: []HeldGroup{{Versions: []string{"lt-1:1"}}}}, 2, ""},
		"a configuration goes with its image":        {Holdings{Images: images, Configurations: []HeldConfiguration{{Name: "lc-ami-1", Image: "ami-1", Ours: true}}}, 2, "launch configuration lc-ami-1, image ami-1"},
		"a version of an image that stays is kept":   {Holdings{Images: images, Versions: []HeldVersion{ours(1, "ami-3")}}, 3, ""},
		"a version of an image that runs is kept":    {Holdings{Images: images, Versions: []HeldVersion{ours(1, "ami-1")}, Instances: []string{"ami-1"}}, 2, ""},
		"what a parameter holds stays":               {Holdings{Images: images, Parameters: []string{"ami-1"}}, 1, "image ami-2"},
		"nothing goes when there are no more images": {Holdings{Images: images}, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range Prune(c.h, c.keep) {
				got = append(got, d.String())
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}
