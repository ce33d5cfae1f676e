package ssm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"cutover/pkg/localaws/clock"
	"cutover/pkg/localaws/ssm"
)

func TestGetParameter_FindsByNameVersionLabelAndARN(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, "/golden/image", "first")
	p.put(t, "/golden/image", "second")
	p.put(t, "bare", "plain")
	labels, err := p.LabelParameterVersion(t.Context(), &sdk.LabelParameterVersionInput{
		Name: aws.String("/golden/image"), ParameterVersion: aws.Int64(1), Labels: []string{"stable", "aws-no", "1no"},
	})
	if err != nil || !slices.Equal(labels.InvalidLabels, []string{"aws-no", "1no"}) {
		t.Fatalf("label: got %+v, %v, want two invalid labels", labels, err)
	}
	for reference, want := range map[string]string{
		"/golden/image": "second", "/golden/image:1": "first", "/golden/image:2": "second", "/golden/image:stable": "first",
		"/golden/image:3": "ParameterVersionNotFound", "/golden/image:none": "ParameterVersionNotFound", "/golden/none": "ParameterNotFound",
		"arn:aws:ssm:us-east-1:111122223333:parameter/golden/image":   "second",
		"arn:aws:ssm:us-east-1:111122223333:parameter/golden/image:1": "first",
		"arn:aws:ssm:us-east-1:111122223333:parameter/bare":           "plain",
		"arn:aws:ssm:us-east-1:444455556666:parameter/bare":           "ParameterNotFound",
		publicName: publicImage,
		"arn:aws:ssm:us-east-1::parameter" + publicName: publicImage,
	} {
		if got := p.value(t, reference); got != want {
			t.Errorf("%s: got %s, want %s", reference, got, want)
		}
	}
	out, err := p.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/golden/image:stable")})
	if err != nil {
		t.Fatal(err)
	}
	want := &types.Parameter{
		Name: aws.String("/golden/image"), ARN: aws.String("arn:aws:ssm:us-east-1:111122223333:parameter/golden/image"), Version: 1,
		Type: types.ParameterTypeString, Value: aws.String("first"), Selector: aws.String(":stable"), DataType: aws.String("text"),
		LastModifiedDate: aws.Time(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)),
	}
	if diff := cmp.Diff(want, out.Parameter, cmpopts.IgnoreUnexported(types.Parameter{})); diff != "" {
		t.Errorf("parameter (-want +got):\n%s", diff)
	}
	public, err := p.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String(publicName)})
	if err != nil || *public.Parameter.ARN != "arn:aws:ssm:us-east-1::parameter"+publicName {
		t.Errorf("public parameter: got %+v, %v, want an ARN without account", public, err)
	}
}

