// Package tool is the set of small programs that an instance has: stand-ins for
// coreutils and its neighbours, written against the instance's disk.
//
// They change files of the disk that they are called on, in the order of their
// arguments, and go on after an argument that fails, as the originals do. An
// option that a stand-in does not know is an error that names it; none is ignored
// unless its text here says so. Owners are accepted and not kept: everyone is
// root.
package tool

import (
	"maps"
	"time"

	"cutover/pkg/localaws/machine/shell"
)

// Table gives the tools by name. now tells the time to those that ask for it.
func Table(now func() time.Time) map[string]shell.Tool {
	all := map[string]shell.Tool{}
	for _, some := range []map[string]shell.Tool{files(now), texts(), archives(), systems(now), users()} {
		maps.Copy(all, some)
	}
	return all
}

func files(now func() time.Time) map[string]shell.Tool {
	return map[string]shell.Tool{
		"cp": copyTool, "mv": move, "rm": remove, "rmdir": removeDirectory, "mkdir": makeDirectory, "ln": link,
		"ls": list, "touch": touch(now), "chmod": changeMode, "chown": changeOwner, "chgrp": changeOwner,
		"install": install, "mktemp": makeTemporary, "basename": baseName, "dirname": directoryName, "find": find,
		"stat": status, "readlink": readLink, "realpath": realPath,
	}
}

func texts() map[string]shell.Tool {
	return map[string]shell.Tool{
		"cat": concatenate, "head": head, "tail": tail, "wc": count, "tee": tee, "grep": grep, "egrep": grep, "fgrep": grep, "sed": sed,
		"tr": translate, "cut": cut, "sort": sortLines, "uniq": unique, "sha256sum": sum, "seq": sequence, "cmp": compare, "diff": difference,
	}
}

func archives() map[string]shell.Tool {
	return map[string]shell.Tool{"tar": tarTool, "gzip": gzipTool, "gunzip": gzipTool, "unzip": unzip}
}

func systems(now func() time.Time) map[string]shell.Tool {
	return map[string]shell.Tool{
		"bash": shellTool, "sh": shellTool, "echo": viaShell, "printf": viaShell, "test": viaShell, "[": viaShell,
		"true": viaShell, "false": viaShell, "pwd": viaShell, "kill": killTool, "umask": umask, "sync": noOperation,
		"uname": systemName, "whoami": whoAmI, "date": date(now), "env": environment, "printenv": printEnvironment,
		"sudo": sudo, "nohup": wrap, "nice": wrap, "setsid": wrap, "xargs": eachArgument, "which": which, "nproc": processors,
	}
}

func users() map[string]shell.Tool {
	return map[string]shell.Tool{
		"id": identity, "useradd": addUser, "groupadd": addGroup, "getent": entries, "usermod": modifyUser,
	}
}
