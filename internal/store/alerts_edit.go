package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/intake"
)

// AlertEdit is what a person makes of an alert's content (alert.Edits).
type AlertEdit struct {
	Alert    alert.ID
	Revision int64             // that the person saw; 0 = any
	Values   map[string]string // by field
	Who      string
	// Generation and Route are as in intake.Batch and intake.Observed: the edited
	// content may match other subscriptions.
	Generation int64
	Route      func(*alert.Alert) []intake.Routing
}

// EditAlert makes a new revision of an alert with fields as a person set them,
// which its links want like any other. Links that were parked because of the
// content, or because their attempts ran out, are due at once. Nothing changed
// is no new revision. It returns the alert as stored then and the connectors
// with work; fault.NotFound, fault.Invalid for a field the alert does not have,
// or fault.Conflict when the alert has another revision by now.
func (db *DB) EditAlert(ctx context.Context, e AlertEdit) (a alert.Alert, work []string, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		work = nil
		locked, err := db.lockAlerts(ctx, tx, [][]any{{e.Alert}})
		if err != nil {
			return err
		}
		if len(locked) == 0 {
			return noAlert(e.Alert.String())
		}
		t := locked[0]
		a = t.alert
		if e.Revision != 0 && a.Revision != e.Revision {
			return fault.New(fault.Conflict, fmt.Sprintf("alert %s has revision %d by now; you edited revision %d", e.Alert, a.Revision, e.Revision)).
				WithNext("Look at what it says now, and edit that.")
		}
		next, changes, err := a.Edit(e.Values)
		if err != nil {
			return fault.New(fault.Invalid, err.Error())
		}
		if len(changes) == 0 {
			return nil
		}
		a, t.alert = next, next
		work, err = db.storeEdit(ctx, tx, t, e, changes)
		return err
	})
	return a, work, db.explain(err, "edit alert "+e.Alert.String())
}

func (db *DB) storeEdit(ctx context.Context, tx *sql.Tx, t *touched, e AlertEdit, changes []string) ([]string, error) {
	latest := 0
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM alert WHERE id = $1 AND latest_key IS NOT NULL", e.Alert).Scan(&latest); err != nil {
		return nil, err
	}
	t.grew, t.old = true, latest == 0
	if t.alert.Status == alert.Open {
		t.alert.Generation = e.Generation
		t.routes = e.Route(&t.alert)
	}
	if err := db.carryOut(ctx, tx, &plan{touched: []*touched{t}}); err != nil {
		return nil, err
	}
	text := "by " + e.Who + ": " + strings.Join(changes, "; ")
	events := [][]any{eventRow(e.Alert, "", "", "edited", clipText(text), t.alert.Revision)}
	if _, err := db.batch(ctx, tx, db.statements.events, events); err != nil {
		return nil, err
	}
	return db.unparkEdited(ctx, tx, e.Alert)
}

// unparkEdited makes the links of an edited alert due that were parked for what
// the edit may have mended, and returns the connectors of all that are due.
func (db *DB) unparkEdited(ctx context.Context, tx *sql.Tx, id alert.ID) ([]string, error) {
	var ids []alert.LinkID
	err := each(ctx, tx, func(rows *sql.Rows) error {
		link := alert.LinkID{Alert: id}
		err := rows.Scan(&link.Connector, &link.Side)
		ids = append(ids, link)
		return err
	}, "SELECT connector, side FROM link WHERE alert_id = $1", id)
	if err != nil {
		return nil, err
	}
	held, err := db.lock(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var work []string
	for _, id := range ids {
		l := held.rows[id]
		if l == nil {
			continue
		}
		if l.Parked != "" && forward.CauseOf(l.Parked) != forward.CauseOther && l.retry(held.now) {
			held.change(l)
		}
		if l.dueAt.Valid && !slices.Contains(work, l.Connector) {
			work = append(work, l.Connector)
		}
	}
	return work, db.store(ctx, tx, held)
}

// mostText bounds a line of the timeline that people wrote, in bytes.
const mostText = 2000

func clipText(s string) string {
	if len(s) <= mostText {
		return s
	}
	return strings.ToValidUTF8(s[:mostText], "") + "…"
}
