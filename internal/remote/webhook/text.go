package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"tieline/internal/remote"
)

// maxBody bounds what a template may produce, in bytes.
const maxBody = 1 << 20

// text is a template of a request.
type text struct {
	key    string // where it stands, for messages
	escape bool   // it is a path: blanks and control characters are not let through
	parsed *template.Template
}

var functions = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"path":    url.PathEscape,
	"lower":   strings.ToLower,
	"upper":   strings.ToUpper,
	"trim":    strings.TrimSpace,
	"replace": func(old, new, s string) string { return strings.ReplaceAll(s, old, new) },
	"join":    joined,
	"default": func(otherwise, s string) string {
		if s == "" {
			return otherwise
		}
		return s
	},
	"call": func(...any) (string, error) { return "", errors.New("call is not available here") },
}

// joined writes a map's pairs in the order of their names: {{ join ", " .Alert.Labels }}.
func joined(separator string, m map[string]string) string {
	pairs := make([]string, 0, len(m))
	for name, value := range m {
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	return strings.Join(pairs, separator)
}

func parseText(key, source string) (*text, error) {
	t, err := template.New(key).Option("missingkey=zero").Funcs(functions).Parse(source)
	if err != nil {
		return nil, fmt.Errorf("is not a template: %s", remote.Clean(strings.TrimPrefix(err.Error(), "template: ")))
	}
	return &text{key: key, parsed: t}, nil
}

func literal(s string) *text {
	t, _ := parseText("path", s) // only ever a constant of ours
	return t
}

func readText(r *remote.Reader, key string) *text {
	t, err := parseText(key, r.Text(key, ""))
	if err != nil {
		r.Bad(key, "%v", err)
		return literal("")
	}
	for _, said := range mistakes(t.parsed) {
		r.Bad(key, "%s", said)
	}
	return t
}

// render executes the template over a message.
func (t *text) render(m remote.Message) (string, error) {
	if m.Alert == nil {
		m.Alert = &remote.MessageAlert{}
	}
	if m.Note == nil {
		m.Note = &remote.MessageNote{}
	}
	var b bounded
	if err := t.parsed.Execute(&b, m); err != nil {
		return "", remote.Refuse("the template of %s fails: %s", t.key, remote.Clean(err.Error()))
	}
	s := b.String()
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if t.escape && strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
		return "", remote.Refuse(`the template of %s gives blanks, "#" or control characters: use path or urlquery`, t.key)
	}
	if t.escape && s != "" && s[0] != '/' && s[0] != '?' {
		return "", remote.Refuse(`the template of %s must give a text that begins with "/" or "?"`, t.key)
	}
	return s, nil
}

// bounded is a builder that refuses more than maxBody.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxBody {
		return 0, fmt.Errorf("it gives more than %d bytes", maxBody)
	}
	return b.Builder.Write(p)
}
