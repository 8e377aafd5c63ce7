package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

var claiming = map[string]func(*testing.T, Fresh){
	"claim/oldest first, no more than asked":       claimOrder,
	"claim/only what was due after a time":         claimAfter,
	"claim/the payload is read after the claim":    claimPayload,
	"claim/a deposed term changes nothing":         claimDeposed,
	"claim/holds":                                  claimHolds,
	"claim/what is not due stays":                  claimNotDue,
	"claim/the row itself must be due":             claimRowItself,
	"claim/a lost answer is read again":            claimReread,
	"claim/the earlier alert's ticket comes along": claimPrevious,
	"claim/notes":                              claimNotes,
	"claim/the next one due":                   claimNextDue,
	"claim/one connector's work is no other's": claimConnectors,
	"expire/exact":                             expireExact,
	"expire/a change to a ticket is read back": expireUpdate,
	"expire/a deposed term changes nothing":    expireDeposed,
	"adopt/a ticket":                           adoptTicket,
	"adopt/refused":                            adoptRefused,
}

func claimOrder(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(6, tickets)
	for i, id := range ids {
		f.exec("UPDATE link SET due_at = due_at - $2 WHERE alert_id = $1", id, 1_000_000*i) // the last one first
	}
	for i := 0; i < len(ids); i += 2 {
		_, works := f.claim(f.db, term, 2)
		var got []alert.ID
		for _, w := range works {
			got = append(got, w.Alert.ID)
		}
		for _, want := range ids[len(ids)-2-i : len(ids)-i] {
			if len(got) != 2 || !slices.Contains(got, want) {
				t.Fatalf("claim %d took %v, not %v", i/2, got, want)
			}
		}
	}
	if n, works := f.claim(f.db, term, 2); len(works) != 0 {
		t.Errorf("claim %s took %d more", n, len(works))
	}
}

func claimAfter(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	early := f.raise(2, tickets)
	_, works := f.claim(f.db, term, 1)
	if len(works) != 1 || works[0].Changed.IsZero() {
		t.Fatalf("claimed %+v", works)
	}
	// Both were due when they were made, which was the last change of either.
	f.exec("UPDATE link SET due_at = $2, changed_at = $2 WHERE alert_id <> $1", works[0].Alert.ID, works[0].Changed.UnixMicro())
	late := f.raise(1, tickets)[0]
	r := forward.ClaimRequest{Term: term, View: alert.TermView{Epoch: term.Epoch}, Limit: 10, After: works[0].Changed}
	for i, want := range [][]alert.ID{{late}, {}, early} {
		r.Claim = alert.NewID()
		if i == 2 {
			r.After = time.Time{}
			want = slices.DeleteFunc(want, func(id alert.ID) bool { return id == works[0].Alert.ID })
		}
		n, err := f.db.Claim(t.Context(), r)
		if err != nil || n != len(want) {
			t.Fatalf("claim %d took %d links, error %v, not %v", i, n, err, want)
		}
		got, err := f.db.Claimed(t.Context(), tickets, r.Claim)
		if err != nil || len(got) != len(want) || len(want) > 0 && got[0].Alert.ID != want[0] {
			t.Fatalf("claim %d took %v, error %v, not %v", i, got, err, want)
		}
	}
}

func claimPayload(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.accept(to(tickets), observe("a", alert.Open, "one"))[0].ID
	claim, _ := f.claim(f.db, term, 10)
	f.accept(to(tickets), observe("a", alert.Open, "two"))
	works := must(f.db.Claimed(t.Context(), tickets, claim))(t)
	if len(works) != 1 || works[0].Alert.ID != id || works[0].Alert.Summary != "two" || works[0].Alert.Revision != 2 {
		t.Fatalf("works %+v", works)
	}
	w := works[0]
	want := alert.NewLink(alert.LinkID{Connector: tickets, Alert: id, Side: alert.Remote}, 2).
		WithClaim(alert.Claim{ID: claim, Epoch: term.Epoch})
	if !same(w.Link, want) || w.Previous != nil || w.Peer != nil || w.Notes != nil || w.Age < 0 {
		t.Errorf("work %+v", w)
	}
	if l := f.link(id, tickets, alert.Remote); !l.DueAt.IsZero() || l.ClaimedBy != "alpha" {
		t.Errorf("a claimed link is due at %v, claimed by %q", l.DueAt, l.ClaimedBy)
	}
}

