package sim

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// checker watches every statement and every send, and remembers what the
// database may forget. Its findings end the schedule.
type checker struct {
	w *World

	mu        sync.Mutex
	findings  []string
	epochs    map[string]int64 // highest ever taken, by connector
	windows   map[alert.ClaimID]*sendWindow
	byLink    map[alert.LinkID][]alert.ClaimID
	held      map[holding]alert.ClaimID // confirmed to the process and not yet recorded
	beyond    map[alert.LinkID]bool     // a write was carried out later than C6 assumes
	uncertain map[alert.LinkID]bool     // a write's outcome was unknown, or its claim expired
	takes     []takeOver
	sends     int
	seen      map[string]int     // how often what happened, to know what schedules exercise
	works     map[*Process]int64 // epoch that the process works under now
	removed   map[string]bool    // servers that were removed and have not joined again
	lastSend  time.Time
}

// sendWindow is one claim's right to send, as its sender counts it.
type sendWindow struct {
	p      *Process
	start  ha.Instant // by the sender's clock, before the statement was sent
	at     time.Time  // the same in true time
	length time.Duration
	done   map[alert.LinkID]bool
}

type holding struct {
	p    *Process
	link alert.LinkID
}

// takeOver is one change of Active.
type takeOver struct {
	at       time.Time
	from, to string
	epoch    int64
	reason   ha.Reason
	needless bool // the holder was well
}

func newChecker(w *World) *checker {
	return &checker{
		w: w, epochs: map[string]int64{}, windows: map[alert.ClaimID]*sendWindow{}, byLink: map[alert.LinkID][]alert.ClaimID{},
		held: map[holding]alert.ClaimID{}, beyond: map[alert.LinkID]bool{}, uncertain: map[alert.LinkID]bool{}, works: map[*Process]int64{}, seen: map[string]int{},
		removed: map[string]bool{},
	}
}

// found records a violation; the first one is what a person wants to see.
func (c *checker) found(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.findings = append(c.findings, text)
	c.w.trace.note("VIOLATION " + text)
}

// count notes that something worth exercising happened. The caller holds the mutex.
func (c *checker) count(what string) { c.seen[what]++ }

func (c *checker) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.findings) > 0
}

// step checks what must hold after each statement.
func (c *checker) step(r *rows) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, l := range r.leases {
		if l.Identity == r.identity && l.Epoch < c.epochs[name] {
			c.found("I1: epoch %d of %s is below %d, which was taken before", l.Epoch, name, c.epochs[name])
		}
		if l.Server != "" && l.Boot == "" {
			c.found("I1: %s is held by %s without a boot id", name, l.Server)
		}
	}
	for name := range r.servers {
		if c.removed[name] {
			c.found("L9: the row of %s, which was removed, is there again", name)
		}
	}
}

// member notes that a server was removed, or joined.
func (c *checker) member(name string, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removed[name] = !is
}

func (c *checker) taken(r *rows, from, l ha.Lease, reason ha.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.member(l.Connector, l.Server) < 0 {
		c.found("L9: %s, which is no member, takes %s over", l.Server, l.Connector)
	}
	if l.Epoch <= c.epochs[l.Connector] {
		c.found("I1: epoch %d of %s is taken although %d was", l.Epoch, l.Connector, c.epochs[l.Connector])
	}
	c.epochs[l.Connector] = max(l.Epoch, c.epochs[l.Connector])
	t := takeOver{at: time.Now(), from: from.Server, to: l.Server, epoch: l.Epoch, reason: reason}
	t.needless = from.Server != "" && c.w.well(from.Boot)
	c.takes = append(c.takes, t)
	c.count("take-over: " + string(reason))
	if t.needless {
		c.count("take-over from a healthy server")
	}
	c.w.trace.note(fmt.Sprintf("%s takes epoch %d from %q (%s)", l.Boot, l.Epoch, from.Boot, reason))
}

func (c *checker) released(from ha.Lease, rel ha.Release) {
	c.mu.Lock()
	c.count("release: " + string(rel.Reason))
	c.mu.Unlock()
	c.w.trace.note(fmt.Sprintf("%s releases epoch %d to %q (%s)", from.Boot, rel.Epoch, rel.Successor, rel.Reason))
}

func (c *checker) doubted(l ha.Lease) {
	c.mu.Lock()
	c.count("database's history changed")
	c.mu.Unlock()
	c.w.trace.note(fmt.Sprintf("the database's history changed: epoch %d", l.Epoch))
}

// commitsLost: what was removed may be there again.
func (c *checker) commitsLost() {
	c.mu.Lock()
	clear(c.removed)
	c.mu.Unlock()
	c.w.trace.note("commits are lost")
}

