package forward

import (
	"sync"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// held are the claims that links of this term are being sent under. A claim of
// the connector that is not among them, and stays so for a full window, belongs
// to nobody.
type held struct {
	mu     sync.Mutex
	counts map[alert.ClaimID]int
}

func newHeld() *held { return &held{counts: map[alert.ClaimID]int{}} }

// begin is called before the claim statement is sent; done ends its one count.
func (h *held) begin(id alert.ClaimID) { h.add(id, 1) }

func (h *held) add(id alert.ClaimID, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counts[id] += n; h.counts[id] <= 0 {
		delete(h.counts, id)
	}
}

func (h *held) done(id alert.ClaimID) { h.add(id, -1) }

func (h *held) has(id alert.ClaimID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[id] > 0
}

// strays finds claims that belong to nobody although they are of this term: a
// statement whose answer was lost was carried out after we had looked for it.
type strays struct {
	seen map[alert.ClaimID]ha.Instant // not held here, since
}

// find returns the open claims that were there a full window ago too, and in
// between were held by nobody here. patience is that window.
func (s *strays) find(open []alert.ClaimID, h *held, now ha.Instant, patience func(since ha.Instant) bool) []alert.ClaimID {
	seen := make(map[alert.ClaimID]ha.Instant)
	var stuck []alert.ClaimID
	for _, id := range open {
		if h.has(id) {
			continue
		}
		since, known := s.seen[id]
		if !known {
			since = now
		}
		seen[id] = since
		if known && patience(since) {
			stuck = append(stuck, id)
		}
	}
	s.seen = seen
	return stuck
}
