package events

import (
	"strings"
	"testing"
)

const push = `{
	"source": "aws.codecommit", "detail-type": "CodeCommit Repository State Change",
	"resources": ["arn:aws:codecommit:us-east-1:111122223333:hello"], "account": "111122223333",
	"detail": {"event": "referenceUpdated", "referenceType": "branch", "referenceName": "main", "size": 12, "forced": false, "parent": null, "tags": []}
}`

func TestPattern_Matches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pattern string
		want          bool
	}{
		{"what a pipeline's trigger uses", `{"source":["aws.codecommit"],"detail-type":["CodeCommit Repository State Change"],
			"resources":["arn:aws:codecommit:us-east-1:111122223333:hello"],
			"detail":{"event":["referenceCreated","referenceUpdated"],"referenceType":["branch"],"referenceName":["main"]}}`, true},
		{"another branch", `{"detail":{"referenceName":["release"]}}`, false},
		{"another resource", `{"resources":["arn:aws:codecommit:us-east-1:111122223333:other"]}`, false},
		{"a value within a list of the event", `{"resources":[{"prefix":"arn:aws:codecommit:"}]}`, true},
		{"a prefix", `{"detail":{"referenceName":[{"prefix":"ma"}]}}`, true},
		{"a prefix that is not", `{"detail":{"referenceName":[{"prefix":"release/"}]}}`, false},
		{"a field that is there", `{"detail":{"event":[{"exists":true}]}}`, true},
		{"a field that is not there", `{"detail":{"colour":[{"exists":true}]}}`, false},
		{"the absence of a field", `{"detail":{"colour":[{"exists":false}]}}`, true},
		{"the absence of a field of an absent object", `{"elsewhere":{"colour":[{"exists":false}]}}`, true},
		{"the absence of a field that is there", `{"detail":{"event":[{"exists":false}]}}`, false},
		{"anything but another value", `{"detail":{"referenceName":[{"anything-but":"dev"}]}}`, true},
		{"anything but a list with the value", `{"detail":{"referenceName":[{"anything-but":["main","dev"]}]}}`, false},
		{"anything but a prefix", `{"detail":{"referenceName":[{"anything-but":{"prefix":"ma"}}]}}`, false},
		{"anything but, of an absent field", `{"detail":{"colour":[{"anything-but":"red"}]}}`, false},
		{"a number in a range", `{"detail":{"size":[{"numeric":[">",10,"<=",12]}]}}`, true},
		{"a number out of a range", `{"detail":{"size":[{"numeric":["<",12]}]}}`, false},
		{"numbers of one value in two writings", `{"detail":{"size":[1.2e1]}}`, true},
		{"a string that looks like the number", `{"detail":{"size":["12"]}}`, false},
		{"a boolean", `{"detail":{"forced":[false]}}`, true},
		{"null", `{"detail":{"parent":[null]}}`, true},
		{"null for an absent field", `{"detail":{"colour":[null]}}`, false},
		{"an empty list of the event", `{"detail":{"tags":["a"]}}`, false},
		{"an object where the pattern wants a value", `{"detail":["x"]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := parsePattern([]byte(c.pattern))
			if err != nil {
				t.Fatal(err)
			}
			event, err := decode([]byte(push))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.matches(event, true); got != c.want {
				t.Errorf("matches: got %v, want %v", got, c.want)
			}
		})
	}
}

func TestPattern_Refusals(t *testing.T) {
	t.Parallel()
	for pattern, says := range map[string]string{
		`{"source":[{"suffix":".x"}]}`:                 "pattern.source: the operator suffix is unknown",
		`{"detail":{"a":[{"wildcard":"*"}]}}`:          "pattern.detail.a: the operator wildcard is unknown",
		`{"$or":[{"source":["a"]}]}`:                   "the operator $or is unknown",
		`{"source":[{"anything-but":{"suffix":"x"}}]}`: "anything-but takes values or a prefix",
		`{"source":"aws.codecommit"}`:                  "pattern.source: a value must stand in a list",
		`{"source":[]}`:                                "pattern.source: an empty list",
		`{}`:                                           "pattern: an empty object",
		`{"source":[["a"]]}`:                           "a list within a list",
		`{"source":[{"exists":"yes"}]}`:                "exists takes true or false",
		`{"source":[{"prefix":1}]}`:                    "prefix takes a string",
		`{"source":[{"numeric":["~",1]}]}`:             "numeric knows no comparison ~",
		`{"source":[{"numeric":[">"]}]}`:               "numeric takes one or two comparisons",
		`{"source":[{"numeric":[">","1"]}]}`:           "numeric compares with numbers",
		`{"source":[{"prefix":"a","exists":true}]}`:    "an item has 2 operators",
		`{"source":[{"anything-but":[]}]}`:             "at least one value",
		`{"source":[{"anything-but":true}]}`:           "strings or numbers",
		`["aws.codecommit"] {}`:                        "more than one value",
		`{`:                                            "parse JSON",
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			_, err := parsePattern([]byte(pattern))
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("error: got %v, want %q in it", err, says)
			}
		})
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["aws.codecommit"]}`, push)
	f.Add(`{"detail":{"size":[{"numeric":[">",10]}]}}`, push)
	f.Add(`{"a":[{"anything-but":["x"]},{"exists":false}]}`, `{"a":[1,null,{"b":2}]}`)
	f.Fuzz(func(t *testing.T, text, event string) {
		p, err := parsePattern([]byte(text))
		if err != nil {
			return
		}
		tree, err := decode([]byte(event))
		if err != nil {
			return
		}
		first, second := p.matches(tree, true), p.matches(tree, true)
		if first != second {
			t.Error("the same pattern and event: got two answers")
		}
	})
}
