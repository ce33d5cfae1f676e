//go:build unix && !linux

package workload

// runProgram is for what only Linux promises.
func runProgram(string) int { return 99 }
