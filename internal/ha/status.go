package ha

import (
	"sync"
	"time"
)

// Status is what a server knows at a moment, for people and probes.
type Status struct {
	Server    string
	Boot      string
	Connected bool            // a coordination session is open and has read the group
	Stopping  bool            // a planned stop is under way
	Terms     []Term          // of the connectors this server is Active for, by connector
	Group     Group           // as last read; empty before the first reading
	Read      bool            // there was a reading
	Age       time.Duration   // of the reading, by this machine's clock
	Dead      map[string]bool // servers known dead: nobody holds their presence
}

// Active returns the term of a connector this server is Active for.
func (s Status) Active(connector string) (Term, bool) {
	for _, t := range s.Terms {
		if t.Connector == connector {
			return t, true
		}
	}
	return Term{}, false
}

// StateOf is the state of a server for a connector as this server knows it.
func (s Status) StateOf(connector, server string) State {
	return StateOf(s.Group, connector, server, s.Dead)
}

type statusBox struct {
	mu     sync.Mutex
	latest Status
	readAt Instant
}

// Status returns what this server knows. It may be called from any goroutine.
// The Group's slices and map are shared and must not be changed.
func (r *Runner) Status() Status {
	r.status.mu.Lock()
	s, at := r.status.latest, r.status.readAt
	r.status.mu.Unlock()
	if s.Read {
		s.Age = r.clock.Now().Since(at)
	}
	return s
}

// publish makes the loop's knowledge visible.
func (r *Runner) publish() {
	s := Status{
		Server: r.cfg.Server, Boot: r.cfg.Boot, Connected: r.know.Connected(),
		Stopping: r.know.stopping, Dead: r.know.Dead(),
	}
	var at Instant
	s.Group, at, s.Read = r.know.Group()
	for _, c := range sorted(r.works) {
		if t := r.know.tenures[c]; t != nil && (t.phase == working || t.phase == draining) {
			s.Terms = append(s.Terms, r.works[c].term)
		}
	}
	r.status.mu.Lock()
	r.status.latest, r.status.readAt = s, at
	r.status.mu.Unlock()
}
