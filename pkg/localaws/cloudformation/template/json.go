package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readJSON turns JSON into nodes, noting faults.
func readJSON(source []byte, faults *Faults) *Node {
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	r := jsonReader{Faults: faults, d: d, source: source}
	root, err := r.node("", 0)
	if err == nil {
		if _, extra := d.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("text follows the template")
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		faults.Add(r.line(), "", "JSON not well-formed: %v", err)
		return nil
	}
	return root
}

type jsonReader struct {
	*Faults
	d       *json.Decoder
	source  []byte
	counted int // bytes whose lines are counted
	lines   int
}

// line is the line that the last token stands on.
func (r *jsonReader) line() int {
	offset := int(r.d.InputOffset())
	r.lines += bytes.Count(r.source[r.counted:offset], []byte("\n"))
	r.counted = offset
	return r.lines + 1
}

func (r *jsonReader) node(path string, depth int) (*Node, error) {
	token, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	line := r.line()
	if depth > maxDepth {
		return nil, fmt.Errorf("%s is nested deeper than %d levels", path, maxDepth)
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return r.dict(line, path, depth)
		}
		return r.list(line, path, depth)
	case string:
		return String(line, t), nil
	case bool:
		return &Node{Line: line, Value: t, Text: fmt.Sprint(t)}, nil
	case json.Number:
		n := &Node{Line: line, Text: t.String()}
		if whole, err := t.Int64(); err == nil {
			n.Value = whole
		} else if n.Value, err = t.Float64(); err != nil {
			r.Add(line, path, "the number %s is out of range", t)
		}
		return n, nil
	}
	return &Node{Line: line}, nil
}

func (r *jsonReader) dict(line int, path string, depth int) (*Node, error) {
	dict := &Node{Kind: Dict, Line: line}
	for r.d.More() {
		token, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string) // the decoder refuses other keys
		keyLine := r.line()
		value, err := r.node(at(path, key), depth+1)
		if err != nil {
			return nil, err
		}
		if dict.Get(key) != nil {
			r.Add(keyLine, at(path, key), "is defined twice")
			continue
		}
		dict.Pairs = append(dict.Pairs, Pair{Key: key, Line: keyLine, Value: value})
	}
	_, err := r.d.Token() // }
	return dict, err
}

func (r *jsonReader) list(line int, path string, depth int) (*Node, error) {
	list := &Node{Kind: List, Line: line}
	for r.d.More() {
		value, err := r.node(item(path, len(list.Items)), depth+1)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, value)
	}
	_, err := r.d.Token() // ]
	return list, err
}
