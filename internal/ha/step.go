package ha

import "time"

// step gathers one Plan.
type step struct {
	now  Instant
	plan Plan
	wake time.Duration // by the boot-time clock
}

func (s *step) until(due time.Duration) { s.wake = min(s.wake, due) }

// Step decides what to do now. The plan is given once: the runner does all of
// it, and folds in what came of it.
func (k *Knowledge) Step(now Instant) Plan {
	s := &step{now: now, wake: now.Boot + k.timing.Nap}
	if k.fault == nil {
		k.expire(s)
		k.steer(s)
		k.ask(s)
		s.plan.Await = k.await(now)
	}
	k.flush(s)
	return s.plan
}

// expire ends the terms whose promised length is up without an answer (rule L1).
func (k *Knowledge) expire(s *step) {
	for _, c := range sorted(k.tenures) {
		t := k.tenures[c]
		if t.phase == adopting || t.phase == releasing {
			continue
		}
		left := t.trust(s.now, k.timing.Margin)
		if left <= 0 {
			if t.phase == working && k.stuck(s.now, t) {
				k.stalled[c] = t.lease.Epoch
			}
			k.end(c, t, EndTrust)
			continue
		}
		s.until(s.now.Boot + left)
	}
}

// ask chooses the next call on the session, one at a time.
func (k *Knowledge) ask(s *step) {
	if k.asking || k.stopping && len(k.tenures) == 0 && !k.unsure {
		return
	}
	ask := k.nextAsk(s)
	if ask == nil {
		return
	}
	k.asking, k.asked = true, s.now
	switch ask := ask.(type) {
	case Reread:
		k.wantRead = false
	case Beat:
		k.wantRead, k.beatNow, k.wanted, k.lastBeat = false, false, false, s.now.Boot
		ask.Renew = k.renewals(s.now)
		s.plan.Ask = ask
		return
	}
	s.plan.Ask = ask
}

func (k *Knowledge) nextAsk(s *step) Ask {
	if !k.open {
		if s.now.Boot >= k.reopen {
			return Open{}
		}
		s.until(k.reopen)
		return nil
	}
	if !k.numbered {
		return Reread{}
	}
	if !k.greeted {
		return k.beat()
	}
	if a := k.change(s); a != nil {
		return a
	}
	due := k.lastBeat + k.interval()
	if k.news || k.wanted {
		due = min(due, k.lastBeat+newsPause)
	}
	if k.beatNow || s.now.Boot >= due {
		return k.beat()
	}
	s.until(due)
	if k.wantRead {
		return Reread{}
	}
	return nil
}

// change returns the release, the move to a new history or the take-over that
// is due, or a reading where one is needed to decide.
func (k *Knowledge) change(s *step) Ask {
	for _, c := range sorted(k.tenures) {
		if t := k.tenures[c]; t.phase == releasing {
			return k.release(s.now, c, t)
		}
	}
	reread := false
	for _, c := range k.mine {
		if k.tried[c] {
			continue
		}
		if l, ok := k.leases[c]; ok && k.foreign(l) {
			if s.now.Boot >= k.retry[c] {
				return Doubt{Connector: c, Epoch: l.Epoch, Identity: k.group.Identity}
			}
			s.until(k.retry[c])
		}
		t, wants, ok := k.take(s, c)
		if ok {
			return t
		}
		reread = reread || wants
	}
	if reread {
		return Reread{}
	}
	return nil
}

// beat returns the next heartbeat, without its renewals. Of the reports it takes
// those that the rows do not show yet: an idle heartbeat writes one row.
func (k *Knowledge) beat() Beat {
	b := Beat{
		Server: k.self.Server, Boot: k.self.Boot, Number: k.number + 1, Presence: k.presence,
		Version: k.self.Version, Promised: k.promised(),
	}
	for _, c := range sorted(k.reports) {
		r := k.reports[c]
		if m, ok := k.own[c]; !k.greeted || ok && m.Reported(r) != m {
			b.Reports = append(b.Reports, r)
		}
	}
	return b
}

// interval is the time between heartbeats: the shortest polling interval of the
// server's connectors, or a part of what a term still promises by its row, when
// that is shorter than the settings by now say.
func (k *Knowledge) interval() time.Duration {
	d := time.Duration(0)
	shortest := func(x time.Duration) {
		if x > 0 && (d == 0 || x < d) {
			d = x
		}
	}
	for _, c := range k.mine {
		shortest(k.group.Settings[c].Polling)
	}
	for c, t := range k.tenures {
		if t.phase == adopting {
			shortest(time.Second)
		} else if t.proven.length < k.group.Settings[c].Length() {
			shortest(t.proven.length / 3)
		}
	}
	if d == 0 {
		return defaultPolling
	}
	return d
}

// promised is how long this server may be silent: the shortest promised length
// of its connectors.
func (k *Knowledge) promised() time.Duration {
	d := time.Duration(0)
	for _, c := range k.mine {
		if l := k.group.Settings[c].Length(); l > 0 && (d == 0 || l < d) {
			d = l
		}
	}
	if d == 0 {
		return defaultPolling * defaultTolerance
	}
	return d
}

// Limit is how long a call on the session may take before it counts as lost.
func (k *Knowledge) Limit(ask Ask) time.Duration {
	if _, ok := ask.(Open); ok {
		return openLimit
	}
	return min(max(k.promised()/2, time.Second), 5*time.Second)
}

// flush completes the plan.
func (k *Knowledge) flush(s *step) {
	for _, e := range k.ends {
		if j := k.jobs[e.Connector]; j != nil && j.epoch == e.Epoch {
			j.ended = s.now.Boot
		}
	}
	s.plan.End, k.ends = k.ends, nil
	s.plan.Wake, k.wakeAll = k.wakeAll, false
	s.plan.Fault = k.fault
	if k.stopping {
		limit := k.stoppedAt + k.timing.Drain + k.timing.Drain/2
		done := len(k.tenures) == 0 && len(k.jobs) == 0 && !k.asking && !k.unsure
		s.plan.Exit = done || s.now.Boot >= limit
		s.until(limit)
	}
	s.plan.Sleep = max(s.wake-s.now.Boot, 0)
}
