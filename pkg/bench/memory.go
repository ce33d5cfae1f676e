package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func (m memory) max(other memory) memory {
	return memory{now: max(m.now, other.now), peak: max(m.peak, other.peak)}
}

// memoryOf reads a process's resident set from Linux; elsewhere, and of a process
// that has ended, it is zero. What wait4 tells is of no use here: a child's peak
// begins with that of the process that forked it.
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func memoryOf(pid int) (m memory) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return m
	}
	for scanner := bufio.NewScanner(bytes.NewReader(status)); scanner.Scan(); {
		name, value, _ := strings.Cut(scanner.Text(), ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m
		}
		if name == "VmRSS" {
			m.now = kilobytes << 10
		} else {
			m.peak = kilobytes << 10
		}
	}
	return m
}

// A process is one of Linux's processes.
type process struct {
	pid, parent int
	name        string
	resident    int64 // bytes
}

// processes are all that run below pid, and it itself.
func processes(pid int) []process {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	children := map[int][]process{}
	var tree []process
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		p, ok := parseStat(string(text))
		if !ok {
			continue
		}
		if p.pid == pid {
			tree = append(tree, p)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i].pid]...)
	}
	return tree
}

// parseStat reads /proc/PID/stat: 1 (comm) S 0 ..., with the resident pages as
// the 24th field. The name may hold anything, brackets too.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func parseStat(text string) (p process, ok bool) {
	opening, closing := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if opening < 0 || closing < opening {
		return p, false
	}
	fields := strings.Fields(text[closing+1:])
	if len(fields) < 22 {
		return p, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text[:opening]))
	if err != nil {
		return p, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return p, false
	}
	pages, err := strconv.ParseInt(fields[21], 10, 64)
	if err != nil {
		return p, false
	}
	return process{pid: pid, parent: parent, name: text[opening+1 : closing], resident: pages * int64(os.Getpagesize())}, true
}