// claiming is called when a process is about to send a claim statement.
func (c *checker) claiming(p *Process, q forward.ClaimRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.windows[q.Claim] == nil {
		c.windows[q.Claim] = &sendWindow{
			p: p, start: p.Now(), at: time.Now(), length: q.Term.Settings.Window, done: map[alert.LinkID]bool{},
		}
	}
}

// open reports whether the window may still be used for the link.
func (w *sendWindow) open(link alert.LinkID) bool {
	return !w.done[link] && !w.p.isDead() && time.Since(w.at) < w.length
}

// claimed is called inside the statement that grants a claim.
func (c *checker) claimed(p *Process, link alert.LinkID, claim alert.ClaimID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.byLink[link] {
		if w := c.windows[id]; id != claim && w.open(link) {
			c.found("I2: %s claims %s while %s has a window of it open for %v more",
				p.boot, c.w.nameOf(link), w.p.boot, w.length-time.Since(w.at))
		}
	}
	c.byLink[link] = append(c.byLink[link], claim)
}

// confirmed is called when a process has the answer that names its claimed links.
func (c *checker) confirmed(p *Process, claim alert.ClaimID, works []forward.Work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.windows[claim]
	if w == nil || w.p != p {
		return // somebody else's claim was looked at
	}
	for _, k := range works {
		if !w.done[k.Link.LinkID] {
			c.held[holding{p, k.Link.LinkID}] = claim
		}
	}
}

// sending is called when a process is about to send a write to the desk. It
// returns the window the write uses.
func (c *checker) sending(p *Process, kind string, link alert.LinkID) *sendWindow {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sends++
	c.lastSend = time.Now()
	name := c.w.nameOf(link)
	claim, ok := c.held[holding{p, link}]
	if !ok {
		c.found("I7: %s sends %s of %s without a confirmed claim", p.boot, kind, name)
		return nil
	}
	w := c.windows[claim]
	if w.done[link] {
		c.found("I7: %s sends %s of %s after it recorded the outcome", p.boot, kind, name)
	}
	if left := w.length - elapsed(w.start, p.Now()); left <= 0 {
		c.found("I2: %s sends %s of %s %v after its window closed", p.boot, kind, name, -left)
	}
	return w
}

// elapsed is the larger of what the two clocks say. It is not asked of the
// instants themselves, because they are under test.
func elapsed(from, to ha.Instant) time.Duration {
	return max(to.Boot-from.Boot, to.Wall.Sub(from.Wall))
}

// executed is called when the desk carries a write out.
func (c *checker) executed(kind string, link alert.LinkID, w *sendWindow, tardy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count("desk: " + kind)
	if tardy || w != nil && time.Since(w.at) >= w.length+settle {
		c.beyond[link] = true
		c.count("write later than settling allows")
	}
}

// unknown is called when a sender learns no outcome.
func (c *checker) unknown(link alert.LinkID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uncertain[link] = true
	c.count("unknown outcome")
}

// bookmark is called inside the statement that moves a bookmark: only a
// database that lost commits goes back (rule C9).
func (c *checker) bookmark(r *rows, key, next string) {
	from, _ := strconv.Atoi(r.bookmarks[key])
	to, _ := strconv.Atoi(next)
	if to < from {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.found("C9: the bookmark %s goes back from %d to %d", key, from, to)
	}
}

// recorded is called inside the statement that records an outcome.
func (c *checker) recorded(p *Process, o alert.Outcome, r alert.Recorded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count("recorded: " + string(r))
	c.count("stage recorded: " + string(o.Stage))
	if w := c.windows[o.Claim]; w != nil {
		w.done[o.LinkID] = true
	}
	if h := (holding{p, o.LinkID}); c.held[h] == o.Claim { // it may have a newer one
		delete(c.held, h)
	}
}

// expired is called inside the statement that makes a claim uncertain.
func (c *checker) expired(p *Process, link alert.LinkID, claim alert.ClaimID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uncertain[link] = true
	c.count("claim expired")
	if w := c.windows[claim]; w != nil && w.open(link) {
		c.found("C4: %s expires a claim of %s while %s may send for %v more",
			p.boot, c.w.nameOf(link), w.p.boot, w.length-time.Since(w.at))
	}
}

// working is called when a term's work begins and when it returned.
func (c *checker) working(p *Process, t ha.Term, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if on {
		c.works[p] = t.Epoch
	} else {
		delete(c.works, p)
	}
}

// isWorking reports whether a process works under an epoch.
func (c *checker) isWorking(boot string, epoch int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, e := range c.works {
		if p.boot == boot && e == epoch && !p.isDead() {
			return true
		}
	}
	return false
}

// workers counts the processes that work. One that was replaced may do so until
// it hears of it.
func (c *checker) workers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for p := range c.works {
		if !p.isDead() {
			n++
		}
	}
	return n
}

func (c *checker) isBeyond(link alert.LinkID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.beyond[link]
}
