package forward

import (
	"strings"
	"sync"
	"time"

	"tieline/internal/alert"
)

// What begins a Parked text tells what must change before the link is tried
// again by itself.
const (
	mappingPrefix = "mapping: "
	refusedPrefix = "refused: "
	gaveUpPrefix  = "gave up after "
)

// Cause is what parked a link, as far as its being tried again by itself goes.
type Cause int

// The causes.
const (
	CauseOther    Cause = iota // only a person can say that it has gone
	CauseDocument              // its mapping failed or it was refused: a new document version may mend that
	CauseRemote                // its attempts ran out: the other side may be well again
)

// CauseOf tells the cause by a link's Parked text.
func CauseOf(parked string) Cause {
	switch {
	case strings.HasPrefix(parked, gaveUpPrefix):
		return CauseRemote
	case strings.HasPrefix(parked, mappingPrefix), strings.HasPrefix(parked, refusedPrefix):
		return CauseDocument
	}
	return CauseOther
}

const (
	comebackFirst = 5 * time.Minute
	// ComebackMost is how long links whose attempts ran out stay parked at most,
	// while a server is Active.
	ComebackMost = time.Hour
)

// comeback decides when links whose attempts ran out are tried again: once a
// write to the side that failed has succeeded since, but after pauses that grow,
// so that an alert which fails by itself does not go round and round beside others
// that succeed; and after the longest pause without such a sign, because there may
// be no other alert to give one.
type comeback struct {
	mu       sync.Mutex
	parked   bool                // there may be such links
	failing  map[alert.Side]bool // one of the side gave up, and none was written since
	well     bool                // one was
	earliest time.Time           // with that sign; zero = at once
	latest   time.Time           // without it
	last     time.Time           // when links came back last
	pause    time.Duration
}

// newComeback knows nothing of what earlier terms left behind, so it expects it all.
func newComeback() *comeback {
	return &comeback{
		parked: true, failing: map[alert.Side]bool{alert.Remote: true, alert.Source: true},
		latest: time.Now().Add(ComebackMost),
	}
}

// gaveUp is told of each link whose attempts ran out, once that is recorded.
func (c *comeback) gaveUp(side alert.Side) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.parked {
		c.latest = time.Now().Add(ComebackMost)
	}
	c.parked, c.failing[side] = true, true
}

// wrote is told of every write that was answered with success.
func (c *comeback) wrote(side alert.Side) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.well = c.well || c.failing[side]
	c.failing[side] = false
}

// next is when to try them again; zero = there are none.
func (c *comeback) next() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.parked:
		return time.Time{}
	case c.well && c.earliest.Before(c.latest):
		return c.earliest
	default:
		return c.latest
	}
}

func (c *comeback) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parked && (c.well && !now.Before(c.earliest) || !now.Before(c.latest))
}

// begin is called before the statement, so that a link which is parked beside
// it is not overlooked; came after it, with how many there were.
func (c *comeback) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked, c.well = false, false
}

func (c *comeback) came(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.latest = now.Add(ComebackMost)
	if n == 0 {
		return
	}
	c.pause = min(2*c.pause, ComebackMost)
	if now.Sub(c.last) > 2*ComebackMost {
		c.pause = comebackFirst
	}
	c.parked, c.last, c.earliest = true, now, now.Add(c.pause)
}

// failed is called instead of came where the statement's outcome is not known.
func (c *comeback) failed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parked, c.well = true, true
}
