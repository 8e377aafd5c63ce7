package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"tieline/internal/store/engine"
)

// attempts is how often a transaction is tried that lost a race.
const attempts = 8

// errAgain makes write repeat the transaction: it lost a race that the engine
// does not report as an error.
var errAgain = errors.New("lost a race with another transaction")

// write is transact for whatever no term fences: it is refused when the management
// group is, or goes, in another database.
func (db *DB) write(ctx context.Context, f func(*sql.Tx) error) error {
	return db.transact(ctx, func(tx *sql.Tx) error {
		if err := db.inService(ctx, tx); err != nil {
			return err
		}
		return f(tx)
	})
}

// transact runs f in a write transaction and commits. A transaction that lost a
// race (deadlock, lock timeout, unique index, errAgain) is rolled back and
// repeated; f must therefore have no effect but in the database. An error of the
// commit itself is returned as it is: the outcome is unknown.
//
// Whoever calls it for what is no copy's has the term of a lease or a claim compared
// by f, or engine.InService, or locks the group's row.
func (db *DB) transact(ctx context.Context, f func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		err := db.writeOnce(ctx, f)
		if err == nil || try == attempts || !db.raced(err) {
			return err
		}
		if err := sleep(ctx, time.Duration(rand.Int64N(int64(try)*int64(5*time.Millisecond)))); err != nil {
			return err
		}
	}
}

func (db *DB) raced(err error) bool {
	var c commitError
	if errors.As(err, &c) {
		return false
	}
	class := db.engine.Classify(err)
	return class == engine.Busy || class == engine.Duplicate || errors.Is(err, errAgain)
}

// commitError marks an error of COMMIT: whether it happened is unknown.
type commitError struct{ error }

func (c commitError) Unwrap() error { return c.error }

func (db *DB) writeOnce(ctx context.Context, f func(*sql.Tx) error) error {
	done, err := db.engine.Gate(ctx)
	if err != nil {
		return err
	}
	defer done()
	tx, err := db.engine.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		// The connection may be broken; then the rollback's error says nothing new.
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return commitError{err}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// querier is what *sql.DB and *sql.Tx share.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// each runs a query and calls scan for each row.
func each(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
