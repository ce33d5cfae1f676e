package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wide are parameters of every kind.
type wide struct {
	Shared
	Name    string            `json:"name"`
	Percent int               `json:"percent"`
	Ratio   float64           `json:"ratio"`
	On      bool              `json:"on"`
	List    []string          `json:"services"`
	Steps   []step            `json:"steps"`
	Tags    map[string]string `json:"tags"`
	Maybe   *int              `json:"maybe"`
	When    time.Time         `json:"when"`
	Bake    bake              `json:"bake"`
	Any     any               `json:"any"`
	Hidden  string            `json:"-"`
	//lint:ignore U1000 what decoding must leave alone
	private string
}

type Shared struct {
	Cluster string `json:"cluster"`
	Name    string `json:"name"` // hidden by the outer one
}

type step struct {
	Weight int `json:"weight"`
}

type bake time.Duration

func (b *bake) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*b = bake(d)
	return err
}

func (w *wide) Validate() error {
	var faults []error
	if w.Cluster == "" {
		faults = append(faults, errors.New("cluster is missing"))
	}
	if len(w.List) != 2 {
		faults = append(faults, fmt.Errorf("services has %d entries", len(w.List)))
	}
	return errors.Join(faults...)
}

func TestDecodeParams_ReadsEveryKind(t *testing.T) {
	t.Parallel()
	got, faults := decodeParams[wide](` {"cluster":"c","name":"n","percent":3,"ratio":0.5,"on":true,"services":["a","b"],"steps":[{"weight":10}],
		"tags":{"k":"v"},"maybe":4,"when":"2026-01-02T03:04:05Z","bake":"5m","any":[1,null]} `)
	if faults != nil {
		t.Fatal(faults)
	}
	four := 4
	want := wide{Shared: Shared{Cluster: "c"}, Name: "n", Percent: 3, Ratio: 0.5, On: true, List: []string{"a", "b"}, Steps: []step{{10}},
		Tags: map[string]string{"k": "v"}, Maybe: &four, When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Bake: bake(5 * time.Minute), Any: []any{1.0, nil}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(wide{})); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
}

func TestDecodeParams_FindsEveryFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing at all": {``, []string{"cluster is missing", "services has 0 entries"}},
		"a misspelt key, whose absence is not told too": {`{"clutser":"c","services":["a","b"]}`, []string{`unknown key "clutser": did you mean "cluster"?`}},
		"another case":        {`{"Cluster":"c","services":["a","b"]}`, []string{`unknown key "Cluster": did you mean "cluster"?`}},
		"an unknown key":      {`{"cluster":"c","services":["a","b"],"zebra":1}`, []string{`unknown key "zebra": there are any, bake, cluster, maybe, name, on, percent, ratio, services, steps, tags, when`}},
		"a key with no field": {`{"cluster":"c","services":["a","b"],"Hidden":"x"}`, []string{`unknown key "Hidden": there are any, bake, cluster, maybe, name, on, percent, ratio, services, steps, tags, when`}},
		"wrong types, each of them": {`{"cluster":1,"name":["x"],"percent":"1","ratio":"1","on":"yes","services":"a","steps":[{"weight":"x"},{"wait":1},3],"tags":{"k":1},"when":5,"bake":"soon","maybe":1.5}`, []string{
			"cluster is the number 1, want a string",
			"name is a list, want a string",
			"percent is a string, want a whole number",
			"ratio is a string, want a number",
			"on is a string, want true or false",
			"services is a string, want a list",
			"steps[0].weight is a string, want a whole number",
			`unknown key "wait" in steps[1]: there are weight`,
			"steps[2] is the number 3, want an object",
			"tags.k is the number 1, want a string",
			"when is not valid: Time.UnmarshalJSON: input is not a JSON string",
			`bake is not valid: time: invalid duration "soon"`,
			"maybe is the number 1.5, want a whole number",
		}},
		"nulls":              {`{"cluster":null,"services":["a",null]}`, []string{"cluster is null: leave it out, or give a string", "services[1] is null: leave it out, or give a string"}},
		"a key given twice":  {`{"cluster":"c","services":["a","b"],"cluster":"d","tags":{"a":"1","a":"2"}}`, []string{"cluster is given more than once", "tags.a is given more than once"}},
		"not JSON":           {`cluster=c`, []string{"UserParameters are not JSON: at character 1, invalid character 'c' looking for beginning of value"}},
		"more after the end": {`{"cluster":"c"} {}`, []string{"UserParameters are not JSON: at character 17, invalid character '{' after top-level value"}},
		"cut off":            {`{"cluster":"c"`, []string{"UserParameters are not JSON: at character 14, unexpected end of JSON input"}},
		"a list":             {`["c"]`, []string{"UserParameters are a list, want a JSON object"}},
		"null":               {`null`, []string{"UserParameters are null, want a JSON object"}},
		"too long":           {`{"cluster":"` + strings.Repeat("c", 1000) + `"}`, []string{"UserParameters have 1014 characters with their variables filled in, and 1000 are allowed: shorten them"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := decodeParams[wide](c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeParams_CountsCharacters(t *testing.T) {
	t.Parallel()
	text := `{"target":"` + strings.Repeat("ü", 987) + `"}`
	if _, faults := decodeParams[params](text); faults != nil {
		t.Errorf("1000 characters of 1987 bytes: got %v", faults)
	}
}

func FuzzParams(f *testing.F) {
	f.Add(`{"cluster":"c","services":["a","b"],"steps":[{"weight":1}],"tags":{"a":"b"},"bake":"1s"}`)
	f.Add(`{"cluster":null,"cluster":1,"x":{"y":[[[]]]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, faults := decodeParams[wide](text)
		if len(faults) > 0 {
			return
		}
		// What is taken without fault is what encoding/json takes, and no other.
		var want wide
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("got no fault, want %v", err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(wide{})); diff != "" {
			t.Errorf("params (-want +got):\n%s", diff)
		}
	})
}
