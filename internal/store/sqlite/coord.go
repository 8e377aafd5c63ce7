package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	driver "modernc.org/sqlite"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// A coordination session asks for the write lock again and again at short
// intervals, where SQLite itself would sleep up to 100 ms between two tries: the
// heartbeat must not stand behind a busy intake.
const (
	turnRetry = 2 * time.Millisecond
	turnWait  = 5 * time.Second
)

// Coordinator opens coordination sessions on connections of their own.
type Coordinator struct {
	path      string
	presences presences
	log       *slog.Logger
}

// NewCoordinator returns a coordinator for a database file. Presences are file
// locks in the folder "<file>.presence" beside it.
func NewCoordinator(path string, log *slog.Logger) *Coordinator {
	return &Coordinator{path: path, presences: presences{dir: path + ".presence"}, log: log}
}

// Open makes a session and takes a presence for it.
func (c *Coordinator) Open(ctx context.Context, _, _ string) (ha.Session, error) {
	db, err := sql.Open("sqlite", DSN(c.path)+"&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		return nil, fmt.Errorf("open for coordination: %w", err)
	}
	db.SetMaxOpenConns(1)
	s := &session{owner: c, db: db}
	if _, err := db.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open for coordination: %w", err)
	}
	c.presences.sweep()
	if s.presence, err = c.presences.take(); err != nil {
		c.log.Warn("no presence: a crashed Active is noticed only when its heartbeats stay out; "+
			"the folder for presences must be writable and its file system must have file locks",
			slog.String("folder", c.presences.dir), slog.Any("err", err))
		s.presence = nil
	}
	return s, nil
}

// Await waits until nobody holds the presence.
func (c *Coordinator) Await(ctx context.Context, name string, held func()) error {
	if !coord.ValidPresence(name) {
		return fmt.Errorf("await presence: %q is no presence's name", name)
	}
	return c.presences.await(ctx, name, held)
}

// Held reports whether somebody holds the presence.
func (c *Coordinator) Held(_ context.Context, name string) (bool, error) {
	if !coord.ValidPresence(name) {
		return false, nil
	}
	free, err := c.presences.free(name)
	return !free && err == nil, err
}

// session is one coordination connection.
type session struct {
	owner    *Coordinator
	db       *sql.DB   // of one connection
	presence *presence // nil = none
}

func (s *session) Presence() string {
	if s.presence == nil {
		return ""
	}
	return s.presence.name
}

func (s *session) Read(ctx context.Context) (ha.Group, error) {
	var text string
	err := s.again(ctx, func() error { return s.db.QueryRowContext(ctx, GroupQuery).Scan(&text) })
	if err != nil {
		return ha.Group{}, fmt.Errorf("read the group: %w", err)
	}
	r, err := coord.Decode([]byte(text))
	return r.Group, err
}

func (s *session) Beat(ctx context.Context, b ha.Beat) (ha.Group, error) {
	in := coord.NewInput(b)
	lost := b.Presence != "" && (s.presence == nil || !s.presence.held())
	if lost {
		in.Presence = ""
	}
	var text string
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		text, err = beat(ctx, tx, in)
		return err
	})
	if err != nil {
		if errors.Is(err, ha.ErrReplaced) || errors.Is(err, ha.ErrBeat) {
			return ha.Group{}, err
		}
		return ha.Group{}, fmt.Errorf("heartbeat: %w", err)
	}
	if lost {
		return ha.Group{}, coord.ErrNoPresence
	}
	r, err := coord.Decode([]byte(text))
	return r.Group, err
}

func beat(ctx context.Context, tx *sql.Tx, in coord.Input) (string, error) {
	input := in.JSON()
	done, err := tx.ExecContext(ctx, beatServer, input)
	if err != nil {
		return "", err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return "", errors.Join(err, whyNotBeaten(ctx, tx, in))
	}
	for _, text := range []string{beatLeases, beatReports} {
		if _, err := tx.ExecContext(ctx, text, input); err != nil {
			return "", err
		}
	}
	var text string
	err = tx.QueryRowContext(ctx, GroupQuery).Scan(&text)
	return text, err
}

