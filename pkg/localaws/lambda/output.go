package lambda

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// maxLine is where a line of output without an end is cut, in bytes: the longest
// event of CloudWatch Logs.
const maxLine = 256 << 10

// An output reads what a process writes and hands it on line by line. Flush is
// what a plain reader lacks: it returns when everything that was written before it
// has been handed on, so that a log shows an invocation's lines before its END.
type output struct {
	pipe    *os.File
	put     func(line string)
	rest    []byte
	flushes atomic.Int32
	flushed chan struct{}
	ended   chan struct{}
}

func readOutput(pipe *os.File, put func(line string)) *output {
	o := &output{pipe: pipe, put: put, flushed: make(chan struct{}), ended: make(chan struct{})}
	go o.read()
	return o
}

// read runs until the last process that holds the pipe's other end is gone, or
// the pipe is closed. A deadline in the past interrupts it: then it takes what is
// in the pipe without waiting, and goes on.
func (o *output) read() {
	defer close(o.ended)
	buffer := make([]byte, 32<<10)
	for {
		n, err := o.pipe.Read(buffer)
		o.take(buffer[:n])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			o.pipe.SetReadDeadline(time.Time{})
			o.drain(buffer)
			for range o.flushes.Swap(0) {
				o.flushed <- struct{}{}
			}
		case err != nil:
			o.finish(err)
			return
		}
	}
}

// drain takes what is in the pipe now.
func (o *output) drain(buffer []byte) {
	raw, err := o.pipe.SyscallConn()
	if err != nil {
		return // closed: the next read says so
	}
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = syscall.Read(int(fd), buffer)
			return true // do not wait for more
		})
		if err != nil || n <= 0 {
			return
		}
		o.take(buffer[:n])
	}
}

func (o *output) take(p []byte) {
	o.rest = append(o.rest, p...)
	for {
		line, rest, ok := bytes.Cut(o.rest, []byte("\n"))
		if !ok && len(o.rest) < maxLine {
			return
		}
		if !ok {
			line, rest = o.rest[:maxLine], o.rest[maxLine:]
		}
		o.put(string(bytes.TrimSuffix(line, []byte("\r"))))
		o.rest = append([]byte(nil), rest...)
	}
}

func (o *output) finish(err error) {
	if len(o.rest) > 0 {
		o.put(string(o.rest))
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
		o.put("read output: " + err.Error())
	}
}

// flush waits until what was written so far has been handed on.
func (o *output) flush() {
	o.flushes.Add(1)
	o.pipe.SetReadDeadline(time.Unix(0, 1))
	select {
	case <-o.flushed:
	case <-o.ended:
	}
}

// close waits for the end of the output, for a moment: a process that left its
// group may hold the pipe for as long as it lives.
func (o *output) close() {
	select {
	case <-o.ended:
	case <-time.After(time.Second):
	}
	o.pipe.Close()
	<-o.ended
}
