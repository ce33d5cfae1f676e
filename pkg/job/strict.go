package job

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// strict decodes JSON where encoding/json is too kind: a key that is unknown,
// differs in case or is there twice, and a null, are faults; and all faults are
// found, not the first. What it is given is valid JSON.
type strict struct {
	faults []string
	faulty map[string]bool // top-level keys that are wrong or were misspelt
}

func (s *strict) fault(path, format string, args ...any) {
	if path == "" {
		path = "the whole"
	} else {
		s.faulty[leadingKey(path)] = true
	}
	s.faults = append(s.faults, path+" "+fmt.Sprintf(format, args...))
}

func (s *strict) decode(raw json.RawMessage, v reflect.Value, path string) {
	raw = bytes.TrimSpace(raw)
	decodesItself := implements[json.Unmarshaler](v) || implements[encoding.TextUnmarshaler](v)
	switch kind := v.Kind(); {
	case raw[0] == 'n' && kind != reflect.Interface:
		s.fault(path, "is null: leave it out, or give %s", wanted(v.Type()))
	case decodesItself:
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			s.fault(path, "is not valid: %s", itself(err))
		}
	case kind == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.decode(raw, v.Elem(), path)
	case kind == reflect.Struct && raw[0] == '{':
		s.object(raw, v, path)
	case kind == reflect.Map && raw[0] == '{' && v.Type().Key().Kind() == reflect.String:
		s.mapping(raw, v, path)
	case kind == reflect.Slice && raw[0] == '[' && v.Type().Elem().Kind() != reflect.Uint8:
		s.list(raw, v, path)
	default:
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			s.fault(path, "is %s, want %s", given(raw), wanted(v.Type()))
		}
	}
}

func (s *strict) object(raw json.RawMessage, v reflect.Value, path string) {
	fields := map[string]reflect.Value{}
	collect(v, fields)
	s.each(raw, path, func(key string, value json.RawMessage) {
		field, known := fields[key]
		if known {
			s.decode(value, field, join(path, key))
			return
		}
		names := slices.Sorted(maps.Keys(fields))
		at := ""
		if path != "" {
			at = " in " + path
		}
		if near := nearest(key, names); near != "" {
			s.faulty[leadingKey(join(path, near))] = true
			s.faults = append(s.faults, fmt.Sprintf("unknown key %q%s: did you mean %q?", key, at, near))
			return
		}
		s.faults = append(s.faults, fmt.Sprintf("unknown key %q%s: there are %s", key, at, strings.Join(names, ", ")))
	})
}

func (s *strict) mapping(raw json.RawMessage, v reflect.Value, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	s.each(raw, path, func(key string, value json.RawMessage) {
		element := reflect.New(v.Type().Elem()).Elem()
		s.decode(value, element, join(path, key))
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
	})
}

func (s *strict) list(raw json.RawMessage, v reflect.Value, path string) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		s.fault(path, "is not a list: %v", err)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		s.decode(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
}

// each calls for every key of the object, once.
func (s *strict) each(raw json.RawMessage, path string, do func(string, json.RawMessage)) {
	d := json.NewDecoder(bytes.NewReader(raw))
	seen := map[string]bool{}
	_, err := d.Token() // the brace
	for err == nil && d.More() {
		var key json.Token
		if key, err = d.Token(); err != nil {
			break
		}
		var value json.RawMessage
		if err = d.Decode(&value); err != nil {
			break
		}
		name, _ := key.(string)
		if seen[name] {
			s.fault(join(path, name), "is given more than once")
			continue
		}
		seen[name] = true
		do(name, value)
	}
	if err != nil {
		s.fault(path, "is not an object: %v", err)
	}
}

// collect finds the fields by their names in JSON. A struct's own hide those of
// the structs embedded in it.
func collect(v reflect.Value, fields map[string]reflect.Value) {
	own := map[string]reflect.Value{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct:
			collect(v.Field(i), fields)
		case !field.IsExported():
		case name == "":
			own[field.Name] = v.Field(i)
		default:
			own[name] = v.Field(i)
		}
	}
	maps.Copy(fields, own)
}

func implements[T any](v reflect.Value) bool {
	_, ok := v.Addr().Interface().(T)
	return ok
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// itself is what a type's own decoder says, without what encoding/json adds.
func itself(err error) string {
	return strings.TrimPrefix(err.Error(), "json: ")
}

func given(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "the number " + string(raw)
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Pointer:
		return wanted(t.Elem())
	}
	return "another value"
}