func TestPutParameter_Refuses(t *testing.T) {
	t.Parallel()
	text := types.ParameterTypeString
	for name, c := range map[string]struct {
		in         sdk.PutParameterInput
		code, text string
	}{
		"a name that is taken":                 {sdk.PutParameterInput{Name: aws.String("/taken"), Type: text}, "ParameterAlreadyExists", "overwrite"},
		"another type for a name":              {sdk.PutParameterInput{Name: aws.String("/taken"), Type: types.ParameterTypeStringList, Overwrite: aws.Bool(true)}, "HierarchyTypeMismatch", "type"},
		"no type for a new name":               {sdk.PutParameterInput{Name: aws.String("/new")}, "ValidationException", "type is required"},
		"a name of AWS's own":                  {sdk.PutParameterInput{Name: aws.String("/AWS/x"), Type: text}, "ValidationException", "can't be prefixed"},
		"a name that begins with ssm":          {sdk.PutParameterInput{Name: aws.String("ssm-x"), Type: text}, "ValidationException", "can't be prefixed"},
		"a path without its slash":             {sdk.PutParameterInput{Name: aws.String("a/b"), Type: text}, "ValidationException", "fully qualified"},
		"a sixteenth level":                    {sdk.PutParameterInput{Name: aws.String(strings.Repeat("/a", 16)), Type: text}, "HierarchyLevelLimitExceededException", "15"},
		"a character that no name has":         {sdk.PutParameterInput{Name: aws.String("/a b"), Type: text}, "ValidationException", "symbols"},
		"tags with overwrite":                  {sdk.PutParameterInput{Name: aws.String("/taken"), Type: text, Overwrite: aws.Bool(true), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}, "ValidationException", "tags and overwrite"},
		"a value that the pattern forbids":     {sdk.PutParameterInput{Name: aws.String("/new"), Type: text, AllowedPattern: aws.String("[0-9]+")}, "ParameterPatternMismatchException", "[0-9]+"},
		"a pattern that is none":               {sdk.PutParameterInput{Name: aws.String("/new"), Type: text, AllowedPattern: aws.String("(")}, "InvalidAllowedPatternException", "missing"},
		"more than 4 KB of standard tier":      {sdk.PutParameterInput{Name: aws.String("/new"), Type: text, Value: aws.String(strings.Repeat("v", 4097))}, "ValidationException", "4096"},
		"more than 8 KB of advanced tier":      {sdk.PutParameterInput{Name: aws.String("/new"), Type: text, Tier: types.ParameterTierAdvanced, Value: aws.String(strings.Repeat("v", 8193))}, "ValidationException", "8192"},
		"a list of images":                     {sdk.PutParameterInput{Name: aws.String("/new"), Type: types.ParameterTypeStringList, DataType: aws.String("aws:ec2:image")}, "ValidationException", "String only"},
		"a data type that is not served":       {sdk.PutParameterInput{Name: aws.String("/new"), Type: text, DataType: aws.String("aws:ssm:integration")}, "ValidationException", "aws:ssm:integration"},
		"a member that is not served":          {sdk.PutParameterInput{Name: aws.String("/new"), Type: text, Policies: aws.String("[]")}, "ValidationException", "Policies"},
		"the tier to go down":                  {sdk.PutParameterInput{Name: aws.String("/advanced"), Type: text, Tier: types.ParameterTierStandard, Overwrite: aws.Bool(true)}, "ValidationException", "downgrade"},
		"a parameter that AWS publishes":       {sdk.PutParameterInput{Name: aws.String(publicName), Type: text, Overwrite: aws.Bool(true)}, "ValidationException", "can't be prefixed"},
		"a version beyond one that has labels": {sdk.PutParameterInput{Name: aws.String("/full"), Type: text, Overwrite: aws.Bool(true)}, "ParameterMaxVersionLimitExceeded", "labels"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.put(t, "/taken", "kept")
			p.put(t, "/advanced", "kept", func(in *sdk.PutParameterInput) { in.Tier = types.ParameterTierAdvanced })
			if *c.in.Name == "/full" {
				for range 100 {
					p.put(t, "/full", "kept")
				}
				if _, err := p.LabelParameterVersion(t.Context(), &sdk.LabelParameterVersionInput{Name: c.in.Name, ParameterVersion: aws.Int64(1), Labels: []string{"old"}}); err != nil {
					t.Fatal(err)
				}
			}
			if c.in.Value == nil {
				c.in.Value = aws.String("other")
			}
			_, err := p.PutParameter(t.Context(), &c.in)
			wantCode(t, err, c.code, c.text)
			if got := p.value(t, "/taken"); got != "kept" {
				t.Errorf("the parameter that was there: got %s, want it as it was", got)
			}
		})
	}
}

