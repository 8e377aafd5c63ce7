package sim

import (
	"context"
	"time"

	"tieline/internal/ha"
)

// coordinator is one process's way to the database for package ha.
type coordinator struct{ p *Process }

func (c coordinator) Open(ctx context.Context, server, _ string) (ha.Session, error) {
	d := c.p.w.db
	cn, err := ask(ctx, c.p, "open", server, func() (*conn, error) { return d.connect(c.p, server) })
	if err != nil {
		return nil, err
	}
	return &session{p: c.p, c: cn}, nil
}

func (c coordinator) Await(ctx context.Context, name string, held func()) error {
	return c.p.w.db.await(ctx, c.p, name, held)
}

// session is a coordination connection.
type session struct {
	p *Process
	c *conn
}

// on runs a statement on the session's connection.
func on[T any](ctx context.Context, s *session, kind, about string, do func(r *rows) (T, error)) (T, error) {
	d := s.p.w.db
	return ask(ctx, s.p, kind, about, func() (T, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if s.c.lost {
			var none T
			return none, errReset
		}
		v, err := do(&d.rows)
		d.w.check.step(&d.rows)
		return v, err
	})
}

func (s *session) Presence() string { return s.c.presence }

func (s *session) Close() error {
	// The close travels as well; a process that is dead or frozen sends none.
	if s.p.pass() == nil {
		time.AfterFunc(time.Millisecond, func() { s.p.w.db.drop(s.c) })
	}
	return nil
}

func (s *session) Beat(ctx context.Context, b ha.Beat) (ha.Group, error) {
	return on(ctx, s, "beat", "", func(r *rows) (ha.Group, error) {
		if err := r.beat(b, s.p.w.db.now()); err != nil {
			return ha.Group{}, err
		}
		return s.p.w.db.group(), nil
	})
}

func (s *session) Read(ctx context.Context) (ha.Group, error) {
	return on(ctx, s, "read", "", func(*rows) (ha.Group, error) { return s.p.w.db.group(), nil })
}

func (s *session) Take(ctx context.Context, t ha.Take) (ha.Lease, error) {
	l, err := on(ctx, s, "take", t.Connector, func(r *rows) (ha.Lease, error) { return r.take(s.p.w, t) })
	return l, err
}

func (s *session) Release(ctx context.Context, rel ha.Release) error {
	_, err := on(ctx, s, "release", rel.Connector, func(r *rows) (bool, error) { return true, r.release(s.p.w, rel) })
	return err
}

func (s *session) Doubt(ctx context.Context, connector string, epoch int64, identity string) error {
	_, err := on(ctx, s, "doubt", connector, func(r *rows) (bool, error) {
		return true, r.doubt(s.p.w, connector, epoch, identity)
	})
	return err
}
