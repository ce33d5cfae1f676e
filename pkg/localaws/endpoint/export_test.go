package endpoint

import "time"

// Take takes a token as a call at that time does.
func Take(l *Limits, now time.Time, service, operation string) bool {
	return l.take(now, service, operation)
}