// Of a hundred and more versions the latest hundred stay, and numbers go on.
func TestPutParameter_KeepsAHundredVersions(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 105 {
		if got := p.put(t, "/n", fmt.Sprint("value ", i+1)); got != int64(i+1) {
			t.Fatalf("put %d: got version %d", i+1, got)
		}
	}
	var numbers []int64
	pages := sdk.NewGetParameterHistoryPaginator(p, &sdk.GetParameterHistoryInput{Name: aws.String("/n")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Parameters {
			if want := fmt.Sprint("value ", v.Version); *v.Value != want {
				t.Errorf("version %d: got %s, want %s", v.Version, *v.Value, want)
			}
			numbers = append(numbers, v.Version)
		}
	}
	if len(numbers) != 100 || numbers[0] != 6 || numbers[99] != 105 {
		t.Errorf("history: got %d versions from %v, want 100 from 6 to 105", len(numbers), numbers)
	}
}

// A value of data type aws:ec2:image is not there until the image was checked,
// and never when the image can't be used.
func TestPutParameter_ChecksImagesLater(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	image := func(in *sdk.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") }
	steps := []struct {
		value         string
		version       int64
		before, after string
	}{
		{"ami-0cccccccccccccccc", 1, "ParameterNotFound", "ParameterNotFound"},
		{goldenImage, 1, "ParameterNotFound", goldenImage},
		{"no image id", 2, goldenImage, goldenImage},
		{goldenImage, 3, goldenImage, goldenImage},
	}
	for i, step := range steps {
		if got := p.put(t, "/golden", step.value, image); got != step.version {
			t.Errorf("step %d: got version %d, want %d", i, got, step.version)
		}
		if got := p.value(t, "/golden"); got != step.before {
			t.Errorf("step %d, before the check: got %s, want %s", i, got, step.before)
		}
		p.clock.Advance(time.Minute)
		if got := p.value(t, "/golden"); got != step.after {
			t.Errorf("step %d, after the check: got %s, want %s", i, got, step.after)
		}
	}
	if got := len(p.events.all); got != 2 {
		t.Errorf("events: got %d (%v), want one for each value that was stored", got, p.events.all)
	}
	out, err := p.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/golden")})
	if err != nil || out.Parameter.Version != 3 || *out.Parameter.DataType != "aws:ec2:image" {
		t.Errorf("got %+v, %v, want version 3 of data type aws:ec2:image", out, err)
	}
}

// A parameter deleted during its check does not come back.
func TestPutParameter_DropsACheckOfADeletedParameter(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, "/golden", "text")
	p.put(t, "/golden", goldenImage, func(in *sdk.PutParameterInput) { in.DataType = aws.String("aws:ec2:image") })
	if _, err := p.DeleteParameter(t.Context(), &sdk.DeleteParameterInput{Name: aws.String("/golden")}); err != nil {
		t.Fatal(err)
	}
	p.put(t, "/golden", "new")
	p.clock.Advance(time.Minute)
	if got := p.value(t, "/golden"); got != "new" {
		t.Errorf("got %s, want what was put after the deletion", got)
	}
}

func TestPutParameter_SecureStringNeedsDecryption(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, "/secret", "word", func(in *sdk.PutParameterInput) { in.Type = types.ParameterTypeSecureString })
	if got := p.value(t, "/secret"); strings.Contains(got, "word") {
		t.Errorf("without decryption: got %s", got)
	}
	out, err := p.GetParameter(t.Context(), &sdk.GetParameterInput{Name: aws.String("/secret"), WithDecryption: aws.Bool(true)})
	if err != nil || *out.Parameter.Value != "word" {
		t.Errorf("with decryption: got %+v, %v, want word", out, err)
	}
	if got, ok := p.service.ParameterValue("/secret"); !ok || got != "word" {
		t.Errorf("in process: got %s, %v, want word", got, ok)
	}
}

func TestGetParametersByPath_PagesThroughWhatIsBelow(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for i := range 12 {
		p.put(t, fmt.Sprintf("/app/%02d", i), "v")
	}
	p.put(t, "/app/deep/er", "v")
	p.put(t, "/apple", "v")
	list := func(path string, recursive bool) (names []string) {
		pages := sdk.NewGetParametersByPathPaginator(p, &sdk.GetParametersByPathInput{Path: &path, Recursive: &recursive})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page.Parameters {
				names = append(names, *v.Name)
			}
		}
		return names
	}
	if got := list("/app", false); len(got) != 12 || got[0] != "/app/00" {
		t.Errorf("one level: got %v, want 12 names", got)
	}
	if got := list("/app/", true); len(got) != 13 || got[12] != "/app/deep/er" {
		t.Errorf("recursively: got %v, want 13 names", got)
	}
	if got := list("/", true); len(got) != 14 {
		t.Errorf("from the root: got %v, want one's own 14 names", got)
	}
	if got := list("/aws/service/ami-amazon-linux-latest", false); !slices.Equal(got, []string{publicName}) {
		t.Errorf("public: got %v, want %s", got, publicName)
	}
	_, err := p.GetParametersByPath(t.Context(), &sdk.GetParametersByPathInput{Path: aws.String("/app"), NextToken: aws.String("guess")})
	wantCode(t, err, "InvalidNextToken", "token")
}

