package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// Channel is the NOTIFY channel of wake-ups; the topic is the payload.
const Channel = "tieline"

// Limits of a coordination connection, enforced by the server. A process frozen
// in a transaction, or a lost host, must not hold anything for long.
const (
	lockTimeout      = time.Second
	statementTimeout = 5 * time.Second
	frozenTimeout    = 2 * time.Second
	doubtStep        = 2000 // links put in doubt by one statement; a tenth of a second's worth
	connectTimeout   = 5 * time.Second
	closeTimeout     = 2 * time.Second
	// awaitPiece bounds one wait for a presence: the waiting statement holds back
	// vacuum as long as it lasts.
	awaitPiece = 2 * time.Minute
)

// Coordinator opens coordination sessions on connections of their own.
type Coordinator struct {
	work   *sql.DB // the pool, for wake-ups
	places places  // of sessions and waiters
	quiet  places  // of the listener, whose waiting is not a statement's
	log    *slog.Logger
	way    Way // as it was found when the database was opened
	// pooled is set once a session was seen to lose its backend or lock: a
	// transaction pooler is in between, and presences mean nothing behind it.
	pooled atomic.Bool
}

// NewCoordinator returns a coordinator for the database that config names and
// work is a pool of. It connects to nothing yet.
func NewCoordinator(config *pgx.ConnConfig, work *sql.DB, log *slog.Logger) *Coordinator {
	quiet := placesOf(config).with(func(c *pgx.ConnConfig) {
		// One round trip per statement, and no prepared statement that a pooler may lose.
		c.DefaultQueryExecMode = pgx.QueryExecModeExec
	})
	timed := quiet.with(func(c *pgx.ConnConfig) {
		if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
			c.ConnectTimeout = connectTimeout
		}
	})
	return &Coordinator{work: work, places: timed, quiet: quiet, log: log}
}

// Open makes a session and takes a presence on it, where the way to the
// database lets a session keep one.
func (c *Coordinator) Open(ctx context.Context, server, boot string) (ha.Session, error) {
	conn, err := c.connect(ctx, c.places, "tieline coordination "+server, map[string]time.Duration{
		"lock_timeout":                        lockTimeout,
		"statement_timeout":                   statementTimeout,
		"idle_in_transaction_session_timeout": frozenTimeout,
	})
	if err != nil {
		return nil, err
	}
	s := &session{owner: c, conn: conn, server: server, boot: boot}
	if err := s.takePresence(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Await waits in pieces, by a shared lock that ends with its statement: all
// waiters are granted at once, and none of them keeps another waiting.
func (c *Coordinator) Await(ctx context.Context, name string, held func()) error {
	if !coord.ValidPresence(name) {
		return fmt.Errorf("await presence: %q is no presence's name", name)
	}
	conn, err := c.connect(ctx, c.places, "tieline await", map[string]time.Duration{
		"lock_timeout":      awaitPiece,
		"statement_timeout": 2 * awaitPiece,
	})
	if err != nil {
		return err
	}
	defer conn.close()
	key, free := lockKey(name), false
	err = conn.row(ctx, []any{&free}, `SELECT pg_try_advisory_xact_lock_shared($1)`, key)
	if err != nil || free {
		return ended(ctx, err)
	}
	held()
	for {
		// The database ends each piece; the deadline only ends a dead connection's.
		piece, cancel := context.WithTimeout(ctx, awaitPiece+10*time.Second)
		err := conn.row(piece, []any{nil}, `SELECT pg_advisory_xact_lock_shared($1)::text`, key)
		if err == nil {
			// A database that shuts down ends the holder and this waiter one after the
			// other: a grant counts only if this connection outlives it.
			err = conn.row(piece, []any{nil}, `SELECT 1`)
		}
		cancel()
		if !isCode(err, codeLockTimeout) {
			return ended(ctx, err)
		}
		if err := c.places.watch.left(conn.PgConn()); err != nil {
			return ended(ctx, err)
		}
	}
}

// ended is what Await returns: a statement cancelled with ctx says so in a code
// of the database's.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return wrap("await presence", err)
}

// Held reports whether somebody holds the presence.
func (c *Coordinator) Held(ctx context.Context, name string) (bool, error) {
	conn, err := c.connect(ctx, c.places, "tieline presence check", nil)
	if err != nil {
		return false, err
	}
	defer conn.close()
	free := false
	err = conn.row(ctx, []any{&free}, `SELECT pg_try_advisory_xact_lock_shared($1)`, lockKey(name))
	return !free, wrap("check presence", err)
}

// Pooled reports whether a transaction pooler was found in between, so that no
// server here can have a presence.
func (c *Coordinator) Pooled() bool { return c.pooled.Load() }

// lockKey is the advisory lock of a presence.
func lockKey(name string) int64 {
	sum := sha256.Sum256([]byte("tieline presence " + name))
	return int64(binary.BigEndian.Uint64(sum[:8])) //nolint:gosec // a lock's key may be negative
}

// codeLockTimeout is PostgreSQL's lock_not_available.
const codeLockTimeout = "55P03"

func isCode(err error, code string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == code
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
