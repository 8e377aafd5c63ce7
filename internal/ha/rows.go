package ha

// The transitions of the three rows, as pure functions. The store's statements
// do the same in SQL; the model database of hatest and of the simulation calls
// these, and the conformance suite compares both.

// EpochJump is what a change of the database's history adds to an epoch (rule
// L8): more than the epochs that can have been lost with the last commits.
const EpochJump = 1 << 20

// Renewed returns the lease after a renewal by the process boot, and whether
// anything was renewed: only the process and the epoch that the row names are.
func (l Lease) Renewed(r Renewal, boot string) (Lease, bool) {
	if l.Server == "" || l.Boot != boot || l.Epoch != r.Epoch {
		return l, false
	}
	l.Beat++
	l.Promised = r.Promised
	return l, true
}

// Taken returns the lease after a take-over, or ErrLost when the row shows
// another epoch or beat. A lease of another history of the database cannot be
// taken before Doubted moved it to the new one. A wish for the taker is
// fulfilled by it.
func (l Lease) Taken(t Take) (Lease, error) {
	if l.Epoch != t.Epoch || l.Beat != t.Beat {
		return l, ErrLost
	}
	if l.Identity != "" && l.Identity != t.Identity {
		return l, ErrLost
	}
	l.Epoch, l.Beat = t.Epoch+1, 0
	l.Server, l.Boot, l.Promised, l.Identity = t.Server, t.Boot, t.Promised, t.Identity
	l.Successor = ""
	if l.Wish == t.Server {
		l.Wish = ""
	}
	return l, nil
}

// Released returns the lease after its holder let go, or ErrLost when the row
// does not name that process and epoch. The epoch stays in the row, so that it
// is never used twice; the beat grows, so that a take-over decided before the
// release does not pass. A wish is spent by a release that follows it, and by
// one of the very server it names.
func (l Lease) Released(r Release) (Lease, error) {
	if l.Server == "" || l.Epoch != r.Epoch || l.Boot != r.Boot {
		return l, ErrLost
	}
	if l.Wish == r.Successor || l.Wish == l.Server {
		l.Wish = ""
	}
	l.Beat++
	l.Server, l.Boot, l.Successor = "", "", r.Successor
	return l, nil
}

// Doubted returns the lease after the database's history changed to
// newIdentity, or ErrLost when the row shows another epoch or the new history
// already.
func (l Lease) Doubted(epoch int64, newIdentity string) (Lease, error) {
	if l.Epoch != epoch || l.Identity == "" || l.Identity == newIdentity {
		return l, ErrLost
	}
	l.Epoch, l.Beat = l.Epoch+EpochJump, 0
	l.Server, l.Boot, l.Successor, l.Identity = "", "", "", newIdentity
	return l, nil
}

// Without returns the lease after a server's membership ended (rule L9): a
// take-over of that server's, decided before, does not pass, and nothing waits
// for it. Whom the row names as Active stays.
func (l Lease) Without(server string) Lease {
	l.Beat++
	if l.Wish == server {
		l.Wish = ""
	}
	if l.Successor == server {
		l.Successor = ""
	}
	return l
}

// Beaten returns the server's row after a heartbeat: a compare-and-swap on the
// boot id and the beat number, which passes again for the same number, because
// the answer to the first time may have been lost. HeartbeatAt and Silence are
// the database's to set.
func (s Server) Beaten(b Beat) (Server, error) {
	if s.Name != b.Server || s.Boot != b.Boot {
		return s, ErrReplaced
	}
	if s.Beat != b.Number-1 && s.Beat != b.Number {
		return s, ErrBeat
	}
	s.Beat, s.Presence, s.Version, s.Promised = b.Number, b.Presence, b.Version, b.Promised
	return s, nil
}

// Reported returns the member's row after its server's report.
func (m Member) Reported(r Report) Member {
	m.Runs, m.Eligible, m.Reaches, m.Reason = r.Runs, r.Eligible, r.Reaches, r.Reason
	return m
}
