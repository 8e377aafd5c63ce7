package sim

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// connectorName is the one connector of the simulation.
const connectorName = "desk"

// World is one schedule: servers, database, desk, and what happens to them.
type World struct {
	seed     uint64
	chance   chance
	start    time.Time
	plan     Plan
	group    uuid.UUID
	db       *Database
	desk     *Desk
	check    *checker
	trace    *trace
	hosts    []*Host
	calm     atomic.Bool    // no new fault happens any more
	over     atomic.Bool    // nothing is started any more
	underWay atomic.Int64   // writes that the desk has yet to carry out
	live     sync.WaitGroup // processes
	traps    ambushes
	version  atomic.Int64 // of the document

	mu      sync.Mutex
	alerts  map[string]int // alerts raised so far, by key
	labels  map[alert.ID]string
	said    int                          // words of the source so far
	sources map[string]alert.Observation // what is so, by key
	shown   map[alert.ID]string          // what the source was told last, by alert
}

func newWorld(seed uint64, p Plan, keep bool) *World {
	w := &World{
		seed: seed, chance: chance(mix(0x7ea1e5, seed)), start: time.Now(), plan: p,
		group: uuid.MustParse("6f1d2a00-0000-4000-8000-000000000001"), alerts: map[string]int{}, labels: map[alert.ID]string{}, sources: map[string]alert.Observation{}, shown: map[alert.ID]string{},
	}
	w.trace = &trace{start: w.start, keep: keep}
	w.check = newChecker(w)
	w.db = newDatabase(w)
	w.desk = &Desk{w: w, kind: p.desk}
	r := &w.db.rows
	r.settings[connectorName] = p.settings
	r.leases[connectorName] = ha.Lease{Connector: connectorName, Identity: r.identity}
	for i := range p.servers {
		o := w.chance.of(uint64(i), "host")
		h := &Host{
			name: string(rune('a' + i)), wallOffset: o.between(-time.Hour, time.Hour), bootOffset: o.between(time.Minute, 100*time.Hour),
		}
		h.server = h.name
		w.hosts = append(w.hosts, h)
		r.addServer(h.server, i+1)
	}
	return w
}

// addServer enters a server and its place in the order.
func (r *rows) addServer(name string, position int) {
	r.servers[name] = ha.Server{Name: name}
	r.members = append(r.members, ha.Member{Connector: connectorName, Server: name, Position: position})
}

func (w *World) fair() bool { return w.calm.Load() }

// lossRate is how likely a request or an answer of the database is lost.
func (w *World) lossRate() float64 {
	if w.fair() {
		return 0
	}
	return w.plan.loss
}

// well reports whether a process could work: it lives, runs, and its host
// reaches the database.
func (w *World) well(boot string) bool {
	for _, h := range w.hosts {
		p := h.current()
		if p == nil || p.boot != boot {
			continue
		}
		req, ans := h.cut()
		return !p.isDead() && !p.isFrozen() && !req && !ans
	}
	return false
}

// wake tells every server that the group changed or that links are due; some
// are not reached.
func (w *World) wake(work bool) {
	for _, h := range w.hosts {
		p := h.current()
		if p == nil || p.isDead() {
			continue
		}
		r := p.roll("woken", "")
		if r.hit(w.plan.deaf) && !w.fair() {
			continue
		}
		time.AfterFunc(r.between(100*time.Microsecond, 3*time.Millisecond), func() {
			if cut, _ := h.cut(); !cut && p.pass() == nil {
				p.poke(work)
			}
		})
	}
}
