package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/store"
)

var absences = map[string]func(*testing.T, Fresh){
	"absences/close what vanished":                   absentClosed,
	"absences/what its source showed ends too":       func(t *testing.T, fresh Fresh) { sourceEnds(t, fresh, true) },
	"absences/a closing ends what its source showed": func(t *testing.T, fresh Fresh) { sourceEnds(t, fresh, false) },
}

var people = map[string]func(*testing.T, Fresh){
	"people/list alerts":             peopleList,
	"people/pages":                   peoplePages,
	"people/find an alert":           peopleFind,
	"people/who works on a link":     peopleClaimedBy,
	"people/retry":                   peopleRetry,
	"people/retry everything parked": peopleRetryAll,
	"people/backlog":                 peopleBacklog,
	"people/how long it waits":       peopleOldest,
}

func absentClosed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.accept(to(tickets), observe("a", alert.Open, "x"), observe("b", alert.Open, "x"), observe("c", alert.Closed, "x"))
	open := must(f.db.OpenAlerts(t.Context(), "prom"))(t)
	if len(open) != 2 || open[0].Key != "a" || open[0].Seen != 1 || open[1].Key != "b" {
		t.Fatalf("open %+v", open)
	}
	f.accept(to(tickets), observe("b", alert.Open, "x")) // seen again meanwhile
	n, err := f.db.CloseAbsent(t.Context(), term, "prom", open, "gone from the source")
	if err != nil || n != 1 {
		t.Fatalf("closed %d: %v", n, err)
	}
	d := f.detail(open[0].ID)
	if d.Status != alert.Closed || d.Revision != 2 || d.Summary != "x" || d.Links[0].Wanted != 2 || d.Links[0].DueAt.IsZero() {
		t.Errorf("closed %+v", d)
	}
	events := must(f.db.Timeline(t.Context(), d.ID))(t)
	if len(events) != 1 || events[0].Kind != "closed" || events[0].Text != "gone from the source" {
		t.Errorf("timeline %+v", events)
	}
	if got := f.accept(to(tickets), observe("a", alert.Open, "x"))[0]; got.Change != alert.Raised {
		t.Errorf("it fires again: %+v", got)
	}
	f.term(tickets, "beta")
	if _, err := f.db.CloseAbsent(t.Context(), term, "prom", open[1:], "x"); !errors.Is(err, forward.ErrDeposed) {
		t.Errorf("deposed: %v", err)
	}
	if left := must(f.db.OpenAlerts(t.Context(), "other"))(t); len(left) != 0 {
		t.Errorf("another source: %+v", left)
	}
}

// sourceEnds: a source that was told of a ticket is told once more when the
// alert closes, whoever closes it, and only then.
func sourceEnds(t *testing.T, fresh Fresh, absent bool) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.accept(to(tickets), observe("a", alert.Open, "x"))[0].ID
	other := f.accept(to(tickets), observe("b", alert.Open, "x"))[0].ID
	f.settle(term)
	for i, id := range []alert.ID{id, other} {
		key := alert.NewKey(must(f.db.Group(t.Context()))(t).ID, tickets, id)
		step := []string{"", "1", "2"}[i:]
		if err := f.db.Receive(t.Context(), term, "poll", step[0], step[1], []alert.News{{ID: step[1], Key: key, State: "resolved"}}, back); err != nil {
			t.Fatalf("receive: %v", err)
		}
	}
	claim, works := f.claim(f.db, term, 10)
	for _, w := range works {
		e := sent(w, claim, "")
		e.Outcome.Delivered, e.Outcome.Told = w.Link.Wanted, "acknowledged"
		f.record(term, e)
	}
	f.accept(to(tickets), observe("a", alert.Open, "y"))
	if l := f.link(id, tickets, alert.Source); l.Wanted != 1 || l.Due() || !l.DueAt.IsZero() {
		t.Errorf("a change of the alert is told to its own source: %+v", l)
	}
	if absent {
		open := must(f.db.OpenAlerts(t.Context(), "prom"))(t)
		if n, err := f.db.CloseAbsent(t.Context(), term, "prom", open[:1], "gone"); n != 1 || err != nil {
			t.Fatalf("closed %d: %v", n, err)
		}
	} else {
		f.accept(to(), observe("a", alert.Closed, "y"), observe("a", alert.Open, "fired again"))
	}
	if l := f.link(id, tickets, alert.Source); l.Wanted != 2 || l.Told != "acknowledged" || l.DueAt.IsZero() {
		t.Errorf("the source is not told that the alert closed: %+v", l)
	}
	if l := f.link(other, tickets, alert.Source); l.Wanted != 1 || !l.DueAt.IsZero() {
		t.Errorf("another alert's source is told: %+v", l)
	}
	if l := f.link(id, tickets, alert.Remote); l.Wanted != 3 || l.DueAt.IsZero() {
		t.Errorf("the ticket does not hear of the close: %+v", l)
	}
}

