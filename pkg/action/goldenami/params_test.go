package goldenami

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

func TestParams_ListEveryFault(t *testing.T) {
	t.Parallel()
	p := Params{
		Execution: "#{codepipeline.PipelineExecutionId}", Parameters: map[string]Values{"A": {""}}, ImageOutput: "image", ImageParameter: "/x",
		Group: "web", Application: "webapp", Owners: []string{"me"}, Reuse: &Reuse{MaxAgeDays: -1}, Keep: -1, Rollout: "all",
		Refresh: &Refresh{
			MinHealthyPercent: ptr(int32(-1)), MaxHealthyPercent: ptr(int32(201)), Checkpoints: []int32{50, 50}, BakeSeconds: ptr(int32(172_801)),
			Alarms: make([]string, 11), ScaleInProtected: "Keep", Standby: "Keep",
		}, ProgressMinutes: -1,
	}
	want := []string{
		"execution \"#{codepipeline.PipelineExecutionId}\" is not an execution's id: give #{codepipeline.PipelineExecutionId}",
		"document is missing: give the Automation document's name",
		"parameters.A has a value of 0 characters, and Automation takes 1 to 512",
		"imageOutput and imageParameter are both set: give one",
		"imageOutput \"image\" is not an output: give STEP.OUTPUT",
		"group and application or deploymentGroup are set: give the one or the others",
		"owners has \"me\", which is not an account's 12 digits",
		"reuse.maxAgeDays is -1: it must be at least 1",
		"keep is -1: it must be at least 1, or 0 to keep all",
		"progressMinutes is -1: it must be at least 1",
		"rollout is \"all\": give \"none\" or \"instance-refresh\"",
		"refresh is set without rollout \"instance-refresh\"",
		"refresh.minHealthyPercent is -1: it must be 0 to 100",
		"refresh.maxHealthyPercent is 201: it must be 100 to 200",
		"refresh.bakeSeconds is 172801: it must be 0 to 172800",
		"refresh.maxHealthyPercent 201 and minHealthyPercent -1 are more than 100 apart",
		"refresh.checkpoints [50 50] are not percentages in ascending order",
		"refresh.alarms has 11 names, and AWS takes 10",
		"refresh.scaleInProtected is \"Keep\": give one of [Refresh Ignore Wait]",
		"refresh.standby is \"Keep\": give one of [Terminate Ignore Wait]",
	}
	equal(t, "faults", strings.Split(p.Validate().Error(), "\n"), want)
}

func TestParams_NameTheFleetOneWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Params)
		want   string
	}{
		"nothing":              {func(p *Params) { p.Group = "" }, "group is missing: give it, or application and deploymentGroup"},
		"an application alone": {func(p *Params) { p.Group, p.Application = "", "webapp" }, "deploymentGroup is missing: application needs it"},
		"a deployment group":   {func(p *Params) { p.Group, p.DeploymentGroup = "", "webapp" }, "application is missing: deploymentGroup needs it"},
		"a dry run of nothing": {func(p *Params) { p.PruneDryRun = true }, "pruneDryRun is set without keep"},
		"no execution":         {func(p *Params) { p.Execution = "" }, "execution is missing: give #{codepipeline.PipelineExecutionId}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := params()
			c.change(&p)
			if err := p.Validate(); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	equal(t, "a good one", params().Validate(), nil)
}

// The example of the package comment, which the templates are written from.
func TestParams_ExampleOfTheDocumentationIsValid(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "//\t{\"execution\"")
	example, _, closed := strings.Cut("{\"execution\""+example, "\n//\n")
	if !found || !closed {
		t.Fatal("doc.go has no example")
	}
	example = strings.ReplaceAll(strings.ReplaceAll(example, "\n//\t", ""), "#{codepipeline.PipelineExecutionId}", params().Execution)
	if len(example) > 1000 {
		t.Errorf("got %d characters, want at most the 1000 of UserParameters", len(example))
	}
	var p Params
	d := json.NewDecoder(strings.NewReader(example))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		t.Fatal(err)
	}
	equal(t, "faults", p.Validate(), nil)
	equal(t, "parameters", p.Parameters["SubnetId"], Values{"subnet-1"})
}

