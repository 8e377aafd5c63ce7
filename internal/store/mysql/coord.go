package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	mysql "github.com/go-sql-driver/mysql"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// awaitPiece bounds one wait for a presence.
const awaitPiece = 2 * time.Minute

// connectTimeout bounds the wait for the hosts of the URL, all together, when a
// connection for coordination is made.
const connectTimeout = 5 * time.Second

// Limits of the connections for coordination.
var (
	coordinating = limits{lock: time.Second, statement: 5 * time.Second, frozen: 2 * time.Second}
	awaiting     = limits{lock: time.Second, frozen: 2 * time.Second}
)

// Coordinator opens coordination sessions on connections of their own.
type Coordinator struct {
	config  *mysql.Config
	flavour flavour
	work    *sql.DB // the pool, for what needs no session
	log     *slog.Logger
	last    atomic.Int32 // index of the host that was connected to last
	blind   atomic.Bool  // it was said that transactions cannot be seen
	nodes   *nodes       // of all that connect to this database
}

// NewCoordinator returns a coordinator for the database that c names and work is
// a pool of. It connects to nothing yet.
func NewCoordinator(c *mysql.Config, f flavour, work *sql.DB, log *slog.Logger) *Coordinator {
	c = c.Clone()
	c.Timeout = connectTimeout
	return &Coordinator{config: c, flavour: f, work: work, log: log, nodes: &nodes{log: log}}
}

// line is one connection, which is never replaced: what is locked on it is gone
// when it is.
type line struct {
	pool *sql.DB
	*sql.Conn
	id int64 // the server's number of it
}

func (c *Coordinator) connect(ctx context.Context, l limits) (*line, error) {
	return c.connectAs(ctx, l, c.nodes)
}

func (c *Coordinator) connectAs(ctx context.Context, l limits, n *nodes) (*line, error) {
	connector, err := newConnector(c.config, c.flavour, l)
	if err != nil {
		return nil, err
	}
	connector.last, connector.nodes = &c.last, n
	pool := sql.OpenDB(connector)
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect for coordination: %w", err), pool.Close())
	}
	out := &line{pool: pool, Conn: conn}
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&out.id); err != nil {
		return nil, errors.Join(fmt.Errorf("connect for coordination: %w", err), out.Close())
	}
	return out, nil
}

// Close ends the connection, and the locks on it.
func (l *line) Close() error { return errors.Join(l.Conn.Close(), l.pool.Close()) }

// lockName is the user lock of a presence.
func lockName(presence string) string { return "tieline-" + presence }

// Open makes a session and takes a presence on it.
func (c *Coordinator) Open(ctx context.Context, server, boot string) (ha.Session, error) {
	conn, err := c.connect(ctx, coordinating)
	if err != nil {
		return nil, err
	}
	s := &session{owner: c, line: conn, server: server, boot: boot}
	name := coord.NewPresence()
	var granted sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK($1, 0)", lockName(name)).Scan(&granted); err != nil {
		return nil, errors.Join(fmt.Errorf("take a presence: %w", err), s.Close())
	}
	if granted.Int64 == 1 {
		s.presence = name
	}
	return s, nil
}

// Await waits in pieces. Such a lock has one holder only, so whoever is granted
// it lets go in the same statement: no waiter keeps another waiting, not even a
// frozen one.
func (c *Coordinator) Await(ctx context.Context, name string, held func()) error {
	if !coord.ValidPresence(name) {
		return fmt.Errorf("await presence: %q is no presence's name", name)
	}
	conn, err := c.connect(ctx, awaiting)
	if err != nil {
		return err
	}
	defer conn.Close()
	told := false
	for wait := time.Duration(0); ; wait = awaitPiece {
		// The database ends each piece; the deadline only ends a dead connection's.
		piece, cancel := context.WithTimeout(ctx, wait+10*time.Second)
		free, err := conn.passed(piece, name, wait)
		cancel()
		switch {
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("await presence: %w", errors.Join(context.Cause(ctx), err))
		case err != nil:
			return fmt.Errorf("await presence: %w", err)
		case free:
			return nil
		case !told:
			held()
			told = true
		}
	}
}

