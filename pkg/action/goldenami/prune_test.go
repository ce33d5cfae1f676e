package goldenami

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	fake "cutover/pkg/fleet/fleettest"
)

func images(w *fake.World) []string { return slices.Sorted(maps.Keys(w.Images)) }

// generations are a world after n releases, each of which its instances run.
func generations(t *testing.T, n int, p Params) (*fake.World, []string) {
	t.Helper()
	w := fake.New()
	var built []string
	for i := range n {
		p := next(p, i)
		p.Force = true
		out, _ := run(t, w, p, p.Execution)
		built = append(built, out["ImageId"])
		w.Replace(fake.Group)
		w.Now = w.Now.Add(time.Hour)
	}
	return w, built
}

func TestKeep_RemovesOlderImagesWithTheirVersionsAndSnapshots(t *testing.T) {
	t.Parallel()
	p := params()
	p.Keep = 2
	w, built := generations(t, 4, p)
	equal(t, "images", images(w), slices.Sorted(slices.Values([]string{fake.Source, fake.OldImage, built[2], built[3]})))
	equal(t, "snapshots", len(w.Snapshots), 4)
	equal(t, "versions", len(w.Templates[fake.Template]), 3)
	equal(t, "violations", len(w.Violations()), 0)
}

func TestKeep_LeavesWhatIsInUseElsewhere(t *testing.T) {
	t.Parallel()
	p := params()
	w, built := generations(t, 3, p)
	w.Store("/another/image", built[0], "aws:ec2:image")
	p = next(p, 9)
	p.Keep = 1
	_, summary := run(t, w, p, "attempt-9")
	equal(t, "images", images(w), slices.Sorted(slices.Values([]string{fake.Source, fake.OldImage, built[0], built[2]})))
	contains(t, summary, "removed 2 older things")
}

func TestKeep_DryRunOnlyLists(t *testing.T) {
	t.Parallel()
	p := params()
	w, built := generations(t, 3, p)
	before := images(w)
	p = next(p, 9)
	p.Keep, p.PruneDryRun = 1, true
	w.Calls()
	_, summary := run(t, w, p, "attempt-9")
	contains(t, summary, "keep would remove launch template version lt-0web:2, launch template version lt-0web:3, image "+built[1]+", image "+built[0])
	equal(t, "images", images(w), before)
	equal(t, "writes", len(w.Writes()), 0)
}

func TestKeep_AFaultNeverFailsTheRelease(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"DeregisterImage", "DeleteLaunchTemplateVersions", "DescribeParameters", "DescribeLaunchConfigurations"} {
		for _, code := range []string{"UnauthorizedOperation", "RequestLimitExceeded"} {
			t.Run(operation+" "+code, func(t *testing.T) {
				t.Parallel()
				p := params()
				w, built := generations(t, 3, p)
				w.Before = func(called string) error {
					if called == operation {
						return &smithy.GenericAPIError{Code: code, Message: "no"}
					}
					return nil
				}
				p = next(p, 9)
				p.Keep = 1
				out, summary := run(t, w, p, "attempt-9")
				equal(t, "image", out["ImageId"], built[2])
				contains(t, summary, "older images were not all removed, which is left to the next release", code)
			})
		}
	}
}
