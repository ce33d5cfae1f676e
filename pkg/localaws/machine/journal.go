package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/shell"
	"cutover/pkg/localaws/machine/tool"
)

// maxJournal is how large a service's journal may grow, in bytes, before its
// older half is dropped.
const maxJournal = 1 << 20

const journalDir = "/var/log/journal"

// journal writes lines of one service to its journal. A line that has no end yet
// is held back; flush writes it.
type journal struct {
	machine *machine
	name    string
	tag     string
	rest    string // guarded by the machine's lock of logs
}

// Write implements io.Writer. A journal that can't be written loses lines, and
// its service goes on.
func (j *journal) Write(p []byte) (int, error) {
	j.machine.logs.Lock()
	defer j.machine.logs.Unlock()
	text := j.rest + string(p)
	end := strings.LastIndexByte(text, '\n') + 1
	j.rest = text[end:]
	j.appendLocked(text[:end])
	return len(p), nil
}

func (j *journal) flush() {
	j.machine.logs.Lock()
	defer j.machine.logs.Unlock()
	if j.rest != "" {
		j.appendLocked(j.rest + "\n")
		j.rest = ""
	}
}

func (j *journal) appendLocked(text string) {
	if text == "" {
		return
	}
	stamp := j.machine.fleet.clock.Now().Format("Jan 02 15:04:05") + " " + j.machine.id + " " + j.tag + ": "
	var lines strings.Builder
	for line := range strings.Lines(text) {
		lines.WriteString(stamp + line)
	}
	if err := j.store(lines.String()); err != nil {
		j.machine.fleet.logger.Warn("write journal", "instance", j.machine.id, "service", j.name, "error", err)
	}
}

func (j *journal) store(lines string) (err error) {
	d, name := j.machine.disk, journalDir+"/"+j.name+".log"
	file, err := d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if errors.Is(err, fs.ErrNotExist) {
		if err := d.MkdirAll(journalDir, 0o755); err != nil {
			return err
		}
		file, err = d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(lines)
	size, seekErr := file.Seek(0, 1)
	if err = errors.Join(err, seekErr, file.Close()); err != nil || size <= maxJournal {
		return err
	}
	content, err := d.ReadFile(name)
	if err != nil {
		return err
	}
	half := content[len(content)/2:]
	_, after, _ := strings.Cut(string(half), "\n")
	return d.WriteFile(name, []byte(after), 0o640)
}

// journalctl knows -u UNIT, -n LINES and -o cat.
func (m *machine) journalctl(_ context.Context, c *shell.Call) int {
	o, ok := tool.Parse(c, "u: unit=u: n: lines=n: no-pager q quiet=q e o: output=o: x")
	if !ok {
		return 1
	}
	if len(o.Values("u")) != 1 || len(o.Args) > 0 {
		return c.Fail("only with one unit: -u UNIT")
	}
	bare := false
	switch o.Value("o") {
	case "", "short":
	case "cat":
		bare = true
	default:
		return c.Fail("Unknown output format '%s'.", o.Value("o"))
	}
	content, err := m.disk.ReadFile(journalDir + "/" + unitName(o.Value("u")) + ".log")
	if err != nil || len(content) == 0 {
		fmt.Fprintln(c.Stdout, "-- No entries --")
		return 0
	}
	lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	if o.Has("n") {
		n, err := strconv.Atoi(o.Value("n"))
		if err != nil || n < 0 {
			return c.Fail("Failed to parse lines '%s'", o.Value("n"))
		}
		lines = lines[max(0, len(lines)-n):]
	}
	for _, line := range lines {
		if _, text, ok := strings.Cut(line, ": "); ok && bare {
			line = text
		}
		fmt.Fprintln(c.Stdout, line)
	}
	return 0
}