// passed waits for a presence's lock, lets go of it at once, and reports whether
// it was granted.
func (l *line) passed(ctx context.Context, name string, wait time.Duration) (bool, error) {
	var let sql.NullInt64
	err := l.QueryRowContext(ctx, "SELECT CASE WHEN GET_LOCK($1, $2) = 1 THEN RELEASE_LOCK($1) END",
		lockName(name), int64(wait.Seconds())).Scan(&let)
	if err != nil || let.Int64 != 1 {
		return false, err
	}
	// A database that shuts down ends the holder and this waiter one after the
	// other: a grant counts only if this connection outlives it.
	_, err = l.ExecContext(ctx, "DO 1")
	return err == nil, err
}

// Held reports whether somebody holds the presence.
func (c *Coordinator) Held(ctx context.Context, name string) (bool, error) {
	held, err := c.AllHeld(ctx, []string{name})
	return held[name], err
}

// AllHeld returns which of the presences somebody holds, in one statement.
func (c *Coordinator) AllHeld(ctx context.Context, presences []string) (map[string]bool, error) {
	if len(presences) == 0 {
		return nil, nil
	}
	marks, args := make([]string, len(presences)), make([]any, len(presences))
	flags, into := make([]bool, len(presences)), make([]any, len(presences))
	for i, name := range presences {
		marks[i], args[i], into[i] = "IS_USED_LOCK($"+strconv.Itoa(i+1)+") IS NOT NULL", lockName(name), &flags[i]
	}
	if err := c.work.QueryRowContext(ctx, "SELECT "+strings.Join(marks, ", "), args...).Scan(into...); err != nil {
		return nil, fmt.Errorf("look at the presences: %w", err)
	}
	held := make(map[string]bool, len(presences))
	for i, name := range presences {
		held[name] = flags[i]
	}
	return held, nil
}

// proofs is how many sessions prove that they exclude each other: a proxy that
// gives each session another server shows it by one of them.
const proofs = 5

// prove shows that a lock of one session is refused to others, which presences
// rely on: the nodes of a Galera cluster do not know of each other's locks, and
// a proxy may spread sessions over servers. It returns the server they are with.
func (c *Coordinator) prove(ctx context.Context) (name string, err error) {
	lines, failed := make([]*line, proofs), make([]error, proofs)
	var wg sync.WaitGroup
	for i := range lines {
		wg.Go(func() { lines[i], failed[i] = c.connectAs(ctx, coordinating, nil) })
	}
	wg.Wait()
	defer func() {
		for _, l := range lines {
			if l != nil {
				_ = l.Close() // its lock ends with it
			}
		}
	}()
	for _, err := range failed {
		if err != nil {
			return "", err
		}
	}
	return c.proven(ctx, lines, coord.NewPresence())
}

// proven lets one session take a lock that the others ask for, and compares the
// servers that they are with.
func (c *Coordinator) proven(ctx context.Context, lines []*line, presence string) (name string, err error) {
	values := make([]string, 6)
	into := make([]any, 0, len(values)+1)
	var granted sql.NullInt64
	for i := range values {
		into = append(into, &values[i])
	}
	for i, l := range lines {
		err := l.QueryRowContext(ctx, "SELECT "+c.flavour.nodeText()+", GET_LOCK($1, 0)", lockName(presence)).Scan(append(into, &granted)...)
		first, found := i == 0, nodeOf(values).name
		switch {
		case err != nil:
			return "", notProven(err)
		case !granted.Valid || first != (granted.Int64 == 1) || !first && l.id == lines[0].id:
			return "", notProven(fmt.Errorf("session %d of %d was answered %d", i+1, len(lines), granted.Int64))
		case !first && found != name:
			return "", notProven(fmt.Errorf("one session is with %s, another with %s", name, found))
		}
		name = found
	}
	return name, nil
}

func notProven(err error) error {
	if class := classify(err); class != 0 {
		return err // the database went away meanwhile, and nothing was shown
	}
	return fault.Wrap(fault.Refused, err, "the database does not keep two sessions from one lock (GET_LOCK), so that no server could tell whether "+
		"another lives: "+err.Error()).
		WithNext("let all servers connect to the same node: a Galera cluster's nodes, or the servers behind a proxy, do not share locks")
}

// Listen is not called: the store nudges the other servers itself.
func (c *Coordinator) Listen(ctx context.Context, _ func(string), _ func()) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Announce is not called either.
func (c *Coordinator) Announce(context.Context, []string) error { return nil }
