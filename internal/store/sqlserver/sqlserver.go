package sqlserver

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/microsoft/go-mssqldb/msdsn"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

//go:embed migrations/*.sql
var migrations embed.FS

// connections is how many connections work uses, by default.
const connections = 8

// needs is set on every connection, and a server that refuses it is not used:
// without XACT_ABORT a transaction that is one batch would go on behind an error,
// and commit the half of it.
const needs = "SET XACT_ABORT ON;"

// defaults are set on every connection, whatever the server's and the database's
// own are. Filtered indexes and an index on a computed column demand the ANSI
// settings. A server that refuses one of them knows no other way than ours.
const defaults = `SET NOCOUNT OFF;
SET IMPLICIT_TRANSACTIONS OFF;
SET QUOTED_IDENTIFIER ON;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET ARITHABORT ON;
SET NUMERIC_ROUNDABORT OFF;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;`

// workWishes let a statement of work wait 5 s for a lock.
const workWishes = defaults + `
SET LOCK_TIMEOUT 5000;`

// IsURL reports whether a URL names a SQL Server database.
func IsURL(url string) bool { return strings.HasPrefix(url, "sqlserver://") }

// OpenDB returns a pool of connections set up as the store's are. It connects to
// nothing yet.
func OpenDB(url string) (*sql.DB, error) {
	c, err := Config(url)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(newConnector(c)), nil
}

func newConnector(c msdsn.Config) *connector {
	login := loginWithin(&c)
	return &connector{config: c, login: login, wishes: workWishes}
}

// Open opens a database by its URL.
func Open(ctx context.Context, url string, o engine.Options) (*engine.Engine, error) {
	c, err := Config(url)
	if err != nil {
		return nil, err
	}
	if o.MaxConns <= 0 {
		o.MaxConns = connections
	}
	connector := newConnector(c)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(unreachable(err, c), db.Close())
	}
	s, err := look(ctx, db)
	if err == nil {
		err = s.usable(c)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if !s.encrypted {
		o.Log.Warn("the connection to the database is not encrypted; add encrypt=true to its URL", slog.String("database", where(c)))
	}
	e := Dialect()
	e.Where, e.Write, e.Read, e.Close = where(c), db, db, db.Close
	history := historian{db: db, where: where(c), log: o.Log}
	e.Lock = func(ctx context.Context, f func() error) error {
		return locked(ctx, db, o.Log, func() error {
			if err := f(); err != nil {
				return notMigrated(err, where(c))
			}
			return history.migrated(ctx)
		})
	}
	e.Prepare = history.prepare
	e.Durable = func(ctx context.Context) ([]string, error) { return durable(ctx, db, history) }
	e.Inspect = inspector{db: db, settings: s}.inspect()
	coordinator := newCoordinator(connector, db, s.versions, o.Log)
	e.Coordination, e.GroupQuery = coordinator, coordinator.texts.query
	return e, nil
}

// Dialect returns the engine's answers that need no database.
func Dialect() *engine.Engine {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return &engine.Engine{
		Name:       "sqlserver",
		Migrations: sub, Goose: "mssql",
		Classify: classify,
		Rows:     inputThen,
		Own:      own,
		Run:      run,
		Each:     each,
		Gate:     func(context.Context) (func(), error) { return func() {}, nil },
		Nudged:   true,
		Reserved: reserved,
		Statements: engine.Statements{
			Claim: claimText, Slice: slice,
			HasSchema: "SELECT CASE WHEN OBJECT_ID(N'goose_db_version') IS NULL THEN 0 ELSE 1 END",
		},
	}
}

// settings are what a database and this connection to it are.
type settings struct {
	versions  bool // READ_COMMITTED_SNAPSHOT is on
	readOnly  bool
	level     int64 // compatibility level: 140 is SQL Server 2017's
	json      error // why OPENJSON is refused
	encrypted bool
}

const (
	lookText = `SELECT CAST(d.is_read_committed_snapshot_on AS bigint), CAST(d.is_read_only AS bigint), CAST(d.compatibility_level AS bigint)
FROM sys.databases AS d WHERE d.database_id = DB_ID()`

	// jsonText asks for what is needed: a level says what SQL Server would do, and
	// other servers answer any.
	jsonText = "SELECT COALESCE((SELECT n FROM OPENJSON(N'[{\"n\":1}]') WITH (n bigint) FOR JSON PATH), N'[]')"

	encryptedText = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
)

