package wire

import (
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Field is a member of an input or output type as the wire sees it.
type Field struct {
	Name     string // on the wire
	Index    []int
	Type     reflect.Type
	Required bool
	Location string // "", or where restjson finds it: header, query, payload, status
	Item     string // the element of a list in XML answers, where it is not the protocol's
}

// A Naming gives a field's name on the wire where no tag gives it.
type Naming func(goName string) string

// AsIs keeps the Go name: CloudFormation, SSM, query protocols.
func AsIs(goName string) string { return goName }

// LowerFirst makes taskDefinitionArn of TaskDefinitionArn.
func LowerFirst(goName string) string {
	r, size := utf8.DecodeRuneInString(goName)
	return string(unicode.ToLower(r)) + goName[size:]
}

// Fields lists the members of a struct type, those of embedded structs too.
func Fields(t reflect.Type, naming Naming) []Field {
	var fields []Field
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("aws"), ",")
		if name == "" {
			name = naming(f.Name)
		}
		field := Field{Name: name, Index: f.Index, Type: f.Type}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "required":
				field.Required = true
			case "header", "query", "payload", "status":
				field.Location = option
			default:
				if item, ok := strings.CutPrefix(option, "item="); ok {
					field.Item = item
				}
			}
		}
		fields = append(fields, field)
	}
	return fields
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	bytesType = reflect.TypeFor[[]byte]()
)

// Omitted says that an answer leaves v out.
func Omitted(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return v.Type() == timeType && v.Interface().(time.Time).IsZero()
	}
	return false
}

// Tree turns an output into maps, lists and scalars (string, bool, int64,
// float64, []byte, time.Time, and whatever stands in a field of type any).
func Tree(v reflect.Value, naming Naming) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return Tree(v.Elem(), naming)
	case reflect.Struct:
		if v.Type() == timeType {
			return v.Interface()
		}
		members := map[string]any{}
		for _, f := range Fields(v.Type(), naming) {
			if m := v.FieldByIndex(f.Index); !Omitted(m) && f.Location == "" {
				members[f.Name] = Tree(m, naming)
			}
		}
		return members
	case reflect.Slice:
		if v.Type() == bytesType {
			return v.Bytes()
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = Tree(v.Index(i), naming)
		}
		return list
	case reflect.Map:
		members := make(map[string]any, v.Len())
		for _, key := range v.MapKeys() {
			members[key.String()] = Tree(v.MapIndex(key), naming)
		}
		return members
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	}
	return v.Int()
}
