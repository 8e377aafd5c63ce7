package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/retention"
)

var forgetting = map[string]func(*testing.T, Fresh){
	"forget/what is closed and delivered goes, the rest stays":  forgetRest,
	"forget/the newest of a key goes when it is not repeated":   forgetLatest,
	"forget/the earlier ticket that may be gone on with stays":  forgetEarlier,
	"forget/an alert goes with the last connector's link":       forgetShared,
	"forget/what changed since it was looked at stays":          forgetChanged,
	"forget/an ended term removes nothing":                      forgetDeposed,
	"forget/a result for a forgotten link is dropped":           forgetLate,
	"forget/news goes with its ticket, changes but the newest":  forgetNews,
	"forget/in pages, and not before a backlog":                 forgetPages,
	"forget/claims and intake go on beside it":                  forgetBeside,
	"forget/a frozen one holds up neither claims nor take-over": forgetFrozen,
}

// keeping is a policy: alerts are kept for 90 days, and earlier tickets in some
// states are gone on with for a time.
type keeping map[string]time.Duration

const kept = 90 * 24 * time.Hour

func (keeping) Keep() time.Duration { return kept }

func (k keeping) UsesEarlier(state string, ago time.Duration) bool { return ago <= k[state] }

// forget runs a Keeper once.
func (f *fixture) forget(term ha.Term, policy keeping) retention.Removed {
	f.Helper()
	removed, err := f.tryForget(term, policy)
	if err != nil {
		f.Fatalf("forget: %v", err)
	}
	return removed
}

func (f *fixture) tryForget(term ha.Term, policy keeping) (retention.Removed, error) {
	k := retention.New(retention.Config{Connector: term.Connector, Store: f.db,
		Policy: func() (retention.Policy, <-chan struct{}) { return policy, nil }})
	return k.Once(f.Context(), term)
}

// age makes everything older than it is.
func (f *fixture) age(by time.Duration) {
	f.Helper()
	for table, columns := range map[string][]string{
		"alert": {"accepted_at", "changed_at"}, "link": {"created_at", "changed_at"}, "timeline": {"at"},
		"news": {"received_at"}, "availability_event": {"at"},
	} {
		for _, c := range columns {
			f.exec("UPDATE "+table+" SET "+c+" = "+c+" - $1", by.Microseconds())
		}
	}
}

// end ends alerts at their source and delivers that.
func (f *fixture) end(keys ...string) {
	f.Helper()
	for _, key := range keys {
		f.accept(to(tickets), observe(key, alert.Closed, ""))
	}
}

// former raises, ends and delivers problems, and raises and delivers each anew:
// the ids are those of the earlier alerts, which nothing needs any longer.
func (f *fixture) former(term ha.Term, keys ...string) []alert.ID {
	f.Helper()
	ids := make([]alert.ID, len(keys))
	for i, key := range keys {
		ids[i] = f.accept(to(tickets), observe(key, alert.Open, "disk full"))[0].ID
	}
	f.settle(term)
	f.end(keys...)
	f.settle(term)
	for _, key := range keys {
		f.accept(to(tickets), observe(key, alert.Open, "disk full"))
	}
	f.settle(term)
	return ids
}

func (f *fixture) stored(id alert.ID) bool {
	f.Helper()
	return f.count("SELECT count(*) FROM alert WHERE id = $1", id) == 1
}

// whole checks that nothing is left of an alert or link that went.
func (f *fixture) whole() {
	f.Helper()
	for table, of := range map[string]string{"link": "alert a WHERE a.id = t.alert_id", "timeline": "alert a WHERE a.id = t.alert_id",
		"note": "link l WHERE l.alert_id = t.alert_id AND l.connector = t.connector AND l.side = t.side"} {
		if n := f.count("SELECT count(*) FROM " + table + " AS t WHERE NOT EXISTS (SELECT 1 FROM " + of + ")"); n > 0 {
			f.Errorf("%d rows of %s belong to nothing", n, table)
		}
	}
}

