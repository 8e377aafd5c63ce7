package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/store"
)

var editing = map[string]func(*testing.T, Fresh){
	"editing/a refused alert":         editRefused,
	"editing/what it refuses":         editWrong,
	"editing/an alert no more newest": editOld,
	"desk/list and pages":             deskList,
	"desk/retry some":                 deskRetry,
	"desk/retry all of a filter":      deskRetryAll,
	"desk/give up and take up":        deskGiveUp,
	"desk/what it was decided on":     deskSeen,
	"desk/all that was seen":          deskSet,
	"desk/what was sent":              deskTried,
	"people/filters":                  peopleFilters,
}

const refused = "refused: desk: 422: too long"

func (f *fixture) park(id alert.ID, connector, reason string) {
	f.Helper()
	f.exec("UPDATE link SET parked = $1, attempts = 3, failure = 'no', due_at = NULL WHERE alert_id = $2 AND connector = $3", reason, id, connector)
}

// edit edits as ann, with the alert routed to the connectors.
func (f *fixture) edit(id alert.ID, revision int64, field, value string, connectors ...string) (alert.Alert, []string, error) {
	return f.db.EditAlert(f.Context(), store.AlertEdit{
		Alert: id, Revision: revision, Values: map[string]string{field: value}, Who: "ann", Generation: 7, Route: to(connectors...),
	})
}

func editRefused(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	id := f.accept(to(tickets, files), observe("a", alert.Open, "too long a summary"))[0].ID
	f.park(id, tickets, refused)
	f.park(id, files, "tickets 1 and 2 carry the same key")
	a, work, err := f.edit(id, 1, "summary", "short", tickets, files)
	if err != nil || a.Revision != 2 || a.Summary != "short" || !slices.Equal(work, []string{tickets}) {
		t.Fatalf("edited %+v, work %q: %v", a, work, err)
	}
	d := f.detail(id)
	if d.Summary != "short" || d.Revision != 2 || d.Edits["summary"] != (alert.Edit{From: "too long a summary", To: "short"}) {
		t.Errorf("stored %+v", d.Alert)
	}
	if l := f.link(id, tickets, alert.Remote); l.Parked != "" || l.Wanted != 2 || l.Attempts != 0 || l.DueAt.IsZero() {
		t.Errorf("the refused link: %+v", l)
	}
	if l := f.link(id, files, alert.Remote); l.Parked == "" || l.Wanted != 2 || !l.DueAt.IsZero() {
		t.Errorf("a link parked for another reason: %+v", l)
	}
	events := must(f.db.Timeline(t.Context(), id))(t)
	if last := events[len(events)-1]; last.Kind != "edited" || !strings.Contains(last.Text, `by ann: summary: "too long a summary" -> "short"`) || last.Revision != 2 {
		t.Errorf("timeline %+v", events)
	}
	if got := f.accept(to(tickets, files), observe("a", alert.Open, "too long a summary"))[0]; got.Change != alert.Repeated {
		t.Errorf("the source repeats itself: %+v", got)
	}
	if got := f.accept(to(tickets, files), observe("a", alert.Open, "news"))[0]; got.Change != alert.Changed || f.detail(id).Summary != "news" {
		t.Errorf("the source says something else: %+v", got)
	}
	if got := f.accept(to(tickets, files), observe("a", alert.Closed, "too long a summary"))[0]; got.Change != alert.Ended || f.detail(id).Summary != "short" {
		t.Errorf("the source says again what was edited: %+v", got)
	}
}

func editWrong(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	id := f.raise(1, tickets)[0]
	if _, _, err := f.edit(alert.NewID(), 1, "summary", "x"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such alert: %v", err)
	}
	if _, _, err := f.edit(id, 9, "summary", "x"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("another revision: %v", err)
	}
	if _, _, err := f.edit(id, 1, "labels.nosuch", "x"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no such field: %v", err)
	}
	a, work, err := f.edit(id, 0, "severity", f.detail(id).Severity, tickets)
	if err != nil || a.Revision != 1 || work != nil {
		t.Errorf("nothing changed: %+v %q %v", a, work, err)
	}
	if d := f.detail(id); d.Revision != 1 || d.Edits != nil {
		t.Errorf("a refused edit was stored: %+v", d.Alert)
	}
}

