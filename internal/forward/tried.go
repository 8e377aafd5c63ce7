package forward

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tieline/internal/alert"
)

// Tried is the kind of the event that keeps what was sent of an alert when a
// person has to find out why it was not taken: its text is the ticket's content,
// part by part.
const Tried = "tried"

// triedMost bounds the text of such an event, in bytes.
const triedMost = 4000

// tried notes what the call that failed had sent of the alert.
func (v *Verdict) tried(st Step, a Answer) {
	if st.Op != OpCreate && st.Op != OpUpdate {
		return
	}
	v.Events = append(v.Events, Event{
		Kind: Tried, Text: draftText(st.Draft), Endpoint: a.At, Revision: st.Draft.Revision, Ticket: st.Ticket,
	})
}

// draftText is a draft as people read it: its parts that have something in them,
// the longest last.
func draftText(d alert.Draft) string {
	var b strings.Builder
	part := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	part("subject", d.Subject)
	part("severity", d.Severity)
	part("state", d.State)
	part("comment", d.Comment)
	part("refers to", d.RefersTo)
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		part(name, d.Fields[name])
	}
	part("body", d.Body)
	return bounded(strings.TrimSuffix(b.String(), "\n"), triedMost)
}

// bounded makes a text storable: valid UTF-8, no NUL, of so many bytes at most.
func bounded(text string, most int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "")
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
