package sim

import (
	"fmt"
	"hash/maphash"
	"slices"
)

// Explorer visits every state of a small configuration: servers that may take
// over at any time, crash, pause without bound between any two steps and lose
// answers, links that all of them work, a desk that carries writes out late.
// What a link becomes is decided by alert.Link, what a sender does by
// forward.Next and forward.After, what the lease becomes by ha.Lease; the
// explorer only chooses what happens next.
type Explorer struct {
	Servers   int
	Window    uint8 // in ticks
	Settle    uint8 // strictly more than Late plus Gap
	Late      uint8 // a write is carried out at most this long after it left
	Gap       uint8 // pause between the check of the window and the write
	Terms     uint8 // take-overs in all
	Claims    uint8 // claims in all
	Crashes   uint8
	Losses    uint8 // lost requests and answers
	Revisions uint8 // the alert's newest
	FailOver  bool  // the database may once fall back to an earlier state of itself
	Broken    Broken
	Limit     int  // states at most; 0 = all
	First     bool // stop at the first violation
}

// Broken is a safeguard taken away that lives in statements or in the
// arrangement of steps, where no function could be broken instead.
type Broken string

// What can be taken away.
const (
	Whole         Broken = ""
	NoFence       Broken = "claims are not fenced by the epoch"                           // C1
	NoRowCheck    Broken = "a claim writes what an earlier snapshot allowed"              // C1
	SendUnsure    Broken = "a claim whose answer was lost is sent without a re-read"      // C2
	LateWindow    Broken = "the window starts at the claim's answer"                      // C3
	NoDeadline    Broken = "the window is not checked before a send"                      // C3
	NoTermWait    Broken = "a new term expires older claims at once"                      // C4
	NoSweep       Broken = "holds of other terms are not waited for"                      // C4
	NoDoubt       Broken = "nothing is done when the database's history changed"          // L8
	SharedEpoch   Broken = "a take-over compares no epoch"                                // L6
	NewestPayload Broken = "the newest revision is recorded instead of the one sent"      // C1
	ForeignNews   Broken = "an outcome is recorded whichever claim the link carries"      // C5
	ShortSettle   Broken = "the settle time is shorter than the desk's greatest lateness" // C6
)

// Findings are what a complete exploration came to.
type Findings struct {
	States, Steps int
	MostTickets   int // tickets of one alert that ever were
	Twins         int // states with more than one
	Complete      bool
	Violations    map[string]int
	Shortest      map[string][]string // the steps to the first violation of its kind
}

// next is one possible step.
type next struct {
	label string
	s     xState
	bad   string
}

// Run explores from the first state on, nearest states first.
func (e Explorer) Run() Findings {
	x := &exploration{Explorer: e, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		seen: map[[2]uint64]struct{}{}, labels: map[string]uint16{}}
	x.f = Findings{Violations: map[string]int{}, Shortest: map[string][]string{}}
	x.visit(e.first(), -1, "")
	for len(x.frontier) > 0 && (e.Limit == 0 || x.f.States < e.Limit) && !(e.First && len(x.f.Violations) > 0) {
		now, base := x.frontier, x.f.States-len(x.frontier)
		x.frontier = nil
		for i := range now {
			x.expand(&now[i], base+i)
		}
	}
	x.f.Complete = len(x.frontier) == 0
	return x.f
}

// exploration is one run's memory. Of visited states it keeps two hashes, and
// where each came from.
type exploration struct {
	Explorer
	seeds    [2]maphash.Seed
	seen     map[[2]uint64]struct{}
	frontier []xState
	parent   []int32
	via      []uint16
	labels   map[string]uint16
	names    []string
	buf      []next
	f        Findings
}

func (x *exploration) expand(s *xState, at int) {
	x.buf = x.steps(s, x.buf[:0])
	for i := range x.buf {
		n := &x.buf[i]
		x.f.Steps++
		if n.bad == "" {
			n.bad = x.invariant(&n.s)
		}
		if n.bad == skip {
			continue
		}
		if n.bad != "" {
			x.violation(n, at)
			continue
		}
		x.visit(n.s, at, n.label)
	}
}

func (x *exploration) visit(s xState, from int, label string) {
	key, mirrored := x.hash(s), x.hash(s.mirror())
	if mirrored[0] < key[0] {
		key = mirrored // servers have no names: a state and its mirror image are one
	}
	if _, ok := x.seen[key]; ok {
		return
	}
	x.seen[key] = struct{}{}
	x.f.States++
	x.frontier = append(x.frontier, s)
	x.parent, x.via = append(x.parent, int32(from)), append(x.via, x.intern(label))
	n := s.made()
	x.f.MostTickets = max(x.f.MostTickets, n)
	if n > 1 {
		x.f.Twins++
	}
}

func (x *exploration) hash(s xState) [2]uint64 {
	return [2]uint64{maphash.Comparable(x.seeds[0], s), maphash.Comparable(x.seeds[1], s)}
}

func (x *exploration) intern(label string) uint16 {
	id, ok := x.labels[label]
	if !ok {
		id = uint16(len(x.names))
		x.labels[label], x.names = id, append(x.names, label)
	}
	return id
}

func (x *exploration) violation(n *next, at int) {
	x.f.Violations[n.bad]++
	if x.f.Violations[n.bad] > 1 {
		return
	}
	path := []string{n.label}
	for i := at; i > 0; i = int(x.parent[i]) {
		path = append(path, x.names[x.via[i]])
	}
	slices.Reverse(path)
	x.f.Shortest[n.bad] = path
}

func (f Findings) String() string {
	whole := "all"
	if !f.Complete {
		whole = "stopped at"
	}
	return fmt.Sprintf("%s %d states, %d steps, at most %d tickets of one alert, %d states with twins, violations: %v",
		whole, f.States, f.Steps, f.MostTickets, f.Twins, f.Violations)
}
