package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"tieline/internal/alert"
	"tieline/internal/connector/edit"
	"tieline/internal/service/documents"
)

// fieldsPage is the tab of the alert fields.
type fieldsPage struct {
	documentPage
	Rows   []fieldRow
	Sample []alert.Alert
	Chosen *alert.Alert // for the preview; nil = no alert is stored
}

type fieldRow struct {
	Name     string
	ID       string
	Text     string
	CEL      bool
	Default  bool // not in the document
	Problems []string
	Preview  documents.Preview
}

func (c *Console) fieldsTab(w http.ResponseWriter, r *http.Request) {
	p, err := c.document(w, r, "fields")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	data := fieldsPage{documentPage: p}
	if data.Sample, err = c.Services.Documents.Sample(r.Context(), p.State, 25); err == nil {
		data.Chosen, err = c.Services.Documents.Alert(r.Context(), p.State, r.URL.Query().Get("alert"))
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if p.Readable() {
		names := slices.Sorted(maps.Keys(p.State.Doc.Fields))
		slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(fieldRank(a), fieldRank(b)) })
		for _, name := range names {
			data.Rows = append(data.Rows, c.fieldRow(p, name, data.Chosen))
		}
	}
	c.render(w, r, http.StatusOK, "fields.html", data)
}

// FieldPath is the path of a remote field.
func (fieldsPage) FieldPath(name string) string { return edit.At("fields", name).String() }

// fieldRank puts subject and body, which every ticket has, first.
func fieldRank(name string) int {
	switch name {
	case "subject":
		return 0
	case "body":
		return 1
	}
	return 2
}

func (c *Console) fieldRow(p documentPage, name string, a *alert.Alert) fieldRow {
	path := edit.At("fields", name)
	row := fieldRow{Name: name, ID: fieldID(path.String()), Default: p.shown.text.Node(path) == nil}
	row.Problems = append(p.Problems(path.String()), p.Problems(path.Key("cel").String())...)
	row.Text, row.CEL = p.shown.mapping(name)
	if a != nil {
		row.Preview = c.Services.Documents.Value(a, p.State.Doc.Fields[name])
	}
	return row
}

// sampleLine is an alert in a list to choose from.
func sampleLine(a alert.Alert) string {
	text := cmp.Or(a.Summary, a.Labels["alertname"], a.Key)
	if runes := []rune(text); len(runes) > 70 {
		text = string(runes[:69]) + "…"
	}
	return text + " · " + cmp.Or(a.Severity, "no severity") + " · " + a.AcceptedAt.UTC().Format(stampForm)
}
