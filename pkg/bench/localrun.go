package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// localRun runs the command that `make run` runs, and samples its memory.
func localRun(ctx context.Context, built artifacts) error {
	cmd := exec.CommandContext(ctx, built.cutover, "local", "run", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start cutover local run: %w", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	used, err := sample(cmd.Process.Pid, exited)
	if err != nil {
		return fmt.Errorf("cutover local run: %w\n%s", err, lastLine(out.Bytes()))
	}
	took := time.Since(began)
	var last struct {
		Summary struct {
			Traffic struct{ Sent, Failed int }
		}
	}
	if err := json.Unmarshal(lastLine(out.Bytes()), &last); err != nil {
		return fmt.Errorf("read summary of cutover local run: %w", err)
	}
	return table("cutover local run, two releases, caches warm", [][]string{
		{"wall time", "requests", "failed", "memory of cutover", "with its functions and tasks", "with the builds' compilers", "goal"},
		{
			fmt.Sprintf("%.1f s", took.Seconds()), fmt.Sprint(last.Summary.Traffic.Sent), fmt.Sprint(last.Summary.Traffic.Failed),
			megabytes(used.own), megabytes(used.running), megabytes(used.all),
			goal("60 s, 400 MB", took < time.Minute && used.running < 400<<20),
		},
	})
}

// used is the peak of resident memory, in bytes, as a sum over processes. Pages
// that processes share count in each.
type used struct {
	own     int64 // the command itself
	running int64 // with the functions and tasks that it runs
	all     int64 // and everything that builds start: make, go, git, ...
}

// runs are the programs that the embedded AWS runs: functions and tasks.
var runs = map[string]bool{"bootstrap": true, "hello": true}

// sample looks at a process and all below it until it exits.
func sample(pid int, exited <-chan error) (peak used, err error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-exited:
			return peak, err
		case <-ticker.C:
		}
		var now used
		for _, p := range processes(pid) {
			now.all += p.resident
			if p.pid == pid || runs[p.name] {
				now.running += p.resident
			}
			if p.pid == pid {
				now.own = p.resident
			}
		}
		peak = used{max(peak.own, now.own), max(peak.running, now.running), max(peak.all, now.all)}
	}
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}
