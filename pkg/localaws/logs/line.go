package logs

import (
	"bytes"
	"sync"
)

// A lineWriter calls put for every line.
type lineWriter struct {
	put func(line string)

	mu   sync.Mutex
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.put(string(line))
		w.rest = rest
	}
}
