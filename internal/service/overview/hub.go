package overview

import (
	"context"
	"sync"
	"time"

	"tieline/internal/fault"
)

const (
	// pollEvery is how late a change that no wake-up told is seen.
	pollEvery = time.Second
	// readEvery spaces out readings when wake-ups come thick.
	readEvery = 100 * time.Millisecond
)

// State is what the hub last saw.
type State struct {
	Snapshot *Snapshot // nil before the first reading that succeeded
	Seq      uint64    // grows with each reading
	// Changed is when each subject was seen to change, by the database's clock.
	Changed map[Subject]time.Time
	Away    time.Time // since when the database does not answer, by its own clock as carried on; zero = it does
	Err     error     // why
}

// Hub reads the group for everybody who watches. It works while somebody does.
type Hub struct {
	service *Service

	mu       sync.Mutex
	state    State
	watchers map[*Watcher]struct{}
	stop     context.CancelFunc // ends the reading; nil while nobody watches
	done     chan struct{}      // closed when it has ended
}

func newHub(s *Service) *Hub {
	return &Hub{service: s, watchers: map[*Watcher]struct{}{}}
}

// Watcher is told of each new State.
type Watcher struct {
	hub *Hub
	// Changed has a value when there is a State the watcher has not been told of.
	Changed chan struct{}
}

// Watch begins to watch. Close the watcher when done.
func (h *Hub) Watch() *Watcher {
	w := &Watcher{hub: h, Changed: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = struct{}{}
	if h.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.done = cancel, make(chan struct{})
		go h.run(ctx, h.done)
	}
	return w
}

// Close ends the watching. The last one to leave ends the reading, and waits
// until it has ended.
func (w *Watcher) Close() {
	h := w.hub
	h.mu.Lock()
	delete(h.watchers, w)
	var done chan struct{}
	if len(h.watchers) == 0 && h.stop != nil {
		h.stop()
		h.stop, done = nil, h.done
	}
	h.mu.Unlock()
	if done != nil {
		<-done
	}
}

// State returns what was last seen.
func (w *Watcher) State() State {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	return w.hub.state
}

// Watchers is how many watch now.
func (h *Hub) Watchers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

// run reads the group once a second, and when it is woken, until ctx ends.
func (h *Hub) run(ctx context.Context, done chan struct{}) {
	defer close(done)
	woken := make(chan struct{}, 1)
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { h.listen(ctx, woken) })
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		h.read(ctx)
		if !pause(ctx, readEvery) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-woken:
		}
	}
}

// listen passes wake-ups on. Where it fails the poll is left, and it is tried again.
func (h *Hub) listen(ctx context.Context, woken chan<- struct{}) {
	for {
		// The error is that of a database that is away, which the reading shows.
		_ = h.service.store.Listen(ctx, func(string) {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
		if !pause(ctx, pollEvery) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// read publishes a new state.
func (h *Hub) read(ctx context.Context) {
	snapshot, err := h.service.Read(ctx)
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state.Seq++
	switch {
	case err == nil:
		h.state.Changed = changed(h.state.Changed, h.state.Snapshot, snapshot)
		h.state.Snapshot, h.state.Away, h.state.Err = snapshot, time.Time{}, nil
	case h.state.Away.IsZero():
		h.state.Away, h.state.Err = h.service.Now(), err
	default:
		h.state.Err = err
	}
	for w := range h.watchers {
		select {
		case w.Changed <- struct{}{}:
		default:
		}
	}
}

// AwayReason is why the database does not answer, safe for people.
func (s State) AwayReason() string {
	if s.Err == nil {
		return ""
	}
	return fault.Message(s.Err)
}
