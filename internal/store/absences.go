package store

import (
	"context"
	"database/sql"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/store/engine"
)

// OpenAlerts implements forward.Absences.
func (db *DB) OpenAlerts(ctx context.Context, source string) ([]forward.OpenAlert, error) {
	var open []forward.OpenAlert
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var a forward.OpenAlert
		err := rows.Scan(&a.ID, &a.Key, &a.Seen)
		open = append(open, a)
		return err
	}, "SELECT id, source_key, seen FROM alert WHERE source = $1 AND status = 'open' ORDER BY source_key", source)
	return open, db.explain(err, "list the open alerts of source "+source)
}

var lockAlertsInput = []engine.Column{{Name: "id", Type: engine.UUID}}

// lockAlertsText locks alerts in the order in which Accept does.
const lockAlertsText = `
SELECT ` + alertColumns

const lockAlertsFrom = `
FROM input JOIN alert ON alert.id = input.id ORDER BY alert.source, alert.latest_key`

func (db *DB) lockAlerts(ctx context.Context, tx *sql.Tx, ids [][]any) ([]*touched, error) {
	var locked []*touched
	err := db.batchEach(ctx, tx, db.statements.lockAlerts, ids, func(rows *sql.Rows) error {
		a, err := scanAlert(rows)
		locked = append(locked, &touched{alert: a, stored: true})
		return err
	})
	return locked, err
}

// CloseAbsent implements forward.Absences. An absence is a closing of which no
// more is known; it leaves the generation alone, as no subscription was
// evaluated.
func (db *DB) CloseAbsent(ctx context.Context, t ha.Term, source string, gone []forward.OpenAlert, reason string) (int, error) {
	seen := make(map[alert.ID]int64, len(gone))
	ids := make([][]any, 0, len(gone))
	for _, g := range gone {
		seen[g.ID] = g.Seen
		ids = append(ids, []any{g.ID})
	}
	closed := 0
	err := db.writeFenced(ctx, t, func(tx *sql.Tx) error {
		closed = 0
		locked, err := db.lockAlerts(ctx, tx, ids)
		if err != nil {
			return err
		}
		p := &plan{batch: intake.Batch{Server: t.Server}, reason: reason}
		for _, a := range locked {
			if a.alert.Source != source || a.alert.Status != alert.Open || a.alert.Seen != seen[a.alert.ID] {
				continue
			}
			o := alert.Observation{Source: source, Key: a.alert.Key, Status: alert.Closed}
			a.alert, _ = alert.Apply(&a.alert, o)
			a.grew, a.changes = true, []alert.Change{alert.Ended}
			p.list(a)
			closed++
		}
		return db.carryOut(ctx, tx, p)
	})
	return closed, db.explain(err, "close alerts that vanished from source "+source)
}