func claimDeposed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(2, tickets)
	old := f.term(tickets, "alpha")
	now := f.term(tickets, "beta")
	own, otherBoot, otherHistory := now, now, now
	own.Epoch, otherBoot.Boot, otherHistory.Identity = now.Epoch-1, "another", "another"
	for name, term := range map[string]ha.Term{
		"server": old, "term of the same process": own, "boot": otherBoot, "identity": otherHistory,
	} {
		_, err := f.db.Claim(t.Context(), forward.ClaimRequest{Term: term, Claim: alert.NewID(), Limit: 10})
		if !errors.Is(err, forward.ErrDeposed) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	// A history that changed deposes the term that the lease still names.
	f.exec("UPDATE lease SET identity = 'before the failover' WHERE connector = $1", tickets)
	stale := now
	stale.Identity = "before the failover"
	_, err := f.db.Claim(t.Context(), forward.ClaimRequest{Term: stale, Claim: alert.NewID(), Limit: 10})
	if !errors.Is(err, forward.ErrDeposed) {
		t.Errorf("the database's history changed: %v", err)
	}
	for _, id := range ids {
		if l := f.link(id, tickets, alert.Remote); l.Claim.ID != (alert.ClaimID{}) || l.DueAt.IsZero() {
			t.Errorf("a refused claim changed %+v", l)
		}
	}
}

func claimHolds(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	f.term(tickets, "beta")
	term := f.term(tickets, "alpha")
	f.raise(1, tickets)
	for _, c := range []struct {
		name string
		hold alert.Hold
		view alert.TermView
		want int
	}{
		{"mine, not over", alert.Hold{Epoch: term.Epoch, Until: time.Minute}, alert.TermView{Age: time.Minute - time.Microsecond, Swept: true}, 0},
		{"mine, just over", alert.Hold{Epoch: term.Epoch, Until: time.Minute}, alert.TermView{Age: time.Minute}, 1},
		{"another's", alert.Hold{Epoch: term.Epoch - 1, Until: time.Minute}, alert.TermView{Age: time.Hour}, 0},
		{"another's, swept", alert.Hold{Epoch: term.Epoch - 1, Until: time.Minute}, alert.TermView{Swept: true}, 1},
		{"none", alert.Hold{}, alert.TermView{}, 1},
	} {
		f.exec("UPDATE link SET claim_id = NULL, claim_epoch = 0, due_at = changed_at, hold_epoch = $1, hold_until = $2",
			c.hold.Epoch, c.hold.Until.Microseconds())
		c.view.Epoch = term.Epoch
		n, err := f.db.Claim(t.Context(), forward.ClaimRequest{Term: term, View: c.view, Claim: alert.NewID(), Limit: 10})
		if err != nil || n != c.want {
			t.Errorf("%s: claimed %d: %v", c.name, n, err)
		}
	}
}

func claimNotDue(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(4, tickets)
	claim, works := f.claim(f.db, term, 10)
	var entries []forward.Entry
	for i, w := range works {
		e := sent(w, claim, "T")
		switch i {
		case 1:
			e.Outcome.Progress = w.Link.Progress
			e.Outcome.Parked, e.Outcome.Failure = "refused", "422"
		case 2:
			e.Outcome.Progress = w.Link.Progress
			e.Outcome.Skipped = "not wanted"
		case 3:
			e.Outcome.Progress = w.Link.Progress
			e.Outcome.Delay = time.Hour
		}
		entries = append(entries, e)
	}
	f.record(term, entries...)
	if _, works := f.claim(f.db, term, 10); len(works) != 0 {
		t.Errorf("claimed %+v", works[0].Link)
	}
	due := 0
	for _, id := range ids {
		if l := f.link(id, tickets, alert.Remote); !l.DueAt.IsZero() {
			due++
			if l.DueAt.Sub(l.ChangedAt) != time.Hour {
				t.Errorf("due %v after the record", l.DueAt.Sub(l.ChangedAt))
			}
		}
	}
	if due != 1 {
		t.Errorf("%d of settled, parked, skipped and delayed are due", due)
	}
}

func claimReread(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.raise(3, tickets)
	claim, works := f.claim(f.db, term, 2)
	f.term(tickets, "beta")
	again := must(f.open().Claimed(t.Context(), tickets, claim))(t)
	if len(again) != 2 || !same(again[0].Link, works[0].Link) || !same(again[1].Link, works[1].Link) {
		t.Errorf("read again: %+v", again)
	}
	none := must(f.db.Claimed(t.Context(), tickets, alert.NewID()))(t)
	open := must(f.db.OpenClaims(t.Context(), tickets))(t)
	if len(none) != 0 || len(open) != 1 || open[0] != claim {
		t.Errorf("open claims %v; a claim nobody made holds %d", open, len(none))
	}
}

