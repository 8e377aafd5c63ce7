package ha

import (
	"slices"
	"time"
)

// phase is how far a term of ours is.
type phase int

const (
	adopting  phase = iota // the row names us, but we do not know since when: renew first
	taken                  // ours; the work has not begun
	working                // the work runs
	draining               // the work is asked to finish
	releasing              // the work is over, the row still names us
)

// tenure is what the core knows of one term of this server.
type tenure struct {
	phase    phase
	lease    Lease
	settings Settings
	reason   Reason // of its beginning; from draining on, of its end
	to       string // who is meant to be next

	proven  promise // from an answered renewal or take-over
	pending promise // from renewals whose answer is still out and that promised less

	count   int64 // of the work's progress
	moved   time.Duration
	drainAt time.Duration
}

// promise is a length counted from when the request was sent.
type promise struct {
	from   Instant
	length time.Duration // 0 = none
}

func (p promise) left(now Instant, margin time.Duration) time.Duration {
	return p.length - min(margin, p.length/4) - now.Since(p.from)
}

// trust returns how long the term may go on without another answer.
func (t *tenure) trust(now Instant, margin time.Duration) time.Duration {
	left := t.proven.left(now, margin)
	if t.pending.length > 0 {
		left = min(left, t.pending.left(now, margin))
	}
	return left
}

// end drops a term. Its work, if any, is to be cancelled.
func (k *Knowledge) end(c string, t *tenure, why Ending) {
	if t.phase == working || t.phase == draining {
		k.ends = append(k.ends, End{Connector: c, Epoch: t.lease.Epoch, Why: why})
	}
	delete(k.tenures, c)
}

// checkTenures ends the terms that a reading no longer confirms.
func (k *Knowledge) checkTenures(now Instant) {
	for _, c := range sorted(k.tenures) {
		t := k.tenures[c]
		l, ok := k.leases[c]
		switch {
		case !ok || !k.names(l) || l.Epoch != t.lease.Epoch:
			if t.phase == releasing && l.Server == "" && l.Epoch == t.lease.Epoch {
				k.noteRelease(now, c, t) // the answer to the release was lost
			}
			k.end(c, t, EndDeposed)
		case k.foreign(l):
			k.end(c, t, EndIdentity)
		}
	}
}

// names says whether a lease row names this very process.
func (k *Knowledge) names(l Lease) bool {
	return l.Server == k.self.Server && l.Boot == k.self.Boot
}

// foreign says whether a lease belongs to another history of the database (L8).
func (k *Knowledge) foreign(l Lease) bool {
	return l.Identity != "" && l.Identity != k.group.Identity
}

// adopt makes terms of the rows that name this process although it knows of no
// term: the answer to a take-over was lost, or trust ran out and came back. The
// term begins after a renewal, because only that says since when it is promised.
// What cannot be worked is released instead.
func (k *Knowledge) adopt(now Instant) {
	for _, l := range k.group.Leases {
		s, ok := k.settings(l.Connector)
		if k.tenures[l.Connector] != nil || !ok || !k.names(l) || k.foreign(l) {
			continue
		}
		t := &tenure{lease: l, settings: s, phase: adopting, reason: ReasonRestart}
		switch j := k.jobs[l.Connector]; {
		case k.stopping:
			t.phase, t.reason = releasing, ReasonStop
		case !k.member(l.Connector):
			t.phase, t.reason = releasing, ReasonWish
		case !k.eligible(l.Connector) && k.others(now, l.Connector):
			t.phase, t.reason = releasing, ReasonIneligible
		case k.stalled[l.Connector] == l.Epoch && k.others(now, l.Connector):
			t.phase, t.reason = releasing, ReasonFailed
		case j != nil && j.ended >= 0 && now.Boot-j.ended > k.timing.Drain && k.others(now, l.Connector):
			t.phase, t.reason = releasing, ReasonFailed
		case j != nil:
			continue // until the work of the term before has returned
		}
		k.tenures[l.Connector] = t
		k.beatNow = k.beatNow || t.phase == adopting
	}
}

