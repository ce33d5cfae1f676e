package tool

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

// inputs calls f with each file that is named, or with standard input ("-", or
// none named). It tells what can't be read, goes on, and gives the exit code.
func inputs(c *shell.Call, names []string, f func(name string, r io.Reader) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	code := 0
	for _, name := range names {
		if err := input(c, name, f); err != nil {
			code = c.Fail("%s: %s", name, shell.Why(err))
		}
	}
	return code
}

func input(c *shell.Call, name string, f func(name string, r io.Reader) error) error {
	if name == "-" {
		return f(name, c.In())
	}
	info, err := c.Shell.Disk.Stat(c.Path(name))
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a directory")
	}
	file, err := c.Shell.Disk.Open(c.Path(name))
	if err != nil {
		return err
	}
	defer file.Close() // it was only read
	return f(name, file)
}

// lines calls f with each line, with its end if it has one, until f gives false.
func lines(r io.Reader, f func(line string) bool) error {
	reader := bufio.NewReader(r)
	for {
		line, err := reader.ReadString('\n')
		if line != "" && !f(line) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func concatenate(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "n u")
	if !ok {
		return 1
	}
	number := 0
	return inputs(c, o.Args, func(_ string, r io.Reader) error {
		if !o.Has("n") {
			_, err := io.Copy(c.Stdout, r)
			return err
		}
		return lines(r, func(line string) bool {
			number++
			fmt.Fprintf(c.Stdout, "%6d\t%s", number, line)
			return true
		})
	})
}

// counted takes "-5" for "-n 5".
func counted(c *shell.Call) *shell.Call {
	other := *c
	other.Args = slices.Clone(c.Args)
	for i, arg := range other.Args[1:] {
		if _, err := strconv.ParseUint(strings.TrimPrefix(arg, "-"), 10, 31); err == nil && strings.HasPrefix(arg, "-") {
			other.Args[i+1] = "-n" + arg[1:]
		}
	}
	return &other
}

func head(_ context.Context, c *shell.Call) int {
	o, ok := Parse(counted(c), "n: lines=n: c: q")
	if !ok {
		return 1
	}
	if o.Has("c") {
		size, err := strconv.ParseInt(o.Value("c"), 10, 64)
		if err != nil || size < 0 {
			return c.Fail("invalid number of bytes: '%s'", o.Value("c"))
		}
		return inputs(c, o.Args, func(_ string, r io.Reader) error {
			_, err := io.CopyN(c.Stdout, r, size)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		})
	}
	wanted, err := number(o, 10)
	if err != nil || wanted < 0 {
		return c.Fail("invalid number of lines: '%s'", o.Value("n"))
	}
	return inputs(c, o.Args, func(_ string, r io.Reader) error {
		left := wanted
		if left == 0 {
			return nil
		}
		return lines(r, func(line string) bool {
			io.WriteString(c.Stdout, line)
			left--
			return left > 0
		})
	})
}

func number(o Options, otherwise int) (int, error) {
	if !o.Has("n") {
		return otherwise, nil
	}
	return strconv.Atoi(strings.TrimPrefix(o.Value("n"), "+"))
}

func tail(_ context.Context, c *shell.Call) int {
	o, ok := Parse(counted(c), "n: lines=n: q")
	if !ok {
		return 1
	}
	wanted, err := number(o, 10)
	if err != nil {
		return c.Fail("invalid number of lines: '%s'", o.Value("n"))
	}
	from := strings.HasPrefix(o.Value("n"), "+")
	return inputs(c, o.Args, func(_ string, r io.Reader) error {
		var all []string
		err := lines(r, func(line string) bool { all = append(all, line); return true })
		first := len(all) - max(wanted, -wanted)
		if from {
			first = wanted - 1
		}
		for _, line := range all[min(max(first, 0), len(all)):] {
			io.WriteString(c.Stdout, line)
		}
		return err
	})
}

func count(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "l lines=l w words=w c bytes=c m=c")
	if !ok {
		return 1
	}
	all := !o.Has("l") && !o.Has("w") && !o.Has("c")
	return inputs(c, o.Args, func(name string, r io.Reader) error {
		content, err := io.ReadAll(r)
		var fields []string
		for _, part := range []struct {
			option string
			count  int
		}{{"l", bytes.Count(content, []byte("\n"))}, {"w", len(bytes.Fields(content))}, {"c", len(content)}} {
			if all || o.Has(part.option) {
				fields = append(fields, strconv.Itoa(part.count))
			}
		}
		if name != "-" {
			fields = append(fields, name)
		}
		fmt.Fprintln(c.Stdout, strings.Join(fields, " "))
		return err
	})
}

