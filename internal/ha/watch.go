package ha

import (
	"slices"
	"time"
)

// serverWatch is what was watched of one server's heartbeats, by one's own clock.
type serverWatch struct {
	boot  string
	beat  int64
	since time.Duration // the beat was last seen moving, or the watch began
}

// leaseWatch is what was watched of one lease.
type leaseWatch struct {
	epoch, beat int64
	server      string
	seen        time.Duration // the reading that first showed this row was sent
	since       time.Duration // the silence began: the row came, or the watch began anew
	jumped      bool          // the epoch grew by a change of the database's history
	orphan      time.Duration // the reading that first showed the named process replaced; 0 = it is not

	// For the hold-down (rule L7): the last two Actives, and how long the next
	// change of choice has to wait from the last change.
	holder, before string
	changed        time.Duration
	hold           time.Duration

	good map[string]goodness // by server: since when it could be handed the lease
}

// goodness is a server's unbroken time of being live, eligible and reaching.
type goodness struct {
	boot  string
	since time.Duration
	beat  int64 // its beat then
}

// watchServers follows the beats. The first reading of a session begins the
// watch anew: nothing was watched while it was away.
func (k *Knowledge) watchServers(now Instant, first bool) {
	for name := range k.servers {
		if _, ok := k.rows[name]; !ok {
			delete(k.servers, name)
		}
	}
	for name, s := range k.rows {
		w := k.servers[name]
		if w == nil || w.boot != s.Boot || w.beat != s.Beat || first {
			k.servers[name] = &serverWatch{boot: s.Boot, beat: s.Beat, since: now.Boot}
		}
	}
}

// watch follows one lease row.
func (k *Knowledge) watch(now Instant, l Lease, first bool) {
	w := k.watches[l.Connector]
	if w == nil {
		w = &leaseWatch{epoch: -1, changed: now.Boot, hold: k.timing.HoldDown, holder: l.Server, good: map[string]goodness{}}
		k.watches[l.Connector] = w
	}
	if w.epoch != l.Epoch || w.beat != l.Beat || w.server != l.Server {
		w.jumped = w.epoch >= 0 && (l.Epoch-w.epoch >= EpochJump || w.jumped && w.epoch == l.Epoch)
		w.epoch, w.beat, w.server = l.Epoch, l.Beat, l.Server
		w.seen, w.since = k.asked.Boot, now.Boot
	}
	if first {
		w.since = now.Boot
	}
	if holder, ok := k.rows[l.Server]; l.Server == "" || ok && holder.Boot == l.Boot {
		w.orphan = 0
	} else if w.orphan == 0 {
		w.orphan = k.asked.Boot
	}
	if l.Server != "" && l.Server != w.holder {
		w.changes(now, l.Server, k.timing)
	}
}

// changes notes a new Active. A change back to the one before is a reversal and
// doubles the hold-down, until things were quiet for eight times as long.
func (w *leaseWatch) changes(now Instant, holder string, t Timing) {
	switch quiet := now.Boot - w.changed; {
	case quiet > 8*w.hold:
		w.hold = t.HoldDown
	case w.before == holder:
		w.hold = min(2*w.hold, t.MaxHold)
	}
	w.before, w.holder, w.changed = w.holder, holder, now.Boot
}

// watchGood follows, for the connectors of this server, since when each other
// member could be handed the lease without a break.
func (k *Knowledge) watchGood(now Instant, first bool) {
	for _, c := range k.mine {
		w := k.watches[c]
		if w == nil {
			continue
		}
		for _, m := range k.order[c] {
			s := k.rows[m.Server]
			g, was := w.good[m.Server]
			switch {
			case !k.ready(now, m) || !m.Reaches:
				delete(w.good, m.Server)
			case !was || first || g.boot != s.Boot:
				w.good[m.Server] = goodness{boot: s.Boot, since: now.Boot, beat: s.Beat}
			}
		}
	}
}

// suspect says whether nobody holds the presence that a server publishes.
func (k *Knowledge) suspect(s Server) bool {
	_, granted := k.granted[s.Presence]
	return s.Presence != "" && granted
}

