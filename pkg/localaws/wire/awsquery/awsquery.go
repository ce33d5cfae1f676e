// Package awsquery speaks the AWS query protocol: form parameters in, XML out.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
// EC2's own dialect of it (https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html)
// is the same code with other names for lists.
package awsquery

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cutover/pkg/localaws/wire"
)

// A Protocol is the query protocol as one service speaks it.
type Protocol struct {
	Version   string // of the API, e.g. "2015-12-01"
	Namespace string // of the XML
	EC2       bool   // EC2's dialect
}

// Operation implements wire.Protocol.
func (p Protocol) Operation(r wire.Request) (string, bool) {
	form, err := p.form(r)
	if err != nil || !form.Has("Action") {
		return "", false
	}
	return form.Get("Action"), form.Get("Version") == p.Version
}

func (p Protocol) form(r wire.Request) (url.Values, error) {
	if r.Method == http.MethodGet {
		return r.URL.Query(), nil
	}
	return url.ParseQuery(string(r.Body))
}

// Decode implements wire.Protocol.
func (p Protocol) Decode(r wire.Request, _ string, in any) []string {
	form, err := p.form(r)
	if err != nil {
		return []string{"body: " + err.Error()}
	}
	tree := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(form)) {
		if key == "Action" || key == "Version" || strings.HasPrefix(key, "X-Amz-") {
			continue
		}
		if err := plant(tree, strings.Split(key, "."), form.Get(key)); err != nil {
			return []string{key + ": " + err.Error()}
		}
	}
	return wire.Dialect{Naming: wire.AsIs, List: p.list, Dict: dict, Lenient: true}.Fill(in, tree)
}

func plant(tree map[string]any, path []string, value string) error {
	for _, name := range path[:len(path)-1] {
		child, ok := tree[name].(map[string]any)
		if !ok {
			if tree[name] != nil && tree[name] != "" {
				return fmt.Errorf("is both a value and a structure")
			}
			child = map[string]any{}
			tree[name] = child
		}
		tree = child
	}
	tree[path[len(path)-1]] = value
	return nil
}

// list reads Name.member.1, Name.member.2 (EC2: Name.1, Name.2).
func (p Protocol) list(node any) ([]any, bool) {
	if node == "" {
		return []any{}, true
	}
	members, ok := node.(map[string]any)
	if ok && !p.EC2 {
		members, ok = members["member"].(map[string]any)
	}
	if !ok {
		return nil, false
	}
	return numbered(members)
}

func numbered(members map[string]any) ([]any, bool) {
	var at []int
	for key := range members {
		n, err := strconv.Atoi(key)
		if err != nil {
			return nil, false
		}
		at = append(at, n)
	}
	slices.Sort(at)
	items := make([]any, len(at))
	for i, n := range at {
		items[i] = members[strconv.Itoa(n)]
	}
	return items, true
}

// dict reads Name.entry.1.key and Name.entry.1.value.
func dict(node any) (map[string]any, bool) {
	if node == "" {
		return map[string]any{}, true
	}
	members, _ := node.(map[string]any)
	entries, _ := members["entry"].(map[string]any)
	items, ok := numbered(entries)
	if !ok {
		return nil, false
	}
	result := map[string]any{}
	for _, item := range items {
		pair, _ := item.(map[string]any)
		key, ok := pair["key"].(string)
		if !ok {
			return nil, false
		}
		result[key] = pair["value"]
	}
	return result, true
}

// Encode implements wire.Protocol.
func (p Protocol) Encode(w http.ResponseWriter, operation string, out any, requestID string) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<%sResponse xmlns="%s">`, operation, p.Namespace)
	if p.EC2 {
		element(&b, "requestId", requestID)
		p.members(&b, reflect.ValueOf(out).Elem())
	} else {
		fmt.Fprintf(&b, "<%sResult>", operation)
		p.members(&b, reflect.ValueOf(out).Elem())
		fmt.Fprintf(&b, "</%sResult><ResponseMetadata>", operation)
		element(&b, "RequestId", requestID)
		b.WriteString("</ResponseMetadata>")
	}
	fmt.Fprintf(&b, "</%sResponse>", operation)
	write(w, http.StatusOK, b.Bytes(), requestID)
}

// EncodeError implements wire.Protocol.
func (p Protocol) EncodeError(w http.ResponseWriter, err *wire.Error, requestID string) {
	var b bytes.Buffer
	if p.EC2 {
		b.WriteString("<Response><Errors><Error>")
		element(&b, "Code", err.Code)
		element(&b, "Message", err.Message)
		b.WriteString("</Error></Errors>")
		element(&b, "RequestID", requestID)
		b.WriteString("</Response>")
	} else {
		fault := "Sender"
		if err.HTTPStatus() >= 500 {
			fault = "Receiver"
		}
		fmt.Fprintf(&b, `<ErrorResponse xmlns="%s"><Error>`, p.Namespace)
		element(&b, "Type", fault)
		element(&b, "Code", err.Code)
		element(&b, "Message", err.Message)
		b.WriteString("</Error>")
		element(&b, "RequestId", requestID)
		b.WriteString("</ErrorResponse>")
	}
	write(w, err.HTTPStatus(), b.Bytes(), requestID)
}

func write(w http.ResponseWriter, status int, body []byte, requestID string) {
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amzn-RequestId", requestID)
	w.WriteHeader(status)
	w.Write(body)
}

func (p Protocol) naming() wire.Naming {
	if p.EC2 {
		return wire.LowerFirst
	}
	return wire.AsIs
}

func (p Protocol) members(b *bytes.Buffer, v reflect.Value) {
	for _, f := range wire.Fields(v.Type(), p.naming()) {
		if m := v.FieldByIndex(f.Index); !wire.Omitted(m) {
			fmt.Fprintf(b, "<%s>", f.Name)
			p.value(b, m, f.Item)
			fmt.Fprintf(b, "</%s>", f.Name)
		}
	}
}

// value writes a value; item names the elements of a list, "" as the protocol does.
func (p Protocol) value(b *bytes.Buffer, v reflect.Value, item string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			p.value(b, v.Elem(), item)
		}
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			b.WriteString(t.UTC().Format("2006-01-02T15:04:05.000Z"))
			return
		}
		p.members(b, v)
	case reflect.Slice:
		switch {
		case item != "":
		case p.EC2:
			item = "item"
		default:
			item = "member"
		}
		for i := range v.Len() {
			fmt.Fprintf(b, "<%s>", item)
			p.value(b, v.Index(i), "")
			fmt.Fprintf(b, "</%s>", item)
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			b.WriteString("<entry>")
			element(b, "key", key.String())
			b.WriteString("<value>")
			p.value(b, v.MapIndex(key), "")
			b.WriteString("</value></entry>")
		}
	default:
		xml.EscapeText(b, fmt.Append(nil, v.Interface()))
	}
}

func element(b *bytes.Buffer, name, text string) {
	fmt.Fprintf(b, "<%s>", name)
	xml.EscapeText(b, []byte(text))
	fmt.Fprintf(b, "</%s>", name)
}

// Denied implements wire.Protocol.
func (p Protocol) Denied() string {
	if p.EC2 {
		return "UnauthorizedOperation"
	}
	return "AccessDenied"
}

// Throttled implements wire.Protocol.
func (p Protocol) Throttled() string {
	if p.EC2 {
		return "RequestLimitExceeded"
	}
	return "Throttling"
}

// Unknown implements wire.Protocol.
func (Protocol) Unknown() string { return "InvalidAction" }
