package console

import (
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"tieline/internal/service/documents"
)

// tryAsked is what the address of a draft's page asks of a dry run.
type tryAsked struct {
	Alerts int               // on so many; 0 = not asked for
	Show   documents.Verdict // of these alone; "" = all
	From   int               // behind so many
	Alert  string            // this one alone, in full; "" = the list
}

// TryChoices are the numbers of alerts that a dry run can be asked for.
func (draftPage) TryChoices() []int {
	return []int{documents.DryRunSize, 100, 200, documents.DryRunMost}
}

func tryAskedOf(q url.Values) tryAsked {
	asked := tryAsked{Alerts: atoi(q.Get("try")), From: max(atoi(q.Get("from")), 0), Alert: q.Get("alert")}
	if v := documents.Verdict(q.Get("show")); slices.Contains(documents.Verdicts, v) {
		asked.Show = v
	}
	return asked
}

// address is where the page shows what is asked.
func (t tryAsked) address(base string) string {
	q := url.Values{"try": {strconv.Itoa(t.Alerts)}}
	if t.Show != "" {
		q.Set("show", string(t.Show))
	}
	if t.From > 0 {
		q.Set("from", strconv.Itoa(t.From))
	}
	if t.Alert != "" {
		q.Set("alert", t.Alert)
	}
	return base + "?" + q.Encode() + "#try"
}

// tryPanel is one page of what a draft makes of stored alerts.
type tryPanel struct {
	documents.DryRun
	Kinds []tryKind
	Rows  []trialRow
	Shown string // "1 to 20 of 50"
	Whole bool   // one alert alone, in full
	All   string // address of all; "" = this is it
	Newer string // address of the page before; "" = this is the first
	Older string
}

// tryKind is one verdict, with how many alerts have it.
type tryKind struct {
	Verdict documents.Verdict // "" = all
	Name    string
	Count   int
	URL     string
	Current bool
}

// trialRow is one alert of a dry run with what its ticket would say.
type trialRow struct {
	documents.Trial
	Name   string // of the verdict
	Class  string
	Both   bool // two tickets to compare; otherwise the values are those of the only one
	Values []trialValue
	Cut    bool   // some value is not shown in full
	URL    string // of this alert alone
}

// trialValue is one part of a ticket, before and after.
type trialValue struct {
	Name, Live, Draft string
	Differs           bool
}

var verdictNames = map[documents.Verdict]struct{ name, class string }{
	documents.Fails:   {"cannot be mapped", "tag-red"},
	documents.Ends:    {"no longer matches", "tag-amber"},
	documents.Begins:  {"begins to match", "tag-accent"},
	documents.Mends:   {"a ticket where there was none", "tag-accent"},
	documents.Changes: {"another ticket", "tag-accent"},
	documents.Same:    {"the same ticket", ""},
	documents.Neither: {"not matched", ""},
}

// What one page of a dry run holds at most, and of one alert's values.
const (
	tryRows  = 20
	tryBytes = 30_000 // of its values
	tryValue = 300    // letters of a field
	tryBody  = 1500   // letters of a body
	tryWhole = 30_000 // letters of a value of an alert that is shown alone
)

// tryPanelOf orders the alerts of a run by what somebody should look at first,
// and takes the page that is asked.
func tryPanelOf(run documents.DryRun, asked tryAsked, base string) *tryPanel {
	p := &tryPanel{DryRun: run, Kinds: tryKinds(run, asked, base)}
	if asked.Show != "" || asked.Alert != "" {
		p.All = tryAsked{Alerts: asked.Alerts}.address(base)
	}
	if asked.Alert != "" {
		p.whole(asked)
		return p
	}
	trials := slices.DeleteFunc(slices.Clone(run.Trials), func(t documents.Trial) bool {
		return asked.Show != "" && t.Verdict != asked.Show
	})
	slices.SortStableFunc(trials, func(a, b documents.Trial) int {
		return slices.Index(documents.Verdicts, a.Verdict) - slices.Index(documents.Verdicts, b.Verdict)
	})
	from := min(asked.From, len(trials))
	for size := 0; len(p.Rows) < tryRows && from+len(p.Rows) < len(trials); {
		row, bytes := trialRowOf(trials[from+len(p.Rows)], tryValue, tryBody)
		if size += bytes; size > tryBytes && len(p.Rows) > 0 {
			break
		}
		one := asked
		one.Alert = row.Alert.ID.String()
		row.URL = one.address(base)
		p.Rows = append(p.Rows, row)
	}
	next := asked
	if next.From = from + len(p.Rows); next.From < len(trials) {
		p.Older = next.address(base)
	}
	if from > 0 {
		next.From = max(from-tryRows, 0)
		p.Newer = next.address(base)
	}
	p.Shown = fmt.Sprintf("%d to %d of %d", min(from+1, len(trials)), from+len(p.Rows), len(trials))
	return p
}

// whole shows one alert alone.
func (p *tryPanel) whole(asked tryAsked) {
	p.Whole = true
	for _, t := range p.Trials {
		if t.Alert.ID.String() == asked.Alert {
			row, _ := trialRowOf(t, tryWhole, tryWhole)
			p.Rows = []trialRow{row}
		}
	}
}

func tryKinds(run documents.DryRun, asked tryAsked, base string) []tryKind {
	all := tryAsked{Alerts: asked.Alerts}
	kinds := []tryKind{{Name: "all", Count: run.Looked, URL: all.address(base), Current: asked.Show == "" && asked.Alert == ""}}
	for _, v := range documents.Verdicts {
		one := all
		one.Show = v
		kinds = append(kinds, tryKind{
			Verdict: v, Name: verdictNames[v].name, Count: run.Counts[v], URL: one.address(base), Current: asked.Show == v && asked.Alert == "",
		})
	}
	return kinds
}

// trialRowOf is one alert with its values, cut to so many letters, and how many
// bytes they take on the page.
func trialRowOf(t documents.Trial, value, body int) (row trialRow, bytes int) {
	row = trialRow{Trial: t, Name: verdictNames[t.Verdict].name, Class: verdictNames[t.Verdict].class}
	row.Both = t.Live.Ticket != nil && t.Draft.Ticket != nil
	before, after := ticketOf(t.Live), ticketOf(t.Draft)
	add := func(name, live, draft string, most int) {
		v := trialValue{name, clip(live, most), clip(draft, most), live != draft}
		row.Cut = row.Cut || v.Live != live || v.Draft != draft
		if !row.Both { // what there is of it
			v.Draft, v.Differs = v.Live+v.Draft, false
		}
		bytes += 250 + len(template.HTMLEscapeString(v.Draft))
		if v.Differs {
			bytes += len(template.HTMLEscapeString(v.Live))
		}
		row.Values = append(row.Values, v)
	}
	if t.Live.Ticket == nil && t.Draft.Ticket == nil {
		return row, 500
	}
	add("subject", before.Subject, after.Subject, value)
	add("severity", before.Severity, after.Severity, value)
	add("state", before.State, after.State, value)
	names := slices.Concat(slices.Collect(maps.Keys(before.Fields)), slices.Collect(maps.Keys(after.Fields)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		add(name, before.Fields[name], after.Fields[name], value)
	}
	add("body", before.Body, after.Body, body)
	return row, bytes + 500
}

func ticketOf(f documents.Fate) documents.Ticket {
	if f.Ticket == nil {
		return documents.Ticket{}
	}
	return *f.Ticket
}
