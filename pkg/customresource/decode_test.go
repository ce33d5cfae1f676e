package customresource

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type part struct {
	Name  string
	Count int32
}

type whole struct {
	Name  string
	On    bool
	Off   *bool
	Parts []part
	Inner *part
}

func TestDecode_TakesScalarsAsCloudFormationSpellsThem(t *testing.T) {
	t.Parallel()
	off := false
	var got whole
	err := Decode(json.RawMessage(`{"ServiceToken":"arn","ServiceTimeout":"900","Name":"a","On":"true","Off":false,
		"Parts":[{"Name":"b","Count":"3"},{"Count":4}],"Inner":{"Name":"5"}}`), &got)
	if err != nil {
		t.Fatalf("got error %v, want none", err)
	}
	want := whole{Name: "a", On: true, Off: &off, Parts: []part{{"b", 3}, {Count: 4}}, Inner: &part{Name: "5"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("properties differ (-want +got):\n%s", diff)
	}
}

func TestDecode_ListsEveryFault(t *testing.T) {
	t.Parallel()
	var got whole
	err := Decode(json.RawMessage(`{"name":"a","Name":["x"],"On":"yes","Parts":[{"Count":"many"},"x",{"Nome":"n"}],"Inner":[],"Off":null}`), &got)
	want := `Inner must be an object
Name must be a string
Off must be true or false
On is "yes", neither true nor false
Parts[0].Count is "many", not a whole number
Parts[1] must be an object
Parts[2].Nome is unknown; there are Count, Name
name is unknown; there are Inner, Name, Off, On, Parts`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestDecode_RefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{"": "not JSON", "[1]": "the properties must be an object", "null": "must be an object"} {
		if err := Decode(json.RawMessage(raw), &whole{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want one with %q", raw, err, want)
		}
	}
}

// FuzzDecode holds that what is taken survives being sent again as strings.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"Name":"a","On":"true","Off":false,"Parts":[{"Name":"b","Count":"3"}],"Inner":{"Count":1}}`))
	f.Add([]byte(`{"On":null,"Parts":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var once, twice whole
		if Decode(raw, &once) != nil {
			return
		}
		again, err := json.Marshal(once)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(again, &all); err != nil {
			t.Fatal(err)
		}
		for key, value := range all {
			if value == nil {
				delete(all, key)
			}
		}
		if again, err = json.Marshal(all); err != nil {
			t.Fatal(err)
		}
		if err := Decode(again, &twice); err != nil {
			t.Fatalf("got error %v for %s, want none", err, again)
		}
		if diff := cmp.Diff(once, twice); diff != "" {
			t.Errorf("properties differ (-want +got):\n%s", diff)
		}
	})
}

// FuzzRead holds that an event with somewhere to answer to is always read.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"RequestType":"Delete","ResponseURL":"https://x/","PhysicalResourceId":"p"}`))
	f.Add([]byte(`{"ResponseURL":"http://x","RequestType":1}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := read(payload)
		if body := e.encode(Answer{}, err); len(body) > maxResponse && len(payload) < maxPhysicalID {
			t.Errorf("got an answer of %d bytes to %q, want at most %d", len(body), payload, maxResponse)
		}
	})
}
