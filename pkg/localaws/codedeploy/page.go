package codedeploy

import (
	"strconv"

	"cutover/pkg/localaws/wire"
)

// pageSize is how many items a page of a list holds.
const pageSize = 100

// page cuts one page out of a list and gives the token of the next, or "".
func page[T any](all []T, token string) (items []T, next string, err error) {
	start := 0
	if token != "" {
		if start, err = strconv.Atoi(token); err != nil || start < 0 || start > len(all) {
			return nil, "", badToken()
		}
	}
	end := min(start+pageSize, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return append([]T{}, all[start:end]...), next, nil
}

// onePage refuses tokens, which a list of one page never gave out.
func onePage(token string) error {
	if token != "" {
		return badToken()
	}
	return nil
}

func badToken() error { return wire.Errorf("InvalidNextTokenException", "The next token is invalid") }
