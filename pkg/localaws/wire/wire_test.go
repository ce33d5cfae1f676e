package wire_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
	"github.com/google/go-cmp/cmp"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
	"cutover/pkg/localaws/wire/awsquery"
	"cutover/pkg/localaws/wire/restjson"
	"cutover/pkg/localaws/wire/rpccbor"
)

type paintInput struct {
	WallName string `aws:",required"`
	Coats    *int32
	Share    float64
	Dry      bool
	Colours  []string
	Tags     map[string]string
	Since    time.Time
	Layers   []layer
}

type layer struct {
	Name string `aws:",required"`
	Raw  []byte
}

type paintOutput struct {
	WallName string
	Empty    string
	Count    int
	Dry      bool
	Colours  []string
	Missing  []string
	Tags     map[string]string
	Since    time.Time
	Layers   []layer
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 500e6, time.UTC)

func coats(n int32) *int32 { return &n }

var wholeInput = paintInput{
	WallName: "north", Coats: coats(2), Share: 0.5, Dry: true, Colours: []string{"red", "blue & white"},
	Tags: map[string]string{"team": "a=b"}, Since: noon, Layers: []layer{{Name: "base", Raw: []byte("x")}},
}

func protocols() map[string]wire.Protocol {
	return map[string]wire.Protocol{
		"json":  awsjson.Protocol{Version: "1.1", Target: "Painter", Naming: wire.LowerFirst},
		"query": awsquery.Protocol{Version: "2026-01-01", Namespace: "urn:painter"},
		"ec2":   awsquery.Protocol{Version: "2026-01-01", Namespace: "urn:painter", EC2: true},
		"rest":  restjson.Protocol{Routes: map[string]string{"Paint": "POST /walls/{WallName}/coats"}, Naming: wire.AsIs},
		"cbor":  rpccbor.Protocol{Target: "Painter"},
	}
}

// requests are the same input as each protocol writes it.
func requests() map[string]wire.Request {
	form := url.Values{
		"Action": {"Paint"}, "Version": {"2026-01-01"}, "WallName": {"north"}, "Coats": {"2"}, "Share": {"0.5"}, "Dry": {"true"},
		"Since": {"2026-01-02T12:00:00.500Z"}, "Tags.entry.1.key": {"team"}, "Tags.entry.1.value": {"a=b"},
	}
	query, ec2 := clone(form), clone(form)
	for key, value := range map[string]string{"Colours.member.1": "red", "Colours.member.2": "blue & white", "Layers.member.1.Name": "base", "Layers.member.1.Raw": "eA=="} {
		query.Set(key, value)
		ec2.Set(strings.Replace(key, ".member", "", 1), value)
	}
	members := `"Coats":2,"Share":0.5,"Dry":true,"Colours":["red","blue & white"],"Tags":{"team":"a=b"},"Since":1767355200.5,"Layers":[{"Name":"base","Raw":"eA=="}]`
	lower := `{"wallName":"north","coats":2,"share":0.5,"dry":true,"colours":["red","blue & white"],"tags":{"team":"a=b"},"since":1767355200.5,"layers":[{"name":"base","raw":"eA=="}]}`
	return map[string]wire.Request{
		"json":  request("POST", "/", lower, "X-Amz-Target", "Painter.Paint"),
		"query": request("POST", "/", query.Encode()),
		"ec2":   request("POST", "/", ec2.Encode()),
		"rest":  request("POST", "/walls/north/coats", "{"+members+"}"),
		"cbor": request("POST", "/service/Painter/operation/Paint", string(cbor.Encode(cbor.Map{
			"WallName": cbor.String("north"), "Coats": cbor.Uint(2), "Share": cbor.Float64(0.5), "Dry": cbor.Bool(true),
			"Colours": cbor.List{cbor.String("red"), cbor.String("blue & white")}, "Tags": cbor.Map{"team": cbor.String("a=b")},
			"Since":  &cbor.Tag{ID: 1, Value: cbor.Float64(1767355200.5)},
			"Layers": cbor.List{cbor.Map{"Name": cbor.String("base"), "Raw": cbor.Slice("x")}},
		})), "Smithy-Protocol", "rpc-v2-cbor"),
	}
}

func clone(form url.Values) url.Values {
	c := url.Values{}
	for key, values := range form {
		c[key] = values
	}
	return c
}

func request(method, path, body string, headers ...string) wire.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return wire.Request{Request: r, Body: []byte(body)}
}

func TestProtocols_DecodeTheSameInput(t *testing.T) {
	t.Parallel()
	for name, p := range protocols() {
		r := requests()[name]
		operation, ok := p.Operation(r)
		if !ok || operation != "Paint" {
			t.Errorf("%s: operation: got %q, %v, want Paint, true", name, operation, ok)
			continue
		}
		var got paintInput
		if faults := p.Decode(r, operation, &got); len(faults) > 0 {
			t.Errorf("%s: faults: got %q, want none", name, faults)
		}
		if diff := cmp.Diff(wholeInput, got); diff != "" {
			t.Errorf("%s: input (-want +got):\n%s", name, diff)
		}
	}
}

