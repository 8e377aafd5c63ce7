package remote

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"tieline/internal/secret"
)

// shown is how much of a remote's text a message repeats, in runes.
const shown = 200

// Clean makes a remote's text fit to be shown: one line, printable, short.
func Clean(text string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		if r == ' ' {
			space = b.Len() > 0
			continue
		}
		if n >= shown {
			b.WriteString("…")
			break
		}
		if space {
			b.WriteByte(' ')
			n, space = n+1, false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// scrubber removes secrets from texts that come from outside: a remote may
// echo the credentials it was sent.
type scrubber struct{ replacer *strings.Replacer }

// minSecret is the length from which a secret is searched for in texts; the
// removal of a shorter one would only garble them.
const minSecret = 4

func newScrubber(user string, secrets []secret.String) scrubber {
	var pairs []string
	for _, s := range secrets {
		v := s.Reveal()
		if len(v) < minSecret {
			continue
		}
		basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + v))
		for _, form := range []string{v, basic, base64.StdEncoding.EncodeToString([]byte(v))} {
			pairs = append(pairs, form, "[redacted]")
		}
	}
	return scrubber{strings.NewReplacer(pairs...)}
}

func (s scrubber) text(t string) string { return s.replacer.Replace(t) }

func (s scrubber) error(err error) error {
	if err == nil {
		return nil
	}
	return scrubbed{text: s.text(err.Error()), cause: err}
}

// scrubbed is an error that can be recognised but prints no secret. It has no
// Unwrap, because printing the cause would.
type scrubbed struct {
	text  string
	cause error
}

func (e scrubbed) Error() string        { return e.text }
func (e scrubbed) Is(target error) bool { return errors.Is(e.cause, target) }
