package store

import (
	"context"
	"database/sql"
	"strings"

	"tieline/internal/access"
)

// AddEntry adds an entry to the audit.
func (db *DB) AddEntry(ctx context.Context, e access.Entry) error {
	err := db.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO audit (at, who, role, via, action, target, detail, outcome, address, server)
SELECT now, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM clock`,
			e.Who, string(e.Role), e.Via, e.Action, e.Target, e.Detail, string(e.Outcome), e.Address, e.Server)
		return err
	})
	return db.explain(err, "write the audit")
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
		all = append(all, e)
		return err
	}, "SELECT id, at, who, role, via, action, target, detail, outcome, address, server FROM audit WHERE "+
		strings.Join(where, " AND ")+db.first("id DESC", c.arg(min(limit, 1000))), c.args...)
	return all, db.explain(err, "read the audit")
}
