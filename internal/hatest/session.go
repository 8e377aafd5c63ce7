package hatest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tieline/internal/ha"
)

// session is a coordination session of a process.
type session struct {
	p        *Process
	presence string
	gone     bool // the database dropped it
	closed   bool // the process closed it
}

var (
	_ ha.Coordinator = (*Process)(nil)
	_ ha.Session     = (*session)(nil)
)

// Open implements ha.Coordinator.
func (p *Process) Open(ctx context.Context, server, _ string) (ha.Session, error) {
	s := &session{p: p}
	err := p.call(ctx, CallOpen, nil, func() error {
		d := p.db
		d.names++
		s.presence = fmt.Sprintf("%s-presence%d", server, d.names)
		d.locks[s.presence] = &lock{owner: s, free: make(chan struct{})}
		d.sessions[s] = true
		return nil
	})
	if err != nil {
		p.with(func() { p.db.drop(s) })
		return nil, err
	}
	return s, nil
}

// Await implements ha.Coordinator.
func (p *Process) Await(ctx context.Context, name string, held func()) error {
	life := -1
	for told := false; ; told = true {
		var l *lock
		if err := p.call(ctx, callAwait, nil, func() error {
			if life >= 0 && life != p.db.life {
				return errGone
			}
			l, life = p.db.locks[name], p.db.life
			return nil
		}); err != nil {
			return err
		}
		if l == nil {
			return nil
		}
		if !told {
			held()
		}
		if err := p.wait(ctx, l); err != nil {
			return err
		}
	}
}

// wait waits for a lock to be let go.
func (p *Process) wait(ctx context.Context, l *lock) error {
	p.with(func() { p.db.waiting++ })
	defer func() { p.with(func() { p.db.waiting-- }) }()
	select {
	case <-l.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Presence implements ha.Session.
func (s *session) Presence() string { return s.presence }

// Close implements ha.Session.
func (s *session) Close() error {
	s.p.with(func() {
		if s.closed = true; s.p.thawed == nil && s.p.cut == nil {
			s.p.db.drop(s)
		}
	})
	return nil
}

// Beat implements ha.Session.
func (s *session) Beat(ctx context.Context, b ha.Beat) (g ha.Group, err error) {
	err = s.p.call(ctx, CallBeat, s, func() error {
		d := s.p.db
		if l := d.locks[s.presence]; l == nil || l.owner != s {
			return fmt.Errorf("hatest: presence %s is lost", s.presence)
		}
		row, err := d.servers[b.Server].Beaten(b)
		if err != nil {
			return err
		}
		row.HeartbeatAt = time.Now()
		d.servers[b.Server] = row
		for _, r := range b.Renew {
			if l, ok := d.leases[r.Connector].Renewed(r, b.Boot); ok && !d.locked[r.Connector] {
				d.leases[r.Connector] = l
			}
		}
		d.report(b)
		g = d.group()
		return nil
	})
	return g, err
}

// report stores a heartbeat's reports; the caller holds the mutex.
func (d *Database) report(b ha.Beat) {
	for _, r := range b.Reports {
		for i, m := range d.members[r.Connector] {
			if m.Server == b.Server {
				d.members[r.Connector][i] = m.Reported(r)
			}
		}
	}
}

// Read implements ha.Session.
func (s *session) Read(ctx context.Context) (g ha.Group, err error) {
	err = s.p.call(ctx, CallRead, s, func() error {
		g = s.p.db.group()
		return nil
	})
	return g, err
}

// Take implements ha.Session.
func (s *session) Take(ctx context.Context, t ha.Take) (taken ha.Lease, err error) {
	err = s.p.call(ctx, CallTake, s, func() (err error) {
		if !s.p.db.mayTake(t) {
			return ha.ErrLost
		}
		taken, err = s.change(t.Connector, t.Reason, func(l ha.Lease) (ha.Lease, error) { return l.Taken(t) })
		return err
	})
	return taken, err
}

// mayTake reports whether the taker is its server's process and a member (rule
// L9); the caller holds the mutex.
func (d *Database) mayTake(t ha.Take) bool {
	return d.servers[t.Server].Boot == t.Boot &&
		slices.ContainsFunc(d.members[t.Connector], func(m ha.Member) bool { return m.Server == t.Server })
}

// Release implements ha.Session.
func (s *session) Release(ctx context.Context, r ha.Release) error {
	return s.p.call(ctx, CallRelease, s, func() error {
		_, err := s.change(r.Connector, r.Reason, func(l ha.Lease) (ha.Lease, error) { return l.Released(r) })
		return err
	})
}

// Doubt implements ha.Session. The database in memory has no links.
func (s *session) Doubt(ctx context.Context, connector string, epoch int64, newIdentity string) error {
	return s.p.call(ctx, CallDoubt, s, func() error {
		_, err := s.change(connector, ha.ReasonIdentity, func(l ha.Lease) (ha.Lease, error) {
			return l.Doubted(epoch, newIdentity)
		})
		return err
	})
}

// change applies a transition to a lease row; the caller holds the mutex. A
// locked row fails, as a lock timeout does.
func (s *session) change(connector string, why ha.Reason, transition func(ha.Lease) (ha.Lease, error)) (ha.Lease, error) {
	d := s.p.db
	was, ok := d.leases[connector]
	if !ok {
		return ha.Lease{}, ha.ErrLost
	}
	if d.locked[connector] {
		return ha.Lease{}, fmt.Errorf("hatest: lease row of %s is locked", connector)
	}
	is, err := transition(was)
	if err != nil {
		return ha.Lease{}, err
	}
	d.leases[connector] = is
	d.note(was, is, why)
	return is, nil
}
