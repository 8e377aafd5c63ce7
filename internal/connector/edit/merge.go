package edit

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Change is one value in which two documents differ.
type Change struct {
	Path string `json:"path"`
	Old  string `json:"old"` // in one line; "" = not there
	New  string `json:"new"` // the same
}

// Changes lists the values in which two documents differ, in the new one's
// order. Its error is of kind fault.Invalid: one of them is no YAML.
func Changes(old, next string) ([]Change, error) {
	a, err := parse(old)
	if err != nil {
		return nil, err
	}
	b, err := parse(next)
	if err != nil {
		return nil, err
	}
	var all []Change
	changes(&all, nil, a, b)
	return all, nil
}

func changes(all *[]Change, p Path, a, b *yaml.Node) {
	if same(a, b) {
		return
	}
	before, okA := parts(a)
	after, okB := parts(b)
	told := len(*all)
	if okA && okB && (a == nil || b == nil || a.Kind == b.Kind) {
		for _, key := range union(after, before) {
			changes(all, p.Key(key), before.get(key), after.get(key))
		}
	}
	if len(*all) == told { // no named parts, or another order of them
		*all = append(*all, Change{Path: p.String(), Old: brief(a), New: brief(b)})
	}
}

// Overlap is a value that both sides of a merge changed, each in its own way.
type Overlap struct {
	Path   string `json:"path"`
	Base   string `json:"base"` // in one line; "" = not there
	Mine   string `json:"mine"`
	Theirs string `json:"theirs"`
}

// Prefer says whose value a merge takes where both sides changed it.
type Prefer int

// The sides.
const (
	Mine Prefer = iota
	Theirs
)

// Merge brings both changes of a base text together: what one side alone
// changed is taken from it. Where both changed the same value, the preferred
// side's is taken and told as an overlap. Layout and comments are theirs, with
// mine where the value is mine. Its error is of kind fault.Invalid: one of the
// texts is no YAML.
func Merge(base, mine, theirs string, prefer Prefer) (merged string, overlaps []Overlap, err error) {
	b, err := parse(base)
	if err != nil {
		return "", nil, err
	}
	m, err := parse(mine)
	if err != nil {
		return "", nil, err
	}
	result, err := Open(theirs)
	if err != nil {
		return "", nil, err
	}
	w := merger{prefer: prefer}
	if root := w.merge(nil, b, m, result.root); root != nil {
		result.root = root
	} else {
		result.root = &yaml.Node{Kind: yaml.MappingNode}
	}
	return result.String(), w.overlaps, nil
}

type merger struct {
	prefer   Prefer
	overlaps []Overlap
}

// merge returns the merged value, nil when there is none.
func (w *merger) merge(p Path, base, mine, theirs *yaml.Node) *yaml.Node {
	switch {
	case same(mine, theirs), same(base, mine):
		return theirs
	case same(base, theirs):
		return mine
	}
	b, okB := parts(base)
	m, okM := parts(mine)
	t, okT := parts(theirs)
	if !okM || !okT || mine == nil || theirs == nil || mine.Kind != theirs.Kind || base != nil && !okB {
		w.overlaps = append(w.overlaps, Overlap{Path: p.String(), Base: brief(base), Mine: brief(mine), Theirs: brief(theirs)})
		if w.prefer == Mine {
			return mine
		}
		return theirs
	}
	result := *theirs
	result.Content = nil
	for _, key := range union(t, m) {
		value := w.merge(p.Key(key), b.get(key), m.get(key), t.get(key))
		if value == nil {
			continue
		}
		if theirs.Kind == yaml.MappingNode {
			result.Content = append(result.Content, keyNode(key, t, m))
		}
		result.Content = append(result.Content, value)
	}
	return &result
}

func keyNode(key string, sides ...parted) *yaml.Node {
	for _, side := range sides {
		if i := slices.Index(side.keys, key); i >= 0 && side.nodes[i] != nil {
			return side.nodes[i]
		}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: key}
}

// parted is a value with named parts: keys, or a list whose items have names.
type parted struct {
	keys   []string
	nodes  []*yaml.Node // of the keys; nil in a list
	values []*yaml.Node
}

func (p parted) get(key string) *yaml.Node {
	if i := slices.Index(p.keys, key); i >= 0 {
		return p.values[i]
	}
	return nil
}

// parts takes a value apart; ok is false when it has no named parts. What is
// not there has none, and can be compared with what has some.
func parts(n *yaml.Node) (p parted, ok bool) {
	switch {
	case n == nil:
		return p, true
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			p.keys = append(p.keys, n.Content[i].Value)
			p.nodes = append(p.nodes, n.Content[i])
			p.values = append(p.values, n.Content[i+1])
		}
		return p, true
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			name := child(item, "name")
			if name == nil || name.Kind != yaml.ScalarNode || slices.Contains(p.keys, name.Value) {
				return parted{}, false
			}
			p.keys, p.nodes, p.values = append(p.keys, name.Value), append(p.nodes, nil), append(p.values, item)
		}
		return p, len(n.Content) > 0
	}
	return p, false
}

// union lists the keys of both, in the first's order, then the second's own.
func union(first, second parted) []string {
	keys := slices.Clone(first.keys)
	for _, key := range second.keys {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// brief writes a value in one line for people: "" when it is not there.
func brief(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	var inner []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			inner = append(inner, n.Content[i].Value+": "+brief(n.Content[i+1]))
		}
		return "{" + strings.Join(inner, ", ") + "}"
	case yaml.SequenceNode:
		for _, item := range n.Content {
			inner = append(inner, brief(item))
		}
		return "[" + strings.Join(inner, ", ") + "]"
	}
	if n.Value == "" || strings.ContainsAny(n.Value, "\n\r\t") {
		return strconv.Quote(n.Value)
	}
	return n.Value
}
