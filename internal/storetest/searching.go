package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/store"
)

var searching = map[string]func(*testing.T, Fresh){
	"search/by text":       searchText,
	"search/by part of id": searchParts,
	"search/bounded":       searchBounded,
	"search/who took it":   searchMatches,
}

func (f *fixture) keys(q store.AlertQuery) string {
	var keys []string
	for _, r := range must(f.db.Alerts(f.Context(), q))(f.T) {
		keys = append(keys, r.Key)
	}
	return strings.Join(keys, " ")
}

// searchText: values are searched and the names of fields are not, whatever
// letters stand in them.
func searchText(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	odd, plain := observe("odd", alert.Open, `<b>50 % of "C:\Tëmp"</b> used_up [now!]`), observe("plain", alert.Open, "quiet")
	odd.Labels = map[string]string{"Region": "Zürich-Ost"}
	odd.Annotations = map[string]string{"runbook": "https://wiki.example/Disk"}
	plain.Severity, plain.Description, plain.URL = "Minor", "two\nlines", "https://monitor.example/p?a=1&b=2"
	f.accept(to(tickets), odd, plain)
	for text, want := range map[string]string{
		"severity": "", "summary": "", "labels": "", "annotations": "", "region": "", "{": "", `":"`: "",
		"50 %": "odd", "50%": "", "_up": "odd", "d_up": "odd", "dxup": "", "<B>": "odd", `"c:\TËMP"`: "odd", "[now!]": "odd", "[nw]": "",
		"zÜrich": "odd", "WIKI.example/disk": "odd", "minor": "plain", "lines": "plain", "a=1&b": "plain", "PLAI": "plain", "quiet": "plain",
		"é": "", "two\nlines": "plain", "😀": "",
	} {
		if got := f.keys(store.AlertQuery{Text: text}); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
}

func searchParts(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	var ids []alert.ID
	for i := range 6 {
		ids = append(ids, f.accept(to(tickets), observe(fmt.Sprint("alert-", i), alert.Open, "x"))[0].ID)
	}
	f.exec("UPDATE link SET ticket = 'INC-1000' WHERE alert_id = $1", ids[0])
	f.exec("UPDATE link SET ticket = 'INC-10' WHERE alert_id = $1", ids[1])
	f.exec("UPDATE link SET ticket = 'inc%200' WHERE alert_id = $1", ids[2])
	last := ids[3].String()
	for text, want := range map[string]string{
		"INC-100": "alert-0", "inc-1": "alert-1 alert-0", "INC-10": "alert-1 alert-0", "c-1": "alert-1 alert-0", "inc%": "alert-2", "i_c": "",
		last: "alert-3", last[24:]: "alert-3", last[:30]: "alert-3", strings.ToUpper(last[20:]): "alert-3", "zzz": "",
	} {
		if got := f.keys(store.AlertQuery{Text: text}); got != want {
			t.Errorf("%q finds %q, want %q", text, got, want)
		}
	}
	if got := f.keys(store.AlertQuery{Text: "INC-10", Window: 1}); got != "alert-1 alert-0" {
		t.Errorf("what is named does not come first and once: %q", got)
	}
	if got := f.keys(store.AlertQuery{Text: "inc-10", Connector: files}); got != "" {
		t.Errorf("of another connector: %q", got)
	}
	page := must(f.db.SearchAlerts(t.Context(), store.AlertQuery{Text: "INC-10", Limit: 1}))(t)
	if len(page.Rows) != 1 || page.Rows[0].Key != "alert-1" || len(page.Rows[0].Links) != 1 || page.Next == (store.Cursor{}) {
		t.Errorf("a page that the named alert fills: %+v", page)
	}
}

// searchBounded: a page looks through so many alerts at most, and the pages
// together through all.
func searchBounded(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	for i := range 13 {
		id := f.accept(to(tickets), observe(fmt.Sprint("k", i), alert.Open, []string{"needle", "straw", "straw", "straw"}[i%4]))[0].ID
		f.exec("UPDATE alert SET accepted_at = $1 WHERE id = $2", int64(i+1)*1_000_000, id)
	}
	q := store.AlertQuery{Text: "needle", Window: 2, Limit: 50}
	first := must(f.db.SearchAlerts(t.Context(), q))(t)
	if n := len(first.Rows); n != 3 || first.Next == (store.Cursor{}) {
		t.Errorf("the first page has %d rows and goes on at %v; ten alerts were to be looked at", n, first.Next)
	}
	var got []string
	for pages := 0; ; pages++ {
		page := must(f.db.SearchAlerts(t.Context(), q))(t)
		for _, r := range page.Rows {
			got = append(got, r.Key)
		}
		if q.Before = page.Next; q.Before == (store.Cursor{}) {
			break
		}
		if pages > 13 {
			t.Fatal("the pages do not end")
		}
	}
	if want := []string{"k12", "k8", "k4", "k0"}; !slices.Equal(got, want) {
		t.Errorf("pages have %q, want %q", got, want)
	}
	if got := f.keys(store.AlertQuery{Text: "needle", Window: 1}); got != "k12 k8 k4 k0" {
		t.Errorf("the whole list has %q", got)
	}
	if got := f.keys(store.AlertQuery{Text: "needle", Window: 3, Limit: 2}); got != "k12 k8" {
		t.Errorf("the newest two are %q", got)
	}
}

// searchMatches: who took an alert, and by which version of its document.
func searchMatches(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.exec("UPDATE connector_version SET at = 1 WHERE connector = $1", tickets)
	f.exec(`INSERT INTO connector_version (connector, version, document, who, comment, at) VALUES ($1, 2, 'second', 'ann', '', 2)`, tickets)
	f.exec(`INSERT INTO connector_version (connector, version, document, who, comment, at) VALUES ($1, 3, 'later', 'ann', '', 9000000000000000)`, tickets)
	id := f.accept(to(tickets, files), observe("a", alert.Open, "x"))[0].ID
	all := must(f.db.Matches(t.Context(), id))(t)
	if len(all) != 2 || all[0].Connector != files || all[1].Connector != tickets {
		t.Fatalf("taken by %+v", all)
	}
	if m := all[1]; m.Version != 2 || m.Document != "second" || m.Window <= 0 || !m.At.Equal(f.link(id, tickets, alert.Remote).CreatedAt) {
		t.Errorf("taken by %+v", m)
	}
	if none := must(f.db.Matches(t.Context(), alert.NewID()))(t); len(none) != 0 {
		t.Errorf("an alert that is not there was taken by %+v", none)
	}
}
