// Package postgres is the PostgreSQL engine: the reference for many hosts.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
	"tieline/internal/store/hosts"
)

//go:embed migrations/*.sql
var migrations embed.FS

// dialTimeout bounds the making of one connection where the URL gives no
// connect_timeout: whoever pushes an alert hears within 2 s that the database
// is away.
const dialTimeout = 1500 * time.Millisecond

// cancelTimeout is how long a cancelled statement may take to answer before its
// connection is given up.
const cancelTimeout = 200 * time.Millisecond

// connections is how many connections work uses, by default.
const connections = 8

// migrationLock is the advisory lock migrations run under: "tieline" in ASCII.
const migrationLock = 0x7469656c696e65

// sessionSettings are set on every connection for work.
var sessionSettings = map[string]string{
	"application_name": "tieline",
	// A process frozen inside a transaction would keep its rows locked for ever.
	"idle_in_transaction_session_timeout": "2s",
	// A host that is lost ends its sessions after about this long.
	"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
	// Statements that change rows wait for each other; they do not fail.
	"default_transaction_isolation": "read committed",
	// Every statement of work goes through an index, in the order of its input.
	// Other joins would read whole tables once statistics are stale, and update
	// rows in an order of their own, which is how two batches wait in a circle.
	// While there are none, as after the first storm of alerts, the planner would
	// also compare each row of a batch with each of the table (2.7 s for 1,000
	// outcomes beside 60,000 links), or keep a plan made for an empty one.
	"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_material": "off", "enable_seqscan": "off",
	// Compiling takes longer than any of them; what has to read a whole table
	// looks so dear with the above that it would be compiled.
	"jit": "off",
}

// Config reads a URL and adds the settings every connection of ours has.
// Settings that the URL itself gives are kept.
func Config(url string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		// pgx's errors show the URL without its password, and why it is wrong.
		return nil, fault.Wrap(fault.Invalid, err, "the database URL is not a PostgreSQL URL").
			WithNext("write it as postgres://user@host:5432/database")
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > time.Minute { // pgx itself sets 2 minutes
		c.ConnectTimeout = dialTimeout
	}
	lookup := c.LookupFunc // which the time limit of a connection does not include
	c.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
		defer cancel()
		return lookup(ctx, host)
	}
	if c.ValidateConnect == nil && len(placesOf(c).each) > 1 { // target_session_attrs
		c.ValidateConnect = takesWrites
	}
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3,
	}}).DialContext
	// A statement that is given up is cancelled at the server. Its backend would
	// otherwise wait on for a lock, and then do what nobody waits for any more.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelTimeout}
	}
	for name, value := range sessionSettings {
		if _, given := c.RuntimeParams[name]; !given {
			c.RuntimeParams[name] = value
		}
	}
	return c, nil
}

// unreachable says why a database could not be opened. What a server refuses for
// good need not be waited for.
func unreachable(err error, where string) error {
	switch refusal(err) {
	case "28000", "28P01": // invalid_authorization_specification, invalid_password
		return fault.Wrap(fault.Refused, err, "the database "+where+" refuses this user").
			WithNext("check the user, the password, and the user's rights to the database")
	case "3D000": // invalid_catalog_name
		return fault.Wrap(fault.Refused, err, "there is no database "+where).WithNext("create it, and give the user all rights to it")
	}
	cause, next := hosts.Each(err, why)
	return fault.Wrap(fault.Unavailable, err, strings.TrimSuffix("the database "+where+" cannot be reached: "+cause, ": ")).WithNext(next)
}

// why says what keeps us from one host, and what to do about it.
func why(err error) (cause, next string) {
	var found *hosts.Reason
	var said *pgconn.PgError
	switch {
	case errors.As(err, &found):
		return found.Cause, found.Next
	case errors.As(err, &said):
		return "the server says: " + said.Message, ""
	}
	return hosts.Why(err, "a PostgreSQL server", foreign)
}