func forgetRest(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	const link = "UPDATE link SET "
	cases := []struct {
		name, change string // what is done to the link, or the alert, with id $1
		stays        bool
	}{
		{"at rest", "", false},
		{"due", link + "wanted = wanted + 1, due_at = 1 WHERE alert_id = $1", true},
		{"a note is due", link + "notes_wanted = 1, due_at = 1 WHERE alert_id = $1", true},
		{"claimed", link + "wanted = wanted + 1, claim_id = alert_id, claim_epoch = 1 WHERE alert_id = $1", true},
		{"parked", link + "parked = 'refused' WHERE alert_id = $1", true},
		{"uncertain", link + "stage = 'uncertain', due_at = 1 WHERE alert_id = $1", true},
		{"to be verified", link + "stage = 'verify', due_at = 1 WHERE alert_id = $1", true},
		{"held", link + "hold_epoch = 1, hold_until = 1 WHERE alert_id = $1", true},
		{"with evidence", link + "evidence = 'T-9' WHERE alert_id = $1", true},
		{"skipped", link + "skipped = 'closed unsent', stage = 'fresh', ticket = '' WHERE alert_id = $1", false},
		{"skipped in doubt", link + "skipped = 'handed on', stage = 'verify' WHERE alert_id = $1", true},
		{"news came lately", link + "changed_at = changed_at + 1728000000000 WHERE alert_id = $1", true},
		{"closed lately", "UPDATE alert SET changed_at = changed_at + 1728000000000 WHERE id = $1", true},
		{"open", "UPDATE alert SET status = 'open' WHERE id = $1", true},
		{"to be evaluated", "UPDATE alert SET behind = 1 WHERE id = $1", true},
		{"its source's side due", `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered,
			notes_delivered, attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch,
			hold_until, evidence, due_at, not_before, created_at, changed_at, delivered_at)
			SELECT alert_id, connector, 'source', 'settled', '', '', '', '', 0, 0, 0, '', '', '', 1, 0, '', NULL, 0, 0, 0, '', 1, 0, 1, 1, 0
			FROM link WHERE alert_id = $1`, true},
	}
	var keys []string
	for _, c := range cases {
		keys = append(keys, c.name)
	}
	ids := f.former(term, keys...)
	f.age(100 * 24 * time.Hour)
	for i, c := range cases {
		if c.change != "" {
			f.exec(c.change, ids[i])
		}
	}
	removed := f.forget(term, nil)
	for i, c := range cases {
		if f.stored(ids[i]) != c.stays {
			t.Errorf("%s: stored %v, want %v", c.name, !c.stays, c.stays)
		}
	}
	if removed.Alerts != 2 {
		t.Errorf("removed %+v, want 2 alerts", removed)
	}
	f.whole()
	if again := f.forget(term, nil); again.Alerts != 0 {
		t.Errorf("a second run removed %+v", again)
	}
}

func forgetLatest(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	quiet := f.accept(to(tickets), observe("quiet", alert.Open, ""))[0].ID
	loud := f.accept(to(tickets), observe("loud", alert.Open, ""))[0].ID
	nobodys := f.accept(to(), observe("nobody's", alert.Open, ""))[0].ID
	f.settle(term)
	f.end("quiet", "loud", "nobody's")
	f.settle(term)
	f.age(100 * 24 * time.Hour)
	expect := func(when string, removed int, stay ...alert.ID) {
		t.Helper()
		if r := f.forget(term, nil); r.Alerts != removed {
			t.Errorf("%s: removed %+v, want %d alerts", when, r, removed)
		}
		for _, id := range stay {
			if !f.stored(id) {
				t.Errorf("%s: %s is gone", when, id)
			}
		}
	}
	expect("at first sight", 0, quiet, loud, nobodys)
	if kinds := timeline(f, quiet); kinds[len(kinds)-1] != "quiet" {
		t.Errorf("the timeline does not tell that the alert is about to go: %v", kinds)
	}
	f.age(retention.Quiet / 2)
	f.end("loud")
	expect("half a week later", 0, quiet, loud, nobodys)
	f.age(retention.Quiet/2 + time.Hour)
	expect("a week later", 2, loud)
	// What its source repeats is known: no alert of its own, no ticket.
	if again := f.accept(to(tickets), observe("loud", alert.Closed, "")); again[0].Change != alert.Repeated {
		t.Errorf("the repeated closing: %+v", again)
	}
	// What was forgotten fires as if for the first time.
	fresh2 := f.accept(to(tickets), observe("quiet", alert.Open, ""))[0]
	if fresh2.Change != alert.Raised || f.detail(fresh2.ID).Previous != uuid.Nil {
		t.Errorf("after it was forgotten: %+v", fresh2)
	}
	f.whole()
}

