package webhook

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tieline/internal/remote"
)

// FuzzAnswer: whatever a remote answers, the expressions give tickets within
// bounds or an error.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"id": "7", "state": "open", "url": "http://desk/7", "tickets": [{"id": 7, "state": "open", "fields": {"subject": "x"}}]}`,
		`{"id": 9007199254740993, "tickets": ["7", 8, 9.0]}`, `{"id": 1.5, "tickets": {}}`, `{"id": null, "tickets": [null]}`,
		`{"id": {"id": 1}, "tickets": [[[]]]}`, `{"id": "\u202e\u0000", "state": 1e400, "tickets": [{"id": "7", "open": 1}]}`,
		`[]`, `null`, `"text"`, "", "<html>", strings.Repeat("[", 1000), `{"id": "1"}{"id": "2"}`, `{"tickets": [{"id": "7", "fields": [1]}]}`,
	} {
		f.Add(200, []byte(s))
	}
	c, _, problems := read(remote.Settings{Endpoints: []string{"http://x"}, Values: map[string]any{
		"create": map[string]any{"ticket": "body.id", "state": "body.state", "url": "body.url"},
		"lookup": map[string]any{"tickets": "body.tickets"},
	}})
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a := remote.Answer{Status: status, Body: body}
		if told, err := c.create.read(a); err == nil {
			inBounds(t, told.ticket, told.state)
			if told.ticket == "" {
				t.Error("no ticket and no error")
			}
		}
		tickets, err := c.lookup.list(a, c.ended)
		if err != nil {
			return
		}
		for _, x := range tickets {
			inBounds(t, x.ID, x.State, string(x.Key))
			if x.ID == "" {
				t.Error("a ticket without an id")
			}
		}
	})
}

func inBounds(t *testing.T, words ...string) {
	for _, w := range words {
		if len(w) > maxName || !utf8.ValidString(w) || strings.ContainsFunc(w, isControl) {
			t.Errorf("out of bounds: %q", w)
		}
	}
}
