package store

import (
	"context"
	"slices"
	"sync"
	"testing"

	"tieline/internal/fault"
	"tieline/internal/ha"
)

// TestMoveFromWhatWasSeen: of two operators who decided on one order, at once,
// one moves a server and the other is told what it is by now.
func TestMoveFromWhatWasSeen(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		seen := []string{"a", "b", "c", "d"}
		for _, name := range seen {
			join(t, db, name)
		}
		errs := make([]error, 4)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = db.MoveFrom(context.Background(), seen, "desk", "c", -1, "ann") })
		}
		all.Wait()
		moved := 0
		for _, err := range errs {
			if err == nil {
				moved++
				continue
			}
			refused(t, "decided on an older order", err, fault.Conflict, "desk", "it is a, c, b, d now")
		}
		if servers, _ := orderOf(t, db, "desk"); moved != 1 || !slices.Equal(servers, []string{"a", "c", "b", "d"}) {
			t.Errorf("%d of %d moved it, to %v", moved, len(errs), servers)
		}
		if err := db.MoveFrom(t.Context(), []string{"a", "c", "b", "d"}, "desk", "c", -1, "ann"); err != nil {
			t.Error(err)
		}
	})
}

// TestWishFromWhatWasSeen: a switchover that was decided on another Active, or
// before somebody asked for another one, is not asked for.
func TestWishFromWhatWasSeen(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		for _, name := range []string{"a", "b", "c"} {
			join(t, db, name)
		}
		a := eligible(t, db, "a", "desk")
		mustTake(t, a, "desk", "a")
		eligible(t, db, "b", "desk")
		eligible(t, db, "c", "desk")
		group, err := db.ReadGroup(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		epoch := leaseOf(group, "desk").Epoch
		seen := Standing{Epoch: epoch, Holder: "a"}
		if err := db.WishFrom(t.Context(), &seen, "desk", "b", "ann"); err != nil {
			t.Fatal(err)
		}
		refused(t, "somebody was faster", db.WishFrom(t.Context(), &seen, "desk", "c", "bob"), fault.Conflict, "asked for b", "desk")
		seen = Standing{Epoch: epoch - 1, Holder: "c", Wish: "b"}
		refused(t, "another term", db.WishFrom(t.Context(), &seen, "desk", "c", "bob"), fault.Conflict, "a has become Active", "desk")
		seen = Standing{Epoch: epoch, Holder: "a", Wish: "c"}
		refused(t, "a wish that is over", db.WishFrom(t.Context(), &seen, "desk", "c", "bob"), fault.Conflict, "asked for b", "desk")
		if group, err = db.ReadGroup(t.Context()); err != nil || leaseOf(group, "desk").Wish != "b" {
			t.Errorf("the lease wishes %q: %v", leaseOf(group, "desk").Wish, err)
		}
		seen.Wish = "b"
		if err := db.WishFrom(t.Context(), &seen, "desk", "c", "bob"); err != nil {
			t.Error(err)
		}
	})
}

// TestOneOfManyIsAskedFor: of ten people who decide on one standing while the
// switchovers that they ask for are carried out, one is heard. A release takes the
// wish back and keeps the epoch: neither may make what they saw right again.
func TestOneOfManyIsAskedFor(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		for _, name := range []string{"a", "b", "c"} {
			join(t, db, name)
		}
		sessions := map[string]ha.Session{}
		for _, name := range []string{"a", "b", "c"} {
			sessions[name] = eligible(t, db, name, "desk")
		}
		held := mustTake(t, sessions["a"], "desk", "a")
		seen := Standing{Epoch: held.Epoch, Holder: "a"}
		var asked []string
		for i := range 10 {
			server := []string{"b", "c"}[i%2]
			err := db.WishFrom(t.Context(), &seen, "desk", server, "ann")
			if err == nil {
				asked = append(asked, server)
			} else {
				refused(t, "decided on what is no more", err, fault.Conflict, "desk")
			}
			switch i {
			case 2: // the Active lets go, as it was asked to
				if err := sessions["a"].Release(t.Context(), ha.Release{Connector: "desk", Epoch: held.Epoch, Boot: held.Boot, Successor: "b", Reason: ha.ReasonReleased}); err != nil {
					t.Fatal(err)
				}
				group, err := db.ReadGroup(t.Context())
				if l := leaseOf(group, "desk"); err != nil || l.Epoch != seen.Epoch || l.Wish != seen.Wish || l.Server != "" {
					t.Fatalf("the release left %+v: %v", l, err)
				}
			case 5:
				mustTake(t, sessions["b"], "desk", "b")
			}
		}
		if !slices.Equal(asked, []string{"b"}) {
			t.Errorf("asked for were %v, not b alone", asked)
		}
	})
}

// TestTenAtOnceAskForASwitchover is the same without a pause between them.
func TestTenAtOnceAskForASwitchover(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		for _, name := range []string{"a", "b", "c"} {
			join(t, db, name)
		}
		a := eligible(t, db, "a", "desk")
		held := mustTake(t, a, "desk", "a")
		eligible(t, db, "b", "desk")
		eligible(t, db, "c", "desk")
		seen := Standing{Epoch: held.Epoch, Holder: "a"}
		errs := make([]error, 10)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				server := []string{"b", "c"}[i%2]
				if errs[i] = db.WishFrom(context.Background(), &seen, "desk", server, "ann"); errs[i] == nil {
					_ = a.Release(context.Background(), ha.Release{Connector: "desk", Epoch: held.Epoch, Boot: held.Boot, Successor: server, Reason: ha.ReasonReleased})
				}
			})
		}
		all.Wait()
		heard := 0
		for _, err := range errs {
			if err == nil {
				heard++
				continue
			}
			refused(t, "decided on what is no more", err, fault.Conflict, "desk")
		}
		if heard != 1 {
			t.Errorf("%d of 10 were heard, not one", heard)
		}
	})
}