// proves says whether this session can tell a dead server by a name that nobody
// holds: it saw the name held, or is old enough (rule L4). After a restart of the
// database every server's name is free for a moment.
func (k *Knowledge) proves(now Instant, presence string) bool {
	return k.seenHeld[presence] || now.Boot-k.opened >= k.timing.Young
}

// live says whether a server seems to run: its beat moved within the length it
// promised, as watched from here, and nothing says that it died. Silence, which
// the database measured by its own clock alone, helps a cold start to rank the
// servers; nobody is deposed by it.
func (k *Knowledge) live(now Instant, s Server) bool {
	if s.Boot == "" || s.Silence > s.Promised || k.suspect(s) && k.proves(now, s.Presence) {
		return false
	}
	w := k.servers[s.Name]
	return w != nil && now.Boot-w.since < s.Promised
}

// ready says whether a member could take the lease now.
func (k *Knowledge) ready(now Instant, m Member) bool {
	if m.Server == k.self.Server {
		return k.eligible(m.Connector)
	}
	s, ok := k.rows[m.Server]
	return ok && m.Eligible && k.live(now, s)
}

// ahead counts the live Passives that stand before this server in the order,
// leaving out the servers named.
func (k *Knowledge) ahead(now Instant, connector string, but ...string) int {
	n := 0
	but = append(but, k.lastActive(connector))
	for _, m := range k.order[connector] {
		if m.Server == k.self.Server {
			break
		}
		if slices.Contains(but, m.Server) {
			continue
		}
		// Before the first term, those who have joined but not told anything count too.
		if k.ready(now, m) || k.leases[connector].Epoch == 0 && k.live(now, k.rows[m.Server]) {
			n++
		}
	}
	return n
}

// others says whether another live Passive could take the lease.
func (k *Knowledge) others(now Instant, connector string) bool {
	for _, m := range k.order[connector] {
		if m.Server != k.self.Server && m.Server != k.leases[connector].Server && k.ready(now, m) {
			return true
		}
	}
	return false
}

// lastActive is the Active, or who released the lease.
func (k *Knowledge) lastActive(connector string) string {
	l, w := k.leases[connector], k.watches[connector]
	if l.Server == "" && w != nil && !w.jumped {
		return w.holder
	}
	return l.Server
}

// await returns the presence names to wait for (rule L4): those of the Actives
// of this server's connectors, where it is one of those who wait; and, while it
// is Active itself, its own and those of servers that are wished for and not able. An idle connection does not say that it broke, and
// the next heartbeat may be far: the wait for one's own presence tells at once,
// early enough to come back within the grace.
func (k *Knowledge) await(now Instant) []string {
	if !k.open || !k.read || k.stopping {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	if _, granted := k.granted[k.presence]; len(k.tenures) > 0 && k.presence != "" && !granted {
		names = append(names, k.presence)
	}
	for _, name := range k.awaitWished() {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, c := range k.mine {
		l := k.leases[c]
		s, ok := k.rows[l.Server]
		if !ok || l.Server == k.self.Server || s.Boot != l.Boot || s.Presence == "" || seen[s.Presence] {
			continue
		}
		if _, granted := k.granted[s.Presence]; granted || !k.eligible(c) {
			continue
		}
		// The Active before this one may have died, which only who waited for it knows.
		if len(k.order[c]) <= waitAll || k.ahead(now, c, k.watches[c].before) < 2 {
			seen[s.Presence] = true
			names = append(names, s.Presence)
		}
	}
	return names
}

// awaitWished returns the presences of the servers that operators wish for in
// place of this one, where they cannot follow yet: one that dies will not.
func (k *Knowledge) awaitWished() []string {
	var names []string
	for _, c := range sorted(k.tenures) {
		wished, ok := k.rows[k.leases[c].Wish]
		if !ok || k.tenures[c].phase != working || wished.Name == k.self.Server || wished.Presence == "" {
			continue
		}
		if _, granted := k.granted[wished.Presence]; !granted {
			names = append(names, wished.Presence)
		}
	}
	return names
}
