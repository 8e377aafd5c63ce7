package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tieline/internal/access"
)

var auditing = map[string]func(*testing.T, Fresh){
	"access/audit":                 auditPages,
	"access/audit begun and ended": auditHalves,
	"access/audit pruned":          auditPruned,
}

func auditPages(t *testing.T, fresh Fresh) {
	db, _ := emptyStore(t, fresh)
	add := func(e access.Entry) {
		t.Helper()
		if err := db.AddEntry(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	first := access.Entry{
		Who: "ann", Role: access.Admin, Via: access.ViaSession, Action: "remove-account", Target: "/settings/accounts/bob",
		Detail: "100% bob_by", Outcome: access.Done, Address: "192.0.2.1", Server: "alpha",
	}
	add(first)
	add(access.Entry{Action: "sign in", Target: "/sign-in", Outcome: access.Refused})
	for range 3 {
		add(access.Entry{Who: "bob", Action: "apply", Outcome: access.Failed})
	}
	page := must(db.Entries(t.Context(), access.Query{Limit: 2}))(t)
	rest := must(db.Entries(t.Context(), access.Query{Before: page[1].ID}))(t)
	if len(page) != 2 || len(rest) != 3 || page[0].ID <= page[1].ID {
		t.Fatalf("pages of %d and %d", len(page), len(rest))
	}
	last := rest[2]
	if last.At.IsZero() || last.ID == 0 {
		t.Errorf("entry %+v has no time or number", last)
	}
	last.At, last.ID = time.Time{}, 0
	if last != first {
		t.Errorf("stored %+v, read %+v", first, last)
	}
	for _, c := range []struct {
		q    access.Query
		want int
	}{
		{access.Query{Who: "bob"}, 3},
		{access.Query{Outcome: access.Refused}, 1},
		{access.Query{Text: "REMOVE"}, 1},
		{access.Query{Text: "0% bob_"}, 1},
		{access.Query{Text: "0%_bob"}, 0},
		{access.Query{Who: "ann", Outcome: access.Failed}, 0},
	} {
		if got := must(db.Entries(t.Context(), c.q))(t); len(got) != c.want {
			t.Errorf("%+v finds %d, not %d", c.q, len(got), c.want)
		}
	}
}

// auditHalves: many begin at once, and each ends its own.
func auditHalves(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	if err := db.AddEntry(t.Context(), access.Entry{Who: "before", Action: "x", Outcome: access.Done}); err != nil {
		t.Fatal(err)
	}
	const each = 5
	var wg sync.WaitGroup
	for _, name := range []string{"alpha", "beta"} {
		own := openStore(t, url)
		wg.Go(func() {
			for i := range each {
				e := access.Entry{Action: fmt.Sprintf("%s %d", name, i), Target: name}
				var err error
				if e.ID, err = own.BeginEntry(t.Context(), e); err == nil {
					e.Who, e.Role, e.Via, e.Outcome, e.Detail = name, access.Admin, access.ViaOIDC, access.Done, e.Action
					err = own.EndEntry(t.Context(), e)
				}
				if err != nil {
					t.Errorf("%s %d: %v", name, i, err)
				}
			}
		})
	}
	wg.Wait()
	all := must(db.Entries(t.Context(), access.Query{}))(t)
	for _, e := range all[:len(all)-1] {
		if e.Who != e.Target || e.Detail != e.Action || e.Outcome != access.Done || e.Role != access.Admin || e.Via != access.ViaOIDC {
			t.Errorf("entry %+v", e)
		}
	}
	if len(all) != 2*each+1 || all[len(all)-1].Who != "before" {
		t.Errorf("%d entries, the first of %q", len(all), all[len(all)-1].Who)
	}
	id := must(db.BeginEntry(t.Context(), access.Entry{Who: "eve", Action: "crash", Detail: "not yet known"}))(t)
	if e := must(db.Entries(t.Context(), access.Query{Outcome: access.Begun}))(t); len(e) != 1 || e[0].ID != id || e[0].Who != "eve" || e[0].Detail != "" || e[0].At.IsZero() {
		t.Errorf("begun and not ended: %+v", e)
	}
	if err := db.EndEntry(t.Context(), access.Entry{ID: id}); err != nil {
		t.Fatal(err)
	}
	if e := must(db.Entries(t.Context(), access.Query{}))(t); len(e) != len(all) {
		t.Errorf("taken back, and there are %d entries", len(e))
	}
}

func auditPruned(t *testing.T, fresh Fresh) {
	db, url := emptyStore(t, fresh)
	raw := rawOpen(t, url)
	for i := range 7 {
		if err := db.AddEntry(t.Context(), access.Entry{Who: fmt.Sprint(i), Outcome: access.Done}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (all []string) {
		for _, e := range must(db.Entries(t.Context(), access.Query{}))(t) {
			all = append(all, e.Who)
		}
		return all
	}
	if n := must(db.ForgetEntries(t.Context(), time.Hour, 100))(t); n != 0 || len(left()) != 7 {
		t.Errorf("%d of today's entries were removed", n)
	}
	if _, err := raw.ExecContext(t.Context(), "UPDATE audit SET at = at - 3700000000 WHERE who < '5'"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 2, 1, 0} {
		if n := must(db.ForgetEntries(t.Context(), time.Hour, 2))(t); n != want {
			t.Errorf("run %d removed %d, not %d", i+1, n, want)
		}
	}
	if got := left(); !slices.Equal(got, []string{"6", "5"}) {
		t.Errorf("entries %v are left", got)
	}
}
