package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

// touch is how old a stamp of the last use may be before it is written anew, in
// microseconds: a page that looks every second must not write every second.
const touch = int64(time.Minute / time.Microsecond)

// SaveSession stores a session, or the data of one that is stored; what has
// expired of others is removed.
func (db *DB) SaveSession(ctx context.Context, s access.Session) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM session WHERE expires_at <= "+engine.Now+" OR seen_at <= "+engine.Now+" - $1",
			access.SessionIdle.Microseconds())
		if err != nil {
			return err
		}
		// The time of expiry stays: it is not for another server's clock to prolong.
		n, err := affected(tx.ExecContext(ctx, "UPDATE session SET data = $2 WHERE hash = $1", s.Hash, string(s.Data)))
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO session (hash, account, generation, data, address, created_at, seen_at, expires_at)
SELECT $1, $2, $3, $4, $5, now, now, now + $6 FROM clock`,
			s.Hash, s.Account, s.Generation, string(s.Data), s.Address, s.Lifetime.Microseconds())
		return err
	})
	return db.explain(err, "store a session")
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Session returns the data of a session that has not expired, was used within
// idle, and whose account is still as it was at the sign-in. It is refused where the
// management group was moved to another database.
func (db *DB) Session(ctx context.Context, hash string, idle time.Duration) (data []byte, found bool, err error) {
	var text, group string
	var old bool
	err = db.engine.Read.QueryRowContext(ctx, `SELECT s.data, CASE WHEN s.seen_at < c.now - $3 THEN 1 ELSE 0 END, g.name
FROM session s JOIN account a ON a.name = s.account AND a.generation = s.generation CROSS JOIN clock c CROSS JOIN management_group g
WHERE s.hash = $1 AND s.expires_at > c.now AND s.seen_at > c.now - $2`, hash, idle.Microseconds(), touch).Scan(&text, &old, &group)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil {
		err = movedAway(group)
	}
	if err == nil && old {
		db.touched(ctx, "a session", "UPDATE session SET seen_at = "+engine.Now+" WHERE hash = $1 AND seen_at < "+engine.Now+" - $2", hash)
	}
	return []byte(text), err == nil, db.explain(err, "read a session")
}

// sessionsAsked is how many sessions one statement asks about at most.
const sessionsAsked = 500

// LiveSessions returns which of the sessions Session would find. Their use is
// not noted.
func (db *DB) LiveSessions(ctx context.Context, hashes []string, idle time.Duration) (map[string]bool, error) {
	live := make(map[string]bool, len(hashes))
	for some := range slices.Chunk(hashes, sessionsAsked) {
		c := &conditions{}
		used := c.arg(idle.Microseconds())
		err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
			var hash string
			err := rows.Scan(&hash)
			live[hash] = true
			return err
		}, `SELECT s.hash FROM session s JOIN account a ON a.name = s.account AND a.generation = s.generation CROSS JOIN clock c
