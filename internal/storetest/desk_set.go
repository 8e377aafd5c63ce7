package storetest

import (
	"errors"
	"strings"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// deskSet: who gives up all that a filter finds gives up what was seen of it, or
// nothing.
func deskSet(t *testing.T, fresh Fresh) {
	f := setup(t, fresh)
	ids := f.raise(3, tickets)
	f.exec("UPDATE link SET parked = $1, due_at = NULL", refused)
	other := f.raise(600, tickets, files)
	f.exec("UPDATE link SET parked = 'gave up after 3 attempts', due_at = NULL WHERE connector = $1", files)
	set := func(q store.ParkedQuery) store.ParkedSet { return must(f.db.ParkedSet(t.Context(), q))(t) }
	some := store.ParkedQuery{Connector: tickets, Text: "REFUSED"}
	seen := set(some)
	if seen.Links != 3 || set(some) != seen || set(store.ParkedQuery{}).Links != 603 || set(store.ParkedQuery{Text: "nothing"}).Links != 0 {
		t.Fatalf("the set is %+v", seen)
	}
	ask := store.DeskRequest{All: true, Connector: tickets, Text: some.Text, SeenAll: seen.Tag, Who: "ann"}
	refusedAs := func(want string) {
		t.Helper()
		n, err := f.db.GiveUp(t.Context(), ask, "noise")
		if n != 0 || fault.KindOf(err) != fault.Conflict || !errors.Is(err, store.ErrChanged) || !strings.Contains(fault.Message(err), want) {
			t.Errorf("gave up %d: %v", n, err)
		}
	}
	f.exec("UPDATE link SET parked = $1, due_at = NULL WHERE connector = $2", refused, tickets) // 600 more
	refusedAs("there were 3, and 603 are parked now")
	f.exec("UPDATE link SET parked = '' WHERE connector = $1 AND alert_id <> $2 AND alert_id <> $3 AND alert_id <> $4", tickets, other[0], ids[1], ids[2])
	refusedAs("there are 3 still, and some of them are others")
	f.exec("UPDATE link SET parked = '' WHERE alert_id = $1", other[0])
	f.exec("UPDATE link SET parked = $1 WHERE alert_id = $2", refused, ids[0])
	f.exec("UPDATE link SET changed_at = changed_at + 1 WHERE alert_id = $1", ids[0]) // it was tried in between
	refusedAs("there are 3 still, and some of them are others or have changed")
	if n := f.count("SELECT count(*) FROM link WHERE skipped <> ''"); n != 0 {
		t.Errorf("%d were given up", n)
	}
	ask.SeenAll = set(some).Tag
	if n, err := f.db.GiveUp(t.Context(), ask, "noise"); n != 3 || err != nil {
		t.Errorf("gave up %d: %v", n, err)
	}
	for _, id := range ids {
		if l := f.link(id, tickets, alert.Remote); l.Skipped != "given up by ann: noise" {
			t.Errorf("given up: %+v", l)
		}
	}
	all := store.DeskRequest{All: true, SeenAll: set(store.ParkedQuery{}).Tag, Who: "ann"}
	if n, work, err := f.db.RetryParked(t.Context(), all); n != 599 || len(work) != 1 || work[0] != files || err != nil {
		t.Errorf("retried %d of %q: %v", n, work, err)
	}
}
