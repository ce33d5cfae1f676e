package ssm

import (
	"encoding/base64"
	"strconv"
)

// page cuts one page from a list: at most max items (limit when it is nil),
// from where an earlier answer's token says.
func page[T any](items []T, max *int, limit int, token string) (part []T, next string, err error) {
	size := limit
	if max != nil {
		if *max < 1 || *max > limit {
			return nil, "", invalid("MaxResults: %d is not within 1 to %d", *max, limit)
		}
		size = *max
	}
	from := 0
	if token != "" {
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			from, err = strconv.Atoi(string(raw))
		}
		if err != nil || from < 0 || from > len(items) {
			return nil, "", refuse("InvalidNextToken", "The specified token is not valid.")
		}
	}
	to := min(from+size, len(items))
	if to < len(items) {
		next = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return append([]T{}, items[from:to]...), next, nil
}