// reason says of an error in use why the database cannot be worked with, where
// that is more than that it does not answer.
func reason(err error) (cause, next string) {
	var found *hosts.Reason
	var said *pgconn.PgError
	switch {
	case errors.As(err, &found):
		cause, next = hosts.Each(err, why)
		return "cannot be reached: " + cause, next
	case errors.As(err, &said) && said.Code == "25006": // read_only_sql_transaction
		return "takes no writes (it is a hot standby, or default_transaction_read_only is on)", "tieline db check tells which"
	case errors.As(err, &said) && said.Code == "53100": // disk_full
		return "takes no writes: its disk is full", "make room on the database server"
	}
	return "", ""
}

// foreign reports whether what answered speaks another protocol, or hung up before
// it said what it is. The driver tells the first as text alone.
func foreign(err error) bool {
	return strings.Contains(err.Error(), "received unexpected message") || strings.Contains(err.Error(), "unknown message type") ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// refusal is the code with which every host refused, "" when one said anything
// else or nothing: it may let us in later.
func refusal(err error) string {
	if hosts, ok := err.(interface{ Unwrap() []error }); ok {
		code := ""
		for i, e := range hosts.Unwrap() {
			if c := refusal(e); i == 0 {
				code = c
			} else if c != code {
				return ""
			}
		}
		return code
	}
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Code
	}
	return ""
}

// Open opens a database by its URL.
func Open(ctx context.Context, url string, o engine.Options) (*engine.Engine, error) {
	c, err := Config(url)
	if err != nil {
		return nil, err
	}
	given, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err) // Config just did
	}
	where := whereOf(c)
	bare := lent(c, given.RuntimeParams)
	probing, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	w := &watch{log: o.Log, suspect: make(chan struct{}, 1)}
	way, err := findWay(probing, placesOf(bare).sharing(w))
	if err != nil {
		return nil, unreachable(err, where)
	}
	db := sql.OpenDB(connectorFor(way, c, bare, w))
	if o.MaxConns <= 0 {
		o.MaxConns = connections
	}
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		err = unreachable(err, where)
		return nil, errors.Join(err, db.Close())
	}
	e := answers(where, db)
	if way != Direct {
		c = bare
	}
	coordinator := NewCoordinator(c, db, o.Log)
	coordinator.way = way
	coordinator.places, coordinator.quiet = coordinator.places.sharing(w), coordinator.quiet.sharing(w)
	if way == TransactionPool {
		coordinator.giveUpSessions("")
		// No connection hears a notification: servers wake each other over HTTP.
		e.Nudged, e.TellsLeases = true, false
	}
	e.Coordination, e.GroupQuery = coordinator, GroupQuery
	e.Inspect = inspector{db, coordinator}.inspect()
	stop := coordinator.places.keepLooking()
	e.Close = func() error {
		stop()
		return db.Close()
	}
	return e, nil
}

func connectorFor(way Way, direct, bare *pgx.ConnConfig, w *watch) driver.Connector {
	if way == Direct {
		return newAnyHost(placesOf(direct).sharing(w))
	}
	settings := map[string]string{}
	for name, value := range direct.RuntimeParams {
		if _, carried := bare.RuntimeParams[name]; !carried {
			settings[name] = value
		}
	}
	return lentConnector{newAnyHost(placesOf(bare).sharing(w)), begin(settings)}
}

// whereOf names the database for people: every host it may be on.
func whereOf(c *pgx.ConnConfig) string {
	var names []string
	all := placesOf(c)
	for at := range all.each {
		names = append(names, all.name(at))
	}
	return "postgres://" + strings.Join(names, ",") + "/" + c.Database
}

