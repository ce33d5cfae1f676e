package autoscaling

import "strconv"

// Page says which part of a list is asked for.
type Page struct {
	MaxRecords *int
	NextToken  string
}

// cut is one page of a list and the token of the next, or "".
func cut[T any](all []T, p Page, usual, most int) (items []T, next string, err error) {
	start := 0
	if p.NextToken != "" {
		if start, err = strconv.Atoi(p.NextToken); err != nil || start < 0 {
			return nil, "", refuse("InvalidNextToken", "The token '%s' is invalid.", p.NextToken)
		}
	}
	count := usual
	if p.MaxRecords != nil {
		count = *p.MaxRecords
	}
	if count < 1 || count > most {
		return nil, "", invalid("MaxRecords must be between 1 and %d, but is %d", most, count)
	}
	start = min(start, len(all))
	end := min(start+count, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return append([]T{}, all[start:end]...), next, nil
}
