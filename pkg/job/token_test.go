package job

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawToken(t *rapid.T) token {
	state, err := json.Marshal(rapid.MapOf(rapid.String(), rapid.Int()).Draw(t, "state"))
	if err != nil {
		t.Fatal(err)
	}
	return token{
		Attempt:  job1,
		Started:  seconds(rapid.Int64Range(0, 1<<33).Draw(t, "started")),
		Written:  seconds(rapid.Int64Range(0, 1<<33).Draw(t, "written")),
		Percent:  rapid.IntRange(0, 100).Draw(t, "percent"),
		Progress: seconds(rapid.Int64Range(0, 1<<33).Draw(t, "progress")),
		Faulty:   seconds(rapid.Int64Range(0, 1<<33).Draw(t, "faulty")),
		Summary:  rapid.StringMatching(`([a-z][a-z ]{0,30}[a-z])?`).Draw(t, "summary"),
		State:    state,
	}
}

func TestToken_ComesBackAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawToken(t)
		text, err := want.encode()
		if err != nil {
			if len(want.State) < 1000 {
				t.Fatalf("state of %d bytes: %v", len(want.State), err)
			}
			return
		}
		if len(text) > maxToken {
			t.Fatalf("got %d characters, want at most %d", len(text), maxToken)
		}
		got, err := decodeToken(text)
		if err != nil {
			t.Fatal(err)
		}
		if got.Summary == "" {
			want.Summary = "" // it gave way to the state
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("token (-want +got):\n%s", diff)
		}
	})
}

func TestToken_ChangedAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	text, err := token{Attempt: job1, Started: 1, Written: 1, Progress: 1, State: json.RawMessage(`{"at":1}`)}.encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := len(tokenVersion); i < len(text); i++ {
		for _, c := range []string{"A", "9", "=", "é", ""} {
			changed := text[:i] + c + text[i+1:]
			if changed == text {
				continue
			}
			if got, err := decodeToken(changed); err == nil {
				t.Errorf("%q: got %+v, want an error", changed, got)
			}
		}
	}
}

func TestToken_LongStatesAreDeflated(t *testing.T) {
	t.Parallel()
	state, err := json.Marshal(strings.Repeat("arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/green/0123456789abcdef ", 100))
	if err != nil {
		t.Fatal(err)
	}
	want := token{Attempt: job1, Started: 1, Written: 2, Progress: 1, Summary: strings.Repeat("s", 300), State: state}
	text, err := want.encode()
	if err != nil || len(text) > 600 {
		t.Fatalf("got %d characters, %v, want at most 600", len(text), err)
	}
	got, err := decodeToken(text)
	if err != nil || string(got.State) != string(state) || len([]rune(got.Summary)) != keptSummary {
		t.Errorf("got %+v, %v", got, err)
	}
	want.State, err = json.Marshal(strings.Repeat("0", maxUnpacked))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := want.encode(); err == nil {
		t.Error("a state that no tick could unpack: got nil, want an error")
	}
}

func FuzzToken(f *testing.F) {
	text, err := token{Attempt: job1, Started: 1, Written: 1, Progress: 1, State: json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("v2.x")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeToken(text)
		if err != nil {
			return
		}
		if _, err := got.encode(); err != nil && len(got.State) < 1000 {
			t.Errorf("a token that was read cannot be written: %v", err)
		}
	})
}
