package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/store/engine"
)

// heldLinks are links locked in a transaction, to be changed by the pure
// functions of package alert and written back.
type heldLinks struct {
	now     int64 // the database's, when they were locked
	rows    map[alert.LinkID]*linkRow
	changed []*linkRow
	added   []*linkRow
}

func (h *heldLinks) change(r *linkRow) {
	if !slices.Contains(h.changed, r) && !slices.Contains(h.added, r) {
		h.changed = append(h.changed, r)
	}
}

func (h *heldLinks) add(l alert.Link) *linkRow {
	r := &linkRow{Link: l, createdAt: h.now}
	h.rows[l.LinkID] = r
	h.added = append(h.added, r)
	return r
}

var lockLinksInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "side", Type: engine.Text},
}

// lockLinksText locks links in the order of their keys, as everybody does.
const lockLinksText = `
SELECT (SELECT now FROM clock), ` + linkColumns

const lockLinksFrom = `
FROM input JOIN link ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side
ORDER BY link.alert_id, link.connector, link.side`

// lock reads links and keeps others from changing them until the transaction
// ends. Links that do not exist are absent.
func (db *DB) lock(ctx context.Context, tx *sql.Tx, ids []alert.LinkID) (*heldLinks, error) {
	h := &heldLinks{rows: make(map[alert.LinkID]*linkRow, len(ids))}
	if err := tx.QueryRowContext(ctx, "SELECT now FROM clock").Scan(&h.now); err != nil {
		return nil, err
	}
	input := make([][]any, 0, len(ids))
	for _, id := range ids {
		if _, twice := h.rows[id]; !twice {
			h.rows[id] = nil
			input = append(input, []any{id.Alert, id.Connector, string(id.Side)})
		}
	}
	sortByLink(input)
	err := db.batchEach(ctx, tx, db.statements.lockLinks, input, func(rows *sql.Rows) error {
		var r linkRow
		if err := rows.Scan(append([]any{&h.now}, r.into()...)...); err != nil {
			return err
		}
		h.rows[r.LinkID] = &r
		return r.finish()
	})
	return h, err
}

// sortByLink puts rows that begin with a link's key in the order of locks.
func sortByLink(rows [][]any) {
	slices.SortFunc(rows, func(a, b []any) int {
		return cmp.Or(compareID(a[0], b[0]), cmp.Compare(a[1].(string), b[1].(string)), cmp.Compare(a[2].(string), b[2].(string)))
	})
}

func compareID(a, b any) int {
	x, y := a.(uuid.UUID), b.(uuid.UUID)
	return bytes.Compare(x[:], y[:])
}

var writeLinksInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "side", Type: engine.Text},
	{Name: "stage", Type: engine.Text}, {Name: "ticket", Type: engine.Text}, {Name: "ticket_url", Type: engine.Text},
	{Name: "twins", Type: engine.Text}, {Name: "told", Type: engine.Text}, {Name: "delivered", Type: engine.Int},
	{Name: "notes_delivered", Type: engine.Int}, {Name: "attempts", Type: engine.Int}, {Name: "failure", Type: engine.Text},
	{Name: "parked", Type: engine.Text}, {Name: "skipped", Type: engine.Text}, {Name: "wanted", Type: engine.Int},
	{Name: "notes_wanted", Type: engine.Int}, {Name: "heard", Type: engine.Text}, {Name: "claim_id", Type: engine.NullUUID},
	{Name: "claim_epoch", Type: engine.Int}, {Name: "hold_epoch", Type: engine.Int}, {Name: "hold_until", Type: engine.Int},
	{Name: "evidence", Type: engine.Text}, {Name: "due_at", Type: engine.NullInt}, {Name: "not_before", Type: engine.Int},
	{Name: "changed_at", Type: engine.Int}, {Name: "delivered_at", Type: engine.Int},
}

const writeLinksText = `
UPDATE link SET stage = input.stage, ticket = input.ticket, ticket_url = input.ticket_url, twins = input.twins,
	told = input.told, delivered = input.delivered, notes_delivered = input.notes_delivered, attempts = input.attempts,
	failure = input.failure, parked = input.parked, skipped = input.skipped, wanted = input.wanted,
	notes_wanted = input.notes_wanted, heard = input.heard, claim_id = input.claim_id, claim_epoch = input.claim_epoch,
	hold_epoch = input.hold_epoch, hold_until = input.hold_until, evidence = input.evidence, due_at = input.due_at,
	not_before = input.not_before, changed_at = input.changed_at, delivered_at = input.delivered_at
FROM input
WHERE link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side`

// addLinksInput has the same columns; a new link is created when it is changed.
var addLinksInput = writeLinksInput

const addLinksInto = `
INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until,
	evidence, due_at, not_before, created_at, changed_at, delivered_at)`

const addLinksText = `
SELECT alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
	attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until,
	evidence, due_at, not_before, changed_at, changed_at, delivered_at
FROM input`

// store writes changed and added links back. Adding one that another
// transaction added meanwhile is a Duplicate, which repeats the transaction.
func (db *DB) store(ctx context.Context, tx *sql.Tx, h *heldLinks) error {
	changed, err := h.input(h.changed)
	if err != nil {
		return err
	}
	if _, err := db.batch(ctx, tx, db.statements.writeLinks, changed); err != nil {
		return err
	}
	added, err := h.input(h.added)
	if err != nil {
		return err
	}
	_, err = db.batch(ctx, tx, db.statements.addLinks, added)
	return err
}

func (h *heldLinks) input(links []*linkRow) ([][]any, error) {
	rows := make([][]any, len(links))
	for i, r := range links {
		twins, err := twinsText(r.Twins)
		if err != nil {
			return nil, err
		}
		var due any
		if r.dueAt.Valid {
			due = r.dueAt.Int64
		}
		rows[i] = []any{
			r.LinkID.Alert, r.LinkID.Connector, string(r.Side), string(r.Stage), r.Ticket, r.TicketURL,
			twins, r.Told, r.Delivered, r.NotesDelivered, int64(r.Attempts), r.Failure,
			r.Parked, r.Skipped, r.Wanted, r.NotesWanted, r.Heard, nullID(r.Claim.ID),
			r.Claim.Epoch, r.Hold.Epoch, microsUp(r.Hold.Until), r.Evidence, due, r.notBefore,
			h.now, r.deliveredAt,
		}
	}
	sortByLink(rows)
	return rows, nil
}
