package ha

import "time"

// steer decides which terms of this server come to a planned end (rules L3, L7,
// L9), and moves the ends that are under way.
func (k *Knowledge) steer(s *step) {
	for _, c := range sorted(k.tenures) {
		t := k.tenures[c]
		switch t.phase {
		case taken:
			if k.stopping {
				t.phase, t.reason = releasing, ReasonStop
				continue
			}
			k.begin(s, c, t)
		case working:
			if reason, to, ok := k.handOver(s.now, c); ok {
				t.phase, t.reason, t.to, t.drainAt = draining, reason, to, s.now.Boot
				// So that the successor is chosen on what is so by then. A reading made
				// just now would only hold up the release of work that has nothing to finish.
				k.wantRead = k.wantRead || s.now.Boot-k.sent.Boot > k.timing.Stagger
				s.plan.Drain = append(s.plan.Drain, Drain{Connector: c, Epoch: t.lease.Epoch, Reason: reason, Successor: to})
				s.until(t.drainAt + k.timing.Drain)
			} else {
				k.withdraw(s, c, t)
			}
		case draining:
			if limit := t.drainAt + k.timing.Drain; s.now.Boot < limit {
				s.until(limit)
			} else {
				k.ends = append(k.ends, End{Connector: c, Epoch: t.lease.Epoch, Why: EndDrain})
				t.phase = releasing
			}
		}
	}
}

// begin starts the work of a term.
func (k *Knowledge) begin(s *step, c string, t *tenure) {
	if k.jobs[c] != nil {
		return
	}
	t.phase, t.moved = working, s.now.Boot
	k.jobs[c] = &job{epoch: t.lease.Epoch, began: s.now.Boot, ended: -1}
	s.plan.Begin = append(s.plan.Begin, Begin{Lease: t.lease, Settings: t.settings, Reason: t.reason, Adopted: t.lease.Beat > 0})
}

// handOver says whether the Active should end its term as planned, why, and who
// is meant to follow.
func (k *Knowledge) handOver(now Instant, c string) (Reason, string, bool) {
	if k.stopping {
		return ReasonStop, "", true
	}
	if !k.read {
		return "", "", false
	}
	if !k.member(c) {
		return ReasonWish, "", true
	}
	if wish := k.leases[c].Wish; wish != "" && wish != k.self.Server {
		for _, m := range k.order[c] {
			if m.Server == wish && k.ready(now, m) {
				return ReasonWish, wish, true
			}
		}
	}
	if !k.eligible(c) && k.others(now, c) {
		return ReasonIneligible, "", true
	}
	w := k.watches[c]
	if w == nil || now.Boot-w.changed < w.hold {
		return "", "", false
	}
	if to, ok := k.cutOffFrom(now, c); ok {
		return ReasonRemote, to, true
	}
	if to, ok := k.failback(now, c, w); ok {
		return ReasonFailback, to, true
	}
	return "", "", false
}

// withdraw ends an operator's wish for a server that went Offline before it was
// followed: a switchover long after it was asked for is one that nobody asked for
// (rule L7). It is decided on a reading made after the server was known dead, and
// repeated while readings show the wish.
func (k *Knowledge) withdraw(s *step, c string, t *tenure) {
	wish := k.leases[c].Wish
	if wish == "" || wish == k.self.Server || !k.read {
		return
	}
	at, is := k.offline(s.now, wish)
	if !is {
		return
	}
	if again, tried := k.withdrawn[c]; tried {
		at = max(at, again)
	}
	switch {
	case s.now.Boot < at:
		s.until(at)
	case k.sent.Boot < at:
		k.wantRead = true
	default:
		k.withdrawn[c] = s.now.Boot + k.timing.TakeBack
		s.plan.Withdraw = append(s.plan.Withdraw, Withdrawal{Connector: c, Epoch: t.lease.Epoch, Server: wish, Boot: k.rows[wish].Boot})
	}
}

// offline says whether a server is Offline, and from when on that may be acted on:
// one whose presence nobody holds has the grace to publish a fresh one (rule L4).
func (k *Knowledge) offline(now Instant, server string) (from time.Duration, is bool) {
	row, known := k.rows[server]
	if at, suspect := k.granted[row.Presence]; suspect && row.Presence != "" {
		if !k.seenHeld[row.Presence] {
			at = max(at, k.opened+k.timing.Young)
		}
		return at + k.timing.Grace, true
	}
	return 0, !known || !k.live(now, row)
}

// cutOffFrom: this server has not been able to connect to the remote for a
// polling interval, and a Passive can (rule L7), as a reading made after that
// interval says: the Passives' reports were made within it.
func (k *Knowledge) cutOffFrom(now Instant, c string) (string, bool) {
	since, cut := k.cutOff[c]
	set, ok := k.settings(c)
	if !cut || !ok || now.Boot-since < set.Polling {
		return "", false
	}
	if k.sent.Boot < since+set.Polling {
		k.wantRead = true
		return "", false
	}
	to := k.firstReady(now, c, true)
	return to, to != ""
}

// failback: a server ranked higher has been live, eligible and reaching the
// remote for a full tolerance of its heartbeats (rule L7).
func (k *Knowledge) failback(now Instant, c string, w *leaseWatch) (string, bool) {
	set, ok := k.settings(c)
	if !ok || set.Failback != Automatic {
		return "", false
	}
	for _, m := range k.order[c] {
		if m.Server == k.self.Server {
			return "", false
		}
		g, good := w.good[m.Server]
		if !good || !k.ready(now, m) {
			continue
		}
		steady := now.Boot-g.since >= set.Length() && k.rows[m.Server].Beat-g.beat >= int64(set.Tolerance)
		if steady {
			return m.Server, true
		}
	}
	return "", false
}

// firstReady returns the first other member in order that could take the lease;
// "" when there is none.
func (k *Knowledge) firstReady(now Instant, c string, reaching bool) string {
	for _, m := range k.order[c] {
		if m.Server != k.self.Server && k.ready(now, m) && (m.Reaches || !reaching) {
			return m.Server
		}
	}
	return ""
}

// release returns the release that ends a term, naming as successor who was
// meant, if it is still ready, or whom an operator wished for, or the first
// ready in order, before all those that reach the remote.
func (k *Knowledge) release(now Instant, c string, t *tenure) Release {
	r := Release{Connector: c, Epoch: t.lease.Epoch, Boot: k.self.Boot, Reason: t.reason}
	for _, name := range []string{t.to, k.leases[c].Wish} {
		for _, m := range k.order[c] {
			if m.Server == name && name != k.self.Server && k.ready(now, m) {
				r.Successor = name
				return r
			}
		}
	}
	if r.Successor = k.firstReady(now, c, true); r.Successor == "" {
		r.Successor = k.firstReady(now, c, false)
	}
	return r
}
