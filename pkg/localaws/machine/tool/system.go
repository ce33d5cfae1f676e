package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"cutover/pkg/localaws/machine/shell"
)

// Kernel is the release of the kernel that the instances say they run.
const Kernel = "6.1.141-155.222.amzn2023"

// shellTool is bash and sh: a script's file, -c TEXT, or standard input.
func shellTool(ctx context.Context, c *shell.Call) int {
	l, err := parseShellLine(c.Args[1:])
	if err != nil {
		c.Fail("%v", err)
		return 2
	}
	name, args, text, other := c.Args[0], l.args, l.text, *c
	switch {
	case l.hasText:
		if len(args) > 0 {
			name, args = args[0], args[1:]
		}
	case len(args) > 0 && !l.fromInput:
		name, args = args[0], args[1:]
		content, err := c.Shell.Disk.ReadFile(c.Path(name))
		if err != nil {
			c.Fail("%s: %s", name, shell.Why(err))
			return shell.NotFound
		}
		if bytes.IndexByte(content[:min(len(content), 128)], 0) >= 0 {
			c.Fail("%s: cannot execute binary file", name)
			return shell.CannotRun
		}
		text = string(content)
	default:
		content, err := io.ReadAll(c.In())
		if err != nil {
			return c.Fail("%s", shell.Why(err))
		}
		text, other.Stdin = string(content), nil
	}
	other.Args = append([]string{name}, args...)
	return c.Shell.Script(ctx, &other, name, text, l.options...)
}

// shellLine is a command line of a shell: options of set, and what to run.
type shellLine struct {
	options   []string
	args      []string
	text      string
	hasText   bool // -c
	fromInput bool // -s
}

func parseShellLine(args []string) (l shellLine, err error) {
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		option := args[0]
		args = args[1:]
		switch option {
		case "--":
			l.args = args
			return l, l.takeText()
		case "--login", "--noprofile", "--norc", "--posix":
			continue // there are no profiles to read
		}
		letters := option[1:]
		if option[0] == '-' {
			l.hasText = l.hasText || strings.Contains(letters, "c")
			l.fromInput = l.fromInput || strings.Contains(letters, "s")
			letters = strings.NewReplacer("c", "", "s", "", "l", "").Replace(letters)
		}
		if letters == "" {
			continue
		}
		l.options = append(l.options, option[:1]+letters)
		if strings.HasSuffix(letters, "o") {
			if len(args) == 0 {
				return l, fmt.Errorf("%s: option requires an argument", option)
			}
			// set takes the name after -o only alone: -eo pipefail is -e -o pipefail.
			l.options = l.options[:len(l.options)-1]
			if rest := strings.TrimSuffix(letters, "o"); rest != "" {
				l.options = append(l.options, option[:1]+rest)
			}
			l.options = append(l.options, option[:1]+"o", args[0])
			args = args[1:]
		}
	}
	l.args = args
	return l, l.takeText()
}

func (l *shellLine) takeText() error {
	if !l.hasText {
		return nil
	}
	if len(l.args) == 0 {
		return errors.New("-c: option requires an argument")
	}
	l.text, l.args = l.args[0], l.args[1:]
	return nil
}

// viaShell runs a builtin of the shell that is also a program.
func viaShell(ctx context.Context, c *shell.Call) int {
	other := *c
	name := path.Base(c.Args[0])
	text := `builtin ` + name + ` "$@"`
	return c.Shell.Script(ctx, &other, name, text)
}

// killTool refuses: the processes of a machine that is not there have no numbers.
func killTool(_ context.Context, c *shell.Call) int {
	return c.Fail("there are no processes to signal here; use systemctl")
}

// umask accepts a mask and keeps none.
func umask(_ context.Context, c *shell.Call) int {
	if len(c.Args) == 1 {
		fmt.Fprintln(c.Stdout, "0022")
	}
	return 0
}

