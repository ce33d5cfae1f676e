package template_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func order(t testing.TB, resources string, parameters map[string]string) ([]string, error) {
	t.Helper()
	s := scope(t, resources, parameters)
	ordered, err := s.Order()
	var ids []string
	for _, r := range ordered {
		ids = append(ids, r.LogicalID)
	}
	return ids, err
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, resources, want string }{
		{"resources that need nothing keep the order of the text", "B: {Type: Test::T}\n  A: {Type: Test::T}", "B A"},
		{"Ref", "A: {Type: Test::T, Properties: {V: !Ref B}}\n  B: {Type: Test::T}", "B A"},
		{"GetAtt", "A: {Type: Test::T, Properties: {V: !GetAtt B.Arn}}\n  B: {Type: Test::T}", "B A"},
		{"Sub", "A: {Type: Test::T, Properties: {V: !Sub '${B.Arn}'}}\n  B: {Type: Test::T}", "B A"},
		{"Sub with a variable of the same name", "A: {Type: Test::T, Properties: {V: !Sub ['${B}', {B: x}]}}\n  B: {Type: Test::T}", "A B"},
		{"DependsOn", "A: {Type: Test::T, DependsOn: B}\n  B: {Type: Test::T}", "B A"},
		{"a branch of If that counts", "A: {Type: Test::T, Properties: {V: !If [Holds, !Ref B, x]}}\n  B: {Type: Test::T}", "B A"},
		{"a branch of If that does not count", "A: {Type: Test::T, Properties: {V: !If [Holds, x, !Ref B]}}\n  B: {Type: Test::T}", "A B"},
		{"a resource whose condition does not hold", "A: {Type: Test::T, Condition: Never}\n  B: {Type: Test::T, DependsOn: A}", "B"},
		{"mutual references in branches that do not count", "A: {Type: Test::T, Properties: {V: !If [Holds, x, !Ref B]}}\n  B: {Type: Test::T, DependsOn: A}", "A B"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := order(t, conditions+c.resources, nil)
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("got %v (error %v), want %s", got, err, c.want)
			}
		})
	}
}

const conditions = "Conditions:\n  Holds: !Equals [a, a]\n  Never: !Equals [a, b]\nResources:\n  "

func TestOrder_Refuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, resources, want string }{
		{"a cycle, by name", "A: {Type: Test::T, DependsOn: B}\n  B: {Type: Test::T, Properties: {V: !Ref C}}\n  C: {Type: Test::T, Properties: {V: !GetAtt A.Arn}}",
			"line 5: Resources.A: circular dependency between resources: A -> B -> C -> A"},
		{"a resource that needs itself", "A: {Type: Test::T, Properties: {V: !Ref A}}", "line 5: Resources.A: circular dependency between resources: A -> A"},
		{"a reference to what there will not be", "A: {Type: Test::T, Condition: Never}\n  B: {Type: Test::T, Properties: {V: !Ref A}}",
			"line 6: Resources.B: unresolved resource dependencies [A]: its condition does not hold"},
		{"an output of what there will not be", "A: {Type: Test::T, Condition: Never}\n  B: {Type: Test::T}\nOutputs:\n  O: {Value: !Ref A}",
			"line 8: Outputs.O: unresolved resource dependencies [A]: its condition does not hold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := order(t, conditions+c.resources, nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("got error %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestOrder_FollowsEveryDependency draws acyclic graphs.
func TestOrder_FollowsEveryDependency(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(rt, "resources")
		places := rapid.Permutation(upTo(n)).Draw(rt, "places")
		needs := map[int][]int{}
		for i := range n {
			for j := range i {
				if rapid.Bool().Draw(rt, fmt.Sprintf("%d needs %d", i, j)) {
					needs[i] = append(needs[i], j)
				}
			}
		}
		var b strings.Builder
		b.WriteString("Resources:\n")
		for _, i := range places {
			fmt.Fprintf(&b, "  R%d:\n    Type: Test::T\n", i)
			if len(needs[i]) > 0 {
				b.WriteString("    Properties:\n      V:\n")
			}
			for _, j := range needs[i] {
				fmt.Fprintf(&b, "        - !Sub \"${R%d.Arn}\"\n", j)
			}
		}
		got, err := order(t, b.String(), nil)
		if err != nil || len(got) != n {
			rt.Fatalf("got %v (error %v), want %d resources of\n%s", got, err, n, b.String())
		}
		for i, all := range needs {
			for _, j := range all {
				if slices.Index(got, fmt.Sprintf("R%d", j)) > slices.Index(got, fmt.Sprintf("R%d", i)) {
					rt.Fatalf("got %v, want R%d before R%d", got, j, i)
				}
			}
		}
	})
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// TestEval_JoinUndoesSplit also takes any text through YAML's quotes.
func TestEval_JoinUndoesSplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[a-z,:/ .#{}\[\]*&!-]{0,30}`).Draw(rt, "text")
		source := "Resources:\n  R:\n    Type: Test::R\n    Properties: {V: !Join [',', !Split [',', '" + text + "']], W: [{Fn::Sub: '" + text + "${!x}'}]}"
		s := scope(t, source, nil)
		got, err := s.Properties(s.Template.Resources[0])
		if err != nil || got["V"] != text || got["W"].([]any)[0] != text+"${x}" {
			rt.Fatalf("got %v (error %v), want %q", got, err, text)
		}
	})
}