func TestProtocols_LeaveRequestsOfOthersAlone(t *testing.T) {
	t.Parallel()
	for name, p := range protocols() {
		for other, r := range requests() {
			sameFamily := name == other || name == "rest" || (name == "query" && other == "ec2") || (name == "ec2" && other == "query")
			if operation, ok := p.Operation(r); ok && !sameFamily {
				t.Errorf("%s takes a request of %s as %q", name, other, operation)
			}
		}
	}
}

func TestDialect_NamesEveryFault(t *testing.T) {
	t.Parallel()
	tree := map[string]any{
		"Coats": "two", "Dry": json.Number("1"), "Colour": "red", "Tags": []any{}, "Since": "noon",
		"Layers": []any{map[string]any{"Raw": "%%"}, "base"},
	}
	var in paintInput
	got := wire.Dialect{Naming: wire.AsIs}.Fill(&in, tree)
	want := []string{
		"Coats: is the string \"two\", not a whole number in range",
		"Colour: is unknown to the embedded AWS",
		"Dry: is 1, not a boolean",
		"Layers[0].Name: is required",
		"Layers[0].Raw: is the string \"%%\", not a Base64 blob",
		"Layers[1]: is the string \"base\", not a structure",
		"Since: is the string \"noon\", not a time",
		"Tags: is a list, not a map",
		"WallName: is required",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestProtocols_EncodeAnswers(t *testing.T) {
	t.Parallel()
	out := &paintOutput{WallName: "north", Colours: []string{"red", "<blue>"}, Tags: map[string]string{"k": "v"}, Since: noon, Layers: []layer{{Name: "base"}}}
	want := map[string]string{
		"json":  `{"colours":["red","\u003cblue\u003e"],"count":0,"dry":false,"layers":[{"name":"base"}],"since":1767355200.500,"tags":{"k":"v"},"wallName":"north"}`,
		"rest":  `{"Colours":["red","\u003cblue\u003e"],"Count":0,"Dry":false,"Layers":[{"Name":"base"}],"Since":1767355200.500,"Tags":{"k":"v"},"WallName":"north"}`,
		"query": `<PaintResponse xmlns="urn:painter"><PaintResult><WallName>north</WallName><Count>0</Count><Dry>false</Dry><Colours><member>red</member><member>&lt;blue&gt;</member></Colours><Tags><entry><key>k</key><value>v</value></entry></Tags><Since>2026-01-02T12:00:00.500Z</Since><Layers><member><Name>base</Name></member></Layers></PaintResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></PaintResponse>`,
		"ec2":   `<PaintResponse xmlns="urn:painter"><requestId>id</requestId><wallName>north</wallName><count>0</count><dry>false</dry><colours><item>red</item><item>&lt;blue&gt;</item></colours><tags><entry><key>k</key><value>v</value></entry></tags><since>2026-01-02T12:00:00.500Z</since><layers><item><name>base</name></item></layers></PaintResponse>`,
	}
	for name, p := range protocols() {
		w := httptest.NewRecorder()
		p.Encode(w, "Paint", out, "id")
		if text, ok := want[name]; ok && w.Body.String() != text {
			t.Errorf("%s: got  %s\nwant %s", name, w.Body, text)
		}
		if w.Code != http.StatusOK || w.Header().Get("X-Amzn-RequestId") != "id" {
			t.Errorf("%s: got status %d and request id %q", name, w.Code, w.Header().Get("X-Amzn-RequestId"))
		}
	}
	w := httptest.NewRecorder()
	protocols()["cbor"].Encode(w, "Paint", out, "id")
	value, err := cbor.Decode(w.Body.Bytes())
	if err != nil {
		t.Fatalf("decode CBOR answer: %v", err)
	}
	if got := value.(cbor.Map)["WallName"]; got != cbor.String("north") {
		t.Errorf("cbor: WallName: got %v, want north", got)
	}
}

func TestOperation_AsksIAMForItselfUnlessItNamesResources(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *paintInput) (*paintOutput, error) { return &paintOutput{}, nil }
	on := wire.On(func(in *paintInput) []string { return []string{"arn:wall/" + in.WallName} })
	needs := wire.Needs(func(in *paintInput) []wire.Access {
		return []wire.Access{{Action: "iam:PassRole", Resource: "arn:role"}}
	})
	own := wire.Access{Action: "paint:Paint", Resource: "*"}
	narrowed := wire.Access{Action: "paint:Paint", Resource: "arn:wall/north"}
	pass := wire.Access{Action: "iam:PassRole", Resource: "arn:role"}
	cases := map[string]struct {
		op   wire.Operation
		want []wire.Access
	}{
		"no resources":           {wire.Op("Paint", nothing), []wire.Access{own}},
		"a resource":             {wire.Op("Paint", nothing, on), []wire.Access{narrowed}},
		"something besides":      {wire.Op("Paint", nothing, needs), []wire.Access{own, pass}},
		"a resource and besides": {wire.Op("Paint", nothing, on, needs), []wire.Access{narrowed, pass}},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, c.op.Access(&paintInput{WallName: "north"}, "paint:Paint")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzProtocols(f *testing.F) {
	for name, r := range requests() {
		f.Add(name, r.URL.Path, r.Body)
	}
	f.Fuzz(func(t *testing.T, name, path string, body []byte) {
		p, ok := protocols()[name]
		if !ok {
			return
		}
		r := requests()[name]
		r.Body = body
		p.Decode(r, "Paint", &paintInput{}) // any input ends in faults, never in a panic
	})
}
