package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// Now implements forward.Books.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	var now int64
	err := db.engine.Read.QueryRowContext(ctx, "SELECT now FROM clock").Scan(&now)
	return moment(now), db.explain(err, "read the database's clock")
}

const standingText = `
SELECT link.alert_id, alert.status, link.ticket, link.heard,
	CASE WHEN link.delivered < link.wanted OR link.notes_delivered < link.notes_wanted THEN 1 ELSE 0 END
FROM link JOIN alert ON alert.id = link.alert_id
WHERE link.connector = $1 AND link.side = 'remote' AND link.alert_id > $2
  AND link.stage = 'settled' AND link.claim_id IS NULL AND link.parked = '' AND link.skipped = ''`

// Standing implements forward.Books.
func (db *DB) Standing(ctx context.Context, connector string, after alert.ID, limit int) ([]forward.Standing, error) {
	var page []forward.Standing
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var s forward.Standing
		var due int
		err := rows.Scan(&s.Alert, &s.Status, &s.Ticket, &s.Heard, &due)
		s.Due = due == 1
		page = append(page, s)
		return err
	}, standingText+db.first("link.alert_id", "$3"), connector, after, limit)
	return page, db.explain(err, "list the links of connector "+connector)
}

// linkedRows bounds how many alerts one statement of Linked is about.
const linkedRows = 500

// Linked implements forward.Books.
func (db *DB) Linked(ctx context.Context, connector string, alerts []alert.ID) (map[alert.ID]bool, error) {
	linked := make(map[alert.ID]bool, len(alerts))
	for some := range slices.Chunk(alerts, linkedRows) {
		in, args := idList(2, some)
		err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
			var id alert.ID
			err := rows.Scan(&id)
			linked[id] = true
			return err
		}, "SELECT alert_id FROM link WHERE connector = $1 AND side = 'remote' AND alert_id IN ("+in+")", append([]any{connector}, args...)...)
		if err != nil {
			return nil, db.explain(err, "look for the alerts of connector "+connector+"'s tickets")
		}
	}
	return linked, nil
}

// Doubtful implements forward.Books.
func (db *DB) Doubtful(ctx context.Context, t ha.Term, alerts []alert.ID, since time.Time) (int, error) {
	ids := make([]alert.LinkID, len(alerts))
	for i, id := range alerts {
		ids[i] = alert.LinkID{Connector: t.Connector, Alert: id, Side: alert.Remote}
	}
	n := 0
	err := db.writeFenced(ctx, t, func(tx *sql.Tx) error {
		n = 0
		held, err := db.lock(ctx, tx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r := held.rows[id]
			if r == nil || r.changedAt >= micros(since) {
				continue
			}
			link, marked := r.Link.Suspect()
			if !marked {
				continue
			}
			r.Link = link
			r.dueFrom(held.now)
			held.change(r)
			n++
		}
		return db.store(ctx, tx, held)
	})
	return n, db.explain(err, "mark links of connector "+t.Connector+" for verification")
}
