package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var root = filepath.Join("..", "..")

type goPackage struct {
	ImportPath, Dir                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

func (p goPackage) imports() []string { return slices.Concat(p.Imports, p.TestImports, p.XTestImports) }

// packages asks the go command once.
var packages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

func list(t *testing.T) []goPackage {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	return all
}

func below(path string, parents ...string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool {
		return path == "cutover/"+parent || strings.HasPrefix(path, "cutover/"+parent+"/")
	})
}

// What goes to AWS and what imitates AWS share only the wire: one misreading
// of AWS must not pass on both sides.
func TestImports_FunctionsAndEmbeddedAWSNeverMeet(t *testing.T) {
	t.Parallel()
	ours := []string{"functions", "pkg/action", "pkg/job", "pkg/bluegreen", "pkg/awsclient"}
	for _, p := range list(t) {
		for _, imported := range p.imports() {
			if below(p.ImportPath, ours...) && below(imported, "pkg/localaws") ||
				below(p.ImportPath, "pkg/localaws") && below(imported, ours...) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// Actions are released and retried apart: what they share belongs to a package
// below them, not to one of them.
func TestImports_ActionsAreStrangers(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		for _, imported := range p.imports() {
			if below(p.ImportPath, "pkg/action") && below(imported, "pkg/action") && p.ImportPath != imported {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// What wires is not tested, so it must hold nothing that could be wrong.
func TestFunctions_MainsOnlyWire(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if !below(p.ImportPath, "functions") {
			continue
		}
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(text, []byte("\n")); n > 40 {
				t.Errorf("%s/%s has %d lines, want at most 40", p.ImportPath, name, n)
			}
		}
	}
}

// A name that says nothing collects what belongs elsewhere.
func TestNames_SayWhatIsInside(t *testing.T) {
	t.Parallel()
	nothing := []string{"util", "utils", "common", "helper", "helpers", "misc", "interfaces"}
	for _, p := range list(t) {
		names := []string{filepath.Base(p.ImportPath)}
		for _, file := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			names = append(names, strings.TrimSuffix(strings.TrimSuffix(file, ".go"), "_test"))
		}
		for _, name := range names {
			if slices.Contains(nothing, name) {
				t.Errorf("%s: the name %q says nothing", p.ImportPath, name)
			}
		}
	}
}

// Whoever opens a package reads first what it changes and what is safe to
// repeat; two comments would be two truths.
func TestPackages_HaveOneComment(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		var commented []string
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				commented = append(commented, name)
			}
		}
		if len(p.GoFiles) > 0 && len(commented) != 1 {
			t.Errorf("%s: package comments in %v, want one", p.ImportPath, commented)
		}
	}
}

// A sleep is a guess at how long something takes: too long on one machine, too
// short on another. Await with a deadline, or move the clock. What is allowed is
// a pause of at most 10 ms between two looks, time.Hour for ever, and the pacing
// of a benchmark's load.
func TestCode_NeverSleepsOnAGuess(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == "bench" || len(entry.Name()) > 2 && strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && selects(call.Fun, "Sleep") && !brief(call.Args[0]) && !selects(call.Args[0], "Hour") {
				t.Errorf("%s sleeps", files.Position(n.Pos()))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// selects says that an expression is time.NAME.
func selects(e ast.Expr, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "time"
}

// brief says that a duration is written as at most 10 * time.Millisecond.
func brief(e ast.Expr) bool {
	if product, ok := e.(*ast.BinaryExpr); ok && product.Op == token.MUL {
		factor, ok := product.X.(*ast.BasicLit)
		if !ok {
			return false
		}
		n, err := strconv.Atoi(factor.Value)
		return err == nil && n <= 10 && selects(product.Y, "Millisecond")
	}
	return selects(e, "Millisecond")
}
