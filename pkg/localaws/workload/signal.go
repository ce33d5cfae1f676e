package workload

import (
	"strconv"
	"strings"
	"syscall"
)

// signalNamed reads an image's STOPSIGNAL; none, or one that we don't know, means
// SIGTERM, as in a container runtime.
func signalNamed(name string) syscall.Signal {
	if number, err := strconv.Atoi(name); err == nil && number > 0 && number < 65 {
		return syscall.Signal(number)
	}
	switch strings.TrimPrefix(strings.ToUpper(name), "SIG") {
	case "INT":
		return syscall.SIGINT
	case "QUIT":
		return syscall.SIGQUIT
	case "KILL":
		return syscall.SIGKILL
	case "HUP":
		return syscall.SIGHUP
	case "USR1":
		return syscall.SIGUSR1
	case "USR2":
		return syscall.SIGUSR2
	}
	return syscall.SIGTERM
}

// killGroup ends all that a program started and left in its process group.
func killGroup(leader int) {
	_ = syscall.Kill(-leader, syscall.SIGKILL) // fails only if there is no one left
}
