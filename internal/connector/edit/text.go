package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"tieline/internal/fault"
)

// Text is a document's text that is being edited.
type Text struct {
	source    string
	root      *yaml.Node                // a mapping
	untouched map[*yaml.Node]*yaml.Node // top-level key -> its value as it was
}

// Open reads a text that can be edited: YAML with keys at the top, or nothing
// at all. Its error is of kind fault.Invalid.
func Open(text string) (*Text, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	t := &Text{source: text, root: root, untouched: make(map[*yaml.Node]*yaml.Node)}
	for i := 0; i+1 < len(root.Content); i += 2 {
		t.untouched[root.Content[i]] = clone(root.Content[i+1])
	}
	return t, nil
}

func parse(text string) (*yaml.Node, error) {
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "the document is not valid YAML, so that no single value of it can be changed").
			WithNext("Mend it as text first.")
	case len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode:
		return nil, fault.New(fault.Invalid, "the document has no keys at its top, so that no single value of it can be changed").
			WithNext("Mend it as text first.")
	}
	return document.Content[0], nil
}

// Node returns what stands at a path, nil when nothing does.
func (t *Text) Node(p Path) *yaml.Node {
	n := t.root
	for _, s := range p {
		switch {
		case n == nil:
			return nil
		case s.Index < 0:
			n = child(n, s.Key)
		case n.Kind == yaml.SequenceNode && s.Index < len(n.Content):
			n = n.Content[s.Index]
		default:
			return nil
		}
	}
	return n
}

// Scalar returns the value at a path as it is written; ok is false when there
// is none, or a list or keys.
func (t *Text) Scalar(p Path) (value string, ok bool) {
	n := t.Node(p)
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return "", false
	}
	return n.Value, true
}

// Keys returns the keys at a path in their order; none where no keys stand.
func (t *Text) Keys(p Path) []string {
	n := t.Node(p)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var keys []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}

// Len is how many items the list at a path has; 0 where there is no list.
func (t *Text) Len(p Path) int {
	n := t.Node(p)
	if n == nil || n.Kind != yaml.SequenceNode {
		return 0
	}
	return len(n.Content)
}

// Set puts a value (text, number, truth, or maps and lists of them) at a path
// and makes the keys above it. The comments on what stood there stay. Its error
// is of kind fault.Invalid: something else stands in the way.
func (t *Text) Set(p Path, value any) error {
	fresh := new(yaml.Node)
	if err := fresh.Encode(value); err != nil {
		return fmt.Errorf("write the value of %s: %w", p, err)
	}
	n, err := t.make(p)
	if err != nil {
		return err
	}
	fresh.HeadComment, fresh.LineComment, fresh.FootComment = n.HeadComment, n.LineComment, n.FootComment
	if n.Kind == fresh.Kind && fresh.Style == 0 && n.ShortTag() == fresh.ShortTag() {
		fresh.Style = n.Style
	}
	*n = *fresh
	return nil
}

// make returns the node at a path, and makes it where it is missing.
func (t *Text) make(p Path) (*yaml.Node, error) {
	n := t.root
	for i, s := range p {
		if s.Index >= 0 {
			if n.Kind != yaml.SequenceNode || s.Index >= len(n.Content) {
				return nil, inTheWay(p[:i+1])
			}
			n = n.Content[s.Index]
			continue
		}
		if n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
			n.Kind, n.Tag, n.Value, n.Style = yaml.MappingNode, "", "", 0
		}
		if n.Kind != yaml.MappingNode {
			return nil, inTheWay(p[:i])
		}
		next := child(n, s.Key)
		if next == nil {
			next = &yaml.Node{}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s.Key}, next)
		}
		n = next
	}
	return n, nil
}

func inTheWay(p Path) error {
	return fault.InvalidInput("the document cannot be changed there",
		[]fault.Problem{{Path: p.String(), Message: "something else stands here; mend it as text first"}})
}

// Remove takes what stands at a path away, and the keys above it that have
// nothing left.
func (t *Text) Remove(p Path) {
	for len(p) > 0 {
		parent, last := t.Node(p[:len(p)-1]), p[len(p)-1]
		if parent == nil {
			return
		}
		switch {
		case last.Index < 0:
			removeKey(parent, last.Key)
		case parent.Kind == yaml.SequenceNode && last.Index < len(parent.Content):
			parent.Content = slices.Delete(parent.Content, last.Index, last.Index+1)
		}
		if len(parent.Content) > 0 {
			return
		}
		p = p[:len(p)-1]
	}
}

func removeKey(mapping *yaml.Node, key string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key && mapping.Kind == yaml.MappingNode {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}

// Append adds an item to the list at a path, which it makes where it is missing.
func (t *Text) Append(p Path, value any) error {
	fresh := new(yaml.Node)
	if err := fresh.Encode(value); err != nil {
		return fmt.Errorf("write an item of %s: %w", p, err)
	}
	n, err := t.make(p)
	if err != nil {
		return err
	}
	if n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		n.Kind, n.Tag, n.Value, n.Style = yaml.SequenceNode, "", "", 0
	}
	if n.Kind != yaml.SequenceNode {
		return inTheWay(p)
	}
	n.Content = append(n.Content, fresh)
	return nil
}

// Move moves an item of the list at a path to another place in it. Places that
// the list does not have change nothing.
func (t *Text) Move(p Path, from, to int) {
	n := t.Node(p)
	if n == nil || n.Kind != yaml.SequenceNode || min(from, to) < 0 || max(from, to) >= len(n.Content) {
		return
	}
	item := n.Content[from]
	n.Content = slices.Insert(slices.Delete(n.Content, from, from+1), to, item)
}

func child(mapping *yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func clone(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, inner := range n.Content {
		c.Content[i] = clone(inner)
	}
	return &c
}

// same reports whether two nodes say the same; comments and layout say nothing.
func same(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Value != b.Value || a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) {
		return false
	}
	return slices.EqualFunc(a.Content, b.Content, same)
}

// Block returns what stands at a path as YAML of its own, "" where nothing does.
func (t *Text) Block(p Path) string {
	n := t.Node(p)
	if n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return ""
	}
	return encode(n)
}

// SetBlock puts a part of a document, written as YAML of its own, at a path. Its
// error is of kind fault.Invalid: the text is no YAML, or something else stands
// in the way.
func (t *Text) SetBlock(p Path, text string) error {
	var part yaml.Node
	if err := yaml.Unmarshal([]byte(text), &part); err != nil || len(part.Content) == 0 {
		return fault.InvalidInput("the text cannot be put into the document",
			[]fault.Problem{{Path: p.String(), Message: "it is not valid YAML"}})
	}
	n, err := t.make(p)
	if err != nil {
		return err
	}
	*n = *part.Content[0]
	return nil
}
