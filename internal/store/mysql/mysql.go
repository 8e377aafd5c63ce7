// Package mysql is the engine for MariaDB 10.11 and MySQL 8.0.19, and newer.
//
// The store's statements serve with the driver's markers (package param), but
// for those in statements.go. Rows of a batch go over as one JSON text.
package mysql

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	mysql "github.com/go-sql-driver/mysql"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
	"tieline/internal/store/hosts"
)

//go:embed migrations/*.sql
var migrations embed.FS

// connections is how many connections work uses, by default.
const connections = 8

// working are the limits of connections for work. A statement that waits longer
// for a lock is given up; a process frozen inside a transaction loses it.
var working = limits{lock: 5 * time.Second, frozen: 2 * time.Second}

// Open opens a database by its URL.
func Open(ctx context.Context, url string, o engine.Options) (*engine.Engine, error) {
	c, err := Config(url)
	if err != nil {
		return nil, err
	}
	f, err := findFlavour(ctx, c)
	if err != nil {
		return nil, unreachable(err, where(c))
	}
	connector, err := newConnector(c, f, working)
	if err != nil {
		return nil, err
	}
	if o.MaxConns <= 0 {
		o.MaxConns = connections
	}
	seen := &nodes{log: o.Log}
	connector.nodes = seen
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(unreachable(err, where(c)), db.Close())
	}
	coordinator := NewCoordinator(c, f, db, o.Log)
	coordinator.nodes, seen.prove = seen, coordinator.prove
	name, err := coordinator.prove(ctx)
	if err == nil {
		err = seen.same(ctx, name)
	}
	if err != nil {
		return nil, errors.Join(unreachable(err, where(c)), db.Close())
	}
	e := theEngine(where(c), f, db)
	e.Coordination, e.GroupQuery = coordinator, GroupQuery
	e.Prepare = func(ctx context.Context) error { return named(ctx, db, e.Where) }
	e.Inspect = inspector{db: db, flavour: f, coordinator: coordinator}.inspect()
	return e, nil
}

// OpenRaw opens a database that takes the store's parameters, and nothing else
// of the store: for tests, which look past it.
func OpenRaw(ctx context.Context, url string) (*sql.DB, error) {
	c, err := Config(url)
	if err != nil {
		return nil, err
	}
	f, err := findFlavour(ctx, c)
	if err != nil {
		return nil, err
	}
	connector, err := newConnector(c, f, limits{lock: time.Minute})
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// where names a database without credentials.
func where(c *mysql.Config) string { return "mysql://" + c.Addr + "/" + c.DBName }

// unreachable says why a database cannot be opened. Refusals stay refusals: a
// server that waits for its database need not wait for those.
func unreachable(err error, where string) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case isCode(err, 1045), isCode(err, 1698), isCode(err, 1044), isCode(err, 1130), isCode(err, 1820), isCode(err, 1862), isCode(err, 3118):
		return fault.Wrap(fault.Refused, err, "the database "+where+" refuses this user").
			WithNext("check the user, the password, and the user's rights to the database")
	case isCode(err, 1049):
		return fault.Wrap(fault.Refused, err, "there is no database "+where).WithNext("create it, and give the user all rights to it")
	}
	cause, next := hosts.Each(err, why)
	return fault.Wrap(fault.Unavailable, err, strings.TrimSuffix("the database "+where+" cannot be reached: "+cause, ": ")).WithNext(next)
}

// foreign reports whether what answered speaks another protocol, or hung up before
// it said what it is.
func foreign(err error) bool {
	return errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) || errors.Is(err, mysql.ErrPktSyncMul) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF)
}

// named refuses a server that could not see what names the history (rule L8): it
// could claim nothing.
func named(ctx context.Context, db *sql.DB, where string) error {
	var identity string
	err := db.QueryRowContext(ctx, history).Scan(&identity)
	if err == nil && identity != "" || classify(err) != engine.Other || ctx.Err() != nil {
		return err
	}
	why := ""
	if err != nil {
		why = ": " + err.Error()
	}
	return fault.Wrap(fault.Refused, err, "this user may not see what names the history of the database "+where+why).
		WithNext("GRANT SELECT ON performance_schema.global_variables to it (MySQL), and all rights to the database")
}

