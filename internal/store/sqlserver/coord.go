package sqlserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

const (
	// awaitPiece bounds one wait for a presence.
	awaitPiece = 2 * time.Minute
	// closeTimeout bounds what is done with a connection that is given up.
	closeTimeout = 2 * time.Second
)

// coordinationWishes let nothing wait for a lock of somebody else's longer than a
// second, and spare coordination being a deadlock's victim. A transaction is always
// one batch, which the server carries out to the end without asking the client: a
// process that is frozen in the middle of one holds nothing. (SQL Server ends no
// transaction for being idle.)
const coordinationWishes = defaults + `
SET LOCK_TIMEOUT 1000;
SET DEADLOCK_PRIORITY HIGH;`

// Coordinator opens coordination sessions on connections of their own.
type Coordinator struct {
	connector *connector
	work      *sql.DB // the pool, for looking at presences
	texts     groupTexts
	log       *slog.Logger
	// lone is set once a session's lock was seen not to keep others out, or not to
	// last: presences mean nothing here.
	lone atomic.Bool
}

// NewCoordinator returns a coordinator. versions says that reading waits for
// nobody's transaction (READ_COMMITTED_SNAPSHOT).
func newCoordinator(c *connector, work *sql.DB, versions bool, log *slog.Logger) *Coordinator {
	own := *c
	own.wishes = coordinationWishes
	return &Coordinator{connector: &own, work: work, texts: textsOf(versions), log: log}
}

// line makes a connection, named for those who look at the server's sessions.
func (c *Coordinator) line(ctx context.Context, purpose string) (*line, error) {
	own := *c.connector
	own.config.AppName += " " + purpose
	return openLine(ctx, &own)
}

// Open makes a session and takes a presence on it, and proves that it is one.
func (c *Coordinator) Open(ctx context.Context, server, boot string) (ha.Session, error) {
	l, err := c.line(ctx, "coordination "+server)
	if err != nil {
		return nil, err
	}
	s := &session{owner: c, line: l, server: server, boot: boot}
	if err := s.takePresence(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Answers of sp_getapplock.
const (
	lockTimedOut  = -1
	lockCancelled = -2
	lockVictim    = -3
	lockError     = -999
)

const (
	// takeLock takes a lock that the session keeps until it ends.
	takeLock = `DECLARE @result int;
EXEC @result = sp_getapplock @Resource = $1, @LockMode = N'Exclusive', @LockOwner = N'Session', @LockTimeout = 0;
SELECT CAST(@result AS bigint);`

	// heldLock is 1 while another session holds the lock. (sp_getapplock with no time
	// to wait answers in two ways that nobody could have it: -1, and where another
	// server plays SQL Server -999, which also means much else.)
	heldLock = `SELECT CAST(CASE WHEN APPLOCK_TEST(N'public', $1, N'Shared', N'Session') = 0 THEN 1 ELSE 0 END AS bigint)`
)

// awaitLock waits until nobody holds the lock, and leaves it: waiters share it, so
// that all are granted at once. The time stands in the text: the procedure's
// parameter is an int, and not every server makes one of a bigint.
var awaitLock = fmt.Sprintf(`DECLARE @result int;
EXEC @result = sp_getapplock @Resource = $1, @LockMode = N'Shared', @LockOwner = N'Session', @LockTimeout = %d;
IF @result >= 0 EXEC sp_releaseapplock @Resource = $1, @LockOwner = N'Session';
SELECT CAST(@result AS bigint);`, awaitPiece.Milliseconds())

// resource is the application lock of a presence.
func resource(presence string) string { return "tieline presence " + presence }

// Await waits in pieces, on a connection of its own.
func (c *Coordinator) Await(ctx context.Context, name string, held func()) error {
	if !coord.ValidPresence(name) {
		return fmt.Errorf("await presence: %q is no presence's name", name)
	}
	l, err := c.line(ctx, "await")
	if err != nil {
		return err
	}
	defer l.close()
	taken, err := isHeld(ctx, l, name)
	if !taken || err != nil {
		return wrap("await presence", err)
	}
	held()
	for {
		free, err := await(ctx, l, name)
		if free {
			// A database that shuts down ends the holder and this waiter one after the
			// other: a grant counts only if this connection outlives it.
			var one int64
			err = l.row(ctx, "SELECT CAST(1 AS bigint)", nil, []any{&one})
		}
		if free || err != nil {
			return wrap("await presence", err)
		}
	}
}

// isHeld reports whether another session than the line's holds the presence.
func isHeld(ctx context.Context, l *line, name string) (bool, error) {
	var held int64
	err := l.row(ctx, heldLock, []any{resource(name)}, []any{&held})
	return held == 1, err
}

// await reports whether the presence became free within awaitPiece.
func await(ctx context.Context, l *line, name string) (free bool, err error) {
	var result int64
	began := time.Now()
	if err := l.row(ctx, awaitLock, []any{resource(name)}, []any{&result}); err != nil {
		return false, err
	}
	switch {
	case result >= 0:
		return true, nil
	case timedOut(result, time.Since(began), awaitPiece):
		return false, nil
	}
	return false, lockRefused(result)
}

// timedOut reports whether an answer of sp_getapplock means that the limit was
// waited in vain: -1, or -999 where that much time has passed.
func timedOut(result int64, waited, limit time.Duration) bool {
	return result == lockTimedOut || result == lockError && waited >= limit
}

// lockRefused explains an answer of sp_getapplock that is neither yes nor no.
func lockRefused(result int64) error {
	switch result {
	case lockCancelled:
		return errors.New("the wait for the lock was cancelled")
	case lockVictim:
		return errors.New("the wait for the lock was ended as a deadlock")
	}
	return fmt.Errorf("sp_getapplock answered %d", result)
}

// Held reports whether somebody holds the presence.
func (c *Coordinator) Held(ctx context.Context, name string) (bool, error) {
	if !coord.ValidPresence(name) {
		return false, nil
	}
	var held int64
	err := c.work.QueryRowContext(ctx, heldLock, resource(name)).Scan(&held)
	return held == 1, wrap("check presence", err)
}

// errNudged is what carries no wake-ups says when it is asked to.
var errNudged = errors.New("SQL Server carries no wake-ups between servers")

// Listen is not called: the servers nudge each other.
func (c *Coordinator) Listen(context.Context, func(string), func()) error { return errNudged }

// Announce is not called: the servers nudge each other.
func (c *Coordinator) Announce(context.Context, []string) error { return errNudged }

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
