package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// session is one coordination connection. Each of its statements is a
// transaction of its own.
type session struct {
	owner        *Coordinator
	conn         *conn
	server, boot string
	presence     string // "" = none
	backend      int64  // process id of the backend that holds it
	lock         int64
}

// takePresence locks a fresh name, unless a pooler is in between.
func (s *session) takePresence(ctx context.Context) error {
	if s.owner.pooled.Load() {
		return nil
	}
	name := coord.NewPresence()
	key, granted := lockKey(name), false
	err := s.conn.row(ctx, []any{&s.backend, &granted}, `SELECT pg_backend_pid(), pg_try_advisory_lock($1)`, key)
	if err != nil {
		return fmt.Errorf("take a presence: %w", err)
	}
	shared, err := s.shared(ctx)
	if err != nil {
		return err
	}
	if shared || !granted {
		s.giveUpPresence()
		return nil
	}
	s.presence, s.lock = name, key
	return nil
}

// shared reports whether this connection's backend is lent to others between
// transactions. A pooler announces a process id of its own; if a second
// connection then lands on our backend while ours is open, it pools
// transactions. A busy one may not show it here: each Beat looks again.
func (s *session) shared(ctx context.Context) (bool, error) {
	if !s.conn.borrowed() {
		return false, nil
	}
	other, err := s.owner.connect(ctx, s.owner.places, "tieline presence check", nil)
	if err != nil {
		return false, err
	}
	defer other.close()
	return other.backend == s.backend, nil
}

// giveUpPresence notes, for all sessions to come, that presences do not work here.
func (s *session) giveUpPresence() {
	s.presence, s.lock = "", 0
	s.owner.giveUpSessions(s.server)
}

// giveUpSessions says once what the way to the database costs. server is whose
// session showed it, "" = none was needed to.
func (c *Coordinator) giveUpSessions(server string) {
	if !c.pooled.Swap(true) {
		c.log.Warn("the connection to PostgreSQL does not keep its session (a transaction pooler?): no presence; "+
			"a crashed Active is noticed only when its heartbeats stay out, and notifications are not heard. "+
			"Let Tieline connect directly or through a session pool", slog.String("server", server))
	}
}

func (s *session) Presence() string { return s.presence }

func (s *session) Beat(ctx context.Context, b ha.Beat) (ha.Group, error) {
	if err := s.owner.places.watch.left(s.conn.PgConn()); err != nil {
		return ha.Group{}, wrap("heartbeat", err)
	}
	in := coord.NewInput(b)
	in.Backend, in.Lock = s.backend, s.lock
	r, err := s.reading(ctx, beatQuery, in.JSON())
	if err != nil {
		return ha.Group{}, wrap("heartbeat", err)
	}
	switch {
	case !r.Beaten && r.Boot != b.Boot:
		return ha.Group{}, ha.ErrReplaced
	case !r.Beaten:
		return ha.Group{}, ha.ErrBeat
	case b.Presence != "" && !r.Held:
		s.giveUpPresence()
		return ha.Group{}, coord.ErrNoPresence
	}
	return r.Group, nil
}

func (s *session) Read(ctx context.Context) (ha.Group, error) {
	if err := s.owner.places.watch.left(s.conn.PgConn()); err != nil {
		return ha.Group{}, wrap("read the group", err)
	}
	r, err := s.reading(ctx, GroupQuery)
	return r.Group, wrap("read the group", err)
}

// row runs a statement that answers one row. What is odd about it is noted.
func (s *session) row(ctx context.Context, into []any, query string, args ...any) error {
	begun := time.Now()
	err := s.conn.row(ctx, into, query, args...)
	failed := err
	if errors.Is(err, pgx.ErrNoRows) { // an answer
		failed = nil
	}
	s.owner.places.watch.took(time.Since(begun), failed)
	return err
}

func (s *session) reading(ctx context.Context, query string, args ...any) (coord.Reading, error) {
	var text string
	if err := s.row(ctx, []any{&text}, query, args...); err != nil {
		return coord.Reading{}, err
	}
	return coord.Decode([]byte(text))
}

func (s *session) Take(ctx context.Context, t ha.Take) (ha.Lease, error) {
	epoch, wish, err := s.swap(ctx, takeQuery, t.Connector, t.Epoch, t.Beat, t.Server, t.Boot, coord.Micros(t.Promised),
		t.Identity, string(t.Reason), coord.Micros(t.Ended))
	if err != nil {
		return ha.Lease{}, wrapSwap("take the lease over", err)
	}
	return ha.Lease{
		Connector: t.Connector, Epoch: epoch, Server: t.Server, Boot: t.Boot, Promised: t.Promised, Wish: wish,
		Identity: t.Identity,
	}, nil
}

func (s *session) Release(ctx context.Context, r ha.Release) error {
	_, _, err := s.swap(ctx, releaseQuery, r.Connector, r.Epoch, r.Boot, r.Successor, string(r.Reason))
	return wrapSwap("release the lease", err)
}

// Doubt puts the links in doubt in steps of a transaction each, so that a call
// that ends early has achieved something and the next goes on, then the rest
// together with the lease. Links in doubt too early are harmless: the lease
// still names the old history, so that nobody can claim any.
func (s *session) Doubt(ctx context.Context, connector string, epoch int64, newIdentity string) error {
	from := uuid.Nil.String()
	for done := doubtStep; done == doubtStep; {
		err := s.row(ctx, []any{&done, &from}, doubtStepQuery,
			connector, epoch, newIdentity, int64(ha.EpochJump), doubtStep, from)
		if err != nil {
			return wrap("doubt", err)
		}
	}
	_, _, err := s.swap(ctx, doubtQuery, connector, epoch, newIdentity, int64(ha.EpochJump), string(ha.ReasonIdentity))
	return wrapSwap("doubt", err)
}

// swap runs a compare-and-swap on a lease and returns the epoch and the wish it left.
func (s *session) swap(ctx context.Context, query string, args ...any) (epoch int64, wish string, err error) {
	var notified string
	err = s.row(ctx, []any{&epoch, &wish, &notified}, query, args...)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ha.ErrLost
	}
	return epoch, wish, err
}

// wrapSwap leaves ErrLost bare: it is an answer, not a failure.
func wrapSwap(what string, err error) error {
	if errors.Is(err, ha.ErrLost) {
		return ha.ErrLost
	}
	return wrap(what, err)
}

func (s *session) Close() error {
	s.conn.close()
	return nil
}
