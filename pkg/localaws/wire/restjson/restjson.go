// Package restjson speaks AWS REST JSON: the operation is a method and a path,
// members stand in the path, the query, headers and a JSON body.
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
package restjson

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"cutover/pkg/localaws/wire"
	"cutover/pkg/localaws/wire/awsjson"
)

// A Protocol is REST JSON as one service speaks it.
//
// Input members found outside the body are tagged `header` or `query`; those in
// the path need no tag. A member tagged `payload` ([]byte) is the whole body, in
// answers too. In answers `header` members are headers and `status` (int) is the
// HTTP status.
type Protocol struct {
	// Routes maps operations to their method and path, with labels in braces:
	// "POST /2015-03-31/functions/{FunctionName}/invocations".
	Routes map[string]string
	Naming wire.Naming
}

// Operation implements wire.Protocol.
func (p Protocol) Operation(r wire.Request) (string, bool) {
	for name, route := range p.Routes {
		if _, ok := match(route, r); ok {
			return name, true
		}
	}
	return r.Method + " " + r.URL.Path, r.Header.Get("X-Amz-Target") == ""
}

// match compares the request with a route and returns the path's labels.
func match(route string, r wire.Request) (map[string]any, bool) {
	method, path, _ := strings.Cut(route, " ")
	if method != r.Method {
		return nil, false
	}
	want := strings.Split(strings.Trim(path, "/"), "/")
	got := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if len(want) != len(got) {
		return nil, false
	}
	labels := map[string]any{}
	for i, part := range want {
		text, err := url.PathUnescape(got[i])
		if err != nil {
			return nil, false
		}
		if label, ok := strings.CutPrefix(part, "{"); ok {
			labels[strings.TrimSuffix(label, "}")] = text
		} else if part != text {
			return nil, false
		}
	}
	return labels, true
}

// Decode implements wire.Protocol.
func (p Protocol) Decode(r wire.Request, operation string, in any) []string {
	members, _ := match(p.Routes[operation], r)
	fields := wire.Fields(reflect.TypeOf(in).Elem(), p.Naming)
	payload := false
	for _, f := range fields {
		switch f.Location {
		case "payload":
			payload = true
			members[f.Name] = r.Body
		case "header":
			if value := r.Header.Get(f.Name); value != "" {
				members[f.Name] = value
			}
		}
	}
	for key, values := range r.URL.Query() {
		members[key] = values[0]
	}
	if !payload {
		tree, err := awsjson.Parse(r.Body)
		body, ok := tree.(map[string]any)
		if err != nil || !ok {
			return []string{fmt.Sprintf("body: not a JSON object: %v", err)}
		}
		for name, value := range body {
			members[name] = value
		}
	}
	return wire.Dialect{Naming: p.Naming, Lenient: true}.Fill(in, members)
}

// Encode implements wire.Protocol.
func (p Protocol) Encode(w http.ResponseWriter, _ string, out any, requestID string) {
	v := reflect.ValueOf(out).Elem()
	status := http.StatusOK
	var payload []byte
	hasPayload := false
	for _, f := range wire.Fields(v.Type(), p.Naming) {
		m := v.FieldByIndex(f.Index)
		switch f.Location {
		case "payload":
			payload, hasPayload = m.Bytes(), true
		case "status":
			status = int(m.Int())
		case "header":
			if !wire.Omitted(m) {
				w.Header().Set(f.Name, fmt.Sprint(reflect.Indirect(m).Interface()))
			}
		}
	}
	if !hasPayload {
		payload = encode(awsjson.Plain(wire.Tree(v, p.Naming)))
	}
	write(w, status, payload, requestID)
}

// EncodeError implements wire.Protocol.
func (p Protocol) EncodeError(w http.ResponseWriter, err *wire.Error, requestID string) {
	w.Header().Set("X-Amzn-ErrorType", err.Code)
	write(w, err.HTTPStatus(), encode(map[string]any{"message": err.Message, "Message": err.Message}), requestID)
}

func encode(body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("restjson: encode answer: %v", err)) // an output type that JSON can't hold
	}
	return text
}

func write(w http.ResponseWriter, status int, body []byte, requestID string) {
	w.Header().Set("X-Amzn-RequestId", requestID)
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// Denied implements wire.Protocol.
func (Protocol) Denied() string { return "AccessDeniedException" }

// Throttled implements wire.Protocol.
func (Protocol) Throttled() string { return "TooManyRequestsException" }

// Unknown implements wire.Protocol.
func (Protocol) Unknown() string { return "UnknownOperationException" }
