package template

import (
	"fmt"
	"strings"
)

// A subPart is a piece of Fn::Sub's string: text, or a variable.
type subPart struct{ literal, variable string }

// splitSub takes Fn::Sub's string apart. ${!Name} stands for ${Name} itself.
func splitSub(text string) ([]subPart, error) {
	var parts []subPart
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			return append(parts, subPart{literal: text}), nil
		}
		inside, rest, closed := strings.Cut(after, "}")
		if !closed {
			return append(parts, subPart{literal: text}), nil
		}
		if literal, ok := strings.CutPrefix(inside, "!"); ok {
			parts = append(parts, subPart{literal: before + "${" + literal + "}"})
		} else {
			if !variableName(inside) {
				return parts, fmt.Errorf("${%s}: variable names must contain only alphanumeric characters, underscores, periods, and colons; write ${!%s} for the text itself", inside, inside)
			}
			parts = append(parts, subPart{literal: before}, subPart{variable: inside})
		}
		text = rest
	}
}

func variableName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("_.:", r) && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