func claimPrevious(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	first := f.accept(to(tickets), observe("a", alert.Open, "one"))[0].ID
	f.settle(term)
	f.accept(to(tickets), observe("a", alert.Closed, "one"))
	f.settle(term)
	f.accept(to(tickets), observe("a", alert.Open, "again"), observe("b", alert.Open, "first time"))
	_, works := f.claim(f.db, term, 10)
	for _, w := range works {
		if w.Alert.Key == "b" && w.Previous != nil {
			t.Errorf("b never fired before: %+v", w.Previous)
		}
		if w.Alert.Key != "a" {
			continue
		}
		p := w.Previous
		want := f.link(first, tickets, alert.Remote).Link
		if p == nil || !same(p.Link, want) || p.ClosedAt.IsZero() || p.Ago < 0 || !p.ClosedAt.Equal(f.detail(first).ChangedAt) {
			t.Errorf("previous %+v, not %+v", p, want)
		}
	}
}

func claimNotes(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	id := f.raise(1, tickets)[0]
	for seq := 1; seq <= 3; seq++ {
		f.exec("INSERT INTO note (alert_id, connector, side, seq, text, at) VALUES ($1, $2, 'remote', $3, 'note', 1000000)", id, tickets, seq)
	}
	f.exec("UPDATE link SET notes_wanted = 3, notes_delivered = 1")
	_, works := f.claim(f.db, term, 10)
	notes := works[0].Notes
	if len(notes) != 2 || notes[0].Seq != 2 || notes[1].Seq != 3 || notes[0].At.Unix() != 1 {
		t.Errorf("notes %+v", notes)
	}
}

func claimNextDue(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	if _, ok, err := f.db.NextDue(t.Context(), tickets); ok || err != nil {
		t.Errorf("due of nothing: %v %v", ok, err)
	}
	f.raise(1, tickets)
	if wait, ok, err := f.db.NextDue(t.Context(), tickets); !ok || err != nil || wait != 0 {
		t.Errorf("due at once: %v %v %v", wait, ok, err)
	}
	claim, works := f.claim(f.db, term, 1)
	if _, ok, _ := f.db.NextDue(t.Context(), tickets); ok {
		t.Errorf("a claimed link is due")
	}
	f.record(term, forward.Entry{Outcome: alert.Outcome{
		LinkID: works[0].Link.LinkID, Claim: claim, Progress: works[0].Link.Progress, Delay: time.Hour,
	}})
	if wait, ok, err := f.db.NextDue(t.Context(), tickets); !ok || err != nil || wait <= time.Minute || wait > time.Hour {
		t.Errorf("due in an hour: %v %v %v", wait, ok, err)
	}
}

func claimConnectors(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	f.raise(2, tickets, files)
	if _, works := f.claim(f.db, term, 10); len(works) != 2 {
		t.Errorf("claimed %d of one connector", len(works))
	}
	if n := f.count("SELECT count(*) FROM link WHERE connector = $1 AND claim_id IS NULL AND due_at IS NOT NULL", files); n != 2 {
		t.Errorf("%d of the other are left", n)
	}
}

// expireExact: claims of earlier epochs and those called stuck expire, each as
// alert.Link.Expire says, and no other is touched.
func expireExact(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	other := f.term(files, "alpha")
	f.raise(2, tickets, files)
	f.claim(f.db, old, 2)
	f.claim(f.db, other, 2)
	now := f.term(tickets, "beta")
	f.raise(2, tickets)
	stuck, _ := f.claim(f.db, now, 1)
	live, _ := f.claim(f.db, now, 1)
	f.clock.boot = time.Minute
	hold := alert.Hold{Epoch: now.Epoch, Until: 90 * time.Second}
	n, err := f.db.Expire(t.Context(), now, []alert.ClaimID{stuck, alert.NewID()}, hold)
	if err != nil || n != 3 {
		t.Fatalf("expired %d: %v", n, err)
	}
	if open := must(f.db.OpenClaims(t.Context(), tickets))(t); len(open) != 1 || open[0] != live {
		t.Errorf("open claims %v, not %v", open, live)
	}
	if n := len(must(f.db.OpenClaims(t.Context(), files))(t)); n != 1 {
		t.Errorf("%d claims of another connector", n)
	}
	if n := f.count("SELECT count(*) FROM link WHERE stage = 'uncertain' AND due_at IS NOT NULL AND hold_epoch = 0"); n != 3 {
		t.Errorf("%d are uncertain and due", n)
	}
	if n, err := f.db.Expire(t.Context(), now, nil, hold); n != 0 || err != nil {
		t.Errorf("expired again: %d: %v", n, err)
	}
}