func TestParams_ValuesAreAStringOrAList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Values{`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `[]`: {}} {
		var got Values
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		equal(t, text, got, want)
	}
	for _, text := range []string{`1`, `{"a":"b"}`, `[1]`} {
		var got Values
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %v, want an error", text, got)
		}
	}
}

func TestParams_ProgressLeavesTheRefreshItsWaits(t *testing.T) {
	t.Parallel()
	p := params()
	equal(t, "default", p.Deadlines().Progress, time.Hour)
	p.Rollout = rolloutRefresh
	equal(t, "longer than the hour in which AWS gives a refresh up", p.Deadlines().Progress, 90*time.Minute)
	p.Refresh = &Refresh{Checkpoints: []int32{50}, BakeSeconds: ptr(int32(7200))}
	equal(t, "with a bake of two hours", p.Deadlines().Progress, 150*time.Minute)
	p.ProgressMinutes = 5
	equal(t, "as set", p.Deadlines().Progress, 5*time.Minute)
}

func TestSource_IsFoundInTheDocument(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"{{ssm:/a/b}}": "/a/b", "{{ ssm:/a/b:3 }}": "/a/b:3", "{{global:DATE}}": "", "ssm:/a": "", "ami-0": "", "": "",
	} {
		if got := stored(value); got != want {
			t.Errorf("stored(%q): got %q, want %q", value, got, want)
		}
	}
	given := map[string][]string{"Base": {"ami-0a"}, "Other": {"ami-0b"}}
	p := Params{Document: "d", Reuse: &Reuse{}}
	if _, fault := p.source(nil, given); !strings.Contains(fault, "2 parameters of document d are an image's id: give sourceParameter") {
		t.Errorf("got %q", fault)
	}
	p.SourceParameter = "Other"
	id, fault := p.source(nil, given)
	equal(t, "named", id+fault, "ami-0b")
	p.SourceParameter = "Gone"
	_, fault = p.source(nil, given)
	equal(t, "fault", fault, "sourceParameter \"Gone\" is not a parameter of document d")
}

func TestFingerprint_CountsWhatIsInTheImage(t *testing.T) {
	t.Parallel()
	p := params()
	d := Document{Version: "1", Hash: "h", Source: "ami-0", Given: map[string][]string{"A": {"1"}, "Commit": {"x"}, "Run": {"of " + p.Execution}}}
	same := p.fingerprint(d)
	change := func(f func(p *Params, d *Document)) string {
		p, d := p, d
		d.Given = map[string][]string{"A": {"1"}, "Commit": {"x"}, "Run": {"of " + p.Execution}}
		f(&p, &d)
		return p.fingerprint(d)
	}
	equal(t, "an excepted parameter", change(func(_ *Params, d *Document) { d.Given["Commit"] = []string{"y"} }), same)
	equal(t, "the execution", change(func(p *Params, d *Document) { p.Execution = "e"; d.Given["Run"] = []string{"of e"} }), same)
	equal(t, "another version of the same content", change(func(_ *Params, d *Document) { d.Version = "2" }), same)
	for name, other := range map[string]string{
		"source":    change(func(_ *Params, d *Document) { d.Source = "ami-1" }),
		"content":   change(func(_ *Params, d *Document) { d.Hash = "i" }),
		"document":  change(func(p *Params, _ *Document) { p.Document = "other" }),
		"parameter": change(func(_ *Params, d *Document) { d.Given["A"] = []string{"2"} }),
		"unknown":   change(func(_ *Params, d *Document) { d.Source = "" }),
	} {
		if other == same {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}
