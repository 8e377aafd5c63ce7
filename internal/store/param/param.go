// Package param gives a statement of the store, whose parameters are written
// $1, $2, ..., the markers that an engine's driver understands. Each text is
// read once, when it is first used, by a scanner that knows strings, quoted
// names and comments; nothing but the markers changes, and from then on the
// result is looked up.
package param

import (
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Style is how a driver wants its markers.
type Style int

// The styles.
const (
	Question Style = iota // "?", one argument for each, in their order
	AtP                   // "@p1", by number
)

// Statement is a text with a driver's markers.
type Statement struct {
	Text string
	// order is the number of the parameter that each marker stands for, from 1;
	// nil where the arguments go as they are given.
	order []int
}

// Args are the arguments in the order of the markers. It fails when a marker
// stands for an argument that was not given.
func (s *Statement) Args(args []driver.NamedValue) ([]driver.NamedValue, error) {
	if s.order == nil {
		return args, nil
	}
	out := make([]driver.NamedValue, len(s.order))
	for i, n := range s.order {
		if n > len(args) {
			return nil, fmt.Errorf("parameter $%d has no argument: %d were given", n, len(args))
		}
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: args[n-1].Value}
	}
	return out, nil
}

// keep is how many statements a Set keeps: several times what the store has.
// Texts made for one occasion, as lists of alerts are, must not add up.
const keep = 4096

// Set keeps the statements of one style. Its methods may be called concurrently.
type Set struct {
	style Style
	known sync.Map // of *Statement, by text
	size  atomic.Int64
}

// New returns an empty set.
func New(style Style) *Set { return &Set{style: style} }

// Statement returns the statement of a text. One without parameters is the text
// itself.
func (s *Set) Statement(text string) *Statement {
	if known, ok := s.known.Load(text); ok {
		return known.(*Statement)
	}
	st := translate(text, s.style)
	if s.size.Load() < keep {
		if _, loaded := s.known.LoadOrStore(text, st); !loaded {
			s.size.Add(1)
		}
	}
	return st
}

func translate(text string, style Style) *Statement {
	var out strings.Builder
	st := &Statement{}
	for len(text) > 0 {
		if n := opaque(text); n > 0 {
			out.WriteString(text[:n])
			text = text[n:]
			continue
		}
		number, n := marker(text)
		if n == 0 {
			out.WriteByte(text[0])
			text = text[1:]
			continue
		}
		text = text[n:]
		if style == AtP {
			out.WriteString("@p" + strconv.Itoa(number))
			continue
		}
		out.WriteByte('?')
		st.order = append(st.order, number)
	}
	st.Text = out.String()
	return st
}

// marker reads a parameter at the beginning of the text, and how long it is.
func marker(text string) (number, length int) {
	if text[0] != '$' {
		return 0, 0
	}
	length = 1
	for length < len(text) && text[length] >= '0' && text[length] <= '9' {
		length++
	}
	number, err := strconv.Atoi(text[1:length])
	if err != nil || number == 0 {
		return 0, 0
	}
	return number, length
}

// opaque is how long the string, quoted name or comment is that the text begins
// with; 0 where it begins with none. One that does not end goes to the end.
func opaque(text string) int {
	switch {
	case text[0] == '\'' || text[0] == '"' || text[0] == '`':
		return through(text, 1, text[:1])
	case text[0] == '[':
		return through(text, 1, "]")
	case strings.HasPrefix(text, "--"):
		return through(text, 2, "\n")
	case strings.HasPrefix(text, "/*"):
		return through(text, 2, "*/")
	}
	return 0
}

// through is where the end is passed. A doubled quote inside a string begins the
// next string, which comes to the same.
func through(text string, from int, end string) int {
	n := strings.Index(text[from:], end)
	if n < 0 {
		return len(text)
	}
	return from + n + len(end)
}