// editOld: an alert that has fired again is not the latest of its key, and an
// edit does not make it that. A closed one gets no links by it.
func editOld(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.accept(to(tickets), observe("a", alert.Open, "x"), observe("a", alert.Closed, "x"))[0].ID
	again := f.accept(to(tickets), observe("a", alert.Open, "x"))[0].ID
	if old == again {
		t.Fatal("it did not fire again")
	}
	if _, _, err := f.edit(old, 0, "summary", "edited", tickets, files); err != nil {
		t.Fatal(err)
	}
	if d := f.detail(old); d.Status != alert.Closed || len(d.Links) != 1 || d.Links[0].Wanted != d.Revision {
		t.Errorf("the old one: %+v", d)
	}
	if got := f.accept(to(tickets), observe("a", alert.Open, "y"))[0]; got.ID != again || got.Change != alert.Changed {
		t.Errorf("the next observation went to %+v", got)
	}
	// Edited content may match what the source's did not.
	if _, work, err := f.edit(again, 0, "summary", "for files", files); err != nil || !slices.Contains(work, files) {
		t.Errorf("rerouted: %q %v", work, err)
	}
	if d := f.detail(again); len(d.Links) != 2 || d.Generation != 7 {
		t.Errorf("the new one: %+v", d)
	}
}

func deskList(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(5, tickets, files)
	for _, id := range ids {
		f.park(id, tickets, refused)
	}
	f.park(ids[0], files, "gave up after 20 attempts: 100% busy")
	var got []alert.LinkID
	q := store.ParkedQuery{Limit: 2}
	for {
		page := must(f.db.Parked(t.Context(), q))(t)
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			got = append(got, p.LinkID)
			if p.Of.ID != p.Alert || p.Of.Key == "" || p.Since.IsZero() || p.Parked == "" {
				t.Errorf("row %+v", p)
			}
		}
		q.After = &page[len(page)-1].LinkID
	}
	if len(got) != 6 || len(slices.Compact(slices.Clone(got))) != 6 {
		t.Errorf("%d rows in pages: %v", len(got), got)
	}
	for text, want := range map[string]int{"TOO LONG": 5, "100% busy": 1, "0_": 0} {
		if page := must(f.db.Parked(t.Context(), store.ParkedQuery{Text: text}))(t); len(page) != want {
			t.Errorf("%q finds %d, want %d", text, len(page), want)
		}
	}
	if page := must(f.db.Parked(t.Context(), store.ParkedQuery{Connector: files}))(t); len(page) != 1 || page[0].Alert != ids[0] {
		t.Errorf("of files: %+v", page)
	}
}

func remoteLink(id alert.ID, connector string) alert.LinkID {
	return alert.LinkID{Alert: id, Connector: connector, Side: alert.Remote}
}

func deskRetry(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(3, tickets)
	f.park(ids[0], tickets, refused)
	f.park(ids[1], tickets, refused)
	links := []alert.LinkID{remoteLink(ids[0], tickets), remoteLink(ids[0], tickets), remoteLink(ids[2], tickets), remoteLink(alert.NewID(), tickets)}
	n, work, err := f.db.RetryParked(t.Context(), store.DeskRequest{Links: links, Who: "ann"})
	if err != nil || n != 1 || !slices.Equal(work, []string{tickets}) {
		t.Fatalf("retried %d, work %q: %v", n, work, err)
	}
	if l := f.link(ids[0], tickets, alert.Remote); l.Parked != "" || l.Attempts != 0 || l.DueAt.IsZero() || l.DueAt.After(l.ChangedAt) {
		t.Errorf("retried: %+v", l)
	}
	if l := f.link(ids[1], tickets, alert.Remote); l.Parked == "" {
		t.Error("another one was retried too")
	}
	events := must(f.db.Timeline(t.Context(), ids[0]))(t)
	if len(events) != 1 || events[0].Kind != "retried" || events[0].Text != "by ann" {
		t.Errorf("timeline %+v", events)
	}
}