func peopleList(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.accept(to(tickets, files), observe("disk-1", alert.Open, "100% full_up"))
	f.accept(to(files), observe("disk-2", alert.Open, "1000 fullXup"))
	f.accept(to(tickets), observe("cpu", alert.Open, "Busy"))
	f.settle(term)
	f.accept(to(tickets), observe("cpu", alert.Closed, "Busy"))
	f.exec("UPDATE link SET parked = 'x' WHERE connector = $1 AND alert_id = (SELECT id FROM alert WHERE source_key = 'disk-1')", files)
	for _, c := range []struct {
		name string
		q    store.AlertQuery
		want string
	}{
		{"all, newest first", store.AlertQuery{}, "cpu disk-2 disk-1"},
		{"status", store.AlertQuery{Status: alert.Open}, "disk-2 disk-1"},
		{"connector", store.AlertQuery{Connector: tickets}, "cpu disk-1"},
		{"stage", store.AlertQuery{Connector: files, Stage: alert.Fresh}, "disk-2 disk-1"},
		{"parked", store.AlertQuery{Parked: true}, "disk-1"},
		{"parked elsewhere", store.AlertQuery{Parked: true, Connector: tickets}, ""},
		{"text, in any case", store.AlertQuery{Text: "bUSY"}, "cpu"},
		{"text of the key", store.AlertQuery{Text: "disk-"}, "disk-2 disk-1"},
		{"no wildcards", store.AlertQuery{Text: "0% full_"}, "disk-1"},
		{"source", store.AlertQuery{Source: "nosuch"}, ""},
		{"limit", store.AlertQuery{Limit: 1}, "cpu"},
	} {
		list, err := f.db.Alerts(t.Context(), c.q)
		var keys []string
		for _, r := range list {
			keys = append(keys, r.Key)
		}
		if got := strings.Join(keys, " "); got != c.want || err != nil {
			t.Errorf("%s: %q, not %q: %v", c.name, got, c.want, err)
		}
	}
	list := must(f.db.Alerts(t.Context(), store.AlertQuery{Text: "disk-1"}))(t)
	if len(list[0].Links) != 2 || list[0].Links[0].LinkID.Connector != files || list[0].Links[1].Ticket == "" {
		t.Errorf("links %+v", list[0].Links)
	}
}

func peoplePages(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(7, tickets) // accepted in one transaction: all at the same moment
	var got []alert.ID
	q := store.AlertQuery{Limit: 3}
	for {
		page := must(f.db.Alerts(t.Context(), q))(t)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, r.ID)
		}
		q.Before = page[len(page)-1].Cursor()
	}
	if len(got) != len(ids) {
		t.Errorf("%d alerts in pages, not %d", len(got), len(ids))
	}
	for _, id := range ids {
		if !slices.Contains(got, id) {
			t.Errorf("alert %s is on no page", id)
		}
	}
}

func peopleFind(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(2, tickets)
	f.settle(term)
	f.exec("UPDATE link SET ticket = '4711' WHERE alert_id = $1", ids[1])
	for _, text := range []string{ids[0].String(), ids[0].String()[:30], strings.ToUpper(ids[0].String()[:28]),
		ids[0].String()[24:], ids[0].String()[17:], strings.ReplaceAll(ids[0].String()[13:], "-", "")} {
		if got, err := f.db.FindAlert(t.Context(), text); err != nil || got != ids[0] {
			t.Errorf("%s: %s: %v", text, got, err)
		}
	}
	_, err := f.db.FindAlert(t.Context(), ids[0].String()[:1])
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), ids[0].String()) || !strings.Contains(err.Error(), ids[1].String()) {
		t.Errorf("one digit, which both begin with: %v, want both named", err)
	}
	if got, err := f.db.FindAlert(t.Context(), "4711"); err != nil || got != ids[1] {
		t.Errorf("by ticket: %s: %v", got, err)
	}
	for _, text := range []string{"", "zz", strings.Repeat("0", 40), alert.NewID().String()} {
		if _, err := f.db.FindAlert(t.Context(), text); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := f.db.Alert(t.Context(), alert.NewID()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("no such alert: %v", err)
	}
	f.exec("UPDATE link SET ticket = '4711'")
	if _, err := f.db.FindAlert(t.Context(), "4711"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("two answer to it: %v", err)
	}
}

