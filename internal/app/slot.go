package app

import (
	"sync"

	"tieline/internal/forward"
)

// slot holds a connector's current setup for its forwarder.
type slot struct {
	mu      sync.Mutex
	setup   *forward.Setup
	changed chan struct{}
}

func newSlot() *slot { return &slot{changed: make(chan struct{})} }

// Setup implements forward.Setups.
func (s *slot) Setup() (*forward.Setup, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setup, s.changed
}

// set puts another setup in place and tells who waits for it.
func (s *slot) set(setup *forward.Setup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setup = setup
	close(s.changed)
	s.changed = make(chan struct{})
}
