package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tieline/internal/access"
	"tieline/internal/store/engine"
)

// HasAdmin reports whether there is an administrator with a password.
func (db *DB) HasAdmin(ctx context.Context) (bool, error) {
	n, err := admins(ctx, db.engine.Read)
	return n > 0, db.explain(err, "look for an administrator")
}

// AddSetUp stores the hash of a set-up token, and removes those that have expired.
func (db *DB) AddSetUp(ctx context.Context, hash string, valid time.Duration) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM set_up WHERE expires_at <= "+engine.Now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO set_up (hash, expires_at) SELECT $1, now + $2 FROM clock", hash, valid.Microseconds())
		return err
	})
	return db.explain(err, "store a set-up link")
}

// SetUpGood reports whether a set-up token has not expired, and there is no
// administrator yet.
func (db *DB) SetUpGood(ctx context.Context, hash string) (bool, error) {
	good, err := setUpGood(ctx, db.engine.Read, hash)
	return good, db.explain(err, "read a set-up link")
}

func setUpGood(ctx context.Context, q querier, hash string) (bool, error) {
	n, err := admins(ctx, q)
	if err != nil || n > 0 {
		return false, err
	}
	err = q.QueryRowContext(ctx, "SELECT count(*) FROM set_up WHERE hash = $1 AND expires_at > "+engine.Now, hash).Scan(&n)
	return n > 0, err
}

// SetUp stores the first administrator and removes all set-up tokens, if the one
// given is good; otherwise good is false.
func (db *DB) SetUp(ctx context.Context, hash string, a access.Account) (made access.Account, good bool, err error) {
	err = db.transact(ctx, func(tx *sql.Tx) error {
		// Two who follow two links at once take turns.
		if _, err := db.lockGroup(ctx, tx); err != nil {
			return err
		}
		good, err = setUpGood(ctx, tx, hash)
		if err != nil || !good {
			return err
		}
		if made, err = db.addAccount(ctx, tx, a); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM set_up")
		return err
	})
	return made, good, db.explain(err, "set up the first administrator")
}

// Strike counts a try against each counter and returns 0, or, when one of them
// has to wait, counts nothing and returns how long.
func (db *DB) Strike(ctx context.Context, strikes []access.Strike) (wait time.Duration, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		wait = 0
		var now int64
		rows := make([]strikeRow, len(strikes))
		for i, s := range strikes {
			if rows[i], now, err = db.readStrike(ctx, tx, s.Key); err != nil {
				return err
			}
			wait = max(wait, time.Duration(rows[i].until-now)*time.Microsecond)
		}
		if wait > 0 {
			return nil
		}
		for i, s := range strikes {
			rows[i].failures++
			if err := db.writeStrike(ctx, tx, s, rows[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	return wait, db.explain(err, "count a sign-in")
}

// Forgive takes back what Strike counted, and forgets counters that are Own.
func (db *DB) Forgive(ctx context.Context, strikes []access.Strike) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		for _, s := range strikes {
			row, now, err := db.readStrike(ctx, tx, s.Key)
			switch {
			case err != nil:
			case s.Own || row.failures <= 1:
				_, err = tx.ExecContext(ctx, "DELETE FROM strike WHERE name = $1", s.Key)
			default:
				row.failures--
				err = db.writeStrike(ctx, tx, s, row, now)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return db.explain(err, "count a sign-in")
}

// strikeRow is a counter as it is stored.
type strikeRow struct {
	stored   bool
	failures int
	until    int64
}

const lockStrikeText = "SELECT failures, until_at, last_at FROM strike WHERE name = $1"

// readStrike reads and locks a counter; one without a failure for a while starts anew.
func (db *DB) readStrike(ctx context.Context, tx *sql.Tx, key string) (r strikeRow, now int64, err error) {
	if err := tx.QueryRowContext(ctx, "SELECT now FROM clock").Scan(&now); err != nil {
		return r, 0, err
	}
	var last int64
	err = tx.QueryRowContext(ctx, db.statements.lockStrike, key).
		Scan(&r.failures, &r.until, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return strikeRow{}, now, nil
	}
	r.stored = true
	if last < now-access.StrikeMemory.Microseconds() {
		r.failures, r.until = 0, 0
	}
	return r, now, err
}

func (db *DB) writeStrike(ctx context.Context, tx *sql.Tx, s access.Strike, r strikeRow, now int64) error {
	until := now + s.Wait(r.failures).Microseconds()
	if r.stored {
		_, err := tx.ExecContext(ctx, "UPDATE strike SET failures = $2, last_at = $3, until_at = $4 WHERE name = $1", s.Key, r.failures, now, until)
		return err
	}
	// With each new one the forgotten ones go, so that strangers do not fill the table.
	if _, err := tx.ExecContext(ctx, "DELETE FROM strike WHERE last_at < $1", now-access.StrikeMemory.Microseconds()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO strike (name, failures, last_at, until_at) VALUES ($1, $2, $3, $4)", s.Key, r.failures, now, until)
	return err
}
