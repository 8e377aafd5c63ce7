package console

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/service/documents"
)

// statesPage is the tab of the resolution state mapping and the life cycle.
type statesPage struct {
	documentPage
	States []stateRow
	Ended  string
	Cycle  []cycleRow
}

// stateRow is one state of the remote's tickets.
type stateRow struct {
	State       string
	Seen        int
	Mapped      bool   // a class is known of it
	Ends        bool   // a ticket in it can no longer be worked
	Set         string // the status of the alerts whose tickets are set to it; "" = of none
	Class, Back field
}

// cycleRow is one row of the life cycle table.
type cycleRow struct {
	Class          string
	Action, Within field
}

// Classes are all classes of states.
func (statesPage) Classes() []string { return connector.Classes }

func (c *Console) statesTab(w http.ResponseWriter, r *http.Request) {
	p, err := c.document(w, r, "states")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	seen, err := c.Services.Documents.States(r.Context(), p.State)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	data := statesPage{documentPage: p}
	if p.Readable() {
		data.Ended = strings.Join(p.shown.items(edit.At("states", "ended")), ", ")
		data.States = stateRows(p, seen)
		for _, class := range connector.Classes {
			data.Cycle = append(data.Cycle, cycleOf(p, class))
		}
	}
	c.render(w, r, http.StatusOK, "states.html", data)
}

func stateRows(p documentPage, seen []documents.Word) []stateRow {
	doc := p.State.Doc
	counts := make(map[string]int)
	for _, w := range seen {
		counts[w.Word] = w.Count
	}
	known := make(map[string]bool)
	for _, table := range []map[string]string{doc.States.Classes, doc.States.Back} {
		for state := range table {
			known[state] = true
		}
	}
	for _, state := range append(slices.Sorted(maps.Keys(counts)), doc.States.Ended...) {
		known[state] = true
	}
	set := map[string]string{doc.States.Closed: "closed"}
	set[doc.States.Open] = "open"
	delete(set, "")
	for state := range set {
		known[state] = true
	}
	var rows []stateRow
	for state := range known {
		class, back := edit.At("states", "classes", state).String(), edit.At("states", "back", state).String()
		row := stateRow{
			State: state, Seen: counts[state], Ends: slices.Contains(doc.States.Ended, state), Set: set[state],
			Class: p.Choice(class, "", "", append([]string{"=not said"}, connector.Classes...)...),
			Back:  p.Choice(back, "", "", append([]string{"=tell nothing"}, connector.SourceStates...)...),
		}
		_, row.Mapped = documents.StateClass(doc, state)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b stateRow) int {
		return cmp.Or(cmp.Compare(classRank(doc, a.State), classRank(doc, b.State)), cmp.Compare(a.State, b.State))
	})
	return rows
}

// classRank orders states as a ticket's life has them, those that nothing is
// known of first.
func classRank(doc *connector.Document, state string) int {
	class, mapped := documents.StateClass(doc, state)
	if !mapped {
		return -1
	}
	return slices.Index(connector.Classes, class)
}

var refireChoices = []string{
	"reopen=Reopen it", "comment=Comment on it", "linked=Open a linked ticket", "new=Open a new ticket",
}

func cycleOf(p documentPage, class string) cycleRow {
	path := edit.At("lifecycle", "refire", class)
	row := cycleRow{
		Class:  class,
		Action: p.Choice(path.Key("action").String(), "", "", refireChoices...),
		Within: p.F(path.Key("within").String(), "", ""),
	}
	row.Action.Name, row.Within.Name = formRefire+class+":action", formRefire+class+":within"
	row.Action.Problems = append(row.Action.Problems, p.Problems(path.String())...)
	row.Within.Value = zeroless(row.Within.Value)
	return row
}
