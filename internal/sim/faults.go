package sim

import (
	"fmt"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// act is something that happens to the world at a time.
type act struct {
	at   time.Duration
	name string
	do   func()
}

// faultKinds are what can go wrong, and what people do, with how often.
var faultKinds = []struct {
	weight int
	make   func(w *World, r *roll, h *Host) (string, func())
}{
	{4, crashFault}, {3, freezeFault}, {3, partitionFault}, {3, blipFault}, {2, drainFault},
	{2, restartFault}, {2, failOverFault}, {2, clockFault}, {2, settingsFault}, {2, orderFault},
	{2, wishFault}, {2, removeFault}, {1, remoteFault}, {1, deskFault}, {4, deskWork},
}

// acts draws the schedule: faults, and what the source and people say.
func (w *World) acts() []act {
	var out []act
	total := 0
	for _, k := range faultKinds {
		total += k.weight
	}
	for i := range w.plan.faults {
		r := w.chance.of(uint64(i), "fault")
		at, pick := r.between(3*time.Second, w.plan.length), r.n(total)
		for _, k := range faultKinds {
			if pick -= k.weight; pick < 0 {
				name, do := k.make(w, r, w.hosts[r.n(len(w.hosts))])
				out = append(out, act{at, name, do})
				break
			}
		}
	}
	for i := range w.plan.words {
		r := w.chance.of(uint64(i), "word")
		key := fmt.Sprintf("k%d", r.n(w.plan.keys))
		at := r.between(time.Second, w.plan.length)
		switch n := r.n(10); {
		case n == 0 && w.plan.compare > 0:
			out = append(out, act{at, "the source forgets " + key, func() { w.forget(key) }})
		case n < 6:
			out = append(out, act{at, "the source tells " + key, func() { w.tell(key, alert.Open) }})
		case n < 8:
			out = append(out, act{at, "the source closes " + key, func() { w.tell(key, alert.Closed) }})
		default:
			out = append(out, act{at, "a note for " + key, func() { w.addNote(key) }})
		}
	}
	slices.SortFunc(out, func(a, b act) int { return int(a.at - b.at) })
	return out
}

// tell is the source's word, taken in by whichever server is asked.
func (w *World) tell(key string, status alert.Status) {
	w.mu.Lock()
	w.said++
	o := alert.Observation{Source: sourceName, Key: key, Status: status}
	o.Summary = fmt.Sprintf("%s, word %d", key, w.said)
	w.sources[key] = o
	w.mu.Unlock()
	w.observe(o)
}

func (w *World) observe(o alert.Observation) {
	if !w.db.isUp() {
		time.AfterFunc(time.Second, func() { w.observe(o) }) // refused; the source says it again
		return
	}
	w.db.read(func(r *rows) { r.observe(w, o) })
	w.wake(true)
}

// sayAgain is what a source does every few minutes anyway: it repeats what is so.
func (w *World) sayAgain() {
	w.mu.Lock()
	words := make([]alert.Observation, 0, len(w.sources))
	for _, o := range w.sources {
		words = append(words, o)
	}
	w.mu.Unlock()
	for _, o := range words {
		w.observe(o)
	}
}

func (w *World) addNote(key string) {
	w.db.read(func(r *rows) {
		if id, ok := r.latest[sourceName+"/"+key]; ok {
			r.note(w, alert.LinkID{Connector: connectorName, Alert: id, Side: alert.Remote})
		}
	})
	w.wake(true)
}

// kill crashes a host's process and starts another after a while.
func (w *World) kill(h *Host, down time.Duration) {
	if p := h.current(); p != nil {
		w.trace.note("crash " + p.boot)
		p.crash()
	}
	time.AfterFunc(down, func() { w.boot(h) })
}

// target is mostly the Active's host: that is where faults hurt.
func (w *World) target(r *roll, h *Host) func() *Host {
	if r.hit(0.4) {
		return func() *Host { return h }
	}
	return func() *Host {
		name := ""
		w.db.read(func(rows *rows) { name = rows.leases[connectorName].Server })
		for _, x := range w.hosts {
			if x.serverName() == name {
				return x
			}
		}
		return h
	}
}

func crashFault(w *World, r *roll, h *Host) (string, func()) {
	pick, down := w.target(r, h), r.between(20*time.Millisecond, 8*time.Second)
	return "crash", func() { w.kill(pick(), down) }
}

func freezeFault(w *World, r *roll, h *Host) (string, func()) {
	pick, length, suspend := w.target(r, h), r.between(50*time.Millisecond, 12*time.Second), r.hit(0.4)
	return fmt.Sprintf("freeze for %v, suspend %v", length, suspend), func() {
		p := pick().current()
		if p == nil {
			return
		}
		w.stun(p, length, suspend)
	}
}

func partitionFault(w *World, r *roll, h *Host) (string, func()) {
	pick, length, way := w.target(r, h), r.between(100*time.Millisecond, 12*time.Second), r.n(3)
	gone := r.between(2*time.Second, 15*time.Second)
	return fmt.Sprintf("partition %d for %v", way, length), func() {
		h := pick()
		w.cutOff(h, way != 1, way != 0, length)
		time.AfterFunc(gone, func() { // keepalives end what hung
			if req, ans := h.cut(); (req || ans) && h.current() != nil {
				w.db.dropAll(h.current())
			}
		})
	}
}

// blipFault ends a process's connections: its presence is lost, it lives on.
func blipFault(w *World, r *roll, h *Host) (string, func()) {
	pick := w.target(r, h)
	return "connections lost", func() {
		if p := pick().current(); p != nil {
			w.db.dropAll(p)
		}
	}
}

func drainFault(w *World, r *roll, h *Host) (string, func()) {
	pick := w.target(r, h)
	return "planned stop", func() {
		if p := pick().current(); p != nil {
			p.stop()
		}
	}
}

func restartFault(w *World, r *roll, _ *Host) (string, func()) {
	down := r.between(100*time.Millisecond, 6*time.Second)
	return fmt.Sprintf("database away for %v", down), func() {
		w.db.stop()
		time.AfterFunc(down, w.db.start)
	}
}

func failOverFault(w *World, r *roll, _ *Host) (string, func()) {
	lost, down := r.between(10*time.Millisecond, 5*time.Second), r.between(50*time.Millisecond, 2*time.Second)
	return fmt.Sprintf("replica lags, takes over after %v", lost), func() {
		w.db.lag()
		time.AfterFunc(lost, func() {
			w.db.stop()
			w.db.failOver()
			time.AfterFunc(down, func() {
				w.db.start()
				time.AfterFunc(time.Second, w.sayAgain)
			})
		})
	}
}

func clockFault(w *World, r *roll, h *Host) (string, func()) {
	by := r.between(0, 40*time.Second) - 20*time.Second
	if r.hit(0.4) {
		by = max(by, -4*time.Second)
		return fmt.Sprintf("the database's clock steps by %v", by), func() { w.db.step(by) }
	}
	pick := w.target(r, h)
	return fmt.Sprintf("clock steps by %v", by), func() { pick().stepWall(by) }
}

func settingsFault(w *World, r *roll, _ *Host) (string, func()) {
	return "settings change", func() {
		s := newSettings(r, w.plan.settings.Window)
		w.db.read(func(rows *rows) {
			s.Version = rows.settings[connectorName].Version + 1
			rows.settings[connectorName] = s
		})
		w.version.Store(s.Version)
		w.wake(false)
	}
}

func orderFault(w *World, _ *roll, h *Host) (string, func()) {
	return "order edited", func() {
		w.db.read(func(rows *rows) {
			order := rows.order(connectorName)
			i := slices.IndexFunc(order, func(m ha.Member) bool { return m.Server == h.serverName() })
			if i < 0 {
				return
			}
			up, other := rows.member(connectorName, order[i].Server), rows.member(connectorName, order[(i+1)%len(order)].Server)
			rows.members[up].Position, rows.members[other].Position = rows.members[other].Position, rows.members[up].Position
		})
		w.wake(false)
	}
}

func wishFault(w *World, _ *roll, h *Host) (string, func()) {
	return "Make Active " + h.name, func() { w.wish(h.serverName()) }
}

func (w *World) wish(server string) {
	w.db.read(func(rows *rows) {
		if l := rows.leases[connectorName]; l.Server != server && rows.member(connectorName, server) >= 0 {
			l.Wish = server
			rows.leases[connectorName] = l
		}
	})
	w.wake(false)
}

// withdraw ends a wish, as the store does.
func (w *World) withdraw(wish ha.Withdrawal) {
	if !w.db.isUp() {
		return
	}
	w.db.read(func(rows *rows) {
		l := rows.leases[connectorName]
		if s, ok := rows.servers[wish.Server]; l.Epoch == wish.Epoch && l.Wish == wish.Server && (!ok || s.Boot == wish.Boot) {
			l.Wish = ""
			rows.leases[connectorName] = l
		}
	})
	w.wake(false)
}

// removeFault removes a server, and adds it again later, perhaps by another name.
func removeFault(w *World, r *roll, h *Host) (string, func()) {
	away, rename := r.between(500*time.Millisecond, 8*time.Second), r.hit(0.5)
	return "remove " + h.name, func() { w.remove(h, away, rename, 5) }
}

// remove is rule L9: an Active is switched over first, the last member stays.
func (w *World) remove(h *Host, away time.Duration, rename bool, tries int) {
	if h.isRemoved() || w.fair() || !w.db.isUp() {
		return
	}
	name, next, gone := h.serverName(), "", false
	w.db.read(func(rows *rows) {
		order := rows.order(connectorName)
		if i := slices.IndexFunc(order, func(m ha.Member) bool { return m.Server != name }); i >= 0 {
			next = order[i].Server
		}
		if next == "" || rows.leases[connectorName].Server == name {
			return
		}
		delete(rows.servers, name)
		rows.members = slices.DeleteFunc(rows.members, func(m ha.Member) bool { return m.Server == name })
		rows.leases[connectorName] = rows.leases[connectorName].Without(name)
		w.check.member(name, false)
		gone = true
	})
	switch {
	case gone:
		w.trace.note("removed " + name)
		h.setRemoved(true)
		time.AfterFunc(away, func() { w.addAgain(h, rename) })
	case next != "" && tries > 0:
		w.wish(next)
		time.AfterFunc(2*time.Second, func() { w.remove(h, away, rename, tries-1) })
	}
}

func (w *World) addAgain(h *Host, rename bool) {
	if rename {
		h.rename()
	}
	h.setRemoved(false)
	if p := h.current(); p == nil || p.isDead() {
		w.boot(h)
	}
}

func remoteFault(_ *World, r *roll, h *Host) (string, func()) {
	length := r.between(time.Second, 10*time.Second)
	return "desk cannot be reached from " + h.name, func() {
		h.setRemoteCut(true)
		time.AfterFunc(length, func() { h.setRemoteCut(false) })
	}
}

func deskFault(w *World, r *roll, _ *Host) (string, func()) {
	length := r.between(500*time.Millisecond, 6*time.Second)
	return fmt.Sprintf("desk away for %v", length), func() {
		w.desk.setDown(true)
		time.AfterFunc(length, func() { w.desk.setDown(false) })
	}
}

func deskWork(w *World, r *roll, _ *Host) (string, func()) {
	return "a person works at the desk", func() {
		heard := false
		w.db.read(func(rows *rows) { heard = rows.bookmarks[connectorName+"/news"] != "" })
		if heard { // "from now on" starts with the first bookmark
			w.desk.work(r)
		}
	}
}
