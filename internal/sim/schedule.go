package sim

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
)

// Bounds of the fair part of a schedule.
const (
	// A claim statement that the network kept for long is found out at the next
	// look for claims of nobody, every five minutes; everything else is sooner.
	restWithin = 7 * time.Minute
	lingers    = lateness + time.Second
)

// Result is what became of a schedule.
type Result struct {
	Seed     uint64
	Findings []string
	Fates    map[string]string // of each call, when the trace was kept
	Trace    string
	Sends    int
	Takes    int
	Virtual  time.Duration
	Seen     map[string]int
}

// Schedule runs the schedule of a seed. It must be called in a synctest bubble.
func Schedule(seed uint64, keep bool) Result { return run1(newWorld(seed, newPlan(seed), keep)) }

func run1(w *World) Result {
	w.faults()
	if !w.check.broken() {
		w.rest()
	}
	res := w.result()
	w.end()
	return res
}

func (w *World) result() Result {
	c := w.check
	c.mu.Lock()
	defer c.mu.Unlock()
	return Result{
		Seed: w.seed, Findings: c.findings, Fates: w.trace.fates, Trace: w.trace.text(), Sends: c.sends, Takes: len(c.takes),
		Virtual: time.Since(w.start), Seen: c.seen,
	}
}

// faults is the part in which things go wrong.
func (w *World) faults() {
	w.drawAmbushes()
	for i, h := range w.hosts {
		time.AfterFunc(w.chance.of(uint64(i), "boot").between(0, 1500*time.Millisecond), func() { w.boot(h) })
	}
	for _, a := range w.acts() {
		time.Sleep(time.Until(w.start.Add(a.at)))
		w.trace.note(a.name)
		a.do()
		if w.check.broken() {
			return
		}
	}
	time.Sleep(time.Until(w.start.Add(w.plan.length)))
}

// rest ends every fault, waits until nothing is left to be done, and checks
// that what should be so is so.
func (w *World) rest() {
	w.trace.note("fair from now on")
	w.calm.Store(true)
	w.desk.setDown(false)
	w.db.start()
	for _, h := range w.hosts {
		h.setCut(false, false)
		h.setRemoteCut(false)
		if p := h.current(); p != nil {
			p.thaw()
		}
		w.boot(h)
	}
	w.wake(true)
	w.wake(false)
	limit := time.Now().Add(restWithin)
	quiet := w.quietBy(limit)
	if quiet && w.reconcile() {
		quiet = w.quietBy(limit)
	}
	if w.check.broken() {
		return
	}
	if !quiet {
		w.check.mu.Lock()
		w.check.found("liveness: not at rest %v after the last fault", restWithin)
		w.check.mu.Unlock()
	}
	w.db.read(func(r *rows) { w.check.ended(r, w.desk) })
}

// quietBy waits until nothing was left to be done for a while.
func (w *World) quietBy(limit time.Time) bool {
	since := time.Now()
	for time.Now().Before(limit) && !w.check.broken() {
		if !w.isQuiet() {
			since = time.Now()
		} else if time.Since(since) >= lingers {
			return true
		}
		time.Sleep(250 * time.Millisecond)
	}
	return false
}

func (w *World) isQuiet() bool {
	quiet := w.underWay.Load() == 0
	w.db.read(func(r *rows) {
		for _, row := range r.links {
			if row.Claim.ID != uuid.Nil || row.Due() {
				quiet = false
			}
		}
		if w.plan.compare > 0 && len(w.vanished(r)) > 0 || w.newsBehind(r) {
			quiet = false
		}
		l := r.leases[connectorName]
		if l.Server == "" || w.check.workers() != 1 || !w.check.isWorking(l.Boot, l.Epoch) {
			quiet = false
		}
	})
	return quiet
}

// newsBehind reports whether there is news that no poll has read.
func (w *World) newsBehind(r *rows) bool {
	if w.desk.kind != lookupDesk {
		return false
	}
	w.desk.mu.Lock()
	defer w.desk.mu.Unlock()
	return r.bookmarks[connectorName+"/news"] != strconv.Itoa(len(w.desk.news))
}

// reconcile is what a reconcile run does for links that a write reached later
// than settling allows for. It reports whether there was any.
func (w *World) reconcile() bool {
	marked := false
	w.db.read(func(r *rows) {
		for id, row := range r.links {
			if w.check.isBeyond(id) && id.Side == alert.Remote {
				if link, changed := row.Suspect(); changed {
					row.Link, row.due = link, w.db.now()
					r.put(w, row)
					marked = true
				}
			}
		}
	})
	if marked {
		w.trace.note("reconcile")
	}
	return marked
}

// end stops everything, so that the bubble can close.
func (w *World) end() {
	w.over.Store(true)
	for _, h := range w.hosts {
		if p := h.current(); p != nil {
			p.thaw()
			p.crash()
		}
	}
	w.live.Wait()
}

func (r Result) String() string {
	return fmt.Sprintf("seed %d: %d sends, %d take-overs in %v", r.Seed, r.Sends, r.Takes, r.Virtual.Round(time.Second))
}
