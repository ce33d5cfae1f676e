package release

import (
	"cmp"

	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxSize is the largest cutover.yaml, in bytes.
const MaxSize = 256 << 10

// A FaultsError lists everything that is wrong with a file, by line.
type FaultsError []Fault

// A Fault is one thing that is wrong.
type Fault struct {
	Line int    // from 1; 0 where none is to blame
	Path string // such as services[0].cluster; may be empty
	Text string
}

// String reads "line 3: traffic.canary: unknown key".
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	if f.Path != "" {
		b.WriteString(f.Path + " ")
	}
	return b.String() + f.Text
}

// Error implements error: one line a fault.
func (e FaultsError) Error() string { return strings.Join(e.Lines(), "\n") }

// Lines are the faults as text, in the order of their lines.
func (e FaultsError) Lines() []string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.String()
	}
	return lines
}

// Load reads cutover.yaml. Its error is a FaultsError with every fault.
func Load(text []byte) (*File, error) {
	if len(text) > MaxSize {
		return nil, FaultsError{{Text: fmt.Sprintf("the file has %d bytes, more than %d", len(text), MaxSize)}}
	}
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, FaultsError{syntaxFault(err)}
	}
	r := &reader{lines: map[string]int{}}
	file := &File{}
	switch docs := slices.DeleteFunc(slices.Clone(parsed.Docs), func(d *ast.DocumentNode) bool { return d.Body == nil }); len(docs) {
	case 0:
		r.fault(0, "", "the file is empty")
	case 1:
		r.read(docs[0].Body, reflect.ValueOf(file).Elem(), "")
	default:
		r.fault(line(docs[1].Body), "", "the file has several documents: give one")
	}
	if len(r.faults) == 0 { // what could not be read would be called missing
		file.validate(func(path, format string, args ...any) { r.fault(r.lineOf(path), path, format, args...) })
	}
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		return nil, r.faults
	}
	return file, nil
}

// position is how the parser's messages begin: "[3:5] ...".
var position = regexp.MustCompile(`^\[(\d+):\d+\] (.*)`)

func syntaxFault(err error) Fault {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if m := position.FindStringSubmatch(first); m != nil {
		at, convErr := strconv.Atoi(m[1])
		if convErr == nil {
			return Fault{Line: at, Text: "is not YAML: " + m[2]}
		}
	}
	return Fault{Text: "is not YAML: " + first}
}

// A reader fills a File from a syntax tree and collects faults.
type reader struct {
	faults FaultsError
	lines  map[string]int // of every path
}

func (r *reader) fault(line int, path, format string, args ...any) {
	r.faults = append(r.faults, Fault{line, path, fmt.Sprintf(format, args...)})
}

// lineOf is a path's line, or that of the nearest thing around it.
func (r *reader) lineOf(path string) int {
	for {
		if at, ok := r.lines[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return 0
		}
		path = path[:cut]
	}
}

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

var (
	durationType = reflect.TypeFor[Duration]()
	pauseType    = reflect.TypeFor[Pause]()
	trafficType  = reflect.TypeFor[Traffic]()
)

// read fills a value from a node.
func (r *reader) read(n ast.Node, into reflect.Value, path string) {
	if path != "" {
		r.lines[path] = line(n)
	}
	switch n.(type) {
	case *ast.NullNode:
		r.fault(line(n), path, "has no value")
		return
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		r.fault(line(n), path, "uses a YAML anchor, alias or tag: write the value itself")
		return
	}
	switch into.Type() {
	case durationType:
		r.duration(n, into, path)
		return
	case pauseType:
		r.pause(n, into, path)
		return
	case trafficType:
		if text, ok := text(n); ok {
			if text != allAtOnce {
				r.fault(line(n), path, "is %q, must be all-at-once, or a mapping with canary, linear or steps", text)
			}
			return
		}
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		r.read(n, into.Elem(), path)
	case reflect.Struct:
		r.mapping(n, into, path)
	case reflect.Slice:
		r.sequence(n, into, path)
	default:
		r.scalar(n, into, path)
	}
}

// pairs are a mapping's; one of a single pair has a node type of its own.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (r *reader) mapping(n ast.Node, into reflect.Value, path string) {
	all, ok := pairs(n)
	if !ok {
		r.fault(line(n), path, "must be a mapping")
		return
	}
	fields := map[string]reflect.Value{}
	var names []string
	for i := range into.NumField() {
		name := into.Type().Field(i).Tag.Get("yaml")
		fields[name] = into.Field(i)
		names = append(names, name)
	}
	for _, pair := range all { // the parser refuses a key that is given twice
		key := pair.Key.String()
		at := join(path, key)
		field, known := fields[key]
		if !known {
			r.fault(line(pair.Key), at, "is no known key%s", suggestion(key, names))
			continue
		}
		r.read(pair.Value, field, at)
	}
}

func (r *reader) sequence(n ast.Node, into reflect.Value, path string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fault(line(n), path, "must be a list")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		r.read(item, into.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

func text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	}
	return "", false
}

// number is a node's, whether the file has it whole or not.
func number(n ast.Node) (float64, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		value, err := strconv.ParseFloat(n.GetToken().Value, 64)
		return value, err == nil
	case *ast.FloatNode:
		return n.Value, true
	}
	return 0, false
}

func (r *reader) scalar(n ast.Node, into reflect.Value, path string) {
	switch into.Kind() {
	case reflect.String:
		if value, ok := text(n); ok {
			into.SetString(value)
			return
		}
		r.fault(line(n), path, "must be text; put it in quotes if it is")
	case reflect.Int:
		value, ok := number(n)
		if !ok || value != float64(int64(value)) {
			r.fault(line(n), path, "must be a whole number")
			return
		}
		into.SetInt(int64(value))
	case reflect.Float64:
		value, ok := number(n)
		if !ok {
			r.fault(line(n), path, "must be a number")
			return
		}
		into.SetFloat(value)
	}
}

func (r *reader) duration(n ast.Node, into reflect.Value, path string) {
	value, ok := text(n)
	if !ok {
		r.fault(line(n), path, "must be a length of time with a unit, such as 90s, 5m or 1h30m")
		return
	}
	d, err := time.ParseDuration(value)
	switch {
	case err != nil:
		r.fault(line(n), path, "is %q, must be a length of time such as 90s, 5m or 1h30m", value)
	case d < 0:
		r.fault(line(n), path, "is %s, must not be negative", value)
	}
	into.SetInt(int64(d))
}

func (r *reader) pause(n ast.Node, into reflect.Value, path string) {
	if value, ok := text(n); ok && value == "approval" {
		into.Set(reflect.ValueOf(Pause{Approval: true}))
		return
	}
	r.duration(n, into.FieldByName("Duration"), path)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// suggestion names the known key that a wrong one is most like.
func suggestion(key string, known []string) string {
	best, least := "", 3
	for _, name := range known {
		if d := distance(strings.ToLower(key), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return " (known are " + strings.Join(known, ", ") + ")"
	}
	return "; did you mean " + best + "?"
}

// distance is how many letters have to be changed to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			row[j+1] = min(cost, above+1, row[j]+1)
			diagonal = above
		}
	}
	return row[len(b)]
}
