package forward_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/forward/forwardtest"
)

// slowStore is a database whose statements take a time, before they are carried
// out and before their answers arrive.
type slowStore struct {
	*forwardtest.Store
	mu sync.Mutex
	r  *rand.Rand
}

// take lets the time of half a statement pass.
func (s *slowStore) take() {
	s.mu.Lock()
	d := time.Duration(s.r.Int64N(int64(20 * time.Millisecond)))
	s.mu.Unlock()
	time.Sleep(d)
}

func (s *slowStore) Claim(ctx context.Context, q forward.ClaimRequest) (int, error) {
	s.take()
	defer s.take()
	return s.Store.Claim(ctx, q)
}

func (s *slowStore) NextDue(ctx context.Context, connector string) (time.Duration, bool, error) {
	s.take()
	defer s.take()
	return s.Store.NextDue(ctx, connector)
}

// TestNoWakeUpIsLost raises alerts and changes them in the middle of whatever the
// claimer is at, and wakes it once for each; it asks for nothing by itself. Each
// is forwarded at once all the same.
func TestNoWakeUpIsLost(t *testing.T) {
	for seed := range uint64(100) {
		bubble(t, nil, func(t *testing.T, w *world) {
			r := rand.New(rand.NewPCG(seed, 1))
			store := &slowStore{Store: w.store, r: rand.New(rand.NewPCG(seed, 2))}
			a := w.activateWith("a", func(c *forward.Config) { c.Store, c.Idle = store, -1 })
			var ids []alert.ID
			for n := range 40 {
				if len(ids) > 0 && r.IntN(2) == 0 {
					w.store.Change(ids[r.IntN(len(ids))], alert.Content{Summary: fmt.Sprint("changed ", n)})
				} else {
					ids = append(ids, w.store.Raise(desk, "prom", fmt.Sprint(n), alert.Content{Summary: "raised"}))
				}
				a.f.Wake()
				if r.IntN(4) == 0 { // until it has come to rest, or very nearly
					time.Sleep(time.Duration(r.Int64N(int64(300 * time.Millisecond))))
				} else {
					time.Sleep(time.Duration(r.Int64N(int64(15 * time.Millisecond))))
				}
			}
			after(900 * time.Millisecond)
			for _, id := range ids {
				w.settled(id)
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