func forgetEarlier(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	for _, key := range []string{"resolved", "reopened", "elsewhere"} {
		f.accept(to(tickets), observe(key, alert.Open, ""))
	}
	f.settle(term)
	f.end("resolved", "reopened", "elsewhere")
	f.settle(term)
	f.exec("UPDATE link SET heard = 'resolved'")
	f.exec("UPDATE link SET heard = 'open' WHERE alert_id = (SELECT id FROM alert WHERE source_key = 'reopened')")
	f.exec("UPDATE link SET heard = 'gone' WHERE alert_id = (SELECT id FROM alert WHERE source_key = 'elsewhere')")
	f.age(100 * 24 * time.Hour)
	policy := keeping{"open": 1 << 62, "resolved": 200 * 24 * time.Hour}
	f.forget(term, policy)
	f.age(8 * 24 * time.Hour)
	if r := f.forget(term, policy); r.Alerts != 1 || f.count("SELECT count(*) FROM alert WHERE source_key = 'elsewhere'") != 0 {
		t.Errorf("removed %+v, want the one that the life cycle table has no use for", r)
	}
	// It fires again: until that has its ticket, the earlier one stays.
	policy["resolved"] = 24 * time.Hour
	next := f.accept(to(tickets), observe("resolved", alert.Open, ""))[0].ID
	if r := f.forget(term, policy); r.Alerts != 0 {
		t.Errorf("removed %+v, the earlier alert of a fresh link", r)
	}
	if f.detail(next).Previous == uuid.Nil || !f.stored(f.detail(next).Previous) {
		t.Error("the earlier alert of a fresh link is gone")
	}
	f.settle(term)
	if r := f.forget(term, policy); r.Alerts != 1 || f.stored(f.detail(next).Previous) {
		t.Errorf("removed %+v, want the earlier alert once the ticket is there", r)
	}
	if n := f.count("SELECT count(*) FROM alert WHERE source_key = 'reopened'"); n != 1 {
		t.Error("a ticket that is still open lost its alert")
	}
	f.whole()
}

func forgetShared(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	mine, theirs := f.term(tickets, "alpha"), f.term(files, "beta")
	id := f.accept(to(tickets, files), observe("a", alert.Open, ""))[0].ID
	f.settle(mine)
	f.settle(theirs)
	f.end("a")
	f.settle(mine)
	f.settle(theirs)
	f.accept(to(), observe("a", alert.Open, ""))
	f.age(100 * 24 * time.Hour)
	if r := f.forget(mine, nil); r.Alerts != 1 || !f.stored(id) {
		t.Errorf("removed %+v; the alert that another connector keeps is stored: %v", r, f.stored(id))
	}
	d := f.detail(id)
	if len(d.Links) != 1 || d.Links[0].LinkID.Connector != files {
		t.Errorf("links left: %+v", d.Links)
	}
	if r := f.forget(mine, nil); r.Alerts != 0 {
		t.Errorf("removed %+v of another connector", r)
	}
	if r := f.forget(theirs, nil); r.Alerts != 1 || f.stored(id) {
		t.Errorf("removed %+v, the alert is stored: %v", r, f.stored(id))
	}
	f.whole()
}

func forgetChanged(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.former(term, "a", "b")
	f.accept(to(tickets), observe("c", alert.Open, ""))
	f.settle(term)
	f.end("c")
	f.settle(term)
	f.age(100 * 24 * time.Hour)
	old, _, _, err := f.db.OldAlerts(t.Context(), tickets, kept, retention.Place{}, 100)
	if err != nil || len(old) != 3 {
		t.Fatalf("old: %+v, %v", old, err)
	}
	latest := old[slices.IndexFunc(old, func(o retention.Old) bool { return o.Latest })]
	f.exec("UPDATE link SET stage = 'verify', due_at = 1 WHERE alert_id = $1", ids[0])
	next := f.accept(to(tickets), observe("c", alert.Open, ""))[0].ID
	n, err := f.db.Forget(t.Context(), term, kept, old)
	if err != nil || n != 1 || !f.stored(ids[0]) || f.stored(ids[1]) || !f.stored(latest.ID) || f.detail(next).Previous != latest.ID {
		t.Errorf("forgot %d of them: %v", n, err)
	}
}