// expireUpdate expires the claim of a change to a ticket that exists: whether it
// was made is found out by reading the ticket back (rule C6).
func expireUpdate(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	f.accept(to(tickets), observe("a", alert.Open, "one"))
	f.settle(old)
	f.accept(to(tickets), observe("a", alert.Closed, "one"))
	f.claim(f.db, old, 1)
	now := f.term(tickets, "beta")
	if n, err := f.db.Expire(t.Context(), now, nil, alert.Hold{Epoch: now.Epoch}); n != 1 || err != nil {
		t.Fatalf("expired %d: %v", n, err)
	}
	if n := f.count("SELECT count(*) FROM link WHERE stage = 'verify' AND due_at IS NOT NULL"); n != 1 {
		t.Errorf("%d links are to be read back, want 1", n)
	}
}

func expireDeposed(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	old := f.term(tickets, "alpha")
	f.raise(1, tickets)
	f.claim(f.db, old, 1)
	late := f.term(tickets, "beta")
	f.term(tickets, "gamma")
	if n, err := f.db.Expire(t.Context(), late, nil, alert.Hold{}); n != 0 || !errors.Is(err, forward.ErrDeposed) {
		t.Errorf("expired %d: %v", n, err)
	}
	if n := len(must(f.db.OpenClaims(t.Context(), tickets))(t)); n != 1 {
		t.Errorf("%d claims are left", n)
	}
}

// refired prepares a settled link of a closed alert and a claimed one of the
// alert that fired again.
func refired(f *fixture) (term ha.Term, claim alert.ClaimID, w forward.Work) {
	term = f.term(tickets, "alpha")
	f.accept(to(tickets), observe("a", alert.Open, "one"))
	f.settle(term)
	f.accept(to(tickets), observe("a", alert.Closed, "one"))
	f.settle(term)
	f.accept(to(tickets), observe("a", alert.Open, "again"))
	claim, works := f.claim(f.db, term, 10)
	return term, claim, works[0]
}

func adoptTicket(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term, claim, w := refired(f)
	prev := w.Previous.Link
	// What its alert was yet to tell the ticket is dropped.
	f.exec("UPDATE link SET delivered = 1, due_at = changed_at WHERE alert_id = $1", prev.LinkID.Alert)
	ok, err := f.db.Adopt(t.Context(), claim, w.Link.LinkID, prev.LinkID, "reopened for the next alert")
	if err != nil || !ok {
		t.Fatalf("adopt: %v %v", ok, err)
	}
	mine := f.link(w.Alert.ID, tickets, alert.Remote)
	want := w.Link
	want.Stage, want.Ticket, want.TicketURL, want.Told, want.Heard = alert.Settled, prev.Ticket, prev.TicketURL, prev.Told, prev.Heard
	if !same(mine.Link, want) || !mine.DueAt.IsZero() {
		t.Errorf("adopted %+v, not %+v", mine.Link, want)
	}
	if p := f.link(prev.LinkID.Alert, tickets, alert.Remote); p.Skipped != "reopened for the next alert" || !p.DueAt.IsZero() {
		t.Errorf("previous %+v", p)
	}
	if got := f.record(term, sent(forward.Work{Link: mine.Link, Alert: w.Alert}, claim, mine.Ticket)); got[0] != alert.Mine {
		t.Errorf("the claim was lost: %v", got)
	}
	if ok, err := f.db.Adopt(t.Context(), claim, w.Link.LinkID, prev.LinkID, "twice"); ok || err != nil {
		t.Errorf("adopted twice: %v", err)
	}
}

func adoptRefused(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	_, claim, w := refired(f)
	prev := w.Previous.Link.LinkID
	const rest = "UPDATE link SET parked = '', skipped = '', notes_wanted = 0, claim_id = NULL, stage = 'settled' WHERE alert_id = $1"
	for name, change := range map[string]string{
		"parked":            "UPDATE link SET parked = 'x' WHERE alert_id = $1",
		"skipped":           "UPDATE link SET skipped = 'x' WHERE alert_id = $1",
		"to be told a note": "UPDATE link SET notes_wanted = 1 WHERE alert_id = $1",
		"claimed":           "UPDATE link SET claim_id = '00000000-0000-4000-8000-000000000000' WHERE alert_id = $1",
		"not known well":    "UPDATE link SET stage = 'verify' WHERE alert_id = $1",
	} {
		f.exec(rest, prev.Alert)
		f.exec(change, prev.Alert)
		if ok, err := f.db.Adopt(t.Context(), claim, w.Link.LinkID, prev, "x"); ok || err != nil {
			t.Errorf("the previous link is %s: adopted %v: %v", name, ok, err)
		}
	}
	f.exec(rest, prev.Alert)
	if ok, err := f.db.Adopt(t.Context(), alert.NewID(), w.Link.LinkID, prev, "x"); ok || err != nil {
		t.Errorf("another claim: adopted %v: %v", ok, err)
	}
	if l := f.link(w.Alert.ID, tickets, alert.Remote); !same(l.Link, w.Link) {
		t.Errorf("a refused adoption changed %+v", l)
	}
}
