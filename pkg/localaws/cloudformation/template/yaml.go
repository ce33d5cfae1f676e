package template

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	yaml "github.com/goccy/go-yaml"
)

// maxDepth bounds nesting, so that no template can exhaust the stack.
const maxDepth = 200

// readYAML turns YAML into nodes, noting faults.
func readYAML(source []byte, faults *Faults) (root *Node) {
	// The parser is not ours, and templates come over the network.
	defer func() {
		if r := recover(); r != nil {
			faults.Add(0, "", "YAML not well-formed: %v", r)
			root = nil
		}
	}()
	if strings.Contains(string(source), standIn) {
		faults.Add(0, "", "YAML not well-formed: the character U+E03A is not allowed")
		return nil
	}
	text := strings.ReplaceAll(string(source), "\r\n", "\n")
	if !strings.HasSuffix(text, "\n") {
		text += "\n" // else the parser does not fold a scalar at the end
	}
	file, err := parser.ParseBytes([]byte(hideColons(text)), 0)
	if err != nil {
		line, message := 0, err.Error()
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			message = syntax.GetMessage()
			if t := syntax.GetToken(); t != nil {
				line = t.Position.Line
			}
		}
		faults.Add(line, "", "YAML not well-formed: %s", showColons(message))
		return nil
	}
	if len(file.Docs) > 1 {
		faults.Add(lineOf(file.Docs[1]), "", "has %d YAML documents, want one", len(file.Docs))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil
	}
	r := yamlReader{faults}
	return r.node(file.Docs[0].Body, "", 0)
}

type yamlReader struct{ *Faults }

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

func (r yamlReader) node(n ast.Node, path string, depth int) *Node {
	line := lineOf(n)
	if depth > maxDepth {
		r.Add(line, path, "is nested deeper than %d levels", maxDepth)
		return &Node{Line: line}
	}
	switch n := n.(type) {
	case nil:
		return &Node{Line: line}
	case *ast.MappingNode:
		return r.dict(line, n.Values, path, depth)
	case *ast.MappingValueNode:
		return r.dict(line, []*ast.MappingValueNode{n}, path, depth)
	case *ast.SequenceNode:
		list := &Node{Kind: List, Line: line}
		for i, value := range n.Values {
			list.Items = append(list.Items, r.node(value, item(path, i), depth+1))
		}
		return list
	case *ast.TagNode:
		return r.tag(n, path, depth)
	case *ast.AnchorNode:
		r.Add(line, path, "YAML anchors and aliases are not supported by CloudFormation")
		return r.node(n.Value, path, depth+1)
	case *ast.AliasNode:
		r.Add(line, path, "YAML anchors and aliases are not supported by CloudFormation")
		return &Node{Line: line}
	}
	return r.scalar(n, path, line)
}

func (r yamlReader) dict(line int, values []*ast.MappingValueNode, path string, depth int) *Node {
	dict := &Node{Kind: Dict, Line: line}
	seen := map[string]bool{}
	for _, v := range values {
		keyLine := lineOf(v.Key)
		if v.Key.IsMergeKey() {
			r.Add(keyLine, path, "YAML merges (<<) are not supported by CloudFormation")
			continue
		}
		key, ok := keyText(v.Key)
		if !ok {
			r.Add(keyLine, path, "has a key that is not a string")
			continue
		}
		if seen[key] {
			r.Add(keyLine, at(path, key), "is defined twice")
			continue
		}
		seen[key] = true
		if r.swallows(v) {
			r.Add(keyLine, at(path, key), "the tag has no value; write '' after it if it needs none")
			continue
		}
		dict.Pairs = append(dict.Pairs, Pair{Key: key, Line: keyLine, Value: r.node(v.Value, at(path, key), depth+1)})
	}
	return dict
}

// swallows says that a tag without a value took the entries after it for its
// value, as the parser lets it.
func (r yamlReader) swallows(v *ast.MappingValueNode) bool {
	tag, ok := v.Value.(*ast.TagNode)
	if !ok {
		return false
	}
	value, ok := tag.Value.(*ast.MappingNode)
	if !ok || value.IsFlowStyle || len(value.Values) == 0 {
		return false
	}
	return value.Values[0].Key.GetToken().Position.Column <= v.Key.GetToken().Position.Column
}

func keyText(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return showColons(k.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return key.GetToken().Value, true
	}
	return "", false
}

// shortTags are the intrinsics that YAML has a short form for.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
var shortTags = map[string]string{
	"!Ref": "Ref", "!Condition": "Condition", "!GetAtt": "Fn::GetAtt", "!Sub": "Fn::Sub",
	"!Join": "Fn::Join", "!Select": "Fn::Select", "!Split": "Fn::Split", "!If": "Fn::If",
	"!Equals": "Fn::Equals", "!And": "Fn::And", "!Or": "Fn::Or", "!Not": "Fn::Not",
	"!FindInMap": "Fn::FindInMap", "!ImportValue": "Fn::ImportValue", "!GetAZs": "Fn::GetAZs",
	"!Base64": "Fn::Base64", "!Cidr": "Fn::Cidr",
}

func (r yamlReader) tag(n *ast.TagNode, path string, depth int) *Node {
	line, name := n.Start.Position.Line, showColons(n.Start.Value)
	argument := r.node(n.Value, path, depth+1)
	if name == "!!str" && argument.Kind == Scalar {
		return String(line, argument.Text)
	}
	function, ok := shortTags[name]
	if !ok {
		r.Add(line, path, "unknown intrinsic function %s", name)
		return String(line, "") // one fault is enough
	}
	return Call(line, function, argument)
}

func (r yamlReader) scalar(n ast.Node, path string, line int) *Node {
	node := &Node{Line: line}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		node.Text = showColons(n.Value)
		node.Value = node.Text
		if n.Token != nil && n.Token.Type == token.StringType { // not quoted
			plainBoolean(node)
		}
	case *ast.LiteralNode:
		node.Text = showColons(n.Value.Value)
		node.Value = node.Text
	case *ast.BoolNode:
		node.Value, node.Text = n.Value, fmt.Sprint(n.Value)
	case *ast.IntegerNode:
		node.Value, node.Text = wholeNumber(n.Value), n.Token.Value
	case *ast.FloatNode:
		node.Value, node.Text = n.Value, n.Token.Value
	default:
		r.Add(line, path, "a YAML %s is not supported by CloudFormation", strings.ToLower(n.Type().String()))
	}
	return node
}

// plainBoolean reads yes, no, on and off as YAML 1.1 does, which CloudFormation
// speaks.
func plainBoolean(node *Node) {
	switch node.Text {
	case "yes", "Yes", "YES", "on", "On", "ON":
		node.Value, node.Text = true, "true"
	case "no", "No", "NO", "off", "Off", "OFF":
		node.Value, node.Text = false, "false"
	}
}

func wholeNumber(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		if v <= 1<<63-1 {
			return int64(v)
		}
		return float64(v)
	}
	return v
}
