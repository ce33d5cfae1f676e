package deploygreen

import (
	"encoding/base64"
	"testing"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cutover/pkg/bluegreen"
	fake "cutover/pkg/bluegreen/bluegreentest"
)

func drawMark(t *rapid.T) mark {
	m := mark{claimed: rapid.Bool().Draw(t, "claimed"), side: rapid.IntRange(0, 1).Draw(t, "side"), deploying: rapid.Bool().Draw(t, "deploying")}
	if m.revision = uint64(rapid.Uint32().Draw(t, "revision")); m.revision > 0 {
		m.family = rapid.Uint16().Draw(t, "family")
	}
	return m
}

func TestMarks_UnpackAsTheyWerePacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(drawMark), 1, 100).Draw(t, "marks")
		text := packMarks(want)
		got, err := unpackMarks(text, len(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(mark{})); diff != "" {
			t.Fatalf("marks (-want +got):\n%s", diff)
		}
		for _, other := range []int{len(want) - 1, len(want) + 1} {
			if _, err := unpackMarks(text, other); err == nil {
				t.Fatalf("marks of %d services are taken for those of %d", len(want), other)
			}
		}
	})
}

func TestMarks_OfAnAttemptThatBeginsAreZero(t *testing.T) {
	t.Parallel()
	got, err := unpackMarks("", 2)
	if err != nil || got[0] != (mark{}) || got[1] != (mark{}) {
		t.Errorf("got %v and error %v, want two that are zero", got, err)
	}
}

func TestMark_IsTheProgressOfItsPair(t *testing.T) {
	t.Parallel()
	const hello = "arn:aws:ecs:us-east-1:111122223333:task-definition/hello"
	pair := func(family string) bluegreen.Pair {
		var p bluegreen.Pair
		p.Sides[0].TargetGroup, p.Sides[1].TargetGroup = fake.GroupA, fake.GroupB
		p.Sides[0].Service = ecstypes.Service{TaskDefinition: ptr(hello + ":1")}
		p.Sides[1].Service = ecstypes.Service{TaskDefinition: ptr(family + ":3")}
		return p
	}
	for name, c := range map[string]struct {
		before Progress
		family string // that green's service has now
		want   Progress
	}{
		"nothing yet": {Progress{}, hello, Progress{}},
		"claimed":     {Progress{Green: fake.GroupB}, hello, Progress{Green: fake.GroupB}},
		"the other":   {Progress{Green: fake.GroupA}, hello, Progress{Green: fake.GroupA}},
		"registered":  {Progress{Green: fake.GroupB, TaskDefinition: hello + ":2"}, hello, Progress{Green: fake.GroupB, TaskDefinition: hello + ":2"}},
		"deploying":   {Progress{Green: fake.GroupB, TaskDefinition: hello + ":2", Deployment: "ecs-svc/1"}, hello, Progress{Green: fake.GroupB, TaskDefinition: hello + ":2", Deployment: "seen"}},
		"registered, and then green got another family": {Progress{Green: fake.GroupB, TaskDefinition: hello + ":2"}, hello + "-2", Progress{Green: fake.GroupB}},
		"deploying, and then green got another family": {Progress{Green: fake.GroupB, TaskDefinition: hello + ":2", Deployment: "ecs-svc/1"}, hello + "-2",
			Progress{Green: fake.GroupB, TaskDefinition: "revision 2 of another family", Deployment: "seen"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := Release{Pair: pair(hello), Progress: c.before}.mark()
			if diff := cmp.Diff(c.want, m.progress(pair(c.family))); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzUnpackMarks(f *testing.F) {
	f.Add(packMarks([]mark{{claimed: true, side: 1, deploying: true, revision: 300, family: 7}, {}}), 2)
	f.Add("", 3)
	f.Add(base64.RawStdEncoding.EncodeToString([]byte{markRevision, 0x80}), 1)
	f.Fuzz(func(t *testing.T, text string, services int) {
		if services < 0 || services > 100 {
			return
		}
		marks, err := unpackMarks(text, services)
		if err != nil {
			return
		}
		if len(marks) != services {
			t.Fatalf("got %d marks, want %d", len(marks), services)
		}
		again, err := unpackMarks(packMarks(marks), services)
		if err != nil || !cmp.Equal(marks, again, cmp.AllowUnexported(mark{})) {
			t.Errorf("%q is unpacked to %v and, packed again, to %v (%v)", text, marks, again, err)
		}
	})
}
