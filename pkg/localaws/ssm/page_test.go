package ssm

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The pages of a list are the list, whatever their size.
func TestPage_LosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		items := rapid.SliceOfN(rapid.Int(), 0, 120).Draw(r, "items")
		size := rapid.IntRange(1, 50).Draw(r, "size")
		var got []int
		token := ""
		for {
			part, next, err := page(items, &size, 50, token)
			if err != nil || len(part) > size {
				r.Fatalf("page after %q: got %d items, %v, want at most %d", token, len(part), err, size)
			}
			got = append(got, part...)
			if token = next; token == "" {
				break
			}
		}
		if !slices.Equal(got, items) {
			r.Fatalf("got %v, want %v", got, items)
		}
	})
}

// Tokens and references come from outside: none of them brings the service down.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{"", ":", "a:1", "arn:", "arn:aws:ssm:us-east-1:1:parameter", "arn:aws:ssm:us-east-1::parameter/aws/service/x", "arn:aws:ssm:us-east-1:111122223333:document/x:2"} {
		f.Add(seed)
	}
	s := &Service{Config: Config{Region: "us-east-1", Account: "111122223333"}, parameters: map[string]*parameter{}}
	f.Fuzz(func(t *testing.T, reference string) {
		if _, err := s.findLocked(reference, nil, false); err == nil {
			t.Errorf("%q: got a parameter, want none", reference)
		}
		if _, _, err := s.runbookLocked(reference, ""); err == nil {
			t.Errorf("%q: got a document, want none", reference)
		}
		if part, _, err := page([]int{1, 2, 3}, nil, 2, reference); err == nil && len(part) > 2 {
			t.Errorf("%q: got %d items, want at most 2", reference, len(part))
		}
	})
}
