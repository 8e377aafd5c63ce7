package store

import (
	"context"
	"database/sql"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// writeFenced runs f in a write transaction that begins by comparing the lease
// with the term.
func (db *DB) writeFenced(ctx context.Context, t ha.Term, f func(*sql.Tx) error) error {
	return db.transact(ctx, func(tx *sql.Tx) error {
		ours, err := db.fenced(ctx, tx, t)
		if err != nil {
			return err
		}
		if !ours {
			return forward.ErrDeposed
		}
		return f(tx)
	})
}

// Adopt implements forward.Links.
func (db *DB) Adopt(ctx context.Context, claim alert.ClaimID, link, previous alert.LinkID, reason string) (bool, error) {
	adopted := false
	err := db.write(ctx, func(tx *sql.Tx) error {
		adopted = false
		held, err := db.lock(ctx, tx, []alert.LinkID{link, previous})
		if err != nil {
			return err
		}
		mine, prev := held.rows[link], held.rows[previous]
		if mine == nil || prev == nil || mine.Claim.ID != claim || mine.Stage != alert.Fresh || !prev.Yields() {
			return nil
		}
		mine.Ticket, mine.TicketURL, mine.Stage = prev.Ticket, prev.TicketURL, alert.Settled
		mine.Told, mine.Heard, mine.Delivered = prev.Told, prev.Heard, 0
		prev.Skipped = reason
		prev.dueFrom(held.now)
		held.change(mine)
		held.change(prev)
		if err := db.store(ctx, tx, held); err != nil {
			return err
		}
		events := [][]any{eventRow(previous.Alert, previous.Connector, "", "skipped", reason, 0)}
		if _, err := db.batch(ctx, tx, db.statements.events, events); err != nil {
			return err
		}
		adopted = true
		return nil
	})
	return adopted, db.explain(err, "adopt the ticket of alert "+previous.Alert.String())
}

const unparkText = `
UPDATE link SET parked = '', attempts = 0, not_before = 0, changed_at = (SELECT now FROM clock),
	due_at = CASE WHEN skipped <> '' OR claim_id IS NOT NULL THEN NULL
		WHEN stage = 'settled' AND delivered >= wanted AND notes_delivered >= notes_wanted THEN NULL
		ELSE (SELECT now FROM clock) END
WHERE connector = $1 AND parked <> '' AND substr(parked, 1, length($5)) = $5 AND ` + fence

// Unpark implements forward.Desk.
func (db *DB) Unpark(ctx context.Context, t ha.Term, prefix string) (int, error) {
	n, err := db.alone(ctx, db.statements.unpark, fenceArgs(t, prefix)...)
	if err != nil || n > 0 {
		return int(n), db.explain(err, "retry parked links of connector "+t.Connector)
	}
	return 0, db.deposed(ctx, db.engine.Read, t)
}