// look reads the settings. What a server does not tell is taken for good.
func look(ctx context.Context, db *sql.DB) (settings, error) {
	s := settings{encrypted: true}
	var versions, readOnly, level sql.NullInt64
	err := db.QueryRowContext(ctx, lookText).Scan(&versions, &readOnly, &level)
	if err != nil && !errors.Is(err, sql.ErrNoRows) && !refused(err) {
		return s, fault.Wrap(fault.Unavailable, err, "the settings of the database cannot be read")
	}
	s.versions, s.readOnly, s.level = versions.Int64 == 1, readOnly.Int64 == 1, level.Int64
	var rows string
	s.json = db.QueryRowContext(ctx, jsonText).Scan(&rows)
	if s.json != nil && !refused(s.json) {
		return s, fault.Wrap(fault.Unavailable, s.json, "the database does not answer")
	}
	var option string
	err = db.QueryRowContext(ctx, encryptedText).Scan(&option)
	s.encrypted = err != nil || option != "FALSE" // who may not look is told nothing
	return s, nil
}

// usable refuses a database on which the store would not keep its promises.
func (s settings) usable(c msdsn.Config) error {
	switch {
	case s.readOnly:
		return fault.New(fault.Unavailable, "the database "+where(c)+" is read-only").
			WithNext("connect to the primary replica, by the name of the availability group's listener")
	case s.json != nil && s.level > 0 && s.level < 130:
		return fault.Wrap(fault.Refused, s.json, fmt.Sprintf("the database %s has compatibility level %d; OPENJSON needs 130", where(c), s.level)).
			WithNext("ALTER DATABASE " + c.Database + " SET COMPATIBILITY_LEVEL = 140")
	case s.json != nil:
		return fault.Wrap(fault.Refused, s.json, "the server of the database "+where(c)+" does not know OPENJSON and FOR JSON: "+s.json.Error()).
			WithNext("use SQL Server 2017 or later")
	}
	return nil
}

// migrationPiece bounds one wait for the lock of migrations.
const migrationPiece = 10 * time.Second

var migrationLock = fmt.Sprintf(`DECLARE @result int;
EXEC @result = sp_getapplock @Resource = N'tieline migrations', @LockMode = N'Exclusive', @LockOwner = N'Session', @LockTimeout = %d;
SELECT CAST(@result AS bigint);`, migrationPiece.Milliseconds())

// notMigrated says what a migration needs that the server, or its administrator,
// does not give.
func notMigrated(err error, where string) error {
	var known *fault.Error
	if !refused(err) || errors.As(err, &known) {
		return err
	}
	f := fault.Wrap(fault.Refused, err, "the schema of "+where+" cannot be migrated: "+err.Error())
	switch number(err) {
	case 229, 230, 262, 297, 300, 1088, 2760, 15151, 15247: // permissions
		return f.WithNext("give the login the role db_owner in this database, then run tieline db migrate")
	}
	return f.WithNext("use SQL Server 2017 or later, or a server that takes its language, and run tieline db migrate again")
}

// locked runs f while a session of its own holds an application lock.
func locked(ctx context.Context, db *sql.DB, log *slog.Logger, f func() error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for granted := false; !granted; {
		var result int64
		began := time.Now()
		err := conn.QueryRowContext(ctx, migrationLock).Scan(&result)
		if granted = err == nil && result >= 0; !granted && err == nil && !timedOut(result, time.Since(began), migrationPiece) {
			err = lockRefused(result)
		}
		if refused(err) {
			// There are no such locks. Each migration is a transaction: of two at once
			// one fails, as its tables are there, and finds them when it is run again.
			log.Warn("the database takes no application locks: migrate from one server at a time", slog.Any("err", err))
			return f()
		}
		if err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
	}
	err = f()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, unlock := conn.ExecContext(ctx, "EXEC sp_releaseapplock @Resource = N'tieline migrations', @LockOwner = N'Session';")
	if unlock != nil {
		// The lock must not stay on a connection of the pool: this one is thrown away.
		unlock = errors.Join(unlock, conn.Raw(func(any) error { return errThrowAway }))
	}
	return errors.Join(err, unlock)
}
