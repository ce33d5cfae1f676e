package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// artifacts are the programs that are measured, built for this machine.
type artifacts struct {
	dir       string // for more of what the measurements make
	functions []function
	reference function
	cutover   string    // path of the command
	apps      [2]string // paths of examples/hello, as versions 1 and 2
}

// A function is a Lambda function's code.
type function struct {
	id        string // its logical id in template.yaml
	bootstrap string // path
	zip       string // path
}

// build makes everything that is measured, with the targets of the Makefile.
func build(ctx context.Context, dir string) (a artifacts, err error) {
	fmt.Fprintln(os.Stderr, "bench: building; the first time this compiles the AWS SDK")
	a = artifacts{dir: dir, cutover: filepath.Join(dir, "cutover")}
	zip := filepath.Join(dir, "zip")
	for _, args := range [][]string{
		{"build", "-o", a.cutover, "./cmd/cutover"},
		{"build", "-o", zip, "./cmd/cutover/internal/zip"},
	} {
		if err := command(ctx, "go", args...); err != nil {
			return a, err
		}
	}
	for _, id := range []string{"BenchHello", "DeployGreenFunction", "SwapListenerFunction"} {
		code := filepath.Join(dir, id)
		f := function{id: id, bootstrap: filepath.Join(code, "bootstrap"), zip: code + ".zip"}
		if err := command(ctx, "make", "--no-print-directory", "build-"+id, "GOARCH="+runtime.GOARCH, "ARTIFACTS_DIR="+code); err != nil {
			return a, err
		}
		if err := command(ctx, zip, code, f.zip); err != nil {
			return a, err
		}
		if id == "BenchHello" {
			a.reference = f
		} else {
			a.functions = append(a.functions, f)
		}
	}
	for i := range a.apps {
		a.apps[i] = filepath.Join(dir, fmt.Sprintf("hello-%d", i+1))
		flags := fmt.Sprintf("-s -w -X main.version=%d", i+1)
		if err := command(ctx, "go", "build", "-C", filepath.Join("examples", "hello"), "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", a.apps[i], "."); err != nil {
			return a, err
		}
	}
	return a, nil
}

// command runs a program that is to say nothing unless it fails.
func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	// CGO is off for tasks, which have no C library to load. A make above this
	// program must not pass its flags on to one below.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "MAKEFLAGS=", "MAKELEVEL=", "MFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{filepath.Base(name)}, args...), " "), err, out)
	}
	return nil
}
