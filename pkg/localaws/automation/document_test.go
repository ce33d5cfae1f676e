package automation

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// steps makes a document of its main steps.
func steps(yaml string) string {
	return "schemaVersion: '0.3'\nmainSteps:\n" + strings.TrimPrefix(yaml, "\n")
}

func TestParse_FillsInDefaults(t *testing.T) {
	t.Parallel()
	d := parse(t, steps(`
- name: wait
  action: aws:waitForAwsResourceProperty
  inputs: {Service: ec2, Api: describe_images, PropertySelector: '$.Images[0].State', DesiredValues: [available]}
- name: ask
  action: aws:approve
  onFailure: Continue
  inputs: {Approvers: [ada]}
- name: change
  action: aws:changeInstanceState
  onFailure: Continue
  isCritical: true
  maxAttempts: 4
  timeoutSeconds: 90
  onCancel: step:last
  nextStep: last
  inputs: {InstanceIds: [i-1], DesiredState: running}
- name: last
  action: aws:deleteImage
  isEnd: true
  inputs: {ImageId: ami-1}
`))
	want := []Step{
		{Name: "wait", Action: "aws:waitForAwsResourceProperty", MaxAttempts: 1, Timeout: time.Hour, OnFailure: "Abort", OnCancel: "Abort", IsCritical: true},
		{Name: "ask", Action: "aws:approve", MaxAttempts: 1, Timeout: 7 * 24 * time.Hour, OnFailure: "Continue", OnCancel: "Abort"},
		{Name: "change", Action: "aws:changeInstanceState", MaxAttempts: 4, Timeout: 90 * time.Second, OnFailure: "Continue", OnCancel: "step:last", NextStep: "last", IsCritical: true},
		{Name: "last", Action: "aws:deleteImage", MaxAttempts: 1, OnFailure: "Abort", OnCancel: "Abort", IsEnd: true, IsCritical: true},
	}
	if diff := cmp.Diff(want, d.Steps, cmpopts.IgnoreFields(Step{}, "Inputs"), cmpopts.IgnoreUnexported(Step{})); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestParse_RefusesWithItsName(t *testing.T) {
	t.Parallel()
	const sleep = "\n- {name: a, action: 'aws:sleep', inputs: {Duration: PT1S}}\n"
	cases := map[string]struct {
		document string
		want     []string
	}{
		"an unknown action": {steps("- {name: a, action: 'aws:foo', inputs: {}}\n"), []string{`step a.action: "aws:foo" is not a supported action`}},
		"a script": {steps("- {name: a, action: 'aws:executeScript', inputs: {Runtime: python3.11}}\n"), []string{
			"step a.action: aws:executeScript is not supported: the embedded AWS runs no scripts of a document"}},
		"an unknown key of a step": {steps("- {name: a, action: 'aws:sleep', retries: 2, inputs: {Duration: PT1S}}\n"), []string{`unknown key "retries"`}},
		"an unknown key":           {steps(sleep) + "variables: {}\n", []string{`document: has unknown key "variables"`}},
		"an unknown input":         {steps("- {name: a, action: 'aws:createImage', inputs: {InstanceId: i-1, ImageName: n, Tags: []}}\n"), []string{`aws:createImage has no input "Tags"`}},
		"a missing input":          {steps("- {name: a, action: 'aws:runInstances', inputs: {}}\n"), []string{`aws:runInstances needs the input "ImageId"`}},
		"a name given twice":       {steps(sleep + "- {name: a, action: 'aws:sleep', inputs: {Duration: PT1S}}\n"), []string{"step a: there is more than one step of this name"}},
		"steps that are not there": {steps(`
- name: a
  action: aws:branch
  onFailure: step:b
  onCancel: step:c
  nextStep: d
  inputs: {Default: e, Choices: [{NextStep: f, Variable: x, StringEquals: x}]}
`), []string{
			`step a.onFailure: there is no step "b"`, `step a.onCancel: there is no step "c"`, `step a.nextStep: there is no step "d"`,
			`step a.inputs.Default: there is no step "e"`, `step a.inputs.Choices: there is no step "f"`}},
		"onFailure of no known kind": {steps("- {name: a, action: 'aws:sleep', onFailure: retry, inputs: {Duration: PT1S}}\n"), []string{`"retry" is not Abort, Continue or step:NAME`}},
		"onCancel that leads to an action it cannot": {steps("- {name: b, action: 'aws:sleep', onCancel: 'step:a', inputs: {Duration: PT1S}}" + sleep), []string{
			"step b.onCancel: cannot lead to an aws:sleep step"}},
		"a parameter of Parameter Store in inputs": {steps("- {name: a, action: 'aws:deleteImage', inputs: {ImageId: '{{ssm:/image}}'}}\n"), []string{
			"step a.inputs.ImageId: {{ssm:/image}}: a Parameter Store parameter cannot stand in a step's inputs"}},
		"a parameter of Parameter Store as role": {"assumeRole: '{{ssm:role}}'\n" + steps(sleep), []string{"assumeRole: {{ssm:role}}: a Parameter Store parameter cannot be the assumeRole"}},
		"undefined variables": {steps(`
- name: a
  action: aws:createTags
  inputs:
    ResourceIds: ['{{ Missing }}', '{{ b.ImageId }}', '{{ a.ImageId }}']
    Tags: [{Key: k, Value: 'x {{ global:TIME }}'}]
`), []string{
			`step a.inputs.ResourceIds[0]: {{Missing}}: there is no such parameter`, `{{b.ImageId}}: there is no step "b"`,
			`{{a.ImageId}}: step "a" (aws:createTags) has no output "ImageId"`, "{{global:TIME}}: there is no such variable"}},
		"a default that names a step":      {"parameters: {P: {type: String, default: '{{a.ImageId}}'}}\n" + steps(sleep), []string{"only parameters and system variables can stand here"}},
		"outputs that are not there":       {steps(sleep) + "outputs: [a.ImageId, P]\n", []string{`outputs[0]: "a.ImageId" is not the output of a step`, `outputs[1]: "P"`}},
		"outputs of an action that has no": {steps("- {name: a, action: 'aws:sleep', inputs: {Duration: PT1S}, outputs: [{Name: x, Selector: $.x}]}\n"), []string{"aws:sleep has its own outputs"}},
		"parameters of unknown type":       {"parameters: {P: {type: Number, secret: true}}\n" + steps(sleep), []string{`parameters.P.type: "Number" is not one of`, `parameters.P: has unknown key "secret"`}},
		"a default of the wrong type":      {"parameters: {P: {type: Integer, default: many}}\n" + steps(sleep), []string{`parameters.P.default: "many" is not a whole number`}},
		"an API that is not in the table": {steps("- {name: a, action: 'aws:executeAwsApi', inputs: {Service: rds, Api: DescribeDBInstances}}\n"), []string{
			"aws:executeAwsApi cannot call DescribeDBInstances of rds; it can call autoscaling DescribeAutoScalingGroups"}},
		"members that an API does not have": {steps("- {name: a, action: 'aws:executeAwsApi', inputs: {Service: ec2, Api: DescribeImages, Image: x, Filters: [{Name: n, Value: v}]}}\n"), []string{
			`DescribeImages of ec2 has no input "Filters[0].Value"`, `DescribeImages of ec2 has no input "Image"`}},
		"a selector that is not supported": {steps("- {name: a, action: 'aws:executeAwsApi', inputs: {Service: ec2, Api: DescribeImages}, outputs: [{Name: x, Selector: '$..ImageId', Type: Set}]}\n"), []string{
			`has "..ImageId", which is not supported`, `"Set" is not one of String`}},
		"a branch that compares in no known way": {steps("- {name: a, action: 'aws:branch', isEnd: true, inputs: {Choices: [{NextStep: b, Variable: x, Matches: y}, {Variable: x}]}}\n- {name: b, action: 'aws:pause', inputs: {}}\n"), []string{
			`"Matches" is not an operation`, "Choices[1]: has no NextStep", "Choices[1]: has no operation"}},
		"a way that leads back":           {steps("- {name: b, action: 'aws:pause', inputs: {}}\n- {name: a, action: 'aws:sleep', nextStep: b, inputs: {Duration: PT1S}}\n"), []string{"the way b -> a -> b leads back"}},
		"a sleep that is too long":        {steps("- {name: a, action: 'aws:sleep', inputs: {Duration: P7D}}\n"), []string{`"P7D" is more than 604799 seconds`}},
		"a sleep without an end":          {steps("- {name: a, action: 'aws:sleep', inputs: {}}\n"), []string{"aws:sleep needs either Duration or Timestamp"}},
		"an instance state nobody knows":  {steps("- {name: a, action: 'aws:changeInstanceState', inputs: {InstanceIds: [i-1], DesiredState: paused}}\n"), []string{`"paused" is not one of running, stopped, terminated`}},
		"another schema":                  {"schemaVersion: '2.2'\nmainSteps: []\n", []string{`schemaVersion: is "2.2"`, "mainSteps: has no steps"}},
		"numbers below what they must be": {steps("- {name: a, action: 'aws:sleep', maxAttempts: 0, timeoutSeconds: soon, inputs: {Duration: PT1S}}\n"), []string{"maxAttempts: is 0", `timeoutSeconds: is "soon"`}},
		"values of other types": {"description: [x]\nparameters: [x]\nmainSteps: {a: b}\n" + "schemaVersion: '0.3'\n", []string{
			"description: is a list, not a string", "parameters: is a list, not a map", "mainSteps: is a map, not a list", "mainSteps: has no steps"}},
		"a flag that is neither": {steps("- {name: a, action: 'aws:sleep', isEnd: 'yes', inputs: {Duration: PT1S}}\n"), []string{`step a.isEnd: is "yes", not true or false`}},
		"malformed YAML":         {"a: [", []string{"document: is not well-formed"}},
		"nothing":                {" \n", []string{"document: is empty"}},
		"more than 64 KB":        {steps(sleep) + "description: " + strings.Repeat("x", 64<<10), []string{"more than 65536"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tc.document, "YAML")
			if err == nil {
				t.Fatalf("Parse: got no error, want %q", tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Parse: got %v, want %q in it", err, want)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tc.want) {
				t.Errorf("faults: got %d, want %d:\n%v", got, len(tc.want), err)
			}
		})
	}
}

func TestParse_KeepsToItsFormat(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ document, format, want string }{
		"YAML as JSON":        {"a: b", "JSON", "document: is not well-formed JSON"},
		"a JSON list":         {"[1]", "JSON", "document: is not a JSON object"},
		"a format of its own": {"{}", "TEXT", "document: has format TEXT; an Automation document is JSON or YAML"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse(tc.document, tc.format); err == nil || err.Error() != tc.want {
				t.Errorf("Parse: got %v, want %s", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"update-linux-ami.json", "golden-ami.yaml"} {
		content, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content), strings.HasSuffix(name, ".json"))
	}
	f.Add("schemaVersion: '0.3'\nmainSteps: [{name: a, action: 'aws:branch', inputs: {Choices: [{Not: 1}]}}]", false)
	f.Fuzz(func(t *testing.T, content string, isJSON bool) {
		format := map[bool]string{true: "JSON", false: "YAML"}[isJSON]
		d, err := Parse(content, format)
		if (d == nil) != (err != nil) {
			t.Fatalf("Parse: got document %v and error %v, want one of them", d, err)
		}
		if err != nil {
			return
		}
		for i, s := range d.Steps {
			if s.action == nil || d.index(s.Name) != i {
				t.Errorf("step %q: got no action or another step of its name", s.Name)
			}
		}
		if parameters, err := d.Resolve(nil, nil); err == nil {
			if _, err := d.Role(parameters); err != nil {
				t.Errorf("Role of resolved parameters: %v", err)
			}
		}
	})
}
