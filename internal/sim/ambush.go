package sim

import (
	"fmt"
	"sync"
	"time"
)

// ambush is a fault that waits for a process to come to a certain point: just
// before a certain call of its leaves, or just after its answer arrived. Drawn
// faults rarely hit the narrow places; these do nothing else.
type ambush struct {
	kind  string // of the call
	after bool   // its answer arrived; else it is about to leave
	skip  int    // calls of the kind to let pass
	do    func(p *Process)
	what  string
}

// ambushable are the calls worth waiting for.
var ambushable = []string{
	"create", "create", "create", "update", "update", "note", "merge", "look", "compare",
	"claim", "claimed", "record", "record", "expire", "take", "release", "doubt", "beat", "receive",
}

// ambushes are those of a schedule that have not struck yet.
type ambushes struct {
	mu   sync.Mutex
	left []ambush
}

// drawAmbushes draws a schedule's ambushes.
func (w *World) drawAmbushes() {
	for i := range w.plan.ambushes {
		r := w.chance.of(uint64(i), "ambush")
		a := ambush{kind: ambushable[r.n(len(ambushable))], after: r.hit(0.4), skip: r.n(4)}
		if a.kind == "beat" {
			a.skip = r.n(20)
		}
		a.what, a.do = w.strike(r)
		w.traps.left = append(w.traps.left, a)
	}
}

// strike draws what an ambush does to the process.
func (w *World) strike(r *roll) (string, func(p *Process)) {
	length, wall := r.between(20*time.Millisecond, 10*time.Second), r.between(0, 30*time.Second)
	switch r.n(8) {
	case 0, 1:
		return "crash", func(p *Process) { w.kill(p.host, length) }
	case 2:
		return "freeze", func(p *Process) { w.stun(p, length, false) }
	case 3:
		return "suspend", func(p *Process) { w.stun(p, length, true) }
	case 4:
		return "freeze, connections lost", func(p *Process) {
			w.stun(p, length, false)
			w.db.dropAll(p)
		}
	case 5:
		return "answers cut", func(p *Process) { w.cutOff(p.host, false, true, length) }
	case 6:
		return "cut off", func(p *Process) { w.cutOff(p.host, true, true, length) }
	default:
		return "clock steps ahead", func(p *Process) { p.host.stepWall(wall) }
	}
}

// stun freezes a process for a while.
func (w *World) stun(p *Process, length time.Duration, suspend bool) {
	w.trace.note("freeze " + p.boot)
	p.freeze(suspend)
	time.AfterFunc(length, func() {
		w.trace.note("thaw " + p.boot)
		p.thaw()
	})
}

// cutOff cuts a host off from the database for a while.
func (w *World) cutOff(h *Host, requests, answers bool, length time.Duration) {
	h.setCut(requests, answers)
	w.trace.note("cut off " + h.name)
	time.AfterFunc(length, func() {
		w.trace.note("joined again " + h.name)
		h.setCut(false, false)
	})
}

// reached tells that a process came to a point.
func (w *World) reached(p *Process, kind string, after bool) {
	if w.fair() || p.isDead() {
		return
	}
	w.traps.mu.Lock()
	var struck []ambush
	kept := w.traps.left[:0]
	for _, a := range w.traps.left {
		switch {
		case a.kind != kind || a.after != after:
		case a.skip > 0:
			a.skip--
		default:
			struck = append(struck, a)
			continue
		}
		kept = append(kept, a)
	}
	w.traps.left = kept
	w.traps.mu.Unlock()
	for _, a := range struck {
		w.trace.note(fmt.Sprintf("ambush of %s at %s (after: %v): %s", p.boot, kind, after, a.what))
		a.do(p)
	}
}
