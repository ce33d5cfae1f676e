package lambda

import (
	"os"
	"syscall"
)

// processAttributes puts a process into a group of its own, which is killed as
// one.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// maxRSS is the peak memory of a process that has exited, in bytes.
func maxRSS(state *os.ProcessState) int64 {
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss
	}
	return 0
}

// currentPeak is not known here while the process runs.
func currentPeak(int) int64 { return 0 }