func forgetDeposed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	ids := f.former(old, "a")
	f.age(100 * 24 * time.Hour)
	f.accept(to(tickets), observe("b", alert.Open, ""))
	f.term(tickets, "beta")
	if r, err := f.tryForget(old, nil); !errors.Is(err, forward.ErrDeposed) || r.Alerts != 0 || !f.stored(ids[0]) {
		t.Errorf("an ended term: %+v, %v", r, err)
	}
	for _, call := range []func() error{
		func() error { return f.db.NoteQuiet(t.Context(), old, nil) },
		func() error { _, err := f.db.ForgetEvents(t.Context(), old, kept); return ignoreNone(f, err) },
	} {
		if err := call(); !errors.Is(err, forward.ErrDeposed) {
			t.Errorf("an ended term: %v", err)
		}
	}
}

// ignoreNone: with few changes of Active there is nothing to be asked about.
func ignoreNone(f *fixture, err error) error {
	if err == nil && f.count("SELECT count(*) FROM availability_event") <= 1000 {
		return forward.ErrDeposed
	}
	return err
}

func forgetLate(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.accept(to(tickets), observe("a", alert.Open, ""))[0].ID
	claim, works := f.claim(f.db, term, 10)
	late := sent(works[0], claim, "T-late")
	next := f.term(tickets, "beta")
	must(f.db.Expire(t.Context(), next, nil, alert.Hold{Epoch: next.Epoch}))(t)
	f.settle(next)
	f.end("a")
	f.settle(next)
	f.accept(to(tickets), observe("a", alert.Open, ""))
	f.settle(next)
	f.age(100 * 24 * time.Hour)
	if r := f.forget(next, nil); r.Alerts != 1 || f.stored(id) {
		t.Fatalf("removed %+v", r)
	}
	if answers := f.record(term, late); answers[0] != alert.Dropped {
		t.Errorf("a result that came later than anything: %v", answers)
	}
	f.whole()
}

func forgetNews(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.former(term, "a")
	ticket := f.link(f.accept(to(tickets), observe("a", alert.Open, "disk full"))[0].ID, tickets, alert.Remote).Ticket
	news := []alert.News{{ID: "1", Ticket: ticket, State: "open"}, {ID: "2", Ticket: "somebody else's", State: "open"}, {ID: "3", Ticket: "late"}}
	if err := f.db.Receive(t.Context(), term, "poll", "", "3", news, back); err != nil {
		t.Fatal(err)
	}
	for n := range 1003 {
		f.exec(`INSERT INTO availability_event (connector, epoch, at, from_server, to_server, reason, who)
			SELECT $1, $2, now, '', 'alpha', 'first', '' FROM clock`, tickets, n)
	}
	f.age(100 * 24 * time.Hour)
	f.exec("UPDATE news SET received_at = (SELECT now FROM clock) WHERE id = '3'")
	r := f.forget(term, nil)
	if r.News != 1 || f.count("SELECT count(*) FROM news WHERE id IN ('1', '3')") != 2 {
		t.Errorf("removed %+v, want the news of a ticket that no link has", r)
	}
	if r.Events != 3 || f.count("SELECT min(epoch) FROM availability_event") != 3 {
		t.Errorf("removed %+v, want 3 changes of Active", r)
	}
	// Read once more by the bookmark's overlap, it is about nobody.
	if err := f.db.Receive(t.Context(), term, "poll", "3", "4", news[1:2], back); err != nil {
		t.Errorf("the forgotten news comes again: %v", err)
	}
}

func forgetPages(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	keys := make([]string, 1100)
	for i := range keys {
		keys[i] = fmt.Sprint("key-", i)
	}
	var open, closed []alert.Observation
	for _, key := range keys {
		open = append(open, observe(key, alert.Open, ""))
		closed = append(closed, observe(key, alert.Closed, ""))
	}
	f.acceptMany(tickets, open)
	f.acceptMany(tickets, closed)
	f.age(100 * 24 * time.Hour)
	if _, err := f.tryForget(term, nil); err == nil {
		t.Error("a run went on beside a backlog of 1,100 links")
	}
	for f.count("SELECT count(*) FROM link WHERE due_at IS NOT NULL") > 0 {
		f.settle(term)
	}
	f.acceptMany("", open)
	f.age(100 * 24 * time.Hour)
	if r := f.forget(term, nil); r.Alerts != 1100 {
		t.Errorf("removed %+v, want 1,100 alerts", r)
	}
	if n := f.count("SELECT count(*) FROM alert"); n != 1100 {
		t.Errorf("%d alerts are left, want the 1,100 that are open", n)
	}
	f.whole()
}

