package sim

import (
	"fmt"
	"slices"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// steps appends everything that can happen next.
func (x *exploration) steps(s *xState, out []next) []next {
	b := stepper{x: x, from: s, out: out}
	b.time()
	b.intake()
	b.failOver()
	for i := range s.write {
		if s.write[i].op != 0 {
			b.execute(i)
		}
	}
	for i := range x.Servers {
		if !s.server[i].up {
			b.add(fmt.Sprintf("s%d starts", i), func(s *xState) string { s.server[i] = xServer{up: true}; return "" })
			continue
		}
		b.crash(i)
		b.availability(i)
		b.term(i)
		b.lane(i)
	}
	return b.out
}

// stepper collects the possible steps from one state.
type stepper struct {
	x    *exploration
	from *xState
	out  []next
}

// add appends a step: f changes a copy of the state, and says what it violates.
func (b *stepper) add(label string, f func(s *xState) string) {
	b.out = append(b.out, next{label: label, s: *b.from})
	n := &b.out[len(b.out)-1]
	n.bad = f(&n.s)
	n.s.normalise()
}

// normalise forgets what can make no difference any more.
func (s *xState) normalise() {
	slices.SortFunc(s.write[:], func(a, b xWrite) int { return int(b.claim) - int(a.claim) })
	l := &s.db.link
	if l.holdEpoch != s.db.epoch {
		l.holdLeft = 0 // of another term: only that it exists counts
	}
}

// time passes for everybody at once; it waits for what must happen before.
func (b *stepper) time() {
	for _, w := range b.from.write {
		if w.op != 0 && w.age >= b.x.Late {
			return
		}
	}
	for i := range b.from.server {
		l := &b.from.server[i].lane
		if l.phase == laneChecked && l.gap >= b.x.Gap {
			return
		}
	}
	s := *b.from
	for i := range s.write {
		if s.write[i].op != 0 {
			s.write[i].age++
		}
	}
	sink(&s.db.link.holdLeft)
	for i := range s.server {
		v := &s.server[i]
		sink(&v.wait)
		sink(&v.lane.window)
		sink(&v.lane.left)
		sink(&v.lane.link.holdLeft)
		if v.lane.hold > 1 {
			v.lane.hold--
		}
		if v.lane.phase == laneChecked {
			v.lane.gap++
		}
	}
	s.normalise()
	if s != *b.from {
		b.out = append(b.out, next{label: "time passes", s: s})
	}
}

func sink(n *uint8) {
	if *n > 0 {
		*n--
	}
}

func (b *stepper) intake() {
	if l := b.from.db.link; l.wanted < b.x.Revisions {
		b.add(fmt.Sprintf("the alert has revision %d", l.wanted+1), func(s *xState) string {
			s.db.link = small(s.db.link.real().Want(int64(l.wanted) + 1))
			return ""
		})
	}
}

// failOver lets a replica stop receiving, and later become the database.
func (b *stepper) failOver() {
	if !b.x.FailOver || b.from.failedOver {
		return
	}
	if !b.from.lags {
		b.add("a replica stops receiving", func(s *xState) string { s.lags, s.old = true, s.db; return "" })
		return
	}
	b.add("the database FAILS OVER, commits are lost", func(s *xState) string {
		identity := s.db.identity
		s.db, s.old, s.lags, s.failedOver = s.old, xDatabase{}, false, true
		s.db.identity = identity + 1
		if b.x.Broken == NoDoubt {
			s.db.leaseIdentity = s.db.identity
		}
		return ""
	})
}

// execute carries a write out at the desk and answers its sender, if it waits.
func (b *stepper) execute(i int) {
	w := b.from.write[i]
	b.add(fmt.Sprintf("the desk carries out %s of s%d", opName(w.op), w.server), func(s *xState) string {
		s.write[i] = xWrite{}
		t, ok := s.carryOut(w)
		if !ok {
			return skip
		}
		b.answered(s, w, t)
		return ""
	})
	if b.from.losses < b.x.Losses {
		b.add(fmt.Sprintf("%s of s%d is LOST on the way", opName(w.op), w.server), func(s *xState) string {
			s.losses++
			s.write[i] = xWrite{}
			return ""
		})
	}
}

// skip marks a step that the explorer's own bounds do not allow.
const skip = "(beyond the bounds)"

func opName(op uint8) string { return [...]string{"", "the create", "the update", "the merge"}[op] }

func (s *xState) carryOut(w xWrite) (ticket uint8, ok bool) {
	switch w.op {
	case opCreate:
		for t := range s.ticket {
			if s.ticket[t].state == ticketNone {
				s.ticket[t] = xTicket{ticketOpen, w.rev}
				return uint8(t + 1), true
			}
		}
		return 0, false
	case opUpdate:
		s.ticket[w.ticket-1].rev = w.rev
	case opMerge:
		s.ticket[w.ticket-1].state = ticketMerged
	}
	return w.ticket, true
}

// crash kills a server, if it has anything to lose.
func (b *stepper) crash(i int) {
	v := &b.from.server[i]
	if b.from.crashes >= b.x.Crashes || v.term == 0 && v.lane.phase == laneIdle {
		return
	}
	b.add(fmt.Sprintf("s%d CRASHES", i), func(s *xState) string {
		s.crashes++
		s.server[i] = xServer{}
		return ""
	})
}

// What a server's availability is about to do.
const (
	asksNothing uint8 = iota
	asksTake
	wonTake
	lostTake
	asksDoubt
)

// availability lets a server take over whenever it likes: read, compare and
// swap, learn the answer.
func (b *stepper) availability(i int) {
	v := &b.from.server[i]
	switch v.asks {
	case asksNothing:
		if v.term == 0 && b.from.taken < b.x.Terms {
			b.add(fmt.Sprintf("s%d reads the lease", i), func(s *xState) string {
				s.server[i].asks, s.server[i].read = asksTake, s.db.epoch
				if s.db.leaseIdentity != s.db.identity {
					s.server[i].asks = asksDoubt
				}
				return ""
			})
		}
	case asksDoubt:
		b.add(fmt.Sprintf("s%d moves the connector to the new history", i), func(s *xState) string { s.doubt(i); return "" })
	case asksTake:
		b.add(fmt.Sprintf("s%d asks to take over", i), func(s *xState) string { return b.take(s, i) })
	default:
		b.add(fmt.Sprintf("s%d learns what came of it", i), func(s *xState) string { b.begin(s, i); return "" })
		if v.asks == wonTake && b.from.losses < b.x.Losses {
			b.add(fmt.Sprintf("s%d LOSES the answer", i), func(s *xState) string {
				s.losses++
				s.server[i].asks, s.server[i].read = asksNothing, 0
				return ""
			})
		}
	}
	if v.term != 0 && (b.from.db.epoch != v.term || b.from.db.holder != uint8(i+1) || v.identity != b.from.db.identity) {
		b.add(fmt.Sprintf("s%d learns that its term is over", i), func(s *xState) string {
			s.server[i].term, s.server[i].wait, s.server[i].phase = 0, 0, termWaits
			return ""
		})
	}
}

func (b *stepper) take(s *xState, i int) string {
	v := &s.server[i]
	t := ha.Take{Connector: connectorName, Epoch: xEpoch(v.read), Server: fmt.Sprint("s", i+1), Boot: fmt.Sprint("s", i+1), Identity: xIdentity(s.db.identity)}
	if b.x.Broken == SharedEpoch {
		t.Epoch = xEpoch(s.db.epoch)
	}
	l, err := s.db.lease().Taken(t)
	if err != nil {
		v.asks = lostTake
		return ""
	}
	v.asks = wonTake
	if b.x.Broken == SharedEpoch {
		l.Epoch = xEpoch(v.read) + 1
	}
	s.db.epoch, s.db.holder = smallEpoch(l.Epoch), uint8(i+1)
	s.taken++
	if s.db.epoch <= s.top {
		return "I1: an epoch was taken twice"
	}
	s.top = s.db.epoch
	return ""
}

func (b *stepper) begin(s *xState, i int) {
	v := &s.server[i]
	if v.asks == wonTake {
		v.term, v.identity = v.read+1, s.db.identity
		v.phase, v.wait = termWaits, b.x.Window
		if b.x.Broken == NoTermWait {
			v.wait = 0
		}
	}
	v.asks, v.read = asksNothing, 0
}

func (s *xState) doubt(i int) {
	v := &s.server[i]
	l, err := s.db.lease().Doubted(xEpoch(v.read), xIdentity(s.db.identity))
	v.asks, v.read = asksNothing, 0
	if err != nil {
		return
	}
	s.db.epoch, s.db.holder, s.db.leaseIdentity = smallEpoch(l.Epoch), 0, s.db.identity
	s.db.link = small(s.db.link.real().Doubt(alert.Hold{Epoch: l.Epoch}))
}

// term lets a term expire older claims and, a settle time later, know that
// holds of other terms have ended (rule C4).
func (b *stepper) term(i int) {
	v := &b.from.server[i]
	if v.term == 0 || v.wait > 0 || v.phase == termSwept {
		return
	}
	if v.phase == termExpired {
		b.add(fmt.Sprintf("s%d has swept", i), func(s *xState) string { s.server[i].phase = termSwept; return "" })
		return
	}
	if !b.from.names(i) {
		return
	}
	b.add(fmt.Sprintf("s%d makes older claims uncertain", i), func(s *xState) string {
		v := &s.server[i]
		if l := s.db.link; l.claim != 0 && l.claimEpoch < v.term {
			b.expire(s, i)
		}
		v.phase, v.wait = termExpired, b.x.Settle
		if b.x.Broken == NoSweep {
			v.wait = 0
		}
		return ""
	})
}

// expire makes the link's claim uncertain, held under the server's term.
func (b *stepper) expire(s *xState, i int) {
	hold := alert.Hold{Epoch: xEpoch(s.server[i].term), Until: xAge + ticks(b.x.settle())}
	s.db.link = small(s.db.link.real().Expire(hold))
}

// names reports whether the lease names the server's term: the fence.
func (s *xState) names(i int) bool { return s.namesTerm(i, s.server[i].term, s.server[i].identity) }

func (s *xState) namesTerm(i int, term, identity uint8) bool {
	return s.db.epoch == term && s.db.holder == uint8(i+1) && s.db.leaseIdentity == identity && s.db.identity == identity
}
