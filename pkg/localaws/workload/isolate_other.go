//go:build unix && !linux

package workload

import (
	"os/exec"
	"syscall"
)

// isolate gives a program a process group of its own. This system can't be asked
// to kill it when we die without Close.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
