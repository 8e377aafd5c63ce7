package connector

import "strings"

// usual is a default template written out, because most documents keep the
// defaults and every send renders them: text/template takes some 15 µs for
// these, most of what this process spends on an alert. A test holds each
// against its template.
type usual func(d *data) string

var usuals = map[string]usual{defaultSubject: usualSubject, defaultBody: usualBody}

func (u usual) text(d *data) (string, error) {
	text := u(d)
	if len(text) > maxText {
		return "", errTooLong
	}
	return text, nil
}

func usualSubject(d *data) string {
	return otherwise(d.Key, otherwise(d.Labels["alertname"], d.Summary))
}

func usualBody(d *data) string {
	var b strings.Builder
	b.WriteString(otherwise(d.Summary, d.Description))
	b.WriteString("\n\nSource: " + d.Source)
	b.WriteString("\nSeverity: " + otherwise("not told", d.Severity) + "\n")
	if d.StartsAt != "" {
		b.WriteString("Began: " + d.StartsAt + "\n")
	}
	if d.URL != "" {
		b.WriteString("See: " + d.URL + "\n")
	}
	for name, value := range sorted(d.Labels) {
		b.WriteString("\n" + name + ": " + value)
	}
	b.WriteString("\n")
	return b.String()
}
