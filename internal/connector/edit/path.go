package edit

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Step is one step of a path: into a list where Index is not negative,
// otherwise to the key.
type Step struct {
	Key   string
	Index int
}

// Path names a place in a document; empty = the document itself.
type Path []Step

// At is the path of keys from the top.
func At(keys ...string) Path {
	p := make(Path, len(keys))
	for i, k := range keys {
		p[i] = Step{Key: k, Index: -1}
	}
	return p
}

// Key returns the path of a key below this one.
func (p Path) Key(key string) Path { return append(p[:len(p):len(p)], Step{Key: key, Index: -1}) }

// Item returns the path of a list's item, counted from 0.
func (p Path) Item(index int) Path { return append(p[:len(p):len(p)], Step{Index: index}) }

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// String writes the path as problems have it.
func (p Path) String() string {
	var b strings.Builder
	for _, s := range p {
		switch {
		case s.Index >= 0:
			fmt.Fprintf(&b, "[%d]", s.Index)
		case !plainKey.MatchString(s.Key):
			fmt.Fprintf(&b, "[%q]", s.Key)
		case b.Len() > 0:
			b.WriteString("." + s.Key)
		default:
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

// ParsePath reads what String writes.
func ParsePath(text string) (Path, error) {
	var p Path
	for rest := text; rest != ""; {
		step, after, err := parseStep(rest, len(p) == 0)
		if err != nil {
			return nil, fmt.Errorf("%q is no path in a document: %w", text, err)
		}
		p, rest = append(p, step), after
	}
	return p, nil
}

func parseStep(text string, first bool) (step Step, rest string, err error) {
	if inside, ok := strings.CutPrefix(text, "["); ok {
		return parseBracket(inside)
	}
	if !first {
		var dotted bool
		if text, dotted = strings.CutPrefix(text, "."); !dotted {
			return step, "", fmt.Errorf(`"." or "[" is missing before %q`, text)
		}
	}
	end := strings.IndexAny(text, ".[")
	if end < 0 {
		end = len(text)
	}
	if !plainKey.MatchString(text[:end]) {
		return step, "", fmt.Errorf("%q is no plain key", text[:end])
	}
	return Step{Key: text[:end], Index: -1}, text[end:], nil
}

func parseBracket(inside string) (step Step, rest string, err error) {
	if quoted, err := strconv.QuotedPrefix(inside); err == nil {
		key, _ := strconv.Unquote(quoted)
		rest, ok := strings.CutPrefix(inside[len(quoted):], "]")
		if !ok {
			return step, "", fmt.Errorf(`"]" is missing after %s`, quoted)
		}
		return Step{Key: key, Index: -1}, rest, nil
	}
	number, rest, ok := strings.Cut(inside, "]")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		return step, "", fmt.Errorf("%q is no index", number)
	}
	return Step{Index: int(n)}, rest, nil
}
