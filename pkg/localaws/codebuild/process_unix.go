//go:build unix

package codebuild

import (
	"os/exec"
	"syscall"
)

// detach gives a build a process group of its own, so that ending the build ends
// all that it started.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
