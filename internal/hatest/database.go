package hatest

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tieline/internal/ha"
)

// Database is one database in memory. Its methods may be called at any time
// from any goroutine.
type Database struct {
	// Latency of each way of a call; set before use. nil = none.
	Latency func() time.Duration

	mu       sync.Mutex
	up       bool
	life     int // grows when the database goes down, which ends every connection
	identity string
	servers  map[string]ha.Server
	members  map[string][]ha.Member // by connector
	leases   map[string]ha.Lease
	settings map[string]ha.Settings
	locks    map[string]*lock // presence, by name
	locked   map[string]bool  // lease rows held by somebody else's transaction
	sessions map[*session]bool
	procs    map[string][]*Process
	events   []Event
	boots    int
	names    int
	calls    int
	waiting  int
}

// lock is a held presence.
type lock struct {
	owner *session
	free  chan struct{} // closed when it is let go; the waiter then sees whether its own connection lived
}

// Event is one change of a lease, as the history table would have it.
type Event struct {
	At        time.Time
	Connector string
	Epoch     int64
	From, To  string // servers; "" = none
	Reason    ha.Reason
}

func (e Event) String() string {
	return fmt.Sprintf("%s %s epoch %d: %q -> %q (%s)", e.At.Format("05.000"), e.Connector, e.Epoch, e.From, e.To, e.Reason)
}

// NewDatabase returns an empty database that is up.
func NewDatabase() *Database {
	return &Database{
		up: true, identity: "history-1",
		servers: map[string]ha.Server{}, members: map[string][]ha.Member{}, leases: map[string]ha.Lease{},
		settings: map[string]ha.Settings{}, locks: map[string]*lock{}, locked: map[string]bool{},
		sessions: map[*session]bool{}, procs: map[string][]*Process{},
	}
}

// AddConnector adds a connector whose members are the servers, in order.
func (d *Database) AddConnector(name string, s ha.Settings, servers ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings[name] = s
	d.leases[name] = ha.Lease{Connector: name}
	for i, server := range servers {
		d.members[name] = append(d.members[name], ha.Member{Connector: name, Server: server, Position: i + 1})
	}
}

// SetSettings changes a connector's settings, as a new document does.
func (d *Database) SetSettings(connector string, s ha.Settings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settings[connector] = s
}

// SetOrder puts a connector's members in another order. Servers left out are
// removed from it, new ones join it.
func (d *Database) SetOrder(connector string, servers ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.members[connector]
	var ms []ha.Member
	for i, server := range servers {
		m := ha.Member{Connector: connector, Server: server}
		if at := slices.IndexFunc(old, func(m ha.Member) bool { return m.Server == server }); at >= 0 {
			m = old[at]
		}
		m.Position = i + 1
		ms = append(ms, m)
	}
	d.members[connector] = ms
}

// SetWish asks for a server to be made Active.
func (d *Database) SetWish(connector, server string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.leases[connector]
	l.Wish = server
	d.leases[connector] = l
}

// Withdraw ends a wish, as Config.Withdraw is meant to.
func (d *Database) Withdraw(w ha.Withdrawal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.leases[w.Connector]
	if s, ok := d.servers[w.Server]; l.Epoch != w.Epoch || l.Wish != w.Server || ok && s.Boot != w.Boot {
		return
	}
	l.Wish = ""
	d.leases[w.Connector] = l
	for _, ps := range d.procs {
		for _, p := range ps {
			p.wake()
		}
	}
}

// RemoveServer removes a server's row and memberships, whatever it is doing.
func (d *Database) RemoveServer(server string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.servers, server)
	for c, ms := range d.members {
		d.members[c] = slices.DeleteFunc(ms, func(m ha.Member) bool { return m.Server == server })
		d.leases[c] = d.leases[c].Without(server)
	}
}

// ChangeIdentity gives the database another history, as a failover to a
// replica or a restore does.
func (d *Database) ChangeIdentity(identity string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.identity = identity
}

// Snapshot returns the rows, to be restored later.
func (d *Database) Snapshot() func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	servers, leases := maps.Clone(d.servers), maps.Clone(d.leases)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.servers, d.leases = servers, leases
	}
}

// LockLease holds a connector's lease row, as a transaction would that changed
// it and has not ended, until the returned function is called.
func (d *Database) LockLease(connector string) (unlock func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked[connector] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.locked, connector)
	}
}

// Down takes the database away: every session and every wait fails, every
// presence is gone, and calls fail until Up.
func (d *Database) Down() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = false
	d.life++
	for s := range d.sessions {
		d.drop(s)
	}
}

// Up brings the database back.
func (d *Database) Up() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = true
}

// Wake wakes every process.
func (d *Database) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ps := range d.procs {
		for _, p := range ps {
			p.wake()
		}
	}
}

// Lease returns a connector's lease row.
func (d *Database) Lease(connector string) ha.Lease {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leases[connector]
}

// Server returns a server's row; false when there is none.
func (d *Database) Server(name string) (ha.Server, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.servers[name]
	return s, ok
}

// Group reads the group, as the console would.
func (d *Database) Group() ha.Group {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.group()
}

// Events returns the history of all connectors, oldest first.
func (d *Database) Events() []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.events)
}

// Calls returns how many calls the database has answered: one transaction each.
func (d *Database) Calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// group is a consistent reading; the caller holds the mutex.
func (d *Database) group() ha.Group {
	g := ha.Group{Identity: d.identity, Settings: maps.Clone(d.settings)}
	for _, name := range slices.Sorted(maps.Keys(d.servers)) {
		s := d.servers[name]
		s.Silence = max(time.Since(s.HeartbeatAt), 0)
		g.Servers = append(g.Servers, s)
	}
	for _, c := range slices.Sorted(maps.Keys(d.leases)) {
		g.Leases = append(g.Leases, d.leases[c])
		g.Members = append(g.Members, d.members[c]...)
	}
	return g
}

// drop ends a session; the caller holds the mutex.
func (d *Database) drop(s *session) {
	s.gone = true
	delete(d.sessions, s)
	d.unlock(s)
}

// unlock lets a session's presence go; the caller holds the mutex.
func (d *Database) unlock(s *session) {
	if l := d.locks[s.presence]; l != nil && l.owner == s {
		delete(d.locks, s.presence)
		close(l.free)
	}
}

// note calls the history; the caller holds the mutex.
func (d *Database) note(was, is ha.Lease, why ha.Reason) {
	d.events = append(d.events, Event{
		At: time.Now(), Connector: is.Connector, Epoch: is.Epoch, From: was.Server, To: is.Server, Reason: why,
	})
}

// Waiting returns how many waits for a presence that is held are under way.
func (d *Database) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting
}
