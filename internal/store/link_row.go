package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
)

// linkColumns are what linkRow scans, of a table or alias "link".
const linkColumns = `link.alert_id, link.connector, link.side, link.stage, link.ticket, link.ticket_url, link.twins,
	link.told, link.delivered, link.notes_delivered, link.attempts, link.failure, link.parked, link.skipped,
	link.wanted, link.notes_wanted, link.heard, link.claim_id, link.claim_epoch, link.hold_epoch, link.hold_until,
	link.evidence, link.due_at, link.not_before, link.created_at, link.changed_at, link.delivered_at`

// linkRow is a link with what only the store keeps of it. Times are the
// database's microseconds.
type linkRow struct {
	alert.Link
	dueAt       sql.NullInt64 // set exactly while the link is due and unclaimed
	notBefore   int64         // a held-back close; 0 = none
	createdAt   int64
	changedAt   int64
	deliveredAt int64

	twins   string
	claimID uuid.NullUUID
	until   int64
}

func (r *linkRow) into() []any {
	return []any{
		&r.LinkID.Alert, &r.LinkID.Connector, &r.LinkID.Side, &r.Stage, &r.Ticket, &r.TicketURL, &r.twins,
		&r.Told, &r.Delivered, &r.NotesDelivered, &r.Attempts, &r.Failure, &r.Parked, &r.Skipped,
		&r.Wanted, &r.NotesWanted, &r.Heard, &r.claimID, &r.Claim.Epoch, &r.Hold.Epoch, &r.until,
		&r.Evidence, &r.dueAt, &r.notBefore, &r.createdAt, &r.changedAt, &r.deliveredAt,
	}
}

// finish makes the link of what was scanned.
func (r *linkRow) finish() error {
	r.Claim.ID = r.claimID.UUID
	r.Hold.Until = time.Duration(r.until) * time.Microsecond
	if r.twins == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(r.twins), &r.Twins); err != nil {
		return fmt.Errorf("read the twins of link %v: %w", r.LinkID, err)
	}
	return nil
}

// scanLink reads linkColumns, then whatever more is given.
func scanLink(rows *sql.Rows, more ...any) (*linkRow, error) {
	var r linkRow
	if err := rows.Scan(append(r.into(), more...)...); err != nil {
		return nil, err
	}
	return &r, r.finish()
}

// dueFrom sets dueAt as the link's state asks: not due, or claimed, is NULL; a
// link that was due keeps its place; any other is due at the given time, but no
// sooner than its held-back close.
func (r *linkRow) dueFrom(at int64) {
	switch {
	case !r.Due() || r.Claim.ID != uuid.Nil:
		r.dueAt = sql.NullInt64{}
	case !r.dueAt.Valid:
		r.dueAt = sql.NullInt64{Int64: max(at, r.notBefore), Valid: true}
	}
}

// twinsText is the column's value: a JSON list, ” for none.
func twinsText(twins []string) (string, error) {
	if len(twins) == 0 {
		return "", nil
	}
	b, err := json.Marshal(twins)
	return string(b), err
}

// microsUp rounds a hold up: it never ends early.
func microsUp(d time.Duration) int64 {
	return int64((d + time.Microsecond - 1) / time.Microsecond)
}
