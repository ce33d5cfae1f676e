package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// A Dialect says how a protocol writes what Fill reads.
type Dialect struct {
	Naming Naming
	// List and Dict find the items in a node where the protocol does not have
	// lists and maps of its own; nil means it has.
	List func(node any) ([]any, bool)
	Dict func(node any) (map[string]any, bool)
	// Lenient lets scalars stand for each other ("80" for 80, true for "true"),
	// as form parameters and CloudFormation's templates do.
	Lenient bool
}

// Fill sets the struct that dst points to from a tree of maps, lists and
// scalars, and lists every fault: members that dst does not have, of the wrong
// type, or missing though required.
func (d Dialect) Fill(dst any, tree any) (faults []string) {
	f := filler{Dialect: d}
	f.fill(reflect.ValueOf(dst).Elem(), tree, "")
	slices.Sort(f.faults)
	return f.faults
}

type filler struct {
	Dialect
	faults []string
}

func (f *filler) fault(path, format string, args ...any) {
	if path == "" {
		path = "input"
	}
	f.faults = append(f.faults, path+": "+fmt.Sprintf(format, args...))
}

func (f *filler) fill(dst reflect.Value, node any, path string) {
	if node == nil {
		return
	}
	switch dst.Kind() {
	case reflect.Pointer:
		target := reflect.New(dst.Type().Elem())
		f.fill(target.Elem(), node, path)
		dst.Set(target)
	case reflect.Interface:
		dst.Set(reflect.ValueOf(node))
	case reflect.Struct:
		if dst.Type() == timeType {
			f.time(dst, node, path)
			return
		}
		f.members(dst, node, path)
	case reflect.Slice:
		if dst.Type() == bytesType {
			f.bytes(dst, node, path)
			return
		}
		f.list(dst, node, path)
	case reflect.Map:
		f.dict(dst, node, path)
	default:
		f.scalar(dst, node, path)
	}
}

func (f *filler) members(dst reflect.Value, node any, path string) {
	members, ok := node.(map[string]any)
	if !ok {
		f.fault(path, "is %s, not a structure", kindOf(node))
		return
	}
	known := map[string]bool{}
	for _, field := range Fields(dst.Type(), f.Naming) {
		known[field.Name] = true
		value, given := members[field.Name]
		if !given || value == nil {
			if field.Required {
				f.fault(join(path, field.Name), "is required")
			}
			continue
		}
		f.fill(dst.FieldByIndex(field.Index), value, join(path, field.Name))
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !known[name] {
			f.fault(join(path, name), "is unknown to the embedded AWS")
		}
	}
}

func (f *filler) list(dst reflect.Value, node any, path string) {
	items, ok := node.([]any)
	if !ok && f.List != nil {
		items, ok = f.List(node)
	}
	if !ok {
		f.fault(path, "is %s, not a list", kindOf(node))
		return
	}
	list := reflect.MakeSlice(dst.Type(), len(items), len(items))
	for i, item := range items {
		f.fill(list.Index(i), item, fmt.Sprintf("%s[%d]", path, i))
	}
	dst.Set(list)
}

func (f *filler) dict(dst reflect.Value, node any, path string) {
	var entries map[string]any
	ok := false
	if f.Dict != nil {
		entries, ok = f.Dict(node)
	} else {
		entries, ok = node.(map[string]any)
	}
	if !ok {
		f.fault(path, "is %s, not a map", kindOf(node))
		return
	}
	dict := reflect.MakeMapWithSize(dst.Type(), len(entries))
	for key, entry := range entries {
		value := reflect.New(dst.Type().Elem()).Elem()
		f.fill(value, entry, join(path, key))
		dict.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), value)
	}
	dst.Set(dict)
}

func (f *filler) scalar(dst reflect.Value, node any, path string) {
	text, isText := node.(string)
	switch dst.Kind() {
	case reflect.String:
		if !isText && f.Lenient {
			text, isText = scalarText(node)
		}
		if isText {
			dst.SetString(text)
			return
		}
		f.fault(path, "is %s, not a string", kindOf(node))
	case reflect.Bool:
		if b, ok := node.(bool); ok {
			dst.SetBool(b)
			return
		}
		if b, err := strconv.ParseBool(text); isText && f.Lenient && err == nil {
			dst.SetBool(b)
			return
		}
		f.fault(path, "is %s, not a boolean", kindOf(node))
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, ok := number(node, f.Lenient)
		if ok && n == math.Trunc(n) && !dst.OverflowInt(int64(n)) {
			dst.SetInt(int64(n))
			return
		}
		f.fault(path, "is %s, not a whole number in range", kindOf(node))
	case reflect.Float32, reflect.Float64:
		if n, ok := number(node, f.Lenient); ok {
			dst.SetFloat(n)
			return
		}
		f.fault(path, "is %s, not a number", kindOf(node))
	default:
		panic("wire: no way to fill a " + dst.Type().String())
	}
}

func (f *filler) time(dst reflect.Value, node any, path string) {
	if t, ok := node.(time.Time); ok {
		dst.Set(reflect.ValueOf(t.UTC()))
		return
	}
	if n, ok := number(node, false); ok {
		dst.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(n * 1000))).UTC()))
		return
	}
	if text, ok := node.(string); ok {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			dst.Set(reflect.ValueOf(t.UTC()))
			return
		}
	}
	f.fault(path, "is %s, not a time", kindOf(node))
}

func (f *filler) bytes(dst reflect.Value, node any, path string) {
	if raw, ok := node.([]byte); ok {
		dst.SetBytes(raw)
		return
	}
	if text, ok := node.(string); ok {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			dst.SetBytes(raw)
			return
		}
	}
	f.fault(path, "is %s, not a Base64 blob", kindOf(node))
}

func number(node any, lenient bool) (float64, bool) {
	switch n := node.(type) {
	case json.Number:
		v, err := n.Float64()
		return v, err == nil
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case int:
		return float64(n), true
	case string:
		v, err := strconv.ParseFloat(n, 64)
		return v, lenient && err == nil
	}
	return 0, false
}

func scalarText(node any) (string, bool) {
	switch n := node.(type) {
	case json.Number:
		return n.String(), true
	case bool:
		return strconv.FormatBool(n), true
	case int64, uint64, int:
		return fmt.Sprint(n), true
	case float64:
		return strconv.FormatFloat(n, 'f', -1, 64), true
	}
	return "", false
}

func kindOf(node any) string {
	switch n := node.(type) {
	case map[string]any:
		return "a structure"
	case []any:
		return "a list"
	case string:
		return "the string " + strconv.Quote(n)
	case bool, json.Number, float64, int64, uint64, int:
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("a %T", node)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
