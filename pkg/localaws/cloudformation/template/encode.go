package template

import (
	"bytes"
	"encoding/json"
)

// MarshalJSON writes the node as JSON, in the order of the text.
func (n *Node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	switch n.Kind {
	case List:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encode(&b, item); err != nil {
				return nil, err
			}
		}
		b.WriteByte(']')
	case Dict:
		b.WriteByte('{')
		for i, p := range n.Pairs {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encode(&b, p.Key); err != nil {
				return nil, err
			}
			b.WriteByte(':')
			if err := encode(&b, p.Value); err != nil {
				return nil, err
			}
		}
		b.WriteByte('}')
	default:
		return json.Marshal(n.Value)
	}
	return b.Bytes(), nil
}

func encode(b *bytes.Buffer, v any) error {
	text, err := json.Marshal(v)
	b.Write(text)
	return err
}