// renewals returns what a heartbeat sent now renews (rule L1), and notes what
// is promised by it before the answer is known.
func (k *Knowledge) renewals(now Instant) []Renewal {
	var rs []Renewal
	for _, c := range sorted(k.tenures) {
		t := k.tenures[c]
		s, ok := k.settings(c)
		if !ok || t.phase == releasing || t.phase == working && k.stuck(now, t) {
			continue
		}
		rs = append(rs, Renewal{Connector: c, Epoch: t.lease.Epoch, Promised: s.Length()})
		p := promise{from: now, length: s.Length()}
		if t.proven.length > p.length && (t.pending.length == 0 || p.left(now, 0) < t.pending.left(now, 0)) {
			t.pending = p
		}
	}
	return rs
}

// stuck says whether the term's work loop stands still.
func (k *Knowledge) stuck(now Instant, t *tenure) bool {
	return now.Boot-t.moved > max(k.timing.Stall, t.settings.Polling)
}

// Progressed folds in how often a term's work loop said that it is alive.
func (k *Knowledge) Progressed(now Instant, connector string, count int64) {
	if t := k.tenures[connector]; t != nil && t.count != count {
		t.count, t.moved = count, now.Boot
	}
}

// renewed folds in which renewals of an answered heartbeat took effect: those
// whose beat moved. A skipped row extends no trust.
func (k *Knowledge) renewed(b Beat) {
	for _, r := range b.Renew {
		t, l := k.tenures[r.Connector], k.leases[r.Connector]
		if t == nil || l.Epoch != r.Epoch || l.Beat == t.lease.Beat {
			continue
		}
		t.lease = l
		t.proven, t.pending = promise{from: k.asked, length: r.Promised}, promise{}
		if t.phase == adopting {
			t.phase = taken
		}
	}
}

// took folds in the answer to a take-over.
func (k *Knowledge) took(now Instant, ask Take, l Lease, lost bool) {
	if lost {
		k.spend(now, ask.Connector)
		return
	}
	k.wantRead = true
	s, _ := k.settings(ask.Connector)
	k.leases[l.Connector] = l
	k.watch(now, l, false)
	k.tenures[l.Connector] = &tenure{
		phase: taken, lease: l, settings: s, reason: ask.Reason,
		proven: promise{from: k.asked, length: ask.Promised},
	}
	k.wakeAll = true
}

// letGo folds in the answer to a release.
func (k *Knowledge) letGo(now Instant, ask Release, lost bool) {
	k.wantRead = true
	t := k.tenures[ask.Connector]
	if t == nil {
		return
	}
	delete(k.tenures, ask.Connector)
	if lost {
		return
	}
	k.noteRelease(now, ask.Connector, t)
	if l, err := k.leases[ask.Connector].Released(ask); err == nil {
		k.leases[ask.Connector] = l
		k.watch(now, l, false)
	}
	k.wakeAll = true
}

// noteRelease remembers when this server takes the lease back if nobody
// followed. After work that failed it waits twice as long each time.
func (k *Knowledge) noteRelease(now Instant, c string, t *tenure) {
	wait := k.timing.TakeBack
	if n := k.failed[c]; n > 1 {
		wait = min(wait<<min(n-1, 10), time.Minute)
	}
	k.released[c] = letGo{epoch: t.lease.Epoch, at: now.Boot, wait: wait}
}

// Returned folds in that a term's work is over. Before its planned end that is
// a failure, and the lease is released.
func (k *Knowledge) Returned(now Instant, connector string, epoch int64) {
	j := k.jobs[connector]
	if j == nil || j.epoch != epoch {
		return
	}
	delete(k.jobs, connector)
	k.wantRead = true // a row that still names us waits to be adopted
	t := k.tenures[connector]
	if t == nil || t.lease.Epoch != epoch {
		return
	}
	switch t.phase {
	case draining:
		t.phase = releasing
	case working:
		if now.Boot-j.began > k.timing.HoldDown {
			k.failed[connector] = 0
		}
		k.failed[connector]++
		t.phase, t.reason = releasing, ReasonFailed
	}
}

// sorted returns a map's keys in order, so that every decision is repeatable.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for c := range m {
		keys = append(keys, c)
	}
	slices.Sort(keys)
	return keys
}
