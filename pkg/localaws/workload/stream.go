package workload

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"
)

// maxLine is the longest line handed on in one piece, in bytes: CloudWatch Logs'
// limit for one event.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const maxLine = 256*1024 - 26

// A program that ended may have left the other end of its output to another one
// that outlives it; this long, by the wall, its last words are waited for.
const lastWords = time.Second

// stream hands a program's output on, line by line.
type stream struct {
	pipe *os.File
	done chan struct{}
}

func newStream(pipe *os.File, sink func(string)) *stream {
	s := &stream{pipe: pipe, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		readLines(pipe, sink)
	}()
	return s
}

// close waits for the rest of the output, but not for ever.
func (s *stream) close() {
	_ = s.pipe.SetReadDeadline(time.Now().Add(lastWords)) // pipes have deadlines on every system we build for
	<-s.done
	_ = s.pipe.Close() // it was only read
}

// readLines calls sink with each line, without its end, until the reader ends.
func readLines(r io.Reader, sink func(string)) {
	reader := bufio.NewReaderSize(r, 4096)
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		line = append(line, part...)
		for len(line) > maxLine+2 {
			sink(string(line[:maxLine]))
			line = line[maxLine:]
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err == nil || len(line) > 0 {
			sink(trimEnd(line))
		}
		if err != nil {
			return
		}
		line = line[:0]
	}
}

func trimEnd(line []byte) string {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
		if n > 0 && line[n-1] == '\r' {
			n--
		}
	}
	return string(line[:n])
}
