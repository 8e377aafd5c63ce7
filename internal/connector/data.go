package connector

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"cel.dev/cel-go/cel"

	"tieline/internal/alert"
)

// data is what expressions and templates see of an alert: templates through the
// fields, CEL through ResolveName.
type data struct {
	Source, Key, Severity, Summary, Description, Status, URL string
	Labels, Annotations                                      map[string]string
	StartsAt, EndsAt                                         string
}

func dataOf(a *alert.Alert) *data {
	return &data{
		Source: a.Source, Key: a.Key, Severity: a.Severity, Summary: a.Summary, Description: a.Description,
		Status: string(a.Status), URL: a.URL, Labels: a.Labels, Annotations: a.Annotations,
		StartsAt: timeText(a.StartsAt), EndsAt: timeText(a.EndsAt),
	}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

var textVariables = []string{"source", "key", "severity", "summary", "description", "status", "url", "starts_at", "ends_at"}

// ResolveName implements cel.Activation.
func (d *data) ResolveName(name string) (any, bool) {
	switch name {
	case "source":
		return d.Source, true
	case "key":
		return d.Key, true
	case "severity":
		return d.Severity, true
	case "summary":
		return d.Summary, true
	case "description":
		return d.Description, true
	case "labels":
		return d.Labels, true
	case "annotations":
		return d.Annotations, true
	case "status":
		return d.Status, true
	case "url":
		return d.URL, true
	case "starts_at":
		return d.StartsAt, true
	case "ends_at":
		return d.EndsAt, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (d *data) Parent() cel.Activation { return nil }

// The functions that CEL and templates share. Those that are used at the end of
// a template's pipe take the piped text last.

// truncate cuts a text to at most n characters, the last of which is then "…".
func truncate(n int, text string) string {
	runes := []rune(text)
	switch {
	case len(runes) <= n:
		return text
	case n <= 0:
		return ""
	}
	return string(runes[:n-1]) + "…"
}

// otherwise returns the text, or the fallback when the text is blank.
func otherwise(fallback, text string) string {
	if strings.TrimSpace(text) == "" {
		return fallback
	}
	return text
}

// link names an address in plain text. Only web addresses become links: remote
// systems may make them clickable.
func link(text, address string) string {
	web := strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://")
	switch {
	case !web:
		return text
	case text == "":
		return address
	}
	return text + " <" + address + ">"
}

// pairs lists a map as name=value, sorted by name.
func pairs(table map[string]string) []string {
	var all []string
	for name, value := range sorted(table) {
		all = append(all, name+"="+value)
	}
	return all
}

// oneLine makes a text fit for a subject: control characters and runs of space
// become one space.
func oneLine(text string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(clean), " ")
}

// sorted iterates over a map in the order of its keys, so that whatever is made
// of it is the same each time.
func sorted[V any](table map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(table)) {
			if !yield(key, table[key]) {
				return
			}
		}
	}
}
