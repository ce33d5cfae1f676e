package shell

import (
	"strings"

	"mvdan.cc/sh/v3/expand"
)

// environ is an environment of exported variables.
type environ map[string]string

// Get implements expand.Environ.
func (e environ) Get(name string) expand.Variable {
	value, ok := e[name]
	if !ok {
		return expand.Variable{}
	}
	return expand.Variable{Set: true, Exported: name != "UID" && name != "EUID" && name != "GID", Kind: expand.String, Str: value}
}

// Each implements expand.Environ.
func (e environ) Each(f func(name string, value expand.Variable) bool) {
	for name := range e {
		if !f(name, e.Get(name)) {
			return
		}
	}
}

// shellEnviron also knows the homes of the instance's users, which "~user" asks
// for by the name "HOME user". It answers for those that do not exist too: nobody
// else is to be asked.
type shellEnviron struct {
	environ
	shell *Shell
}

// Get implements expand.Environ.
func (e shellEnviron) Get(name string) expand.Variable {
	user, isHome := strings.CutPrefix(name, "HOME ")
	if !isHome {
		return e.environ.Get(name)
	}
	home := "~" + user
	passwd, err := e.shell.Disk.ReadFile("/etc/passwd")
	if err == nil {
		for line := range strings.Lines(string(passwd)) {
			if fields := strings.Split(strings.TrimSpace(line), ":"); len(fields) == 7 && fields[0] == user {
				home = fields[5]
			}
		}
	}
	return expand.Variable{Set: true, Kind: expand.String, Str: home}
}

// exported gives what a command sees of a script's variables.
func exported(env expand.Environ) map[string]string {
	all := map[string]string{}
	env.Each(func(name string, value expand.Variable) bool {
		delete(all, name) // an inner scope comes after the outer one
		if value.Exported && value.Kind == expand.String {
			all[name] = value.Str
		}
		return true
	})
	return all
}
