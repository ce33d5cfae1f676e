package iam

import (
	"strings"
	"testing"

	"cutover/pkg/localaws/wire"

	"pgregory.net/rapid"
)

const service = "arn:aws:ecs:us-east-1:111122223333:service/shop/green"

func TestEvaluate(t *testing.T) {
	t.Parallel()
	access := wire.Access{Action: "ecs:UpdateService", Resource: service, Context: map[string]string{"ecs:cluster": "arn:aws:ecs:us-east-1:111122223333:cluster/shop"}}
	tests := []struct {
		name      string
		statement string
		want      verdict
	}{
		{"an action and a resource by name are allowed", `{"Effect":"Allow","Action":"ecs:UpdateService","Resource":"` + service + `"}`, allowed},
		{"actions are compared without case", `{"Effect":"Allow","Action":["ECS:updateservice"],"Resource":"*"}`, allowed},
		{"resources are compared with case", `{"Effect":"Allow","Action":"ecs:*","Resource":"` + strings.Replace(service, "green", "Green", 1) + `"}`, implicitDeny},
		{"wildcards match within actions and resources", `{"Effect":"Allow","Action":"ecs:Update*","Resource":"arn:aws:ecs:*:111122223333:service/*/gr?en"}`, allowed},
		{"another action is not allowed", `{"Effect":"Allow","Action":"ecs:Describe*","Resource":"*"}`, implicitDeny},
		{"NotAction allows what it does not name", `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, allowed},
		{"NotAction does not allow what it names", `{"Effect":"Allow","NotAction":"ecs:*","Resource":"*"}`, implicitDeny},
		{"NotResource does not allow what it names", `{"Effect":"Allow","Action":"*","NotResource":"arn:aws:ecs:*"}`, implicitDeny},
		{"NotResource allows what it does not name", `{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:*"}`, allowed},
		{"a deny wins over an allow before it", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"ecs:UpdateService","Resource":"*"}`, explicitDeny},
		{"a deny wins over an allow after it", `{"Effect":"Deny","Action":"ecs:UpdateService","Resource":"*"},{"Effect":"Allow","Action":"*","Resource":"*"}`, explicitDeny},
		{"a deny whose condition does not hold does nothing", `{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"ecs:cluster":"other"}}}`, allowed},
		{"ArnLike matches part by part", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"arn:aws:ecs:*:*:cluster/sh*"}}}`, allowed},
		{"an ArnLike wildcard does not reach over a colon", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"arn:aws:ecs:*:cluster/shop"}}}`, implicitDeny},
		{"condition keys are compared without case", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"ECS:Cluster":"arn:aws:ecs:us-east-1:111122223333:cluster/shop"}}}`, allowed},
		{"one of several values is enough", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"ecs:cluster":["x","*/shop"]}}}`, allowed},
		{"all of several keys are needed", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"ecs:cluster":"*","aws:nothing":"*"}}}`, implicitDeny},
		{"a key that the call did not give does not match", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ecs.amazonaws.com"}}}`, implicitDeny},
		{"IfExists holds for a key that the call did not give", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqualsIfExists":{"iam:PassedToService":"ecs.amazonaws.com"}}}`, allowed},
		{"IfExists does not hold for a key with another value", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqualsIfExists":{"ecs:cluster":"other"}}}`, implicitDeny},
		{"a negated operator holds for a key that the call did not give", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:nothing":"x"}}}`, allowed},
		{"a negated operator needs all values to differ", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnNotLike":{"ecs:cluster":["arn:aws:ecs:*:*:cluster/x","arn:aws:ecs:*:*:cluster/shop"]}}}`, implicitDeny},
		{"Null true wants the key absent", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"aws:nothing":"true"}}}`, allowed},
		{"Null false wants the key present", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"aws:nothing":false}}}`, implicitDeny},
		{"every call gives the account of its resource", `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"111122223333"}}}`, allowed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			doc, err := parse(`{"Version":"2012-10-17","Statement":[` + test.statement + `]}`)
			if err != nil {
				t.Fatal(err)
			}
			a := access
			a.Context = globals("arn:aws:iam::111122223333:role/r", a)
			got := evaluate(func(yield func(*document) bool) { yield(doc) }, a)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestParse_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"not JSON", `{`, "Syntax errors"},
		{"no statement", `{"Version":"2012-10-17"}`, "Statement: is required"},
		{"another version", `{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, "Version: 2020-01-01"},
		{"an unknown member", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principals":"*"}}`, "Principals: is unknown"},
		{"an unknown operator", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}`, "no condition operator IpAddress"},
		{"an operator for sets", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}}}`, "no condition operator ForAllValues:StringEquals"},
		{"a negation that AWS does not have", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NotBool":{"a:b":"true"}}}}`, "no condition operator NotBool"},
		{"a policy variable", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}"}}`, "policy variables"},
		{"both Action and NotAction", `{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}`, "either Action or NotAction"},
		{"no resource", `{"Statement":{"Effect":"Allow","Action":"*"}}`, "either Resource or NotResource"},
		{"a resource that is no ARN", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"my-bucket"}}`, "ARN format"},
		{"an action without its vendor", `{"Statement":{"Effect":"Allow","Action":"UpdateService","Resource":"*"}}`, "vendor and a name"},
		{"a principal in an identity policy", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}}`, "should not specify a principal"},
		{"two faults at once", `{"Statement":{"Effect":"Maybe","Action":"*","Resource":"x"}}`, "Effect: is neither Allow nor Deny; "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "MalformedPolicyDocument") {
				t.Errorf("got %v, want MalformedPolicyDocument with %q", err, test.want)
			}
		})
	}
}