func whyNotBeaten(ctx context.Context, tx *sql.Tx, in coord.Input) error {
	var boot string
	err := tx.QueryRowContext(ctx, "SELECT boot FROM server WHERE name = ?1", in.Server).Scan(&boot)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && boot != in.Boot:
		return ha.ErrReplaced
	case err != nil:
		return err
	}
	return ha.ErrBeat
}

func (s *session) Take(ctx context.Context, t ha.Take) (ha.Lease, error) {
	l := ha.Lease{Connector: t.Connector, Server: t.Server, Boot: t.Boot, Promised: t.Promised, Identity: t.Identity}
	var err error
	l.Epoch, l.Wish, err = s.swap(ctx, "take the lease over", []any{t.Connector, t.Epoch, t.Beat, t.Server, t.Boot,
		coord.Micros(t.Promised), t.Identity, string(t.Reason), coord.Micros(t.Ended)}, takeSign, takeEvent, takeLease)
	if err != nil {
		return ha.Lease{}, err
	}
	return l, nil
}

func (s *session) Release(ctx context.Context, r ha.Release) error {
	_, _, err := s.swap(ctx, "release the lease", []any{r.Connector, r.Epoch, r.Boot, r.Successor, string(r.Reason)},
		releaseEvent, releaseLease)
	return err
}

func (s *session) Doubt(ctx context.Context, connector string, epoch int64, newIdentity string) error {
	_, _, err := s.swap(ctx, "doubt", []any{connector, epoch, newIdentity, int64(ha.EpochJump), string(ha.ReasonIdentity)},
		doubtEvent, doubtLinks, doubtLease)
	return err
}

// swap runs statements over the same parameters that each apply only while the
// lease row is as expected. The last one is the compare-and-swap itself, and
// answers the epoch and the wish it left.
func (s *session) swap(ctx context.Context, what string, args []any, statements ...string) (epoch int64, wish string, err error) {
	last := len(statements) - 1
	err = s.write(ctx, func(tx *sql.Tx) error {
		for _, text := range statements[:last] {
			if _, err := tx.ExecContext(ctx, text, args...); err != nil {
				return err
			}
		}
		err := tx.QueryRowContext(ctx, statements[last], args...).Scan(&epoch, &wish)
		if errors.Is(err, sql.ErrNoRows) {
			return ha.ErrLost
		}
		return err
	})
	switch {
	case errors.Is(err, ha.ErrLost):
		return 0, "", ha.ErrLost
	case err != nil:
		return 0, "", fmt.Errorf("%s: %w", what, err)
	}
	if err := s.owner.Announce(ctx, []string{"lease"}); err != nil {
		s.owner.log.Warn("a change of the lease could not be announced; the others see it at their next heartbeat",
			slog.Any("err", err))
	}
	return epoch, wish, nil
}

// write runs a write transaction, which holds the write lock from its beginning.
func (s *session) write(ctx context.Context, f func(*sql.Tx) error) error {
	var tx *sql.Tx
	err := s.again(ctx, func() (err error) {
		tx, err = s.db.BeginTx(ctx, nil)
		return err
	})
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // err says what happened
		return err
	}
	return tx.Commit()
}

// again repeats what found the database locked by another transaction.
func (s *session) again(ctx context.Context, f func() error) error {
	giveUp := time.NewTimer(turnWait)
	defer giveUp.Stop()
	for {
		err := f()
		var e *driver.Error
		if err == nil || !errors.As(err, &e) || (e.Code()&0xff != codeBusy && e.Code()&0xff != codeLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-giveUp.C:
			return err
		case <-time.After(turnRetry):
		}
	}
}

func (s *session) Close() error {
	err := s.db.Close()
	if s.presence == nil {
		return err
	}
	release := s.presence.release()
	if errors.Is(release, fs.ErrNotExist) {
		release = nil
	}
	return errors.Join(err, release)
}
