package overview

import (
	"context"
	"sync"
	"time"

	"tieline/internal/ha"
)

// reconnectGrace is how long a server may be without its presence before it
// counts as dead: one that lost its connection takes a new one at once, and
// publishes it with its next heartbeat (rule L4).
const reconnectGrace = 500 * time.Millisecond

// presenceTime bounds the question who holds the presences: a page is not held
// up by it.
const presenceTime = time.Second

// suspicions remembers since when nobody has held a presence.
type suspicions struct {
	mu    sync.Mutex
	since map[string]time.Time // by presence, this machine's clock
}

// look asks which presences are held. A server without one, and one that could
// not be asked about, is neither suspect nor dead.
func (s *suspicions) look(ctx context.Context, db Store, servers []ha.Server) (suspect, dead map[string]bool) {
	var names []string
	for _, v := range servers {
		if v.Boot != "" && v.Presence != "" {
			names = append(names, v.Presence)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, presenceTime)
	defer cancel()
	unheld, err := db.Unheld(ctx, names)
	if err != nil {
		return nil, nil // silence will tell
	}
	return s.judge(servers, unheld, time.Now())
}

// judge tells the suspect from the dead.
func (s *suspicions) judge(servers []ha.Server, unheld map[string]bool, now time.Time) (suspect, dead map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	suspect, dead = map[string]bool{}, map[string]bool{}
	known := make(map[string]time.Time, len(unheld))
	for _, v := range servers {
		if v.Boot == "" || !unheld[v.Presence] {
			continue
		}
		first, ok := s.since[v.Presence]
		if !ok {
			first = now
		}
		known[v.Presence] = first
		// A heartbeat is written only while the presence is held: one that is old is
		// no sign of a reconnect under way.
		if now.Sub(first) >= reconnectGrace || v.Silence >= v.Promised {
			dead[v.Name] = true
		} else {
			suspect[v.Name] = true
		}
	}
	s.since = known
	return suspect, dead
}
