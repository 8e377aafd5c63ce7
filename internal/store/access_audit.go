package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"strings"
	"time"

	"tieline/internal/access"
	"tieline/internal/store/engine"
)

// AddEntry adds an entry to the audit.
func (db *DB) AddEntry(ctx context.Context, e access.Entry) error {
	err := db.write(ctx, func(tx *sql.Tx) error { return addEntry(ctx, tx, e) })
	return db.explain(err, "write the audit")
}

func addEntry(ctx context.Context, tx *sql.Tx, e access.Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, who, role, via, action, target, detail, outcome, address, server)
SELECT now, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM clock`,
		e.Who, string(e.Role), e.Via, e.Action, e.Target, e.Detail, string(e.Outcome), e.Address, e.Server)
	return err
}

// BeginEntry adds an entry of what is about to be done and returns its ID, by
// which EndEntry finds it. Until then its detail is a word of its own: no engine
// tells the ID of a new row in the words of the others.
func (db *DB) BeginEntry(ctx context.Context, e access.Entry) (id int64, err error) {
	e.Outcome, e.Detail = access.Begun, rand.Text()
	err = db.write(ctx, func(tx *sql.Tx) error {
		var newest int64
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM audit").Scan(&newest); err != nil {
			return err
		}
		if err := addEntry(ctx, tx, e); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT max(id) FROM audit WHERE id > $1 AND detail = $2", newest, e.Detail).Scan(&id)
	})
	return id, db.explain(err, "write the audit")
}

// EndEntry says what became of what an entry was begun for, and of whom it was:
// a sign-in does not know before. An entry without an outcome is taken back.
func (db *DB) EndEntry(ctx context.Context, e access.Entry) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		if e.Outcome == "" {
			_, err := tx.ExecContext(ctx, "DELETE FROM audit WHERE id = $1", e.ID)
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE audit SET who = $2, role = $3, via = $4, detail = $5, outcome = $6 WHERE id = $1",
			e.ID, e.Who, string(e.Role), e.Via, e.Detail, string(e.Outcome))
		return err
	})
	return db.explain(err, "write the audit")
}

// ForgetEntries implements retention.Store. Entries are in the order of their
// time, nearly: the oldest are looked at, and those before the first that stays.
func (db *DB) ForgetEntries(ctx context.Context, keep time.Duration, limit int) (int, error) {
	var last int64
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id, ago int64
		err := rows.Scan(&id, &ago)
		if fromMicros(ago) > keep {
			last = id
		}
		return err
	}, "SELECT id, "+engine.Now+" - at FROM audit"+db.first("id", "$1"), limit)
	if err != nil || last == 0 {
		return 0, db.explain(err, "look for old entries of the audit")
	}
	var n int64
	err = db.write(ctx, func(tx *sql.Tx) (err error) {
		n, err = affected(tx.ExecContext(ctx, "DELETE FROM audit WHERE id <= $1", last))
		return err
	})
	return int(n), db.explain(err, "remove old entries of the audit")
}

// Entries returns a page of the audit, the newest entry first.
func (db *DB) Entries(ctx context.Context, q access.Query) ([]access.Entry, error) {
	c := &conditions{}
	where := []string{"1 = 1"}
	if q.Before > 0 {
		where = append(where, "id < "+c.arg(q.Before))
	}
	if q.Who != "" {
		where = append(where, "who = "+c.arg(q.Who))
	}
	if q.Outcome != "" {
		where = append(where, "outcome = "+c.arg(string(q.Outcome)))
	}
	if q.Text != "" {
		p := c.arg("%" + likeEscape.Replace(strings.ToLower(q.Text)) + "%")
		where = append(where, "(lower(action) LIKE "+p+" ESCAPE '!' OR lower(target) LIKE "+p+" ESCAPE '!' OR lower(detail) LIKE "+p+" ESCAPE '!')")
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	var all []access.Entry
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var e access.Entry
		var at int64
		err := rows.Scan(&e.ID, &at, &e.Who, &e.Role, &e.Via, &e.Action, &e.Target, &e.Detail, &e.Outcome, &e.Address, &e.Server)
		e.At = moment(at)
		if e.Outcome == access.Begun {
			e.Detail = "" // BeginEntry's own
		}
		all = append(all, e)
		return err
	}, "SELECT id, at, who, role, via, action, target, detail, outcome, address, server FROM audit WHERE "+
		strings.Join(where, " AND ")+db.first("id DESC", c.arg(min(limit, 1000))), c.args...)
	return all, db.explain(err, "read the audit")
}
