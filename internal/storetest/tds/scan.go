package tds

import (
	"iter"
	"strings"
)

// split cuts a text at a mark that stands outside of quotes and parentheses.
func split(text string, mark byte) (parts []string) {
	from := 0
	for i, depth := range unquoted(text, 0) {
		if depth == 0 && text[i] == mark {
			parts, from = append(parts, text[from:i]), i+1
		}
	}
	return append(parts, text[from:])
}

// unquoted goes through a text from a place on, past quotes, and tells how many
// parentheses are open that opened on the way, each counted in its own place; one
// that closes what opened before makes it negative.
func unquoted(text string, from int) iter.Seq2[int, int] {
	return func(yield func(i, depth int) bool) {
		depth := 0
		for i := from; i < len(text); i++ {
			switch text[i] {
			case '\'':
				i = quoteEnd(text, i)
			case '(':
				depth++
			case ')':
				depth--
			}
			if !yield(i, depth) {
				return
			}
		}
	}
}

// quoteEnd is where the quotes end that begin at i. (Two quotes for one are two
// texts side by side here.)
func quoteEnd(text string, i int) int {
	if n := strings.IndexByte(text[i+1:], '\''); n >= 0 {
		return i + 1 + n
	}
	return len(text) - 1
}

// outside finds a word that stands outside of quotes and parentheses; -1 = none.
func outside(text, word string) int {
	for i, depth := range unquoted(text, 0) {
		if depth == 0 && strings.HasPrefix(text[i:], word) && !within(text, i-1) && !within(text, i+len(word)) {
			return i
		}
	}
	return -1
}

// within reports whether what stands there belongs to a word.
func within(text string, i int) bool {
	return i >= 0 && i < len(text) && (text[i] == '_' || text[i] == '.' || text[i] == '@' ||
		text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z')
}

// closing is where the parenthesis closes that is open at i, or the text ends.
func closing(text string, i int) int {
	for i, depth := range unquoted(text, i) {
		if depth < 0 {
			return i
		}
	}
	return len(text)
}

// opening is where the parenthesis opens that is open at i. No quotes hold one.
func opening(text string, i int) int {
	depth := 0
	for i--; i >= 0; i-- {
		switch text[i] {
		case ')':
			depth++
		case '(':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	panic("no parenthesis is open in " + text)
}
