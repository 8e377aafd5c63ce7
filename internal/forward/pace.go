package forward

import (
	"sync"
	"time"
)

const (
	batchMost = 1000
	// horizon is how much work is claimed ahead. Short, because what was claimed
	// and not started when a server dies waits a full window for its successor.
	horizon = 500 * time.Millisecond
)

// pace measures how long a link takes, and so how many can be started in time.
type pace struct {
	mu      sync.Mutex
	average time.Duration // of one link's carry, exponentially weighted
}

func newPace() *pace { return &pace{average: 20 * time.Millisecond} }

func (p *pace) took(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.average += (d - p.average) / 16
}

// batch is how many links to claim: what so many senders can start within the
// horizon, and surely within half of the time in which sends may start (rule C3).
func (p *pace) batch(senders int, startable time.Duration) int {
	p.mu.Lock()
	each := max(p.average, time.Microsecond)
	p.mu.Unlock()
	rounds := min(horizon, startable/2) / each
	return int(min(max(rounds, 1)*time.Duration(senders), batchMost))
}

// slots bounds how many links are sent at once; the bound may change while in
// use. One goroutine acquires.
type slots struct {
	mu    sync.Mutex
	limit int
	used  int
	freed chan struct{}
}

func newSlots(limit int) *slots { return &slots{limit: max(limit, 1), freed: make(chan struct{}, 1)} }

// acquire takes a slot, or returns false when stop is closed first.
func (s *slots) acquire(stop <-chan struct{}) bool {
	for {
		select {
		case <-stop:
			return false
		default:
		}
		if s.tryAcquire() {
			return true
		}
		select {
		case <-stop:
			return false
		case <-s.freed:
		}
	}
}

func (s *slots) tryAcquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.limit {
		return false
	}
	s.used++
	return true
}

func (s *slots) release() {
	s.mu.Lock()
	s.used--
	s.mu.Unlock()
	poke(s.freed)
}

func (s *slots) resize(limit int) {
	s.mu.Lock()
	s.limit = max(limit, 1)
	s.mu.Unlock()
	poke(s.freed)
}

// poke wakes whoever waits on a channel of capacity 1; pokes merge.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