func noOperation(_ context.Context, c *shell.Call) int {
	if _, ok := Parse(c, "f"); !ok {
		return 1
	}
	return 0
}

func systemName(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "a s r m n o p=m i=m v")
	if !ok {
		return 1
	}
	host, err := c.Shell.Disk.ReadFile("/etc/hostname")
	if err != nil {
		host = []byte("localhost")
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	var fields []string
	for _, field := range [][2]string{
		{"s", "Linux"}, {"n", strings.TrimSpace(string(host))}, {"r", Kernel + "." + machine},
		{"v", "#1 SMP PREEMPT_DYNAMIC"}, {"m", machine}, {"o", "GNU/Linux"},
	} {
		if o.Has("a") || o.Has(field[0]) || len(c.Args) == 1 && field[0] == "s" {
			fields = append(fields, field[1])
		}
	}
	fmt.Fprintln(c.Stdout, strings.Join(fields, " "))
	return 0
}

func whoAmI(_ context.Context, c *shell.Call) int {
	if _, ok := Parse(c, ""); !ok {
		return 1
	}
	fmt.Fprintln(c.Stdout, "root")
	return 0
}

func processors(_ context.Context, c *shell.Call) int {
	if _, ok := Parse(c, "all"); !ok {
		return 1
	}
	fmt.Fprintln(c.Stdout, 2) // as a t3 instance has
	return 0
}

func environment(ctx context.Context, c *shell.Call) int {
	o, ok := Parse(c, "+i ignore-environment=i u: unset=u:")
	if !ok {
		return 125
	}
	other := *c
	other.Env = maps.Clone(c.Env)
	if o.Has("i") {
		other.Env = map[string]string{}
	}
	for _, name := range o.Values("u") {
		delete(other.Env, name)
	}
	args := o.Args
	for len(args) > 0 {
		name, value, isVariable := strings.Cut(args[0], "=")
		if !isVariable {
			return other.Exec(ctx, args...)
		}
		other.Env[name] = value
		args = args[1:]
	}
	for _, name := range slices.Sorted(maps.Keys(other.Env)) {
		fmt.Fprintf(c.Stdout, "%s=%s\n", name, other.Env[name])
	}
	return 0
}

func printEnvironment(ctx context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok {
		return 2
	}
	if len(o.Args) == 0 {
		return environment(ctx, c)
	}
	code := 0
	for _, name := range o.Args {
		value, set := c.Env[name]
		if !set {
			code = 1
			continue
		}
		fmt.Fprintln(c.Stdout, value)
	}
	return code
}

// sudo runs the rest as who is asked for, which everyone is.
func sudo(ctx context.Context, c *shell.Call) int {
	o, ok := Parse(c, "+n E H u: user=u: i")
	if !ok {
		return 1
	}
	other := *c
	args := o.Args
	other.Env = maps.Clone(c.Env)
	for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "=") {
		name, value, _ := strings.Cut(args[0], "=")
		other.Env[name] = value
		args = args[1:]
	}
	if len(args) == 0 {
		return c.Fail("a command is needed")
	}
	return other.Exec(ctx, args...)
}

// wrap is nohup, nice and setsid, which change nothing here but what a terminal
// or a scheduler would do.
func wrap(ctx context.Context, c *shell.Call) int {
	o, ok := Parse(c, "+n: adjustment=n:")
	if !ok {
		return 125
	}
	if len(o.Args) == 0 {
		return c.Fail("missing operand")
	}
	return c.Exec(ctx, o.Args...)
}

