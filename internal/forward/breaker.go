package forward

import (
	"sync"
	"time"
)

// BreakerState is what a remote's breaker permits.
type BreakerState string

// The states.
const (
	BreakerClosed BreakerState = "closed" // everything
	BreakerOpen   BreakerState = "open"   // nothing
	BreakerHalf   BreakerState = "half"   // one link at a time, to find out
)

const (
	tripAfter  = 5 // failures in a row that concern the remote as a whole
	openAtMost = 30 * time.Second
)

// breaker keeps links from being claimed while the remote as a whole fails. It
// gates claims, not requests: what is never claimed costs no attempt, holds
// nothing up, and needs no look after a crash.
type breaker struct {
	mu      sync.Mutex
	changed func(BreakerState)
	failed  int           // in a row
	open    bool          // tripped and not yet recovered
	tripped time.Time     // when it did
	until   time.Time     // nothing before; set when tripped, and by Retry-After
	length  time.Duration // of the next opening
	probing bool          // the one link of the half-open state is under way
}

func newBreaker(changed func(BreakerState)) *breaker {
	return &breaker{changed: changed, length: time.Second}
}

// permits returns how many links may be claimed or started now (0, 1 or many),
// and when to ask again when that is 0; zero = when the probe under way ended.
func (b *breaker) permits(many int) (n int, again time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case time.Now().Before(b.until):
		return 0, b.until
	case !b.open:
		return many, time.Time{}
	case b.probing:
		return 0, time.Time{}
	default:
		return 1, time.Time{}
	}
}

// blocks reports whether a claimed link should be given back instead of sent.
func (b *breaker) blocks() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.until)
}

// probe marks the link of the half-open state as claimed.
func (b *breaker) probe() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = b.open
}

// probed marks it as done, whatever became of it.
func (b *breaker) probed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// succeed is told of every answered call. It reports whether the remote has
// just recovered from an outage.
func (b *breaker) succeed() (recovered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = 0
	if !b.open || time.Now().Before(b.until) {
		return false // an answer to a call of before: the opening runs its length
	}
	b.open, b.length = false, time.Second
	b.changed(BreakerClosed)
	return true
}

// fail is told of every failure that concerns the remote as a whole. after is
// what the remote asked for, 0 = nothing.
func (b *breaker) fail(after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if pause := now.Add(after); after > 0 && pause.After(b.until) {
		b.until = pause
	}
	b.failed++
	if now.Before(b.until) && b.open || !b.open && b.failed < tripAfter {
		return
	}
	if opens := now.Add(b.length); opens.After(b.until) {
		b.until = opens
	}
	b.length = min(2*b.length, openAtMost)
	if !b.open {
		b.open, b.tripped = true, now
		b.changed(BreakerOpen)
	}
}

// since returns when the breaker tripped; zero = it is closed.
func (b *breaker) since() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return time.Time{}
	}
	return b.tripped
}

func (b *breaker) state() BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return BreakerClosed
	case time.Now().Before(b.until):
		return BreakerOpen
	default:
		return BreakerHalf
	}
}