func tee(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "a append=a")
	if !ok {
		return 1
	}
	flag := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if o.Has("a") {
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	code, sinks := 0, []io.Writer{c.Stdout}
	for _, name := range o.Args {
		file, err := c.Shell.Disk.OpenFile(c.Path(name), flag, 0o644)
		if err != nil {
			code = c.Fail("%s: %s", name, shell.Why(err))
			continue
		}
		defer func() {
			if err := file.Close(); err != nil {
				code = c.Fail("%s: %s", name, shell.Why(err))
			}
		}()
		sinks = append(sinks, file)
	}
	if _, err := io.Copy(io.MultiWriter(sinks...), c.In()); err != nil {
		return c.Fail("%s", shell.Why(err))
	}
	return code
}

func sum(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "c check=c quiet status")
	if !ok {
		return 1
	}
	if o.Has("c") {
		return checkSums(c, o)
	}
	return inputs(c, o.Args, func(name string, r io.Reader) error {
		hash := sha256.New()
		if _, err := io.Copy(hash, r); err != nil {
			return err
		}
		fmt.Fprintf(c.Stdout, "%x  %s\n", hash.Sum(nil), name)
		return nil
	})
}

func checkSums(c *shell.Call, o Options) int {
	wrong := 0
	code := inputs(c, o.Args, func(_ string, r io.Reader) error {
		return lines(r, func(line string) bool {
			want, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			name = strings.TrimLeft(name, " *")
			verdict := "OK"
			content, err := c.Shell.Disk.ReadFile(c.Path(name))
			if err != nil || fmt.Sprintf("%x", sha256.Sum256(content)) != want {
				wrong, verdict = wrong+1, "FAILED"
			}
			if !o.Has("status") && !(verdict == "OK" && o.Has("quiet")) {
				fmt.Fprintf(c.Stdout, "%s: %s\n", name, verdict)
			}
			return true
		})
	})
	if wrong > 0 {
		return c.Fail("WARNING: %d computed checksum did NOT match", wrong)
	}
	return code
}

func sequence(ctx context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok {
		return 1
	}
	var numbers []int
	for _, arg := range o.Args {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return c.Fail("invalid argument: '%s'", arg)
		}
		numbers = append(numbers, n)
	}
	first, step := 1, 1
	switch len(numbers) {
	case 2:
		first = numbers[0]
	case 3:
		first, step = numbers[0], numbers[1]
	case 1:
	default:
		return c.Fail("wrong number of operands")
	}
	last := numbers[len(numbers)-1]
	if step == 0 {
		return c.Fail("invalid Zero increment value: '0'")
	}
	out := bufio.NewWriter(c.Stdout)
	for n := first; (step > 0 && n <= last || step < 0 && n >= last) && ctx.Err() == nil; n += step {
		if _, err := fmt.Fprintln(out, n); err != nil {
			return 1
		}
	}
	if err := out.Flush(); err != nil {
		return 1
	}
	return 0
}

func compare(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "s")
	if !ok {
		return 2
	}
	return same(c, o.Args, func(a, b string) {
		if !o.Has("s") {
			fmt.Fprintf(c.Stdout, "%s %s differ\n", a, b)
		}
	})
}

// difference only says whether two files differ: -q is the form it has.
func difference(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "q brief=q")
	if !ok {
		return 2
	}
	return same(c, o.Args, func(a, b string) { fmt.Fprintf(c.Stdout, "Files %s and %s differ\n", a, b) })
}

func same(c *shell.Call, names []string, differ func(a, b string)) int {
	if len(names) != 2 {
		c.Fail("missing operand")
		return 2
	}
	var contents [][]byte
	if inputs(c, names, func(_ string, r io.Reader) error {
		content, err := io.ReadAll(r)
		contents = append(contents, content)
		return err
	}) != 0 {
		return 2
	}
	if bytes.Equal(contents[0], contents[1]) {
		return 0
	}
	differ(names[0], names[1])
	return 1
}