func eachArgument(ctx context.Context, c *shell.Call) int {
	o, ok := Parse(c, "+n: r no-run-if-empty=r I: 0 null=0 t")
	if !ok {
		return 1
	}
	content, err := io.ReadAll(c.In())
	if err != nil {
		return c.Fail("%s", shell.Why(err))
	}
	command := o.Args
	if len(command) == 0 {
		command = []string{"echo"}
	}
	items := strings.Fields(string(content))
	if o.Has("0") {
		items = strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00")
	}
	if o.Has("I") {
		items = strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	}
	if len(items) == 0 && (o.Has("r") || o.Has("I")) {
		return 0
	}
	size := max(len(items), 1)
	if o.Has("n") {
		if _, err := fmt.Sscan(o.Value("n"), &size); err != nil || size < 1 {
			return c.Fail("invalid number '%s' for -n option", o.Value("n"))
		}
	}
	other := *c
	other.Stdin = nil
	code := 0
	for _, args := range argumentLists(o, command, items, size) {
		switch exit := other.Exec(ctx, args...); exit {
		case 0:
		case shell.CannotRun, shell.NotFound:
			return exit
		default:
			code = 123
		}
	}
	return code
}

func argumentLists(o Options, command, items []string, size int) [][]string {
	var all [][]string
	if o.Has("I") {
		for _, item := range items {
			var args []string
			for _, arg := range command {
				args = append(args, strings.ReplaceAll(arg, o.Value("I"), item))
			}
			all = append(all, args)
		}
		return all
	}
	for chunk := range slices.Chunk(items, size) {
		all = append(all, append(slices.Clone(command), chunk...))
	}
	if len(items) == 0 {
		all = append(all, command)
	}
	return all
}

func which(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok {
		return 2
	}
	code := 0
	for _, name := range o.Args {
		found := c.Shell.Look(c.Env["PATH"], c.Dir, name)
		if found == "" {
			code = c.Fail("no %s in (%s)", name, c.Env["PATH"])
			continue
		}
		fmt.Fprintln(c.Stdout, found)
	}
	return code
}

// date tells the instance's time in UTC: +FORMAT, -u, -I, -R, and -d @SECONDS.
func date(now func() time.Time) shell.Tool {
	return func(_ context.Context, c *shell.Call) int {
		o, ok := Parse(c, "u utc=u R I iso-8601=I d: date=d:")
		if !ok {
			return 1
		}
		at := now().UTC()
		if o.Has("d") {
			var seconds int64
			if _, err := fmt.Sscanf(o.Value("d"), "@%d", &seconds); err != nil {
				return c.Fail("invalid date '%s': only @SECONDS is known", o.Value("d"))
			}
			at = time.Unix(seconds, 0).UTC()
		}
		pattern := "%a %b %e %H:%M:%S UTC %Y"
		switch {
		case len(o.Args) == 1 && strings.HasPrefix(o.Args[0], "+"):
			pattern = o.Args[0][1:]
		case len(o.Args) > 0:
			return c.Fail("extra operand '%s'", o.Args[0])
		case o.Has("R"):
			pattern = "%a, %d %b %Y %H:%M:%S +0000"
		case o.Has("I"):
			pattern = "%F"
		}
		text, err := formatTime(pattern, at)
		if err != nil {
			return c.Fail("%v", err)
		}
		fmt.Fprintln(c.Stdout, text)
		return 0
	}
}

func formatTime(pattern string, at time.Time) (string, error) {
	layouts := map[byte]string{
		'Y': "2006", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'M': "04", 'S': "05", 'F': "2006-01-02", 'T': "15:04:05",
		'a': "Mon", 'b': "Jan", 'Z': "UTC", 'z': "-0700", 'y': "06", 'j': "002", 'N': "000000000",
	}
	var text strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' || i+1 == len(pattern) {
			text.WriteByte(pattern[i])
			continue
		}
		i++
		layout, known := layouts[pattern[i]]
		switch {
		case pattern[i] == 's':
			fmt.Fprint(&text, at.Unix())
		case pattern[i] == 'N':
			fmt.Fprintf(&text, "%09d", at.Nanosecond())
		case pattern[i] == '%':
			text.WriteByte('%')
		case known:
			text.WriteString(at.Format(layout))
		default:
			return "", fmt.Errorf("unknown format %%%c", pattern[i])
		}
	}
	return text.String(), nil
}
