package template_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/cloudformation/template"
)

var update = flag.Bool("update", false, "rewrite golden files")

type webProperties struct {
	Name    string `aws:",required"`
	Port    int
	Public  *bool
	Targets []struct {
		Id     string `aws:",required"`
		Weight int
	}
	Labels map[string]string
	Policy any
}

// types knows Test::Web by its properties and any other Test:: type by name.
func types(name string) (reflect.Type, bool) {
	if name == "Test::Web" {
		return reflect.TypeFor[webProperties](), true
	}
	return nil, strings.HasPrefix(name, "Test::")
}

func build(source string) (*template.Template, error) {
	var faults template.Faults
	root := template.Read([]byte(source), &faults)
	return template.Build(root, &faults, template.Options{Type: types})
}

// scope evaluates in a stack where resource R has the physical id r-1.
func scope(t testing.TB, source string, parameters map[string]string) *template.Scope {
	t.Helper()
	built, err := build(source)
	if err != nil {
		t.Fatalf("build template: %v", err)
	}
	values, err := built.Bind(parameters, nil)
	if err != nil {
		t.Fatalf("bind parameters: %v", err)
	}
	s := &template.Scope{
		Template: built, Parameters: values, AccountID: "111122223333", Region: "us-east-1", Partition: "aws",
		URLSuffix: "amazonaws.com", StackName: "demo", StackID: "arn:stack/demo", Zones: []string{"us-east-1a", "us-east-1b"},
		Resource: func(id, attribute string) (any, error) {
			if id != "R" {
				return template.Unknown{}, nil
			}
			if attribute == "" {
				return "r-1", nil
			}
			return template.Attribute(map[string]any{"Arn": "arn:r-1", "Endpoint.Port": "80", "Names": []any{"a", "b"}}, id, attribute)
		},
		Import: func(name string) (string, error) {
			if name == "vpc" {
				return "vpc-1", nil
			}
			return "", fmt.Errorf("no export named %s found", name)
		},
	}
	if err := s.Decide(); err != nil {
		t.Fatalf("decide conditions: %v", err)
	}
	return s
}

const preamble = `
Parameters:
  Env: {Type: String, Default: prod}
  Port: {Type: Number, Default: 8080}
  Letter: {Type: String, Default: p}
  Subnets: {Type: CommaDelimitedList, Default: "s-1, s-2"}
Mappings:
  Sizes:
    us-east-1: {small: t3, cidrs: [a, b]}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsDev: !Not [{Condition: IsProd}]
  Both: !And [!Condition IsProd, !Equals [!Ref Port, 8080]]
  Either: !Or [!Condition IsDev, !Equals [!Select [0, !Ref Subnets], s-1]]
Resources:
  R: {Type: Test::R}
  Other: {Type: Test::Other}
  X:
    Type: Test::X
    Properties:
      V: `

func TestEval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, expression string
		want             any
	}{
		{"a plain number stays a number", "80", int64(80)},
		{"a plain boolean of YAML 1.1 is one", "yes", true},
		{"a quoted boolean is a string", "'yes'", "yes"},
		{"a date is a string", "2012-10-17", "2012-10-17"},
		{"a folded scalar keeps its text", ">-\n        a\n        b", "a b"},
		{"colons within words of a flow map", "{A: arn:aws:x, B: !Ref AWS::Region, C: 'a:b', D: [x:1, {Fn::Sub: 'a:${Env}'}]}",
			map[string]any{"A": "arn:aws:x", "B": "us-east-1", "C": "a:b", "D": []any{"x:1", "a:prod"}}},
		{"Ref of a parameter", "!Ref Env", "prod"},
		{"Ref of a number is its text", "!Ref Port", "8080"},
		{"Ref of a list is a list without blanks", "!Ref Subnets", []any{"s-1", "s-2"}},
		{"Ref of a resource", "!Ref R", "r-1"},
		{"Ref of a resource not made yet", "!Ref Other", template.Unknown{}},
		{"Ref of pseudo parameters", "[!Ref AWS::AccountId, !Ref AWS::Region, !Ref AWS::Partition, !Ref AWS::StackName, !Ref AWS::StackId, !Ref AWS::URLSuffix]",
			[]any{"111122223333", "us-east-1", "aws", "demo", "arn:stack/demo", "amazonaws.com"}},
		{"NotificationARNs are none", "!Ref AWS::NotificationARNs", []any{}},
		{"NoValue leaves a property out", "{A: !Ref AWS::NoValue, B: 1}", map[string]any{"B": int64(1)}},
		{"NoValue leaves an item out", "[!Ref AWS::NoValue, 1]", []any{int64(1)}},
		{"the long form of Ref", "{Ref: Env}", "prod"},
		{"GetAtt with a dot", "!GetAtt R.Arn", "arn:r-1"},
		{"GetAtt of an attribute with a dot", "!GetAtt R.Endpoint.Port", "80"},
		{"GetAtt as a list", "{Fn::GetAtt: [R, Endpoint.Port]}", "80"},
		{"GetAtt of a list", "!Select [1, !GetAtt R.Names]", "b"},
		{"Sub of everything", `!Sub "${Env}-${R}-${R.Arn}-${AWS::Region}-${Port}"`, "prod-r-1-arn:r-1-us-east-1-8080"},
		{"Sub leaves an escape", `!Sub "${!Env} ${Env} #{codepipeline.PipelineExecutionId} $5 {}"`, "${Env} prod #{codepipeline.PipelineExecutionId} $5 {}"},
		{"Sub with variables", `!Sub ["${a}/${Env}", {a: !Ref R}]`, "r-1/prod"},
		{"Sub with a variable that hides a parameter", `!Sub ["${Env}", {Env: 1.10}]`, "1.1"},
		{"Sub of what is not known yet", `!Sub "a${Other.Arn}"`, template.Unknown{}},
		{"Join", "!Join ['/', [a, !Ref Env, 1.10, 8080]]", "a/prod/1.10/8080"},
		{"Join of a list parameter", "!Join ['|', !Ref Subnets]", "s-1|s-2"},
		{"Join leaves NoValue out", "!Join ['|', [a, !Ref AWS::NoValue]]", "a"},
		{"Join of what is not known yet", "!Join ['|', [a, !Ref Other]]", template.Unknown{}},
		{"Select by a text", "!Select ['1', [a, b]]", "b"},
		{"Split", "!Split [',', 'a,b,,c']", []any{"a", "b", "", "c"}},
		{"Select of Split of an import", "!Select [1, !Split ['-', !ImportValue vpc]]", "1"},
		{"ImportValue by Sub", `{Fn::ImportValue: !Sub "v${Letter}c"}`, "vpc-1"},
		{"FindInMap", "!FindInMap [Sizes, !Ref AWS::Region, small]", "t3"},
		{"FindInMap of a list", "!FindInMap [Sizes, us-east-1, cidrs]", []any{"a", "b"}},
		{"If that holds", "!If [IsProd, a, b]", "a"},
		{"If that does not hold", "!If [IsDev, a, {B: !Ref R}]", map[string]any{"B": "r-1"}},
		{"And, Or", "[!If [Both, a, b], !If [Either, a, b]]", []any{"a", "a"}},
		{"GetAZs of this region", "!GetAZs ''", []any{"us-east-1a", "us-east-1b"}},
		{"GetAZs by name", "!Select [0, !GetAZs {Ref: AWS::Region}]", "us-east-1a"},
		{"Base64", "{Fn::Base64: !Sub 'x${Env}'}", "eHByb2Q="},
		{"Cidr", "!Cidr [10.0.0.0/16, 3, 8]", []any{"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"}},
		{"Cidr of IPv6", "!Cidr ['2001:db8::/56', 2, 64]", []any{"2001:db8::/64", "2001:db8:0:1::/64"}},
		{"a key named Condition in a policy", "{Condition: {StringEquals: {a: !Ref Env}}}",
			map[string]any{"Condition": map[string]any{"StringEquals": map[string]any{"a": "prod"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := scope(t, preamble+c.expression, nil)
			got, err := s.Properties(s.Template.Resources[2])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]any{"V": c.want}, got); diff != "" {
				t.Errorf("value of %s (-want +got):\n%s", c.expression, diff)
			}
		})
	}
}

