// Package sqlite is the SQLite engine: embedded, the default, for several
// processes of one host on one file.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	driver "modernc.org/sqlite"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

//go:embed migrations/*.sql
var migrations embed.FS

// busyTimeout is how long a statement waits for another process's transaction.
// Whoever needs an answer sooner gives a context that ends sooner.
const busyTimeout = 10 * time.Second

// readers is how many connections read at the same time, by default.
const readers = 4

// DSN returns the driver's data source name of a database file with the
// settings every connection of ours has: write-ahead log; a commit is on the
// disk before it is confirmed (synchronous=FULL); write transactions take their
// lock when they begin, so that none fails half-way.
func DSN(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16000)", "temp_store(MEMORY)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Open opens a database file, which it creates when it is not there.
func Open(ctx context.Context, path string, o engine.Options) (*engine.Engine, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the folder of the database file "+path+" cannot be made")
	}
	write, err := sql.Open("sqlite", DSN(path))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", DSN(path)+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), write.Close())
	}
	if o.MaxConns <= 0 {
		o.MaxConns = readers
	}
	read.SetMaxOpenConns(o.MaxConns)
	read.SetMaxIdleConns(o.MaxConns)
	// The writer comes first: it is what creates the file and its journal mode.
	if err := firstConnection(ctx, write); err != nil {
		err = fault.Wrap(fault.Unavailable, err, "the database file "+path+" cannot be opened")
		return nil, errors.Join(err, write.Close(), read.Close())
	}
	opened, err := openedFile(path)
	if err != nil {
		err = fault.Wrap(fault.Unavailable, err, "the database file "+path+" cannot be opened")
		return nil, errors.Join(err, write.Close(), read.Close())
	}
	e := answers(opened, write, read)
	coordinator := NewCoordinator(path, o.Log)
	e.Coordination, e.GroupQuery = coordinator, GroupQuery
	e.Inspect = inspector{path, write, read, coordinator.presences}.inspect()
	return e, nil
}

// firstConnection connects. The change of a new file's journal mode fails at once
// while another process makes it; the busy timeout does not apply to it.
func firstConnection(ctx context.Context, write *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for {
		err := write.PingContext(ctx)
		if err == nil || classify(err) != engine.Busy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Migrations are the schema's versions.
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

func answers(opened file, write, read *sql.DB) *engine.Engine {
	path, gate := opened.path, newGate()
	return &engine.Engine{
		Name: "sqlite", Where: "sqlite:" + path, Write: write, Read: read,
		Migrations: Migrations(), Goose: "sqlite3",
		Lock:     func(ctx context.Context, f func() error) error { return locked(ctx, path+"-migrate", f) },
		Classify: classify,
		Rows:     rows,
		Run:      run,
		Each:     each,
		Moved:    opened.moved,
		Gate: func(ctx context.Context) (done func(), err error) {
			if err := opened.moved(); err != nil {
				return nil, err
			}
			return gate.enter(ctx)
		},
		Statements: engine.Statements{
			Claim:     claimText,
			HasSchema: "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'goose_db_version')",
		},
		Durable: func(ctx context.Context) ([]string, error) { return durable(ctx, write) },
		Close:   func() error { return errors.Join(read.Close(), write.Close()) },
	}
}

// locked runs f under a lock on a file beside the database.
func locked(ctx context.Context, path string, f func() error) error {
	lock := flock.New(path)
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	return errors.Join(f(), lock.Unlock())
}

// durable reports settings under which a confirmed commit may be lost.
func durable(ctx context.Context, db *sql.DB) ([]string, error) {
	var level int
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil {
		return nil, err
	}
	if level < 2 {
		return []string{"synchronous is not FULL: a power cut may lose confirmed commits"}, nil
	}
	return nil, nil
}

// Codes of SQLite's results, the primary ones and two extended ones.
const (
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeIOErr      = 10
	codeFull       = 13
	codeCantOpen   = 14
	codeTooBig     = 18
	codeConstraint = 19
	codeMismatch   = 20
	codeNotADB     = 26
	codePrimaryKey = codeConstraint | 6<<8
	codeUnique     = codeConstraint | 8<<8
)

func classify(err error) engine.Class {
	var e *driver.Error
	if !errors.As(err, &e) {
		return engine.Other
	}
	if e.Code() == codePrimaryKey || e.Code() == codeUnique {
		return engine.Duplicate
	}
	switch e.Code() & 0xff {
	case codeBusy, codeLocked:
		return engine.Busy
	case codeReadOnly, codeFull:
		return engine.ReadOnly
	case codeIOErr, codeCantOpen, codeNotADB:
		return engine.Unreachable
	case codeConstraint, codeTooBig, codeMismatch:
		return engine.BadRow
	}
	return engine.Other
}
