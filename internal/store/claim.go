package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// fence is the condition that the lease names the term: parameters $1 to $4 are
// fenceArgs. The lease row is read in the statement's own snapshot and not locked.
const fence = `EXISTS (SELECT 1 FROM lease WHERE connector = $1 AND epoch = $2 AND boot = $3
	AND identity = $4 AND identity = (SELECT identity FROM history))`

func fenceArgs(t ha.Term, more ...any) []any {
	return append([]any{t.Connector, t.Epoch, t.Boot, t.Identity}, more...)
}

const fencedText = "SELECT " + fence

// fenced reports whether the lease still names the term.
func (db *DB) fenced(ctx context.Context, q querier, t ha.Term) (bool, error) {
	var ours bool
	err := q.QueryRowContext(ctx, db.statements.fenced, fenceArgs(t)...).Scan(&ours)
	return ours, err
}

// Claim implements forward.Links. On PostgreSQL the statement is a transaction
// of its own: nothing is locked while this process is waited for.
func (db *DB) Claim(ctx context.Context, r forward.ClaimRequest) (int, error) {
	swept := 0
	if r.View.Swept {
		swept = 1
	}
	floor, err := db.floor(ctx, r.Term.Connector)
	if err != nil {
		return 0, db.explain(err, "claim links of connector "+r.Term.Connector)
	}
	if !r.After.IsZero() {
		floor = max(floor, r.After.UnixMicro()+1)
	}
	args := fenceArgs(r.Term, r.Claim, r.Limit, swept, r.View.Age.Microseconds(), floor)
	n, err := db.alone(ctx, db.engine.Statements.Claim, args...)
	if err != nil || n > 0 {
		return int(n), db.explain(err, "claim links of connector "+r.Term.Connector)
	}
	return 0, db.deposed(ctx, db.engine.Read, r.Term)
}

// deposed is asked when a fenced statement changed nothing: because nothing was
// to be changed, or because the term is over.
func (db *DB) deposed(ctx context.Context, q querier, t ha.Term) error {
	ours, err := db.fenced(ctx, q, t)
	switch {
	case err != nil:
		return db.explain(err, "read the lease of connector "+t.Connector)
	case !ours:
		return forward.ErrDeposed
	}
	return nil
}

// alone executes one statement as a transaction of its own. A lost answer of it
// is never repeated here: its outcome is unknown.
func (db *DB) alone(ctx context.Context, text string, args ...any) (int64, error) {
	done, err := db.engine.Gate(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	r, err := db.engine.Write.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// expireText does what alert.Link.Expire does. Parameters: the fence's, the
// stuck claims' ids in one text, hold epoch, hold until, and how long the hold
// lasts from now.
const expireText = `
UPDATE link SET claim_id = NULL, claim_epoch = 0,
	stage = CASE stage WHEN 'fresh' THEN 'uncertain' WHEN 'looked' THEN 'uncertain' WHEN 'settled' THEN 'verify' ELSE stage END,
	hold_epoch = CASE WHEN stage = 'settled' THEN $6 ELSE hold_epoch END,
	hold_until = CASE WHEN stage = 'settled' THEN $7 ELSE hold_until END,
	ticket = CASE WHEN ticket = '' AND evidence <> '?' THEN evidence ELSE ticket END,
	evidence = '',
	changed_at = (SELECT now FROM clock),
	due_at = CASE WHEN parked <> '' OR skipped <> '' THEN NULL
		WHEN stage = 'settled' THEN (SELECT now FROM clock) + $8
		ELSE (SELECT now FROM clock) END
WHERE connector = $1 AND claim_id IS NOT NULL
  AND (claim_epoch < $2 OR $5 LIKE '%' || CAST(claim_id AS text) || '%')
  AND ` + fence

// Expire implements forward.Links.
func (db *DB) Expire(ctx context.Context, t ha.Term, stuck []alert.ClaimID, hold alert.Hold) (int, error) {
	ids := make([]string, len(stuck))
	for i, id := range stuck {
		ids[i] = id.String()
	}
	rest := max(hold.Until-t.Age(), 0)
	n, err := db.alone(ctx, db.statements.expire, fenceArgs(t, strings.Join(ids, " "), hold.Epoch, microsUp(hold.Until), microsUp(rest))...)
	if err != nil || n > 0 {
		return int(n), db.explain(err, "expire claims of connector "+t.Connector)
	}
	return 0, db.deposed(ctx, db.engine.Read, t)
}

// OpenClaims implements forward.Links.
func (db *DB) OpenClaims(ctx context.Context, connector string) ([]alert.ClaimID, error) {
	var ids []alert.ClaimID
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT DISTINCT claim_id FROM link WHERE connector = $1 AND claim_id IS NOT NULL", connector)
	return ids, db.explain(err, "read the claims of connector "+connector)
}

// NextDue implements forward.Links.
func (db *DB) NextDue(ctx context.Context, connector string) (time.Duration, bool, error) {
	floor, err := db.floor(ctx, connector)
	if err != nil {
		return 0, false, db.explain(err, "read the backlog of connector "+connector)
	}
	var wait sql.NullInt64
	err = db.engine.Read.QueryRowContext(ctx, `
SELECT (SELECT due_at FROM link WHERE connector = $1 AND due_at >= $2`+db.first("due_at", "1")+`) - (SELECT now FROM clock)`,
		connector, floor).Scan(&wait)
	if err != nil {
		return 0, false, db.explain(err, "read the backlog of connector "+connector)
	}
	return max(time.Duration(wait.Int64)*time.Microsecond, 0), wait.Valid, nil
}
