package tool

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"cutover/pkg/localaws/machine/shell"
)

// records reads a file of lines with fields between colons; a file that is not
// there has none.
func records(c *shell.Call, name string) [][]string {
	content, err := c.Shell.Disk.ReadFile(name)
	if err != nil {
		return nil
	}
	var all [][]string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, strings.Split(line, ":"))
		}
	}
	return all
}

func record(c *shell.Call, file, key string) []string {
	for _, fields := range records(c, file) {
		if fields[0] == key || len(fields) > 2 && fields[2] == key {
			return fields
		}
	}
	return nil
}

// addRecord appends a line.
func addRecord(c *shell.Call, file string, fields ...string) int {
	out, err := c.Shell.Disk.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = io.WriteString(out, strings.Join(fields, ":")+"\n")
		if closed := out.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return c.Fail("cannot lock %s: %s", file, shell.Why(err))
	}
	return 0
}

// free is the lowest number at or above first that no line has.
func free(c *shell.Call, file string, first int) string {
	for n := first; ; n++ {
		if record(c, file, strconv.Itoa(n)) == nil {
			return strconv.Itoa(n)
		}
	}
}

func addGroup(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "r system=r g: gid=g: f")
	if !ok || len(o.Args) != 1 {
		return usage(c, ok)
	}
	name := o.Args[0]
	if record(c, "/etc/group", name) != nil {
		if o.Has("f") {
			return 0
		}
		c.Fail("group '%s' already exists", name)
		return 9
	}
	gid := o.Value("g")
	if gid == "" {
		gid = free(c, "/etc/group", firstNumber(o))
	}
	return addRecord(c, "/etc/group", name, "x", gid, "")
}

func usage(c *shell.Call, parsed bool) int {
	if parsed {
		c.Fail("one name is needed")
	}
	return 2
}

func firstNumber(o Options) int {
	if o.Has("r") {
		return 201
	}
	return 1000
}

func addUser(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "r system=r m create-home=m M no-create-home=M d: home-dir=d: home=d: s: shell=s: g: gid=g: u: uid=u: c: comment=c: G: groups=G: U user-group=U N")
	if !ok || len(o.Args) != 1 {
		return usage(c, ok)
	}
	name := o.Args[0]
	if record(c, "/etc/passwd", name) != nil {
		c.Fail("user '%s' already exists", name)
		return 9
	}
	uid, home, program := o.Value("u"), o.Value("d"), o.Value("s")
	if uid == "" {
		uid = free(c, "/etc/passwd", firstNumber(o))
	}
	if home == "" {
		home = "/home/" + name
	}
	if program == "" {
		program = "/bin/bash"
	}
	gid, code := userGroup(c, o, name, uid)
	if code != 0 {
		return code
	}
	if code := addRecord(c, "/etc/passwd", name, "x", uid, gid, o.Value("c"), home, program); code != 0 {
		return code
	}
	if o.Has("M") || o.Has("r") && !o.Has("m") {
		return 0
	}
	if err := c.Shell.Disk.MkdirAll(home, 0o700); err != nil {
		c.Fail("cannot create directory %s: %s", home, shell.Why(err))
		return 12
	}
	return 0
}

// userGroup finds the group that is named for a user, or makes the user's own.
func userGroup(c *shell.Call, o Options, name, uid string) (string, int) {
	if o.Has("g") {
		group := record(c, "/etc/group", o.Value("g"))
		if group == nil {
			c.Fail("group '%s' does not exist", o.Value("g"))
			return "", 6
		}
		return group[2], 0
	}
	if record(c, "/etc/group", name) != nil {
		c.Fail("group %s exists - if you want to add this user to that group, use -g.", name)
		return "", 9
	}
	return uid, addRecord(c, "/etc/group", name, "x", uid, "")
}

// modifyUser adds a user to groups: -aG GROUPS USER, the one form it has.
func modifyUser(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "a append=a G: groups=G:")
	if !ok || len(o.Args) != 1 || !o.Has("a") || !o.Has("G") {
		return usage(c, ok)
	}
	user := o.Args[0]
	if record(c, "/etc/passwd", user) == nil {
		c.Fail("user '%s' does not exist", user)
		return 6
	}
	var out strings.Builder
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(o.Value("G"), ",") {
		if wanted[name] = true; record(c, "/etc/group", name) == nil {
			c.Fail("group '%s' does not exist", name)
			return 6
		}
	}
	for _, fields := range records(c, "/etc/group") {
		if wanted[fields[0]] && len(fields) == 4 {
			fields[3] = strings.Trim(fields[3]+","+user, ",")
		}
		out.WriteString(strings.Join(fields, ":") + "\n")
	}
	if err := c.Shell.Disk.WriteFile("/etc/group", []byte(out.String()), 0o644); err != nil {
		return c.Fail("cannot write /etc/group: %s", shell.Why(err))
	}
	return 0
}

// entries knows the databases passwd and group.
func entries(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "")
	if !ok || len(o.Args) == 0 {
		return 1
	}
	if o.Args[0] != "passwd" && o.Args[0] != "group" {
		return c.Fail("unknown database: %s", o.Args[0])
	}
	file := "/etc/" + o.Args[0]
	all := records(c, file)
	if len(o.Args) > 1 {
		all = nil
		for _, key := range o.Args[1:] {
			fields := record(c, file, key)
			if fields == nil {
				return 2
			}
			all = append(all, fields)
		}
	}
	for _, fields := range all {
		fmt.Fprintln(c.Stdout, strings.Join(fields, ":"))
	}
	return 0
}

func identity(_ context.Context, c *shell.Call) int {
	o, ok := Parse(c, "u g n G")
	if !ok {
		return 1
	}
	name := "root"
	if len(o.Args) > 0 {
		name = o.Args[0]
	}
	user := record(c, "/etc/passwd", name)
	if len(user) < 4 {
		return c.Fail("'%s': no such user", name)
	}
	group := record(c, "/etc/group", user[3])
	if group == nil {
		group = []string{user[3]}
	}
	switch {
	case o.Has("u") && o.Has("n"):
		fmt.Fprintln(c.Stdout, user[0])
	case o.Has("u"):
		fmt.Fprintln(c.Stdout, user[2])
	case (o.Has("g") || o.Has("G")) && o.Has("n"):
		fmt.Fprintln(c.Stdout, group[0])
	case o.Has("g") || o.Has("G"):
		fmt.Fprintln(c.Stdout, user[3])
	default:
		fmt.Fprintf(c.Stdout, "uid=%s(%s) gid=%s(%s) groups=%s(%s)\n", user[2], user[0], user[3], group[0], user[3], group[0])
	}
	return 0
}
