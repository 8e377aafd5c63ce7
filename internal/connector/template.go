package connector

import (
	"errors"
	"fmt"
	"strings"
	"text/template"

	"cel.dev/cel-go/cel"
)

// maxText bounds what a mapped value may come to, in bytes.
const maxText = 64 << 10

var errTooLong = fmt.Errorf("the text grew beyond %d bytes", maxText)

var templateFunctions = template.FuncMap{
	"trim":     strings.TrimSpace,
	"join":     joinTemplate,
	"link":     link,
	"default":  otherwise,
	"upper":    strings.ToUpper,
	"lower":    strings.ToLower,
	"truncate": truncate,
}

// joinTemplate joins a list, or a map's name=value pairs in the order of names.
func joinTemplate(separator string, items any) (string, error) {
	switch items := items.(type) {
	case map[string]string:
		return strings.Join(pairs(items), separator), nil
	case []string:
		return strings.Join(items, separator), nil
	}
	return "", fmt.Errorf("join takes labels, annotations or a list, not %T", items)
}

// mapping gives a mapped value's text for an alert.
type mapping interface {
	text(d *data) (string, error)
}

// compileValue compiles a document's value. The error's text is for the person
// who wrote it.
func compileValue(v Value) (mapping, error) {
	if v.CEL != "" {
		return compileExpression(v.CEL, cel.StringType)
	}
	if written, ok := usuals[v.Template]; ok {
		return written, nil
	}
	return compileTemplate(v.Template)
}

type textTemplate struct{ template *template.Template }

func compileTemplate(text string) (*textTemplate, error) {
	parsed, err := parseTemplate(text)
	if err != nil {
		return nil, unreadable(text, err)
	}
	if parsed.Tree == nil {
		return &textTemplate{parsed}, nil
	}
	if err := checkTree(parsed); err != nil {
		return nil, err
	}
	compiled := &textTemplate{parsed}
	for _, sample := range samples {
		if _, err := compiled.text(sample); err != nil && !errors.Is(err, errTooLong) {
			return nil, compiled.failing(err)
		}
	}
	return compiled, nil
}

func parseTemplate(text string) (*template.Template, error) {
	return template.New("").Funcs(templateFunctions).Option("missingkey=zero").Parse(text)
}

func (t *textTemplate) text(d *data) (string, error) {
	var b limited
	if err := t.template.Execute(&b, d); err != nil {
		if errors.Is(err, errTooLong) {
			return "", errTooLong
		}
		return "", errors.New(plainTemplateError(err))
	}
	return b.text.String(), nil
}

// samples are what templates are tried on: an alert that tells everything, and
// one that tells nothing.
var samples = []*data{
	{
		Source: "alertmanager", Key: "e94c744ae3d44df8", Severity: "critical", Summary: "summary", Description: "description",
		Status: "open", URL: "http://monitor/alert", StartsAt: "2026-01-01T00:00:00Z", EndsAt: "2026-01-01T00:00:00Z",
		Labels: map[string]string{"alertname": "DiskFull"}, Annotations: map[string]string{"summary": "summary"},
	},
	{},
}

// plainTemplateError drops the package's prefixes, which name the unnamed template.
func plainTemplateError(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), ":")
}

// limited collects a bounded text.
type limited struct{ text strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if l.text.Len()+len(p) > maxText {
		return 0, errTooLong
	}
	return l.text.Write(p)
}
