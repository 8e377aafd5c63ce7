package sim

import (
	"maps"
	"slices"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// Database is the model database: every statement of the contracts is one
// atomic step on its rows. It has presences, connections that can be lost, a
// clock of its own, and a past it can fall back to.
type Database struct {
	w *World

	mu      sync.Mutex
	rows    rows
	up      bool
	skew    time.Duration // its clock against the truth
	names   int           // presences made so far
	locks   map[string]*lock
	replica *rows // what a replica that stopped receiving has; nil = none
	failed  bool  // it has failed over; once in a schedule; see the package comment
}

// rows is everything that is stored.
type rows struct {
	identity  string
	servers   map[string]ha.Server
	members   []ha.Member
	leases    map[string]ha.Lease
	settings  map[string]ha.Settings
	alerts    map[alert.ID]alert.Alert
	latest    map[string]alert.ID
	links     map[alert.LinkID]linkRow
	notes     map[alert.LinkID][]alert.Note
	news      map[string]bool
	bookmarks map[string]string
}

// linkRow is a link with what only statements use.
type linkRow struct {
	alert.Link
	due     time.Time // not before, by the database's clock
	made    time.Time
	changed time.Time
}

func newDatabase(w *World) *Database {
	return &Database{w: w, up: true, locks: map[string]*lock{}, rows: rows{
		identity: "history-1",
		servers:  map[string]ha.Server{}, leases: map[string]ha.Lease{}, settings: map[string]ha.Settings{},
		alerts: map[alert.ID]alert.Alert{}, latest: map[string]alert.ID{},
		links: map[alert.LinkID]linkRow{}, notes: map[alert.LinkID][]alert.Note{},
		news: map[string]bool{}, bookmarks: map[string]string{},
	}}
}

func (r *rows) clone() *rows {
	c := *r
	c.servers, c.members = maps.Clone(r.servers), slices.Clone(r.members)
	c.leases, c.settings = maps.Clone(r.leases), maps.Clone(r.settings)
	c.alerts, c.latest = maps.Clone(r.alerts), maps.Clone(r.latest)
	c.links, c.notes = maps.Clone(r.links), maps.Clone(r.notes)
	c.news, c.bookmarks = maps.Clone(r.news), maps.Clone(r.bookmarks)
	return &c
}

// now is the database's clock.
func (d *Database) now() time.Time { return time.Now().Add(d.skew) }

func (d *Database) isUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.up
}

// step moves the database's clock.
func (d *Database) step(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.skew += by
}

// stop ends the database for a while: every connection and presence with it.
func (d *Database) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = false
	for name, l := range d.locks {
		l.holder.lost = true
		d.free(name, true)
	}
}

func (d *Database) start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = true
}

// lag makes a replica stop receiving now; failOver makes it the database. What
// was committed in between is lost, and the history has another name.
func (d *Database) lag() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replica == nil && !d.failed {
		d.replica = d.rows.clone()
	}
}

func (d *Database) failOver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replica == nil || d.w.fair() {
		return
	}
	identity := d.rows.identity
	d.rows = *d.replica
	d.rows.identity = identity + "+"
	d.replica, d.failed = nil, true
	d.w.check.commitsLost()
}

// read calls f with the rows, for the checker and the operator's console.
func (d *Database) read(f func(r *rows)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.rows)
}

func (d *Database) group() ha.Group {
	r := &d.rows
	g := ha.Group{Identity: r.identity, Members: slices.Clone(r.members), Settings: maps.Clone(r.settings)}
	for _, name := range slices.Sorted(maps.Keys(r.servers)) {
		s := r.servers[name]
		s.Silence = d.now().Sub(s.HeartbeatAt)
		g.Servers = append(g.Servers, s)
	}
	for _, name := range slices.Sorted(maps.Keys(r.leases)) {
		g.Leases = append(g.Leases, r.leases[name])
	}
	return g
}

func (r *rows) member(connector, server string) int {
	return slices.IndexFunc(r.members, func(m ha.Member) bool {
		return m.Connector == connector && m.Server == server
	})
}

// order returns a connector's servers in communication order.
func (r *rows) order(connector string) []ha.Member {
	var ms []ha.Member
	for _, m := range r.members {
		if m.Connector == connector {
			ms = append(ms, m)
		}
	}
	slices.SortFunc(ms, func(a, b ha.Member) int { return a.Position - b.Position })
	return ms
}
