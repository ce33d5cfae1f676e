package workload

import (
	"os/exec"
	"syscall"
)

// isolate gives a program a process group of its own and has the kernel kill it
// when we die, however we die.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