func TestEval_TellsWhatFailsOnlyThen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, expression, want string }{
		{"an index beyond the list", "!Select [3, !Ref Subnets]", "line 21: Resources.X.Properties.V.Fn::Select: cannot select item 3 of a list of 2"},
		{"an export that nobody has", "!ImportValue other", "line 21: Resources.X.Properties.V.Fn::ImportValue: no export named other found"},
		{"an attribute that there is not", "!GetAtt R.Foo", "line 21: Resources.X.Properties.V.Fn::GetAtt: unknown attribute Foo of resource R; it has: Arn, Endpoint.Port, Names"},
		{"a mapping that there is not", "!FindInMap [Sizes, !Ref Env, small]", "line 21: Resources.X.Properties.V.Fn::FindInMap: the mapping Sizes.prod.small does not exist"},
		{"a list within a string", "!Sub 'a${Subnets}'", "line 21: Resources.X.Properties.V.Fn::Sub: ${Subnets} is a list, not a string"},
		{"zones of another region", "!GetAZs eu-west-1", "line 21: Resources.X.Properties.V.Fn::GetAZs: the embedded AWS has only the region us-east-1, not eu-west-1"},
		{"more subnets than there is room for", "!Cidr [10.0.0.0/24, 5, 6]", "line 21: Resources.X.Properties.V.Fn::Cidr: 10.0.0.0/24 has no room for 5 subnets of 6 bits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := scope(t, preamble+c.expression, nil)
			_, err := s.Properties(s.Template.Resources[2])
			if err == nil || err.Error() != c.want {
				t.Errorf("got error %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestBuild_ListsEveryFault reads a template in which nearly everything is wrong.
func TestBuild_ListsEveryFault(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"faults.yaml", "faults.json", "syntax.yaml", "syntax.json", "readfaults.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = build(string(source))
			if err == nil {
				t.Fatal("got no error, want one")
			}
			golden := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRead_JSONAndYAMLMeanTheSame(t *testing.T) {
	t.Parallel()
	const asYAML = `
Resources:
  R:
    Type: Test::Web
    Properties:
      Name: !Sub "${AWS::StackName}-x"
      Port: 80
      Public: true
      Targets:
        - Id: !If [C, a, b]
          Weight: 1.5
      Policy: !GetAtt R.Arn
      Labels: {a: !Ref AWS::NoValue, b: !Base64 x, c: null}
`
	const asJSON = `{"Resources": {"R": {"Type": "Test::Web", "Properties": {
	"Name": {"Fn::Sub": "${AWS::StackName}-x"}, "Port": 80, "Public": true,
	"Targets": [{"Id": {"Fn::If": ["C", "a", "b"]}, "Weight": 1.5}],
	"Policy": {"Fn::GetAtt": "R.Arn"},
	"Labels": {"a": {"Ref": "AWS::NoValue"}, "b": {"Fn::Base64": "x"}, "c": null}}}}}`
	var faults template.Faults
	y, j := template.Read([]byte(asYAML), &faults), template.Read([]byte(asJSON), &faults)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(y.Literal(), j.Literal()); diff != "" {
		t.Errorf("YAML and JSON differ (-yaml +json):\n%s", diff)
	}
}