func answers(where string, db *sql.DB) *engine.Engine {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return &engine.Engine{
		Name: "postgres", Where: where, Write: db, Read: db,
		Migrations: sub, Goose: "postgres",
		Lock:      func(ctx context.Context, f func() error) error { return locked(ctx, db, f) },
		Classify:  classify,
		KeepsDead: true,
		Rows:      rows,
		Run:       run,
		Each:      each,
		Gate:      func(context.Context) (func(), error) { return func() {}, nil },
		Statements: engine.Statements{
			Claim: claimText, ForUpdate: "FOR UPDATE",
			HasSchema: "SELECT to_regclass('goose_db_version') IS NOT NULL",
			// Whoever reads a table keeps it from this until its transaction ends.
			Quiet: "SET LOCAL lock_timeout = '2s'; LOCK TABLE management_group, lease IN ACCESS EXCLUSIVE MODE",
		},
		Durable:     func(ctx context.Context) ([]string, error) { return durable(ctx, db) },
		TellsLeases: true,
		Why:         reason,
	}
}

// locked runs f under an advisory lock held by a transaction of its own: behind
// a pooler that lends no sessions there is no other, and one that breaks ends.
func locked(ctx context.Context, db *sql.DB, f func() error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	// It is idle for as long as the migrations last.
	_, err = tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0")
	if err == nil {
		_, err = tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("lock the schema: %w", err), tx.Rollback())
	}
	return errors.Join(f(), tx.Rollback()) // there is nothing to be committed
}

// durable reports settings under which a confirmed commit may be lost.
func durable(ctx context.Context, db *sql.DB) ([]string, error) {
	var fsync, commit string
	var asynchronous, unseen int
	// Whoever may not see a standby's state sees that there is one.
	err := db.QueryRowContext(ctx, `
SELECT current_setting('fsync'), current_setting('synchronous_commit'),
	(SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'async'),
	(SELECT count(*) FROM pg_stat_replication WHERE sync_state IS NULL)`).Scan(&fsync, &commit, &asynchronous, &unseen)
	if err != nil {
		return nil, err
	}
	var found []string
	if fsync == "off" {
		found = append(found, "fsync is off: a power cut may lose confirmed commits or the database")
	}
	if commit == "off" {
		found = append(found, "synchronous_commit is off: a crash may lose confirmed commits")
	}
	if asynchronous > 0 {
		found = append(found, standbys(asynchronous)+" asynchronous: a failover to one may lose confirmed commits")
	}
	if commit == "local" {
		found = append(found, "synchronous_commit is local: a failover may lose confirmed commits")
	}
	if unseen > 0 {
		found = append(found, standbys(unseen)+" there, and this user may not see whether commits wait for it (GRANT pg_read_all_stats)")
	}
	return found, nil
}

func standbys(n int) string {
	if n == 1 {
		return "1 standby server is"
	}
	return fmt.Sprintf("%d standby servers are", n)
}

// classify reads SQLSTATE codes (appendix A of PostgreSQL's manual).
func classify(err error) engine.Class {
	var connect *pgconn.ConnectError
	var network net.Error
	var left *hosts.Reason
	var e *pgconn.PgError
	if errors.As(err, &left) {
		return engine.Unreachable
	}
	if !errors.As(err, &e) {
		broken := pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
		if broken || errors.As(err, &connect) || errors.As(err, &network) {
			return engine.Unreachable
		}
		return engine.Other
	}
	switch e.Code {
	case "23505": // unique_violation
		return engine.Duplicate
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return engine.Busy
	case "25006", "53100": // read_only_sql_transaction, disk_full
		return engine.ReadOnly
	case "57014": // query_canceled: by a context that ended
		return engine.Busy
	case "25P03", "55000", "57P01", "57P02", "57P03", "53300": // idle in transaction, closed to connections, shut down, crash, starting, too many connections
		return engine.Unreachable
	}
	switch e.Code[:2] {
	case "08": // connection exceptions
		return engine.Unreachable
	case "22", "23", "54": // data, constraints, limits
		return engine.BadRow
	}
	return engine.Other
}
