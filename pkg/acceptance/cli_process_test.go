package acceptance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A cliProcess runs commands of the aws CLI one after another, in one process:
// starting the CLI takes longer than most commands do.
type cliProcess struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// interpreter finds the Python that runs the CLI at a path.
func interpreter(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	line, err := bufio.NewReader(file).ReadString('\n')
	python, found := strings.CutPrefix(strings.TrimSpace(line), "#!")
	if err != nil || !found {
		t.Fatalf("%s is no script (%v): CUTOVER_OUTSIDE=1 needs the aws CLI as a Python package", path, err)
	}
	return python
}

// startProcesses makes places for commands to run, which end with the test. There
// is nothing in their environment but what they need.
func (c *cli) startProcesses(t *testing.T) {
	t.Helper()
	const places = 4
	c.idle = make(chan *cliProcess, places)
	for range places {
		fields := strings.Fields(c.python) // it may be /usr/bin/env python3
		command := exec.CommandContext(t.Context(), fields[0], append(fields[1:], "testdata/cli/aws.py")...)
		command.Env = append(c.world.cloud.Environment(), "PATH="+os.Getenv("PATH"), "HOME="+c.dir, "AWS_PAGER=",
			"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_DEFAULT_OUTPUT=json")
		command.Stderr = os.Stderr
		in, err := command.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		p := &cliProcess{command, in, bufio.NewReader(out)}
		t.Cleanup(func() {
			p.in.Close()
			p.command.Wait() // its status says nothing: the test may have ended it
		})
		c.idle <- p
	}
}

// run runs one command; an error is that of one that failed.
func (p *cliProcess) run(arguments []string) (output string, err error) {
	line, err := json.Marshal(arguments)
	if err != nil {
		return "", err
	}
	// A command that hangs takes its place down, and the test with it.
	late := time.AfterFunc(2*time.Minute, func() { p.command.Process.Kill() })
	defer late.Stop()
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return "", fmt.Errorf("ask the CLI: %w", err)
	}
	answer, err := p.out.ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("hear the CLI: %w", err)
	}
	var ended struct {
		Code   int
		Output string
	}
	if err := json.Unmarshal(answer, &ended); err != nil {
		return "", fmt.Errorf("hear the CLI: %w: %s", err, answer)
	}
	if ended.Code != 0 {
		err = fmt.Errorf("exit status %d", ended.Code)
	}
	return strings.TrimSpace(ended.Output), err
}