// peopleClaimedBy: the event of a server's joining has epoch 0, as a link that
// nobody claimed has.
func peopleClaimedBy(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	id := f.raise(1, tickets)[0]
	f.exec(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
		VALUES ($1, 0, 1, '', 'alpha', 'joined', '')`, tickets)
	term := f.term(tickets, "beta")
	if l := f.link(id, tickets, alert.Remote); l.ClaimedBy != "" {
		t.Errorf("nobody claimed it, yet it is claimed by %q", l.ClaimedBy)
	}
	f.claim(f.db, term, 1)
	if l := f.link(id, tickets, alert.Remote); l.ClaimedBy != "beta" {
		t.Errorf("claimed by %q", l.ClaimedBy)
	}
}

func peopleRetry(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(3, tickets, files)
	f.exec("UPDATE link SET parked = 'refused', attempts = 9, due_at = NULL WHERE alert_id = $1 AND connector = $2", ids[0], tickets)
	f.exec("UPDATE link SET attempts = 4, due_at = due_at + 3600000000 WHERE alert_id = $1 AND connector = $2", ids[1], tickets)
	n, err := f.db.Retry(t.Context(), store.RetryRequest{Connector: tickets, Alerts: append(ids, alert.NewID()), Who: "ann"})
	if err != nil || n != 2 {
		t.Fatalf("retried %d: %v", n, err)
	}
	for _, id := range ids[:2] {
		l := f.link(id, tickets, alert.Remote)
		if l.Parked != "" || l.Attempts != 0 || l.DueAt.IsZero() || l.DueAt.After(l.ChangedAt) {
			t.Errorf("link %+v", l)
		}
	}
	events := must(f.db.Timeline(t.Context(), ids[0]))(t)
	if len(events) != 1 || events[0].Kind != "retried" || !strings.Contains(events[0].Text, "ann") {
		t.Errorf("timeline %+v", events)
	}
	f.claim(f.db, term, 10)
	if n, err := f.db.Retry(t.Context(), store.RetryRequest{Alerts: ids, Who: "ann"}); err != nil || n != 0 {
		t.Errorf("retried %d that are claimed or due: %v", n, err)
	}
}

func peopleRetryAll(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.raise(1200, tickets)
	f.raise(3, files)
	f.exec("UPDATE link SET parked = 'refused', due_at = NULL")
	n, err := f.db.Retry(t.Context(), store.RetryRequest{Connector: tickets, AllParked: true, Who: "ann"})
	if err != nil || n != 1200 {
		t.Errorf("retried %d: %v", n, err)
	}
	if n := f.count("SELECT count(*) FROM link WHERE parked <> ''"); n != 3 {
		t.Errorf("%d are still parked", n)
	}
}

func peopleBacklog(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	if b := must(f.db.Backlog(t.Context()))(t); len(b) != 0 {
		t.Errorf("backlog of nothing: %+v", b)
	}
	term := f.term(tickets, "alpha")
	ids := f.raise(6, tickets)
	f.claim(f.db, term, 2)
	f.exec("UPDATE link SET parked = 'x', due_at = NULL WHERE alert_id = (SELECT alert_id FROM link WHERE due_at IS NOT NULL ORDER BY alert_id LIMIT 1)")
	f.exec("UPDATE link SET due_at = due_at - 60000000, created_at = created_at - 60000000 WHERE due_at IS NOT NULL")
	f.raise(1, files)
	b := must(f.db.Backlog(t.Context()))(t)
	got := b[tickets]
	if got.Due != 3 || got.Claimed != 2 || got.Parked != 1 || got.OldestDue < time.Minute || len(b) != 2 || b[files].Due != 1 {
		t.Errorf("backlog %+v of %d alerts", b, len(ids))
	}
}

// peopleOldest: what fails is as old as what it has to tell, wherever back-off put it.
func peopleOldest(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	id := f.raise(1, tickets)[0]
	oldest := func(when string, minutes int) {
		t.Helper()
		got := must(f.db.Backlog(t.Context()))(t)[tickets].OldestDue
		if want := time.Duration(minutes) * time.Minute; got < want || got > want+3*time.Minute {
			t.Errorf("%s: the oldest has waited for %s, want %s", when, got, want)
		}
	}
	set := func(columns string) { t.Helper(); f.exec("UPDATE link SET "+columns+" WHERE alert_id = $1", id) }
	oldest("just accepted", 0)
	set("created_at = created_at - 900000000, attempts = 4, failure = '503', due_at = due_at + 1200000000")
	oldest("in back-off", 15)
	set("attempts = 0")
	oldest("after a failure that is the remote's", 15)
	f.raise(60, tickets)
	oldest("behind others", 15)
	f.exec("UPDATE link SET due_at = NULL WHERE alert_id <> $1", id)
	set("due_at = NULL, claim_id = 'e0000000-0000-4000-8000-000000000000'")
	oldest("being tried again", 15)
	set("failure = ''")
	oldest("being tried for the first time", 0)

	set("claim_id = NULL, stage = 'settled', ticket = '7', delivered = 1, delivered_at = created_at - 3600000000")
	for _, text := range []string{"disk fuller", "disk overflowing"} {
		f.accept(to(tickets), observe("key-"+time.Duration(1).String(), alert.Open, text))
		f.exec("UPDATE timeline SET at = at - 1200000000 WHERE alert_id = $1", id)
	}
	set("attempts = 1, failure = '503', due_at = due_at + 1200000000")
	oldest("of two changes, the later 20 minutes ago", 40)
	set("attempts = 0, failure = '', not_before = due_at")
	oldest("held back on purpose", 0)
}
