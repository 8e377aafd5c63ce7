package source

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// escapeLen is the length of an escape such as \ud83d.
const escapeLen = 6

// breakHalves replaces escapes of one half of a surrogate pair by the mark for
// broken text, and reports whether there were any. A decoder would make U+FFFD of
// each, so that different texts, two keys among them, became one. What replaces
// an escape is as long as it, so that offsets hold; body itself is left alone.
func breakHalves(body []byte) ([]byte, bool) {
	found := false
	for i := 0; ; i = min(i, len(body)) {
		next := bytes.IndexByte(body[i:], '\\')
		if next < 0 {
			return body, found
		}
		i += next
		switch half := escaped(body[i:]); {
		case !utf16.IsSurrogate(half):
			i += 2 // what is left of a longer escape has no backslash
		case utf16.DecodeRune(half, escaped(body[i+escapeLen:])) != utf8.RuneError:
			i += 2 * escapeLen
		default:
			if !found {
				body, found = bytes.Clone(body), true
			}
			copy(body[i:], `\u`+strconv.FormatInt(broken, 16))
			i += escapeLen
		}
	}
}

// escaped returns what text escapes with \u at its beginning, -1 when it does not.
func escaped(text []byte) rune {
	if len(text) < escapeLen || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:escapeLen]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
