package edit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// String writes the document. Sections (the keys at the top) that were not
// changed keep their text to the letter; the others are written anew, with
// their comments. Where that cannot be done faithfully, all of it is.
func (t *Text) String() string {
	if spliced, ok := t.splice(); ok && t.faithful(spliced) {
		return spliced
	}
	return encode(t.root)
}

// encode writes a node by itself. A tree that was read, or encoded from plain
// values, can always be written.
func encode(n *yaml.Node) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		panic(fmt.Sprintf("write a YAML tree: %v", err))
	}
	return b.String()
}

// section is a key at the top with the lines it stands on.
type section struct {
	key         *yaml.Node
	body, after []string // after: the blank lines and comments before the next
}

// splice puts the text together from the sections as they were and those that
// changed. ok is false when the text is not written in sections.
func (t *Text) splice() (text string, ok bool) {
	lines := splitLines(t.source)
	before, sections, ok := t.sections(lines)
	if !ok {
		return "", false
	}
	var b strings.Builder
	write := func(lines []string) {
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
	}
	write(before)
	for _, s := range sections {
		if value := t.valueOf(s.key); value != nil {
			if same(value, t.untouched[s.key]) {
				write(s.body)
			} else {
				b.WriteString(encodePair(s.key, value))
			}
		}
		write(s.after)
	}
	for i := 0; i+1 < len(t.root.Content); i += 2 {
		if key := t.root.Content[i]; t.untouched[key] == nil {
			b.WriteString(encodePair(key, t.root.Content[i+1]))
		}
	}
	return b.String(), true
}

// sections cuts the source at the keys that stood at its top.
func (t *Text) sections(lines []string) (before []string, all []section, ok bool) {
	var keys []*yaml.Node
	for key := range t.untouched {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b *yaml.Node) int { return a.Line - b.Line })
	start := len(lines)
	if len(keys) > 0 {
		start = keys[0].Line - 1
	}
	for i, key := range keys {
		end := len(lines)
		if i+1 < len(keys) {
			end = keys[i+1].Line - 1
		}
		if key.Column != 1 || key.Line-1 >= end {
			return nil, nil, false
		}
		body := key.Line - 1
		last := end
		for last > body+1 && between(lines[last-1]) {
			last--
		}
		all = append(all, section{key: key, body: lines[body:last], after: lines[last:end]})
	}
	return lines[:start], all, true
}

// between reports whether a line stands between sections.
func between(line string) bool { return strings.TrimSpace(line) == "" || line[0] == '#' }

func (t *Text) valueOf(key *yaml.Node) *yaml.Node {
	i := slices.Index(t.root.Content, key)
	if i < 0 || i%2 != 0 {
		return nil
	}
	return t.root.Content[i+1]
}

// encodePair writes one section. The comments around it stand in the text.
func encodePair(key, value *yaml.Node) string {
	k := *key
	k.HeadComment, k.FootComment = "", ""
	return encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{&k, value}})
}

// faithful reports whether a text says what the tree says, comments included.
func (t *Text) faithful(text string) bool {
	again, err := parse(text)
	if err != nil || !same(t.root, again) {
		return false
	}
	return slices.Equal(t.commentsKept(), comments(again))
}

// commentsKept are the comments that must be there: all of the tree's, and
// those that stood around sections which were removed.
func (t *Text) commentsKept() []string {
	kept := comments(t.root)
	lines := splitLines(t.source)
	before, sections, ok := t.sections(lines)
	if !ok {
		return kept
	}
	around := slices.Clone(before)
	for _, s := range sections {
		around = append(around, s.after...)
	}
	for _, line := range around {
		if text := strings.TrimSpace(line); text != "" && text[0] == '#' && !slices.Contains(kept, text) {
			kept = append(kept, text)
		}
	}
	slices.Sort(kept)
	return kept
}

// comments lists the lines of all comments of a tree, sorted.
func comments(n *yaml.Node) []string {
	var all []string
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		for _, text := range []string{n.HeadComment, n.LineComment, n.FootComment} {
			for line := range strings.SplitSeq(text, "\n") {
				if line = strings.TrimSpace(line); line != "" {
					all = append(all, line)
				}
			}
		}
		for _, inner := range n.Content {
			walk(inner)
		}
	}
	walk(n)
	slices.Sort(all)
	return all
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
