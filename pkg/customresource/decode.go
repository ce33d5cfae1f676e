package customresource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode reads properties into a struct of strings, booleans, whole numbers,
// slices, structs and pointers to them; a field's name is the property's. It is
// strict: its error joins every property that is unknown or of the wrong kind.
// CloudFormation sends all scalars as strings, so "true" is a boolean and "5" a
// number. ServiceToken and ServiceTimeout, which are CloudFormation's own, are
// left out.
func Decode(properties json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(properties))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("properties are not JSON: %w", err)
	}
	if object, ok := value.(map[string]any); ok {
		delete(object, "ServiceToken")
		delete(object, "ServiceTimeout")
	}
	var faults []error
	decode(value, reflect.ValueOf(into).Elem(), "", func(path, format string, args ...any) {
		if path == "" {
			path = "the properties"
		}
		faults = append(faults, errors.New(path+" "+fmt.Sprintf(format, args...)))
	})
	return errors.Join(faults...)
}

func decode(value any, to reflect.Value, path string, fault func(path, format string, args ...any)) {
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		decode(value, to.Elem(), path, fault)
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			decodeObject(object, to, path, fault)
			return
		}
		fault(path, "must be an object")
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			fault(path, "must be a list")
			return
		}
		to.Set(reflect.MakeSlice(to.Type(), len(list), len(list)))
		for i, item := range list {
			decode(item, to.Index(i), fmt.Sprintf("%s[%d]", path, i), fault)
		}
	default:
		decodeScalar(value, to, path, fault)
	}
}

func decodeObject(object map[string]any, to reflect.Value, path string, fault func(path, format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		field := to.FieldByName(name)
		if !field.IsValid() || !field.CanSet() {
			fault(at, "is unknown; there are %s", strings.Join(names(to.Type()), ", "))
			continue
		}
		decode(object[name], field, at, fault)
	}
}

func decodeScalar(value any, to reflect.Value, path string, fault func(path, format string, args ...any)) {
	text, ok := scalar(value)
	if !ok {
		fault(path, "must be %s", kindName(to.Kind()))
		return
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			fault(path, "is %q, neither true nor false", text)
		}
		to.SetBool(text == "true")
	case reflect.Int32, reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			fault(path, "is %q, not a whole number", text)
		}
		to.SetInt(n)
	default:
		panic(fmt.Sprintf("decode %s: type %s is not served", path, to.Type()))
	}
}

func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool, json.Number:
		return fmt.Sprint(v), true
	}
	return "", false
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int:
		return "a whole number"
	}
	return "a string"
}

func names(t reflect.Type) []string {
	var list []string
	for i := range t.NumField() {
		if t.Field(i).IsExported() {
			list = append(list, t.Field(i).Name)
		}
	}
	slices.Sort(list)
	return list
}