func theEngine(where string, f flavour, db *sql.DB) *engine.Engine {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return &engine.Engine{
		Name: f.name(), Where: where, Write: db, Read: db,
		Migrations: sub, Goose: "mysql",
		Lock:     func(ctx context.Context, run func() error) error { return locked(ctx, db, run) },
		Classify: classify,
		Why:      reason,
		Rows:     f.rows,
		Own:      f.own,
		Run:      run,
		Each:     each,
		Gate:     func(context.Context) (func(), error) { return func() {}, nil },
		Nudged:   true,
		Statements: engine.Statements{
			Claim: claim, ForUpdate: "FOR UPDATE",
			HasSchema: hasSchema,
			// Whoever reads a table keeps it from this until its transaction ends.
			Quiet: "SET lock_wait_timeout = 2; LOCK TABLES management_group WRITE, lease WRITE; UNLOCK TABLES",
		},
		Durable: func(ctx context.Context) ([]string, error) { return durable(ctx, db) },
		Close:   db.Close,
	}
}

func (f flavour) name() string {
	if f.maria {
		return "mariadb"
	}
	return "mysql"
}

const hasSchema = "SELECT EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'goose_db_version')"

// migrationWait is how long a server waits while another migrates.
const migrationWait = 10 * time.Minute

// locked runs f under a lock held by a connection of its own, of this database.
func locked(ctx context.Context, db *sql.DB, f func() error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	const name = "CONCAT('tieline-migrate-', LEFT(MD5(DATABASE()), 32))"
	var got sql.NullInt64
	err = conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", $1)", int(migrationWait.Seconds())).Scan(&got)
	if err != nil || got.Int64 != 1 {
		if err == nil {
			err = fault.New(fault.Unavailable, fmt.Sprintf("another process has been migrating the schema for %s", migrationWait)).
				WithNext("wait for it, or end it, and try again")
		}
		return errors.Join(err, conn.Close())
	}
	if err = forgetEmptyVersions(ctx, conn); err == nil {
		err = f()
	}
	_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK("+name+")")
	return errors.Join(err, unlock, conn.Close())
}

// forgetEmptyVersions removes goose's table of versions while nothing is in it: a
// first migration was interrupted between the table and its first row, which are
// one transaction elsewhere, and goose would not go on from there.
func forgetEmptyVersions(ctx context.Context, conn *sql.Conn) error {
	var exists, filled bool
	if err := conn.QueryRowContext(ctx, hasSchema).Scan(&exists); err != nil || !exists {
		return err
	}
	if err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM goose_db_version)").Scan(&filled); err != nil || filled {
		return err
	}
	_, err := conn.ExecContext(ctx, "DROP TABLE goose_db_version")
	return err
}

// durable reports settings under which a confirmed commit may be lost.
func durable(ctx context.Context, db *sql.DB) ([]string, error) {
	var flush, binlog, sync int
	err := db.QueryRowContext(ctx, "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog").Scan(&flush, &binlog, &sync)
	if err != nil {
		return nil, err
	}
	var found []string
	if flush != 1 {
		found = append(found, fmt.Sprintf("innodb_flush_log_at_trx_commit is %d: a power cut may lose confirmed commits", flush))
	}
	if binlog == 1 && sync != 1 {
		found = append(found, fmt.Sprintf("sync_binlog is %d: after a power cut a replica may have other commits than this server", sync))
	}
	var replicas int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'").Scan(&replicas); err != nil {
		return nil, err
	}
	if replicas > 0 {
		found = append(found, fmt.Sprintf("replicas copy this server (%d): a failover to one may lose confirmed commits, unless it is semi-synchronous", replicas))
	}
	return found, nil
}
