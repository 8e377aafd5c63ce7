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
	Mapped  bool
	Means   string
	Removes string // the path that its button removes
}

type inverseRow struct {
	Word string
	From []string
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
		if !w.Mapped {
			words = append(words, w.Word)
		}
	}
	var rows []wordRow
	for _, word := range words {
		path := edit.At("severity", "map", word).String()
		row := wordRow{field: p.F(path, "", ""), Word: word, Seen: counts[word], Removes: path}
		row.Means, row.Mapped = p.State.Doc.Severity.Map[word]
		if !row.Mapped {
			row.Means = cmp.Or(p.State.Doc.Severity.Default, word)
		}
		rows = append(rows, row)
	}
	return rows
}

func inverse(rows []wordRow) []inverseRow {
	from := make(map[string][]string)
	for _, row := range rows {
		from[row.Means] = append(from[row.Means], row.Word)
	}
	var all []inverseRow
	for _, word := range slices.Sorted(maps.Keys(from)) {
		all = append(all, inverseRow{word, from[word]})
	}
	return all
}
