package forward_test

import (
	"fmt"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward/forwardtest"
)

// TestNewWorkPassesTicketsThatAreMerelyLookedUp: after a change of the database's
// history every ticket is looked up again, which takes minutes; an alert that is
// accepted meanwhile gets its ticket at once, and the last look-up is not put off
// for ever.
func TestNewWorkPassesTicketsThatAreMerelyLookedUp(t *testing.T) {
	const kept, each = 1000, 200 * time.Millisecond
	bubble(t, func(w *world) {
		w.setup.Mapping = forwardtest.Mapping{Bounds: connector.Limits{Concurrency: 4}}
	}, func(t *testing.T, w *world) {
		w.remote.Disturb(func(forwardtest.Call) forwardtest.Behaviour { return forwardtest.Behaviour{Take: each} })
		a := w.activate("a")
		var old []alert.ID
		for i := range kept {
			old = append(old, w.raise(nil, fmt.Sprint("old ", i)))
		}
		a.f.Wake()
		after(2 * time.Minute)
		for _, id := range old {
			w.settled(id)
			w.store.Edit(linkID(id), func(l *alert.Link) { *l, _ = l.Suspect() })
		}
		a.f.Wake()
		after(time.Second)
		for i := range 5 {
			id := w.raise(a, fmt.Sprint("new ", i))
			after(10 * time.Second)
			w.settled(id)
		}
		waiting := 0
		for _, id := range old {
			if w.link(id).Stage == alert.Verify {
				waiting++
			}
		}
		if waiting < kept/4 {
			t.Fatalf("only %d of %d tickets were still to be looked up: new work had nothing to pass", waiting, kept)
		}
		after(5 * time.Minute)
		for _, id := range old {
			w.settled(id)
		}
	})
}
