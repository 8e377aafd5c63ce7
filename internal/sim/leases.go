package sim

import (
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

// beat is the heartbeat statement (rule L1).
func (r *rows) beat(b ha.Beat, now time.Time) error {
	s, ok := r.servers[b.Server]
	if !ok {
		return ha.ErrReplaced
	}
	s, err := s.Beaten(b)
	if err != nil {
		return err
	}
	s.HeartbeatAt = now
	r.servers[b.Server] = s
	for _, n := range b.Renew {
		l, renewed := r.leases[n.Connector].Renewed(n, b.Boot)
		if renewed {
			r.leases[n.Connector] = l
		}
	}
	for _, rep := range b.Reports {
		if i := r.member(rep.Connector, b.Server); i >= 0 {
			r.members[i] = r.members[i].Reported(rep)
		}
	}
	return nil
}

// take is the take-over statement (rule L6). The taker must still be a member,
// and the database's history the one that was read.
func (r *rows) take(w *World, t ha.Take) (ha.Lease, error) {
	s, ok := r.servers[t.Server]
	if !ok || s.Boot != t.Boot || r.member(t.Connector, t.Server) < 0 || r.identity != t.Identity {
		return ha.Lease{}, ha.ErrLost
	}
	from := r.leases[t.Connector]
	l, err := from.Taken(t)
	if err != nil {
		return ha.Lease{}, err
	}
	r.leases[t.Connector] = l
	w.check.taken(r, from, l, t.Reason)
	return l, nil
}

// release ends a term as planned (rule L3).
func (r *rows) release(w *World, rel ha.Release) error {
	from := r.leases[rel.Connector]
	l, err := from.Released(rel)
	if err != nil {
		return err
	}
	r.leases[rel.Connector] = l
	w.check.released(from, rel)
	return nil
}

// doubt moves a connector to the database's new history (rule L8).
func (r *rows) doubt(w *World, connector string, epoch int64, identity string) error {
	if r.identity != identity {
		return ha.ErrLost
	}
	l, err := r.leases[connector].Doubted(epoch, identity)
	if err != nil {
		return err
	}
	r.leases[connector] = l
	for id, row := range r.links {
		if id.Connector == connector {
			row.Link = row.Doubt(alert.Hold{Epoch: l.Epoch})
			row.due = w.db.now()
			r.put(w, row)
			w.check.unknown(id)
		}
	}
	w.check.doubted(l)
	return nil
}
