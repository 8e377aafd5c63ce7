package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"tieline/internal/connector/edit"
	"tieline/internal/service/documents"
)

// severityPage is the tab of the severity mapping.
type severityPage struct {
	documentPage
	Rows    []wordRow
	Inverse []inverseRow // the other way: the remote's word, and what becomes it
	Looked  int
}

type wordRow struct {
	field
	Word    string
	Seen    int
	Mapped  bool // by an entry of its own
	Default bool // by the default for every other severity
	Means   string
	Removes string // the path that its button removes
}

// Passed reports whether the remote system is told a word of the source's that
// nothing maps.
func (r wordRow) Passed() bool { return !r.Mapped && !r.Default }

type inverseRow struct {
	Word   string
	From   []string
	Passed bool // it is the source's own word, which nothing maps
}

func (c *Console) severityTab(w http.ResponseWriter, r *http.Request) {
	p, err := c.document(w, r, "severity")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	seen, looked, err := c.Services.Documents.Severities(r.Context(), p.State)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	data := severityPage{documentPage: p, Looked: looked}
	if p.Readable() {
		data.Rows = severityRows(p, seen)
		data.Inverse = inverse(data.Rows)
	}
	c.render(w, r, http.StatusOK, "severity.html", data)
}

// severityRows are the words that are mapped and those that were seen.
func severityRows(p documentPage, seen []documents.Word) []wordRow {
	counts := make(map[string]int)
	for _, w := range seen {
		counts[w.Word] = w.Count
	}
	words := slices.Sorted(maps.Keys(p.State.Doc.Severity.Map))
	for _, w := range seen {
		if _, listed := p.State.Doc.Severity.Map[w.Word]; !listed {
			words = append(words, w.Word)
		}
	}
	var rows []wordRow
	for _, word := range words {
		path := edit.At("severity", "map", word).String()
		row := wordRow{field: p.F(path, "", ""), Word: word, Seen: counts[word], Removes: path}
		row.Means, row.Mapped = p.State.Doc.Severity.Map[word]
		if !row.Mapped {
			row.Means, row.Default = cmp.Or(p.State.Doc.Severity.Default, word), p.State.Doc.Severity.Default != ""
		}
		rows = append(rows, row)
	}
	return rows
}

func inverse(rows []wordRow) []inverseRow {
	from, passed := make(map[string][]string), make(map[string]bool)
	for _, row := range rows {
		from[row.Means] = append(from[row.Means], row.Word)
		passed[row.Means] = passed[row.Means] || row.Passed()
	}
	var all []inverseRow
	for _, word := range slices.Sorted(maps.Keys(from)) {
		all = append(all, inverseRow{word, from[word], passed[word]})
	}
	return all
}
