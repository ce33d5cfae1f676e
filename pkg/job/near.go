package job

import "strings"

// nearest is the name that a misspelt one most likely means, or "".
func nearest(name string, names []string) string {
	plain := fold(name)
	best, least := "", max(1, len(plain)/3)+1
	for _, candidate := range names {
		if d := distance(plain, fold(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// fold drops what people vary: case, dashes, underscores and spaces.
func fold(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// distance is how many letters must be put in, left out, exchanged with another
// or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before, last []int
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		before, last, row = last, row, make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(t)]
}
