package template

import "strings"

// A Kind says what a Node is.
type Kind int

// The kinds of node. A call of an intrinsic function is a Dict of one pair.
const (
	Scalar Kind = iota
	List
	Dict
)

// A Node is a part of a template and where it stands.
type Node struct {
	Kind  Kind
	Line  int
	Value any    // of a scalar: string, bool, int64, float64 or nil
	Text  string // of a scalar: as a string, numbers as written
	Items []*Node
	Pairs []Pair
}

// A Pair is an entry of a Dict.
type Pair struct {
	Key   string
	Line  int
	Value *Node
}

// String makes a scalar.
func String(line int, text string) *Node {
	return &Node{Kind: Scalar, Line: line, Value: text, Text: text}
}

// Listing makes a list.
func Listing(line int, items ...*Node) *Node {
	return &Node{Kind: List, Line: line, Items: items}
}

// Map makes an empty dict.
func Map(line int) *Node { return &Node{Kind: Dict, Line: line} }

// Call makes a call of an intrinsic function.
func Call(line int, function string, argument *Node) *Node {
	return Map(line).With(function, argument)
}

// With adds a pair to a dict, or replaces the value of its key, and returns the
// dict. A nil value adds nothing.
func (n *Node) With(key string, value *Node) *Node {
	if value == nil {
		return n
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key == key {
			n.Pairs[i].Value = value
			return n
		}
	}
	n.Pairs = append(n.Pairs, Pair{Key: key, Line: value.Line, Value: value})
	return n
}

// Get is the value of a dict's key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

// IsString says that the node is a string, and which.
func (n *Node) IsString() (string, bool) {
	if n == nil || n.Kind != Scalar {
		return "", false
	}
	s, ok := n.Value.(string)
	return s, ok
}

// Call takes a call of an intrinsic function apart. A dict that has a
// function's name among other keys is not a call; check reports it.
func (n *Node) Call() (function string, argument *Node, ok bool) {
	if n == nil || n.Kind != Dict || len(n.Pairs) != 1 || !intrinsicName(n.Pairs[0].Key) {
		return "", nil, false
	}
	return n.Pairs[0].Key, n.Pairs[0].Value, true
}

func intrinsicName(key string) bool {
	return key == "Ref" || strings.HasPrefix(key, "Fn::")
}

// Literal is the node as maps, lists and scalars, with intrinsics left as they
// are written.
func (n *Node) Literal() any {
	switch n.Kind {
	case List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.Literal()
		}
		return list
	case Dict:
		dict := make(map[string]any, len(n.Pairs))
		for _, p := range n.Pairs {
			dict[p.Key] = p.Value.Literal()
		}
		return dict
	}
	return n.Value
}

// kind names what the node is in messages.
func (n *Node) kind() string {
	if f, _, ok := n.Call(); ok {
		return "a call of " + f
	}
	switch n.Kind {
	case List:
		return "a list"
	case Dict:
		return "a map"
	}
	switch n.Value.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}
