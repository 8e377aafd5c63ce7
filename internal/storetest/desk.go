package storetest

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/store"
)

// deskSeen: what somebody decides of links that are others by now is not done, to
// any of them.
func deskSeen(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(3, tickets)
	seen := store.Seen{}
	var links []alert.LinkID
	for _, id := range ids {
		f.park(id, tickets, refused)
		links = append(links, remoteLink(id, tickets))
		seen[remoteLink(id, tickets)] = f.link(id, tickets, alert.Remote).Tag()
	}
	for _, p := range must(f.db.Parked(t.Context(), store.ParkedQuery{}))(t) {
		if seen[p.LinkID] != p.Tag() {
			t.Errorf("the desk calls link %v %s, its alert %s", p.LinkID, p.Tag(), seen[p.LinkID])
		}
	}
	changed := func(what string, err error) {
		t.Helper()
		if fault.KindOf(err) != fault.Conflict || !errors.Is(err, store.ErrChanged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f.accept(to(tickets), observe(f.detail(ids[1]).Key, alert.Open, "worse")) // wants another revision
	_, _, err := f.db.RetryParked(t.Context(), store.DeskRequest{Links: links, Seen: seen, Who: "ann"})
	changed("retried", err)
	_, err = f.db.GiveUp(t.Context(), store.DeskRequest{Links: links, Seen: seen, Who: "ann"}, "noise")
	changed("given up", err)
	_, err = f.db.Retry(t.Context(), store.RetryRequest{Alerts: ids, Seen: seen, Who: "ann"})
	changed("retried as alerts", err)
	if n := f.count("SELECT count(*) FROM link WHERE parked <> ''"); n != 3 {
		t.Errorf("%d links are parked still, not 3", n)
	}
	seen[links[1]] = f.link(ids[1], tickets, alert.Remote).Tag()
	if n, err := f.db.GiveUp(t.Context(), store.DeskRequest{Links: links[:2], Seen: seen, Who: "ann"}, "noise"); n != 0 || fault.KindOf(err) != fault.Conflict {
		t.Errorf("a link that was seen and is not of those given up: %d, %v", n, err)
	}
	if n, err := f.db.GiveUp(t.Context(), store.DeskRequest{Links: links, Seen: seen, Who: "ann"}, "noise"); n != 3 || err != nil {
		t.Errorf("gave up %d: %v", n, err)
	}
	changed("taken up", f.db.TakeUpSeen(t.Context(), seen, links[0], "ann"))
	now := store.Seen{links[0]: f.link(ids[0], tickets, alert.Remote).Tag()}
	if err := f.db.TakeUpSeen(t.Context(), now, links[0], "ann"); err != nil {
		t.Error(err)
	}
}

// deskTried: of each link the desk reads what was sent last, and nothing of others.
func deskTried(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	term := f.term(tickets, "alpha")
	ids := f.raise(3, tickets, files)
	for _, text := range []string{"first", "second"} {
		f.exec("UPDATE link SET due_at = created_at WHERE connector = $1", tickets)
		claim, works := f.claim(f.db, term, 10)
		for _, w := range works {
			e := sent(w, claim, "")
			e.Events = []forward.Event{{Kind: forward.Tried, Text: text, Endpoint: "http://desk", Revision: 1}, {Kind: "parked", Text: "refused"}}
			e.Outcome.Stage, e.Outcome.Delivered, e.Outcome.Delay = alert.Fresh, 0, time.Hour
			if w.Link.Alert == ids[2] {
				e.Events = nil
			}
			f.record(term, e)
		}
	}
	got := must(f.db.Tried(t.Context(), ids))(t)
	want := []alert.LinkID{remoteLink(ids[0], tickets), remoteLink(ids[1], tickets)}
	for _, id := range want {
		if e := got[id]; e.Text != "second" || e.Server != "alpha" || e.Endpoint != "http://desk" || e.Revision != 1 || e.At.IsZero() {
			t.Errorf("of %v was sent %+v", id, e)
		}
	}
	if len(got) != len(want) {
		t.Errorf("it reads %v", slices.Collect(maps.Keys(got)))
	}
	if none := must(f.db.Tried(t.Context(), nil))(t); len(none) != 0 {
		t.Errorf("of no alert it reads %v", none)
	}
}