func deskRetryAll(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.raise(1100, tickets)
	f.raise(3, files)
	f.exec("UPDATE link SET parked = 'refused: nothing', due_at = NULL")
	f.exec("UPDATE link SET parked = 'gave up after 3 attempts' WHERE connector = $1", files)
	n, _, err := f.db.RetryParked(t.Context(), store.DeskRequest{All: true, Text: "Refused", Who: "ann"})
	if err != nil || n != 1100 {
		t.Errorf("retried %d: %v", n, err)
	}
	if n := f.count("SELECT count(*) FROM link WHERE parked <> ''"); n != 3 {
		t.Errorf("%d are still parked", n)
	}
	if n, work, err := f.db.RetryParked(t.Context(), store.DeskRequest{All: true, Text: "Refused", Who: "ann"}); n != 0 || work != nil || err != nil {
		t.Errorf("retried %d again, work %q: %v", n, work, err)
	}
}

func deskGiveUp(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(3, tickets)
	f.park(ids[0], tickets, refused)
	f.park(ids[1], tickets, refused)
	f.exec("UPDATE link SET stage = 'uncertain' WHERE alert_id = $1", ids[1])
	f.park(ids[2], tickets, "the ticket was made, and its answer could not be read")
	n, err := f.db.GiveUp(t.Context(), store.DeskRequest{All: true, Who: "ann"}, "noise")
	if err != nil || n != 1 {
		t.Fatalf("gave up %d: %v", n, err)
	}
	if l := f.link(ids[0], tickets, alert.Remote); l.Skipped != "given up by ann: noise" || l.Parked != "" || !l.DueAt.IsZero() {
		t.Errorf("given up: %+v", l)
	}
	for _, id := range ids[1:] {
		if l := f.link(id, tickets, alert.Remote); l.Parked == "" || l.Skipped != "" {
			t.Errorf("one that may have a ticket was given up: %+v", l)
		}
	}
	f.accept(to(tickets), observe(f.detail(ids[0]).Key, alert.Open, "worse"))
	if l := f.link(ids[0], tickets, alert.Remote); l.Wanted != 2 || !l.DueAt.IsZero() {
		t.Errorf("a later revision: %+v", l)
	}
	if err := f.db.TakeUp(t.Context(), remoteLink(ids[0], tickets), "bob"); err != nil {
		t.Fatal(err)
	}
	if l := f.link(ids[0], tickets, alert.Remote); l.Skipped != "" || l.DueAt.IsZero() || l.Stage != alert.Fresh {
		t.Errorf("taken up: %+v", l)
	}
	if err := f.db.TakeUp(t.Context(), remoteLink(ids[0], tickets), "bob"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("taken up again: %v", err)
	}
	var kinds []string
	for _, e := range must(f.db.Timeline(t.Context(), ids[0]))(t) {
		kinds = append(kinds, e.Kind+" "+e.Text)
	}
	if got := strings.Join(kinds, ", "); got != "given up by ann: noise, changed , taken up by bob" {
		t.Errorf("timeline %q", got)
	}
}

// peopleFilters are those of the list that peopleList does not ask.
func peopleFilters(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	one, two := observe("one", alert.Open, "x"), observe("two", alert.Open, "x")
	one.Severity, two.Severity = "critical", "crit"
	two.Labels = map[string]string{"severity": "critical"}
	f.accept(to(tickets), one)
	id := f.accept(to(tickets), two)[0].ID
	f.exec("UPDATE link SET ticket = 'T-9', due_at = due_at - 120000000 WHERE alert_id = $1", id)
	for name, c := range map[string]struct {
		q    store.AlertQuery
		want string
	}{
		"severity":           {store.AlertQuery{Severity: "critical"}, "one"},
		"no such severity":   {store.AlertQuery{Severity: "crit%"}, ""},
		"overdue":            {store.AlertQuery{Overdue: time.Minute}, "two"},
		"not so overdue":     {store.AlertQuery{Overdue: time.Hour}, ""},
		"text of a ticket":   {store.AlertQuery{Text: "T-9"}, "two"},
		"text of an id":      {store.AlertQuery{Text: id.String()}, "two"},
		"beginning of an id": {store.AlertQuery{Text: strings.ToUpper(id.String()[:30])}, "two"},
	} {
		var keys []string
		for _, r := range must(f.db.Alerts(t.Context(), c.q))(t) {
			keys = append(keys, r.Key)
		}
		if got := strings.Join(keys, " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
