package ha

import "time"

// bid is when and why this server may try for a lease.
type bid struct {
	due    time.Duration // by the boot-time clock
	reason Reason
	ended  time.Duration // when the holder was seen to end, by the same; 0 = nobody saw it
}

// bid says when this server may try for a connector's lease; false while it may
// not at all. Each case is one way a lease becomes free.
func (k *Knowledge) bid(now Instant, c string) (bid, bool) {
	l, ok := k.leases[c]
	w := k.watches[c]
	if !ok || w == nil || !k.mayTake(c, l) {
		return bid{}, false
	}
	var b bid
	switch holder, known := k.rows[l.Server]; {
	case l.Server == "":
		b = k.bidReleased(now, l, w)
	case k.names(l):
		return bid{}, false // adopted, not taken
	case l.Server == k.self.Server:
		b = k.bidRestarted(now, l, w)
	case !known || holder.Boot != l.Boot:
		// Its process is no more: the row is gone, or another process wrote it.
		b = bid{due: w.orphan + k.stagger(now, c), reason: ReasonPresence}
	default:
		b = k.bidSilent(now, l, w)
		if p, dead := k.bidDead(now, l, w, holder); dead && p.due < b.due {
			b = p
		}
	}
	b.due = max(b.due, k.retry[c])
	return b, true
}

// mayTake says whether this server could work the connector at all.
func (k *Knowledge) mayTake(c string, l Lease) bool {
	_, known := k.settings(c)
	return known && !k.stopping && k.member(c) && k.eligible(c) && !k.foreign(l) &&
		k.tenures[c] == nil && k.jobs[c] == nil
}

func (k *Knowledge) stagger(now Instant, c string) time.Duration {
	return time.Duration(k.ahead(now, c)) * k.timing.Stagger
}

// bidReleased: the named successor at once, the others when its time is up, in
// order; the releaser last (rule L3). After a change of the database's history
// those before in the order may be on their way back to it, or their work may be
// returning: the others wait the grace, as after a crash (rule L8).
func (k *Knowledge) bidReleased(now Instant, l Lease, w *leaseWatch) bid {
	reason := ReasonReleased
	switch {
	case l.Epoch == 0:
		reason = ReasonFirst
	case w.jumped:
		reason = ReasonIdentity
	}
	if l.Successor == k.self.Server {
		return bid{due: w.seen, reason: reason}
	}
	if r, ours := k.released[l.Connector]; ours && r.epoch == l.Epoch {
		return bid{due: r.at + r.wait, reason: ReasonTakeBack}
	}
	due := w.seen + k.stagger(now, l.Connector)
	if w.jumped && due > w.seen {
		due += k.timing.Grace
	}
	if named, ok := k.rows[l.Successor]; ok && k.live(now, named) {
		due += k.timing.Exclusive
	}
	return bid{due: due, reason: reason}
}

// bidRestarted: the lease names this server's earlier process. The live Passives
// go first, or a server that dies on its first send would have it back for ever
// (rule L6).
func (k *Knowledge) bidRestarted(now Instant, l Lease, w *leaseWatch) bid {
	b := bid{due: w.orphan, reason: ReasonRestart}
	if k.others(now, l.Connector) {
		b.due += k.timing.Yield + k.stagger(now, l.Connector)
	}
	return b
}

// bidSilent: the beat has not moved for the promised length, as watched from
// here (rule L5). The length is the stored one (rule L2).
func (k *Knowledge) bidSilent(now Instant, l Lease, w *leaseWatch) bid {
	return bid{due: w.since + l.Promised + k.stagger(now, l.Connector), reason: ReasonSilence}
}

// bidDead: nobody holds the presence that the holder publishes, and it did not
// come back under a fresh name within the grace (rule L4). A beat that moved
// since proves it alive and begins the grace anew. A session too young to have
// seen the name held waits until it is old enough: after a restart of the
// database every server's name is free for a moment.
func (k *Knowledge) bidDead(now Instant, l Lease, w *leaseWatch, holder Server) (bid, bool) {
	at, granted := k.granted[holder.Presence]
	if !granted || holder.Presence == "" {
		return bid{}, false
	}
	b := bid{due: max(at, w.seen) + k.timing.Grace, reason: ReasonPresence, ended: max(at, w.seen)}
	if !k.seenHeld[holder.Presence] {
		b.due = max(b.due, k.opened+k.timing.Young+k.timing.Grace)
		b.ended = 0
	}
	b.due += k.stagger(now, l.Connector)
	return b, true
}

// take returns the take-over that is due for a connector on the latest reading,
// or wantsRead when it is due but the reading is older than that (rule L6).
func (k *Knowledge) take(s *step, c string) (t Take, wantsRead, ok bool) {
	b, may := k.bid(s.now, c)
	if !may {
		return Take{}, false, false
	}
	if s.now.Boot < b.due {
		s.until(b.due)
		return Take{}, false, false
	}
	if k.sent.Boot < b.due {
		return Take{}, true, false
	}
	set, _ := k.settings(c)
	l := k.leases[c]
	t = Take{
		Connector: c, Epoch: l.Epoch, Beat: l.Beat, Server: k.self.Server, Boot: k.self.Boot,
		Promised: set.Length(), Identity: k.group.Identity, Reason: b.reason,
	}
	if b.ended > 0 {
		t.Ended = s.now.Boot - b.ended
	}
	return t, false, true
}