// acceptMany takes in many observations in batches that a busy machine can
// store while their caller listens.
func (f *fixture) acceptMany(connector string, all []alert.Observation) {
	f.Helper()
	route := to()
	if connector != "" {
		route = to(connector)
	}
	for some := range slices.Chunk(all, 25) {
		f.accept(route, some...)
	}
}

// forgetBeside removes old alerts for two connectors while others claim, record
// and take in: nothing is claimed twice, nothing is left out, nothing is left over.
func forgetBeside(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	mine, theirs := f.term(tickets, "alpha"), f.term(files, "beta")
	var keys []string
	for i := range 150 {
		keys = append(keys, fmt.Sprint("old-", i))
	}
	f.former(mine, keys...)
	f.age(100 * 24 * time.Hour)
	for range 8 {
		f.raise(25, tickets, files)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 3)
	for _, term := range []ha.Term{mine, theirs} {
		go func() { _, err := f.tryForget(term, nil); done <- err }()
	}
	go func() {
		for i := range 20 {
			o := observe(keys[i], alert.Closed, "")
			if _, err := f.db.Accept(ctx, intake.Batch{Server: "alpha", Generation: 2, Items: []intake.Observed{{Observation: o, Route: to(tickets)}}}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	sentOnce := map[alert.LinkID]bool{}
	for len(sentOnce) < 400 && ctx.Err() == nil {
		for _, term := range []ha.Term{mine, theirs} {
			claim, works := f.claim(f.db, term, 20)
			var entries []forward.Entry
			for _, w := range works {
				if w.Alert.Status == alert.Open {
					if sentOnce[w.Link.LinkID] {
						t.Errorf("%v was handed out twice", w.Link.LinkID)
					}
					sentOnce[w.Link.LinkID] = true
				}
				entries = append(entries, sent(w, claim, "T-"+w.Alert.ID.String()))
			}
			f.record(term, entries...)
		}
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Errorf("beside it: %v", err)
		}
	}
	if n := f.forget(mine, nil).Alerts; len(sentOnce) != 400 || n < 0 {
		t.Errorf("%d links were handed out, not 400", len(sentOnce))
	}
	if n := f.count("SELECT count(*) FROM alert WHERE source_key LIKE 'old-%'"); n != 150 {
		t.Errorf("%d alerts are left of the old ones' keys, want the newest of each, 150", n)
	}
	f.whole()
}

// forgetFrozen stops a process in the middle of removing old alerts, with all
// its locks: on SQLite, where only one writes at a time, while it is reading.
func forgetFrozen(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.former(term, "a", "b")
	f.age(100 * 24 * time.Hour)
	f.raise(5, tickets)
	tx, err := rawBegin(f)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	defer func() { _ = tx.Rollback() }()
	statements := []string{"SELECT count(*) FROM alert"}
	if engine := f.db.Engine(); engine == "postgres" || engine == "mariadb" || engine == "mysql" {
		statements = []string{
			"SELECT id FROM alert WHERE status = 'closed' FOR UPDATE",
			"DELETE FROM link WHERE alert_id IN (SELECT id FROM alert WHERE status = 'closed')",
			"DELETE FROM alert WHERE status = 'closed'",
		}
	}
	for _, text := range statements {
		if _, err := tx.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("freeze: %v", err)
		}
	}
	// Were anything to wait for the frozen one, it would end with its context.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	other := f.open()
	claim := alert.NewID()
	n, err := other.Claim(ctx, forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch}, Claim: claim, Limit: 10})
	if err != nil || n != 5 {
		t.Fatalf("beside a frozen pruning: claimed %d: %v", n, err)
	}
	works := must(other.Claimed(ctx, tickets, claim))(t)
	if _, err := other.Record(ctx, term, []forward.Entry{sent(works[0], claim, "T-1")}); err != nil {
		t.Errorf("record: %v", err)
	}
	o := observe("another", alert.Open, "")
	if _, err := other.Accept(ctx, intake.Batch{Server: "alpha", Generation: 2, Items: []intake.Observed{{Observation: o, Route: to(tickets)}}}); err != nil {
		t.Errorf("accept: %v", err)
	}
	f.term(tickets, "beta") // nor does a take-over wait for it
}
