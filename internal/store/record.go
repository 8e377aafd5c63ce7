package store

import (
	"context"
	"database/sql"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/store/engine"
)

var recordInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "side", Type: engine.Text},
	{Name: "claim", Type: engine.UUID}, {Name: "stage", Type: engine.Text}, {Name: "ticket", Type: engine.Text},
	{Name: "ticket_url", Type: engine.Text}, {Name: "twins", Type: engine.Text}, {Name: "told", Type: engine.Text},
	{Name: "delivered", Type: engine.Int}, {Name: "notes_delivered", Type: engine.Int}, {Name: "attempts", Type: engine.Int},
	{Name: "failure", Type: engine.Text}, {Name: "parked", Type: engine.Text}, {Name: "skipped", Type: engine.Text},
	{Name: "heard", Type: engine.Text}, {Name: "hold_epoch", Type: engine.Int}, {Name: "hold_until", Type: engine.Int},
	{Name: "delay", Type: engine.Int},
}

// recordText does what alert.Link.Record does for outcomes whose claim stands
// and whose link has no evidence and was not put in doubt meanwhile; recordEach
// does the others. The claim is
// compared in a way that no index offers: links are to be found by their keys,
// as all of a batch carry one claim.
const recordText = `
UPDATE link SET stage = input.stage,
	ticket = CASE WHEN input.ticket = '' THEN link.ticket ELSE input.ticket END,
	ticket_url = input.ticket_url, twins = input.twins, told = input.told,
	delivered = input.delivered, notes_delivered = input.notes_delivered, attempts = input.attempts,
	failure = input.failure, parked = input.parked, skipped = input.skipped,
	heard = CASE WHEN input.heard = '' OR link.ticket = '' AND link.heard <> '' THEN link.heard ELSE input.heard END,
	claim_id = NULL, claim_epoch = 0, hold_epoch = input.hold_epoch, hold_until = input.hold_until,
	changed_at = (SELECT now FROM clock),
	delivered_at = CASE WHEN input.delivered > link.delivered THEN (SELECT now FROM clock) ELSE link.delivered_at END,
	not_before = CASE WHEN input.delivered >= link.wanted THEN 0 ELSE link.not_before END,
	due_at = CASE
		WHEN input.parked <> '' OR input.skipped <> '' THEN NULL
		WHEN input.stage = 'settled' AND input.delivered >= link.wanted AND input.notes_delivered >= link.notes_wanted THEN NULL
		WHEN input.delivered < link.wanted AND link.not_before > (SELECT now FROM clock) + input.delay THEN link.not_before
		ELSE (SELECT now FROM clock) + input.delay END
FROM input
WHERE link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = input.side
  AND link.claim_id IS NOT DISTINCT FROM input.claim AND link.evidence = '' AND link.hold_epoch <= link.claim_epoch`

// Record implements forward.Links.
func (db *DB) Record(ctx context.Context, term ha.Term, entries []forward.Entry) ([]alert.Recorded, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	var answers []alert.Recorded
	err := db.transact(ctx, func(tx *sql.Tx) (err error) {
		answers, err = db.recordAll(ctx, tx, term, entries)
		return err
	})
	if err == errSomeReplaced {
		err = db.transact(ctx, func(tx *sql.Tx) (err error) {
			answers, err = db.recordEach(ctx, tx, term, entries)
			return err
		})
	}
	return answers, db.explain(err, "record what was sent for connector "+term.Connector)
}

// errSomeReplaced rolls recordAll back: a claim of the batch was replaced, or
// its link has evidence or is in doubt.
var errSomeReplaced = &replaced{}

type replaced struct{}

func (*replaced) Error() string { return "a claim of the batch was replaced" }

// recordAll records a batch whose claims all stand, in one statement.
func (db *DB) recordAll(ctx context.Context, tx *sql.Tx, term ha.Term, entries []forward.Entry) ([]alert.Recorded, error) {
	rows := make([][]any, len(entries))
	answers := make([]alert.Recorded, len(entries))
	var events [][]any
	for i, e := range entries {
		row, err := recordRow(e.Outcome)
		if err != nil {
			return nil, err
		}
		rows[i], answers[i] = row, alert.Mine
		events = append(events, eventRows(term, e)...)
	}
	sortByLink(rows)
	n, err := db.batch(ctx, tx, db.statements.record, rows)
	if err != nil {
		return nil, err
	}
	if n != int64(len(entries)) {
		return nil, errSomeReplaced
	}
	_, err = db.batch(ctx, tx, db.statements.events, events)
	return answers, err
}

func recordRow(o alert.Outcome) ([]any, error) {
	twins, err := twinsText(o.Twins)
	return []any{
		o.LinkID.Alert, o.LinkID.Connector, string(o.LinkID.Side), o.Claim, string(o.Stage), o.Ticket,
		o.TicketURL, twins, o.Told, o.Delivered, o.NotesDelivered, int64(o.Attempts),
		o.Failure, o.Parked, o.Skipped, o.Heard, o.Hold.Epoch, microsUp(o.Hold.Until), microsUp(o.Delay),
	}, err
}

func eventRows(term ha.Term, e forward.Entry) [][]any {
	rows := make([][]any, len(e.Events))
	for i, v := range e.Events {
		rows[i] = []any{
			e.Outcome.LinkID.Alert, e.Outcome.LinkID.Connector, term.Server, term.Epoch,
			v.Kind, v.Text, v.Endpoint, v.Took.Microseconds(), v.Revision, v.Ticket,
		}
	}
	return rows
}

// recordEach records outcomes one by one on locked links, as alert.Link.Record
// says.
func (db *DB) recordEach(ctx context.Context, tx *sql.Tx, term ha.Term, entries []forward.Entry) ([]alert.Recorded, error) {
	ids := make([]alert.LinkID, len(entries))
	for i, e := range entries {
		ids[i] = e.Outcome.LinkID
	}
	held, err := db.lock(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	answers := make([]alert.Recorded, len(entries))
	var events [][]any
	for i, e := range entries {
		r := held.rows[e.Outcome.LinkID]
		if r == nil {
			answers[i] = alert.Dropped // the database lost the link with its last commits
			continue
		}
		answers[i] = held.record(r, e.Outcome)
		if answers[i] != alert.Dropped {
			events = append(events, eventRows(term, e)...)
		}
	}
	if err := db.store(ctx, tx, held); err != nil {
		return nil, err
	}
	_, err = db.batch(ctx, tx, db.statements.events, events)
	return answers, err
}

// record applies one outcome to a locked link.
func (h *heldLinks) record(r *linkRow, o alert.Outcome) alert.Recorded {
	before := r.Delivered
	next, answer := r.Link.Record(o)
	if answer == alert.Dropped {
		return answer
	}
	r.Link = next
	at := h.now
	if answer == alert.Mine {
		at += microsUp(o.Delay)
		r.dueAt = sql.NullInt64{}
	}
	if r.Delivered > before {
		r.deliveredAt = h.now
	}
	if r.Delivered >= r.Wanted {
		r.notBefore = 0
	}
	r.dueFrom(at)
	h.change(r)
	return answer
}
