package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/nudge"
	"tieline/internal/store/engine"
	"tieline/internal/store/mysql"
	"tieline/internal/store/postgres"
	"tieline/internal/store/sqlite"
	"tieline/internal/store/sqlserver"
)

// Options are what Open is told.
type Options struct {
	Migrate  bool         // bring an older schema up to date; otherwise it is refused
	Log      *slog.Logger // nil = none
	MaxConns int          // connections for work; 0 = the engine's default
	Empty    bool         // take a database without a schema too, of which Check alone tells something
}

// DB is the database of the management group. A process opens it once; all
// methods may be called concurrently.
type DB struct {
	engine     *engine.Engine
	url        string // with credentials: never printed
	log        *slog.Logger
	statements texts
	floors     floors
	wakes      *wakes
	nudges     nudger
	unmade     bool // it has no schema
}

// Open opens the database a URL names ("sqlite:/path/tieline.db",
// "postgres://...", "mysql://...", "mariadb://..." or "sqlserver://...") and
// checks its schema. It returns a *fault.Error: Invalid for a wrong URL,
// Unavailable when the database cannot be reached within its connect timeout,
// Refused when the schema is newer than this binary, or older and o.Migrate is
// not set.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e, err := openEngine(ctx, url, engine.Options{MaxConns: o.MaxConns, Log: o.Log})
	if err != nil {
		return nil, err
	}
	db := &DB{engine: e, url: url, log: o.Log, statements: newTexts(e), wakes: newWakes()}
	if e.Nudged {
		db.nudges.sender = nudge.New(o.Log)
	}
	if err := db.schema(ctx, o); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return db, nil
}

// opener opens the databases whose URLs it knows.
type opener struct {
	knows func(url string) bool
	open  func(ctx context.Context, url string, o engine.Options) (*engine.Engine, error)
}

var openers = []opener{
	{isSQLite, openSQLite},
	{isPostgres, postgres.Open},
	{mysql.IsURL, mysql.Open},
	{sqlserver.IsURL, sqlserver.Open},
}

func openEngine(ctx context.Context, url string, o engine.Options) (*engine.Engine, error) {
	for _, engine := range openers {
		if engine.knows(url) {
			return engine.open(ctx, url, o)
		}
	}
	return nil, fault.New(fault.Invalid, "the database URL names no engine Tieline knows").
		WithNext(`write "sqlite:/var/lib/tieline/tieline.db", "postgres://user@host:5432/database", ` +
			`"mysql://user:password@host:3306/database" or "sqlserver://user:password@host:1433?database=name"`)
}

func isSQLite(url string) bool { return len(url) > len("sqlite:") && strings.HasPrefix(url, "sqlite:") }

func openSQLite(ctx context.Context, url string, o engine.Options) (*engine.Engine, error) {
	return sqlite.Open(ctx, strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//"), o)
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Empty reports whether the database has no schema, which Options.Empty permits.
func (db *DB) Empty() bool { return db.unmade }

// Close ends every connection.
func (db *DB) Close() error {
	db.wakes.wait()
	if db.nudges.sender != nil {
		db.nudges.sender.Close()
	}
	return db.engine.Close()
}

// Engine is the engine's name: "sqlite", "postgres", "mariadb", "mysql" or
// "sqlserver".
func (db *DB) Engine() string { return db.engine.Name }

// Where names the database for people, without credentials.
func (db *DB) Where() string { return db.engine.Where }

// Ping reports whether the database answers now.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return db.explain(db.engine.Read.QueryRowContext(ctx, "SELECT 1").Scan(&one), "reach the database")
}

// Moved tells when what is open is the management group's database no more: a
// file that was replaced or removed. Writes are refused from then on, and a server
// should end. The error is of kind fault.Unavailable.
func (db *DB) Moved() error {
	if db.engine.Moved == nil {
		return nil
	}
	return db.engine.Moved()
}

// retryAfter is when a caller should try again while the database is away.
const retryAfter = 2 * time.Second

// explain gives an error of the driver the kind and the message a person should
// see. It passes nil and errors that already have one.
func (db *DB) explain(err error, doing string) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch db.engine.Classify(err) {
	case engine.Unreachable, engine.Busy:
		return db.away(err, doing)
	case engine.ReadOnly:
		return db.unusable(err, doing, "takes no writes (it is read-only, or its disk is full)")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return db.away(err, doing)
	}
	return &wrapped{doing: doing, err: err}
}

func (db *DB) away(err error, doing string) error { return db.unusable(err, doing, "does not answer") }

// unusable says why the database cannot be worked with: what the engine knows of
// the error, else cause.
func (db *DB) unusable(err error, doing, cause string) error {
	next := ""
	if db.engine.Why != nil {
		if known, todo := db.engine.Why(err); known != "" {
			cause, next = known, todo
		}
	}
	f := fault.Wrap(fault.Unavailable, err, "cannot "+doing+": the database "+db.engine.Where+" "+cause).WithNext(next)
	f.After = retryAfter
	return f
}

// wrapped names the operation that failed.
type wrapped struct {
	doing string
	err   error
}

func (w *wrapped) Error() string { return w.doing + ": " + w.err.Error() }
func (w *wrapped) Unwrap() error { return w.err }