func TestGetAndDeleteParameters_NameTheMissing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, "a", "1")
	p.put(t, "b", "2")
	got, err := p.GetParameters(t.Context(), &sdk.GetParametersInput{Names: []string{"b", "none", publicName}})
	if err != nil || len(got.Parameters) != 2 || *got.Parameters[0].Value != "2" || !slices.Equal(got.InvalidParameters, []string{"none"}) {
		t.Errorf("get: got %+v, %v, want b, the public one, and none as invalid", got, err)
	}
	deleted, err := p.DeleteParameters(t.Context(), &sdk.DeleteParametersInput{Names: []string{"a", "none"}})
	if err != nil || !slices.Equal(deleted.DeletedParameters, []string{"a"}) || !slices.Equal(deleted.InvalidParameters, []string{"none"}) {
		t.Errorf("delete: got %+v, %v, want a deleted and none invalid", deleted, err)
	}
	_, err = p.DeleteParameter(t.Context(), &sdk.DeleteParameterInput{Name: aws.String("a")})
	wantCode(t, err, "ParameterNotFound", "a")
	want := event{"aws.ssm", "Parameter Store Change", []string{"arn:aws:ssm:us-east-1:111122223333:parameter/a"}, map[string]any{
		"name": "a", "type": "String", "operation": "Delete", "dataType": "text", "description": "",
	}}
	if diff := cmp.Diff(want, p.events.all[len(p.events.all)-1]); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestDescribeParameters_Filters(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, "/app/golden", "v", func(in *sdk.PutParameterInput) {
		in.Overwrite, in.Tags = nil, []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}}
	})
	p.put(t, "/app/deep/list", "v", func(in *sdk.PutParameterInput) { in.Type = types.ParameterTypeStringList })
	p.put(t, "other", "v", func(in *sdk.PutParameterInput) { in.Tier = types.ParameterTierAdvanced })
	for name, c := range map[string]struct {
		key, option string
		values      []string
		want        []string
	}{
		"by name":             {"Name", "", []string{"other", "none"}, []string{"other"}},
		"by a name's start":   {"Name", "BeginsWith", []string{"/app"}, []string{"/app/deep/list", "/app/golden"}},
		"by part of a name":   {"Name", "Contains", []string{"old"}, []string{"/app/golden"}},
		"by type":             {"Type", "Equals", []string{"StringList"}, []string{"/app/deep/list"}},
		"by tier":             {"Tier", "", []string{"Advanced"}, []string{"other"}},
		"by path":             {"Path", "OneLevel", []string{"/app"}, []string{"/app/golden"}},
		"by path, all levels": {"Path", "Recursive", []string{"/app"}, []string{"/app/deep/list", "/app/golden"}},
		"by tag":              {"tag:team", "", []string{"blue"}, []string{"/app/golden"}},
		"by another tag":      {"tag:team", "", []string{"green"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			filter := types.ParameterStringFilter{Key: &c.key, Values: c.values}
			if c.option != "" {
				filter.Option = &c.option
			}
			out, err := p.DescribeParameters(t.Context(), &sdk.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{filter}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range out.Parameters {
				got = append(got, *m.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	_, err := p.DescribeParameters(t.Context(), &sdk.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("KeyId"), Values: []string{"x"}}}})
	wantCode(t, err, "InvalidFilterKey", "") // its shape has no message
}

func TestTags_OfAParameter(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.put(t, "/a", "v")
	if _, err := p.AddTagsToResource(t.Context(), &sdk.AddTagsToResourceInput{
		ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/a"),
		Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a"), Value: aws.String("1")}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.RemoveTagsFromResource(t.Context(), &sdk.RemoveTagsFromResourceInput{
		ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/a"), TagKeys: []string{"b"},
	}); err != nil {
		t.Fatal(err)
	}
	out, err := p.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/a")})
	if err != nil || len(out.TagList) != 1 || *out.TagList[0].Key != "a" {
		t.Errorf("tags: got %+v, %v, want a only", out, err)
	}
	_, err = p.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/none")})
	wantCode(t, err, "InvalidResourceId", "") // its shape has no message
	_, err = p.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingPatchBaseline, ResourceId: aws.String("x")})
	wantCode(t, err, "InvalidResourceType", "")
}

// Whatever is put in whatever order, the latest version is what was put last and
// numbers count up without gaps.
func TestPutParameter_CountsVersions(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := ssm.New(ssm.Config{Clock: clock.NewManual(time.Unix(0, 0)), Region: "us-east-1", Account: "111122223333"})
		last, count := map[string]string{}, map[string]int{}
		for range rapid.IntRange(1, 30).Draw(r, "puts") {
			name := rapid.SampledFrom([]string{"/a", "/a/b", "c"}).Draw(r, "name")
			value := rapid.StringN(1, 20, -1).Draw(r, "value")
			out, err := s.PutParameter(t.Context(), &ssm.PutParameterInput{Name: name, Value: value, Type: "String", Overwrite: true})
			if err != nil {
				r.Fatal(err)
			}
			last[name], count[name] = value, count[name]+1
			if *out.Version != count[name] {
				r.Fatalf("%s: got version %d, want %d", name, *out.Version, count[name])
			}
		}
		for name, want := range last {
			if got, ok := s.ParameterValue(name); !ok || got != want {
				r.Fatalf("%s: got %q, %v, want %q", name, got, ok, want)
			}
		}
	})
}
