package store

import (
	"context"
	"slices"
	"sync"
	"testing"

	"tieline/internal/fault"
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
		seen := Standing{Epoch: epoch}
		if err := db.WishFrom(t.Context(), &seen, "desk", "b", "ann"); err != nil {
			t.Fatal(err)
		}
		refused(t, "somebody was faster", db.WishFrom(t.Context(), &seen, "desk", "c", "bob"), fault.Conflict, "asked for b", "desk")
		seen = Standing{Epoch: epoch - 1, Wish: "b"}
		refused(t, "another term", db.WishFrom(t.Context(), &seen, "desk", "c", "bob"), fault.Conflict, "a has become Active", "desk")
		seen = Standing{Epoch: epoch, Wish: "c"}
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
