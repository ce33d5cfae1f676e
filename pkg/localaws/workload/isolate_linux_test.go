package workload

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cutover/pkg/localaws/clock"
)

// runProgram is the test program's word "run": a runner of its own that starts
// one program and waits for ever.
func runProgram(dir string) int {
	r, err := NewProcesses(clock.NewScaled(1), dir, nil)
	if err != nil {
		return 99
	}
	_, err = r.Start(context.Background(), Spec{
		Root: dir, EntryPoint: []string{"/app", "program", "announce", "wait"},
		Stdout: func(line string) { fmt.Println(line) },
	})
	if err != nil {
		fmt.Println(err)
		return 99
	}
	time.Sleep(time.Hour) // until it is killed
	return 0
}

func TestProcesses_DieWithTheirRunnerHoweverItDies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := copyFile(self, filepath.Join(dir, "app"), 0o755); err != nil {
		t.Fatal(err)
	}
	runner := exec.Command(self, "program", "run", dir)
	output, err := runner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	_ = runner.Process.Kill()
	_ = runner.Wait() // killed
	pid, isPid := strings.CutPrefix(strings.TrimSpace(line), "pid ")
	if err != nil || !isPid {
		t.Fatalf("first line: got %q, %v; want the program's pid", line, err)
	}
	number, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "end of the program", func() bool { return isGone(number) })
}