WHERE s.expires_at > c.now AND s.seen_at > c.now - `+used+" AND s.hash IN ("+strings.Join(c.list(some), ", ")+")", c.args...)
		if err != nil {
			return nil, db.explain(err, "ask which sessions go on")
		}
	}
	return live, nil
}

// touched notes the use of a session or a token. That it cannot be written, as
// on a standby, is no reason to refuse who asks.
func (db *DB) touched(ctx context.Context, what, text, hash string) {
	err := db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text, hash, touch)
		return err
	})
	if err != nil {
		db.log.WarnContext(ctx, "the use of "+what+" was not noted", "err", err)
	}
}

// EndSession ends a session; there may be none.
func (db *DB) EndSession(ctx context.Context, hash string) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM session WHERE hash = $1", hash)
		return err
	})
	return db.explain(err, "end a session")
}

// EndSessions ends all sessions of an account and returns how many.
func (db *DB) EndSessions(ctx context.Context, account string) (int, error) {
	var n int64
	err := db.write(ctx, func(tx *sql.Tx) (err error) {
		n, err = affected(tx.ExecContext(ctx, "DELETE FROM session WHERE account = $1", account))
		return err
	})
	return int(n), db.explain(err, "end the sessions of an account")
}

const tokenColumns = "t.name, t.role, t.hash, t.created_by, t.created_at, t.expires_at, t.used_at, coalesce(a.role, '')"

// tokenTable has the tokens with the accounts that made them. A name of the
// command line (access.CLIMaker) is no account's: it has a colon.
const tokenTable = " FROM api_token t LEFT JOIN account a ON a.name = t.created_by"

func scanToken(row interface{ Scan(...any) error }, more ...any) (access.Token, error) {
	var t access.Token
	var created, expires, used int64
	err := row.Scan(append([]any{&t.Name, &t.Role, &t.Hash, &t.CreatedBy, &created, &expires, &used, &t.MakerRole}, more...)...)
	t.CreatedAt, t.ExpiresAt, t.UsedAt = moment(created), moment(expires), moment(used)
	return t, err
}

// Tokens lists the API tokens by name.
func (db *DB) Tokens(ctx context.Context) ([]access.Token, error) {
	var all []access.Token
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		t, err := scanToken(rows)
		all = append(all, t)
		return err
	}, "SELECT "+tokenColumns+tokenTable+" ORDER BY t.name")
	return all, db.explain(err, "list the API tokens")
}

// AddToken stores a new token; fault.Conflict for a name in use.
func (db *DB) AddToken(ctx context.Context, t access.Token, valid time.Duration) (access.Token, error) {
	err := db.write(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM api_token WHERE name = $1", t.Name).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fault.New(fault.Conflict, fmt.Sprintf("there is an API token %s already", t.Name)).WithNext("choose another name, or revoke that one")
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO api_token (name, hash, role, created_by, created_at, expires_at, used_at)
SELECT $1, $2, $3, $4, now, now + $5, 0 FROM clock`, t.Name, t.Hash, string(t.Role), t.CreatedBy, valid.Microseconds())
		if err != nil {
			return err
		}
		t, err = scanToken(tx.QueryRowContext(ctx, "SELECT "+tokenColumns+tokenTable+" WHERE t.name = $1", t.Name))
		return err
	})
	return t, db.explain(err, "store an API token")
}

// UseToken returns the token of a hash that has not expired and whose maker is
// there, and notes its use. It is refused where the management group was moved to
// another database.
func (db *DB) UseToken(ctx context.Context, hash string) (t access.Token, found bool, err error) {
	var old bool
	var group string
	t, err = scanToken(db.engine.Read.QueryRowContext(ctx, "SELECT "+tokenColumns+", CASE WHEN t.used_at < c.now - $2 THEN 1 ELSE 0 END, g.name"+tokenTable+`
CROSS JOIN clock c CROSS JOIN management_group g WHERE t.hash = $1 AND t.expires_at > c.now AND (a.name IS NOT NULL OR t.created_by LIKE $3)`,
		hash, touch, access.CLIMaker+"%"), &old, &group)
	if errors.Is(err, sql.ErrNoRows) {
		return access.Token{}, false, nil
	}
	if err == nil {
		err = movedAway(group)
	}
	if err == nil && old {
		db.touched(ctx, "an API token", "UPDATE api_token SET used_at = "+engine.Now+" WHERE hash = $1 AND used_at < "+engine.Now+" - $2", hash)
	}
	return t, err == nil, db.explain(err, "read an API token")
}

// RevokeToken removes a token; fault.NotFound when there is none.
func (db *DB) RevokeToken(ctx context.Context, name string) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, "DELETE FROM api_token WHERE name = $1", name))
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, fmt.Sprintf("there is no API token %q", name)).WithNext("tieline token list shows those there are")
		}
		return err
	})
	return db.explain(err, "revoke an API token")
}
