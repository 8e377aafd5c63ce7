package source

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// once notes every key that an object of the body gives twice: a decoder takes
// the last one without a word, and whoever wrote both meant something else. Two
// counts tell that there is none, which is nearly free; only where they differ is
// the body read once more.
func (b *Body) once(body []byte) {
	if colons(body) != entries(b.Root) {
		b.noteTwice(json.NewDecoder(bytes.NewReader(body)), "")
	}
}

// colons counts those outside of texts: one for each key of a body that is JSON.
func colons(body []byte) int {
	n, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
		case inText && c == '\\':
			i++
		case !inText && c == ':':
			n++
		}
	}
	return n
}

// entries counts the keys that are left of a decoded value.
func entries(value any) int {
	n := 0
	switch v := value.(type) {
	case map[string]any:
		n = len(v)
		for _, inner := range v {
			n += entries(inner)
		}
	case []any:
		for _, inner := range v {
			n += entries(inner)
		}
	}
	return n
}

// noteTwice reads one value, which is known to be JSON.
func (b *Body) noteTwice(d *json.Decoder, path string) {
	token, err := d.Token()
	if err != nil {
		return
	}
	switch token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			key, _ := d.Token()
			name := fmt.Sprint(key)
			at := Join(path, name)
			if seen[name] {
				b.Fail(at, "the key is given twice; give it once")
			}
			seen[name] = true
			b.noteTwice(d, at)
		}
		_, _ = d.Token()
	case json.Delim('['):
		for i := 0; d.More(); i++ {
			b.noteTwice(d, fmt.Sprintf("%s[%d]", path, i))
		}
		_, _ = d.Token()
	}
}
