package postgres

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
)

// Way is what lies between this process and the database.
type Way int

// The ways.
const (
	Direct          Way = iota // nothing
	SessionPool                // a pooler that lends a backend for as long as a connection lasts
	TransactionPool            // a pooler that lends a backend for one transaction
)

// probeRounds is how often a pooler is given the chance to show that it lends a
// backend for a transaction only. One that nobody else uses shows it at once.
const probeRounds = 5

// findWay proves what state a connection keeps. A pooler shows by announcing a
// process id of its own. It lends transactions if a connection that is idle loses
// its backend to another one's transaction. A wrong answer costs no promise: a
// presence is proved again by each heartbeat.
func findWay(ctx context.Context, at places) (Way, error) {
	mine, err := at.connect(ctx)
	if err != nil {
		return Direct, err
	}
	defer closeConn(mine)
	before, err := backendOf(ctx, mine)
	if err != nil || before == int64(mine.PgConn().PID()) {
		return Direct, err
	}
	for range probeRounds {
		lost, err := losesBackend(ctx, at, mine)
		if err != nil || lost {
			return TransactionPool, err
		}
	}
	return SessionPool, nil
}

// losesBackend has another connection begin a transaction on the backend that
// the pooler lends next, and reports whether that was ours.
func losesBackend(ctx context.Context, at places, mine *pgx.Conn) (bool, error) {
	before, err := backendOf(ctx, mine)
	if err != nil {
		return false, err
	}
	other, err := at.connect(ctx)
	if err != nil {
		return false, err
	}
	defer closeConn(other)
	tx, err := other.Begin(ctx)
	if err != nil {
		return false, fmt.Errorf("look for a pooler: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	theirs, err := backendOf(ctx, other)
	return theirs == before, err
}

func backendOf(ctx context.Context, conn *pgx.Conn) (int64, error) {
	var pid int64
	// Nothing is prepared by name, which a pooler may lose.
	err := conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	if err != nil {
		return 0, fmt.Errorf("look for a pooler: %w", err)
	}
	return pid, nil
}

// lent makes a configuration for connections that have no session of their own:
// nothing is set when they begin, because poolers refuse it or forget it, and no
// statement is prepared by name.
func lent(config *pgx.ConnConfig, given map[string]string) *pgx.ConnConfig {
	config = config.Copy()
	maps.DeleteFunc(config.RuntimeParams, func(name, _ string) bool {
		_, theirs := given[name]
		return !theirs && name != "application_name" // which poolers carry
	})
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	// A statement that is given up ends its connection, and the pooler its
	// backend's. A request to cancel it may meet the next borrower of the backend,
	// and one that is itself given up ends pgbouncer 1.18.
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	return config
}

// begin is how a transaction begins on a lent connection: with the settings that
// other connections have from their beginning, in one round trip.
func begin(settings map[string]string) string {
	var b strings.Builder
	b.WriteString("BEGIN ISOLATION LEVEL READ COMMITTED")
	// A backend whose borrower is gone waits for no lock any longer.
	b.WriteString("; SET LOCAL client_connection_check_interval = '5s'")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if settable(name) {
			fmt.Fprintf(&b, "; SET LOCAL %s = '%s'", name, settings[name])
		}
	}
	return b.String()
}

// settable reports whether a setting makes sense for a transaction: keepalives
// would be those of the pooler's connection, and a default comes too late.
func settable(name string) bool {
	return name != "application_name" && !strings.HasPrefix(name, "tcp_") && !strings.HasPrefix(name, "default_transaction_")
}

// lentConnector makes connections whose transactions bring their own settings.
type lentConnector struct {
	driver.Connector
	begin string
}

func (c lentConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &lentConn{Conn: conn.(*stdlib.Conn), begin: c.begin}, nil
}

type lentConn struct {
	*stdlib.Conn
	begin string
}

// BeginTx implements driver.ConnBeginTx for the one kind of transaction there is.
func (c *lentConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o != (driver.TxOptions{}) {
		return nil, fmt.Errorf("begin: isolation %d and read-only %v are not supported through a pooler", o.Isolation, o.ReadOnly)
	}
	if c.Conn.Conn().IsClosed() {
		return nil, driver.ErrBadConn
	}
	tx, err := c.Conn.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: c.begin})
	if err != nil {
		return nil, err
	}
	return lentTx{ctx, tx}, nil
}

type lentTx struct {
	ctx context.Context
	tx  pgx.Tx
}

func (t lentTx) Commit() error   { return t.tx.Commit(t.ctx) }
func (t lentTx) Rollback() error { return t.tx.Rollback(t.ctx) }

// probeTimeout bounds the look for a pooler; one that is overloaded queues.
const probeTimeout = 10 * time.Second