// Whatever the text, a pattern made from it by putting stars and question marks in
// place of its parts matches it, and one with a foreign character does not.
func TestGlob_Properties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab:/*")), 0, 12, -1).Draw(t, "text")
		var pattern strings.Builder
		for i := 0; i < len(text); i++ {
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				pattern.WriteByte('?')
			case 1:
				pattern.WriteByte('*')
				i += rapid.IntRange(-1, len(text)-1-i).Draw(t, "skip")
			default:
				pattern.WriteByte(text[i])
			}
		}
		if !glob(pattern.String(), text) {
			t.Fatalf("glob(%q, %q): got false, want true", pattern.String(), text)
		}
		if glob(pattern.String()+"z", text) {
			t.Fatalf("glob(%q, %q): got true, want false", pattern.String()+"z", text)
		}
	})
}

// FuzzPolicy holds that no document makes the evaluator panic, that a document
// that is taken is taken again as it is shown, and that a deny of everything added
// to it leaves nothing allowed.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"StringLike":{"ecs:cluster":["a*","b"]},"Null":{"x:y":"true"}}}]}`, "ecs:UpdateService", "arn:aws:ecs:us-east-1:111122223333:service/a/b", "ecs:cluster", "abc")
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":"s3:?*","NotResource":"arn:*"}}`, "s3:GetObject", "*", "", "")
	f.Fuzz(func(t *testing.T, text, action, resource, key, value string) {
		doc, err := parse(text)
		if err != nil {
			return
		}
		again, err := parse(doc.text)
		if err != nil {
			t.Fatalf("parse again: %v", err)
		}
		denied, err := parse(`{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
		if err != nil {
			t.Fatal(err)
		}
		a := wire.Access{Action: action, Resource: resource, Context: map[string]string{key: value}}
		of := func(docs ...*document) verdict {
			return evaluate(func(yield func(*document) bool) {
				for _, d := range docs {
					if !yield(d) {
						return
					}
				}
			}, a)
		}
		if one, two := of(doc), of(again); one != two {
			t.Errorf("evaluated twice: got %s and %s", one, two)
		}
		if got := of(doc, denied); got != explicitDeny {
			t.Errorf("with everything denied: got %s, want %s", got, explicitDeny)
		}
	})
}

func TestAWSManaged_AreWellFormed(t *testing.T) {
	t.Parallel()
	for _, path := range awsManagedPaths() {
		text, ok := awsManaged(path)
		if !ok {
			t.Errorf("%s: got nothing, want its text", path)
		}
		if _, err := parse(text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
