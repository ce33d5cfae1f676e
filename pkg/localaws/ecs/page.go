package ecs

import "strconv"

// page cuts one page out of a list and gives the token of the next, or "".
func page(all []string, token string, limit *int, most int) (items []string, next string, err error) {
	start := 0
	if token != "" {
		start, err = strconv.Atoi(token)
		if err != nil || start < 0 {
			return nil, "", invalid("Invalid token.")
		}
	}
	count := most
	if limit != nil {
		count = *limit
	}
	if count < 1 || count > most {
		return nil, "", invalid("maxResults must be between 1 and %d.", most)
	}
	start = min(start, len(all))
	end := min(start+count, len(all))
	if end < len(all) {
		next = strconv.Itoa(end)
	}
	return all[start:end], next, nil
}
