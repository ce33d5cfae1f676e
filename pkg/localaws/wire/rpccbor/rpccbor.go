// Package rpccbor speaks Smithy RPC v2 CBOR, as current SDKs do with CloudWatch.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
package rpccbor

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"cutover/pkg/localaws/wire"
)

// A Protocol is RPC v2 CBOR as one service speaks it.
type Protocol struct {
	// Target is the service's name in the path, e.g. "GraniteServiceVersion20100801".
	Target string
	// Shapes names error shapes by their query code, where the two differ.
	Shapes map[string]string
}

// Operation implements wire.Protocol.
func (p Protocol) Operation(r wire.Request) (string, bool) {
	if r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		return "", false
	}
	return strings.CutPrefix(r.URL.Path, "/service/"+p.Target+"/operation/")
}

// Decode implements wire.Protocol.
func (p Protocol) Decode(r wire.Request, _ string, in any) []string {
	if len(r.Body) == 0 {
		return wire.Dialect{Naming: wire.AsIs}.Fill(in, map[string]any{})
	}
	value, err := cbor.Decode(r.Body)
	if err != nil {
		return []string{"body: parse CBOR: " + err.Error()}
	}
	tree, err := plain(value)
	if err != nil {
		return []string{"body: parse CBOR: " + err.Error()}
	}
	return wire.Dialect{Naming: wire.AsIs}.Fill(in, tree)
}

func plain(value cbor.Value) (any, error) {
	switch v := value.(type) {
	case cbor.Map:
		members := make(map[string]any, len(v))
		for key, item := range v {
			child, err := plain(item)
			if err != nil {
				return nil, err
			}
			members[key] = child
		}
		return members, nil
	case cbor.List:
		items := make([]any, len(v))
		for i, item := range v {
			child, err := plain(item)
			if err != nil {
				return nil, err
			}
			items[i] = child
		}
		return items, nil
	case *cbor.Tag:
		return cbor.AsTime(v)
	case cbor.String:
		return string(v), nil
	case cbor.Slice:
		return []byte(v), nil
	case cbor.Bool:
		return bool(v), nil
	case cbor.Float32:
		return float64(v), nil
	case cbor.Float64:
		return float64(v), nil
	case cbor.Uint, cbor.NegInt:
		return cbor.AsInt64(v)
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	}
	return nil, fmt.Errorf("no way to read a %T", value)
}

// Encode implements wire.Protocol.
func (p Protocol) Encode(w http.ResponseWriter, _ string, out any, requestID string) {
	write(w, http.StatusOK, encoded(wire.Tree(reflect.ValueOf(out), wire.AsIs)), requestID)
}

// EncodeError implements wire.Protocol. CloudWatch came to CBOR from the query
// protocol, whose code travels in a header of its own.
func (p Protocol) EncodeError(w http.ResponseWriter, err *wire.Error, requestID string) {
	fault := "Sender"
	if err.HTTPStatus() >= 500 {
		fault = "Receiver"
	}
	w.Header().Set("X-Amzn-Query-Error", err.Code+";"+fault)
	shape := err.Code
	if p.Shapes[shape] != "" {
		shape = p.Shapes[shape]
	}
	body := cbor.Map{"__type": cbor.String(shape), "message": cbor.String(err.Message)}
	write(w, err.HTTPStatus(), body, requestID)
}

func write(w http.ResponseWriter, status int, body cbor.Value, requestID string) {
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("X-Amzn-RequestId", requestID)
	w.WriteHeader(status)
	w.Write(cbor.Encode(body))
}

func encoded(tree any) cbor.Value {
	switch n := tree.(type) {
	case map[string]any:
		members := make(cbor.Map, len(n))
		for key, value := range n {
			members[key] = encoded(value)
		}
		return members
	case []any:
		items := make(cbor.List, len(n))
		for i, item := range n {
			items[i] = encoded(item)
		}
		return items
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(n.UnixMilli()) / 1000)}
	case string:
		return cbor.String(n)
	case []byte:
		return cbor.Slice(n)
	case bool:
		return cbor.Bool(n)
	case float64:
		return cbor.Float64(n)
	case int64:
		if n < 0 {
			return cbor.NegInt(uint64(-n))
		}
		return cbor.Uint(uint64(n))
	}
	return &cbor.Nil{}
}

// Denied implements wire.Protocol.
func (Protocol) Denied() string { return "AccessDenied" }

// Throttled implements wire.Protocol.
func (Protocol) Throttled() string { return "ThrottlingException" }

// Unknown implements wire.Protocol.
func (Protocol) Unknown() string { return "UnknownOperationException" }
