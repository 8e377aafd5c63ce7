package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/ha"
	"tieline/internal/retention"
)

// Backlogged implements retention.Store.
func (db *DB) Backlogged(ctx context.Context, connector string, limit int) (bool, error) {
	var n int
	err := db.engine.Read.QueryRowContext(ctx, `SELECT count(*) FROM
	(SELECT due_at FROM link WHERE connector = $1 AND due_at IS NOT NULL`+db.first("", "$2")+`) AS waiting`, connector, limit+1).Scan(&n)
	return n > limit, db.explain(err, "count the backlog of connector "+connector)
}

// oldText looks at so many alerts, whatever becomes of them: a statement's cost
// does not depend on how many of them are kept.
const oldText = `
SELECT id, accepted_at, changed_at, seen, CASE WHEN latest_key IS NULL THEN 0 ELSE 1 END,
	CASE WHEN status = 'closed' AND behind IS NULL THEN 1 ELSE 0 END, (SELECT now FROM clock)
FROM alert
WHERE accepted_at < (SELECT now FROM clock) - $1 AND accepted_at >= $2 AND (accepted_at > $2 OR id > $3)`

// OldAlerts implements retention.Store.
func (db *DB) OldAlerts(ctx context.Context, connector string, keep time.Duration, after retention.Place, limit int) (
	old []retention.Old, next retention.Place, done bool, err error,
) {
	looked, next := 0, after
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var changed, now int64
		var latest, over int
		o := retention.Old{Unrepeated: -1}
		if err := rows.Scan(&o.ID, &next.AcceptedAt, &changed, &o.Seen, &latest, &over, &now); err != nil {
			return err
		}
		looked++
		next.ID, o.Latest, o.ClosedFor = o.ID, latest == 1, fromMicros(now-changed)
		if over == 1 && o.ClosedFor > keep {
			old = append(old, o)
		}
		return nil
	}, oldText+db.first("accepted_at, id", "$4"), keep.Microseconds(), after.AcceptedAt, after.ID, limit)
	if err == nil && len(old) > 0 {
		err = db.readOld(ctx, connector, keep, old)
	}
	return old, next, looked < limit, db.explain(err, "list the old alerts")
}

// readOld fills in the links and what is noted on the timelines.
func (db *DB) readOld(ctx context.Context, connector string, keep time.Duration, old []retention.Old) error {
	at := make(map[alert.ID]*retention.Old, len(old))
	ids := make([]alert.ID, len(old))
	for i := range old {
		at[old[i].ID], ids[i] = &old[i], old[i].ID
	}
	in, args := idList(1, ids)
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var now int64
		l, err := scanLink(rows, &now)
		if err != nil {
			return err
		}
		o := at[l.LinkID.Alert]
		if l.LinkID.Connector != connector {
			o.Others = true
			return nil
		}
		o.Links = append(o.Links, l.Link)
		o.Recent = o.Recent || fromMicros(now-l.changedAt) <= keep
		return nil
	}, "SELECT "+linkColumns+", (SELECT now FROM clock) FROM link WHERE alert_id IN ("+in+")", args...)
	if err != nil {
		return err
	}
	return each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id alert.ID
		var seen, ago int64
		if err := rows.Scan(&id, &seen, &ago); err != nil {
			return err
		}
		if o := at[id]; o.Seen == seen {
			o.Unrepeated = max(o.Unrepeated, fromMicros(ago))
		}
		return nil
	}, "SELECT alert_id, revision, (SELECT now FROM clock) - at FROM timeline WHERE kind = '"+quietKind+"' AND alert_id IN ("+in+")", args...)
}

// quietKind is the timeline's word for how often an old alert was seen: the
// event's revision tells it.
const quietKind = "quiet"

// idList is the text of a list of parameters from number first on, and its values.
func idList[T any](first int, values []T) (in string, args []any) {
	var b strings.Builder
	args = make([]any, len(values))
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(first+i))
		args[i] = v
	}
	return b.String(), args
}

// awaitedText reads the earlier alerts of fresh links, which three small indexes
// hold between them.
const awaitedText = `
SELECT alert.previous FROM (
	SELECT alert_id, side, stage FROM link WHERE connector = $1 AND due_at IS NOT NULL
	UNION ALL
	SELECT alert_id, side, stage FROM link WHERE connector = $1 AND claim_id IS NOT NULL
	UNION ALL
	SELECT alert_id, side, stage FROM link WHERE connector = $1 AND parked <> ''
) AS unsettled JOIN alert ON alert.id = unsettled.alert_id
WHERE unsettled.side = 'remote' AND unsettled.stage = 'fresh' AND alert.previous IS NOT NULL`

// Awaited implements retention.Store.
func (db *DB) Awaited(ctx context.Context, connector string) (map[alert.ID]bool, error) {
	awaited := map[alert.ID]bool{}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id uuid.UUID
		err := rows.Scan(&id)
		awaited[id] = true
		return err
	}, awaitedText, connector)
	return awaited, db.explain(err, "list what the fresh links of connector "+connector+" may go on with")
}

// unchanged locks those of the alerts that are as they were read, in the order
// in which Accept locks its own: an alert of the same source and key that fires
// meanwhile waits until the transaction has ended.
func (db *DB) unchanged(ctx context.Context, tx *sql.Tx, old []retention.Old) ([]alert.ID, error) {
	read := make(map[alert.ID]retention.Old, len(old))
	ids := make([]alert.ID, len(old))
	for i, o := range old {
		read[o.ID], ids[i] = o, o.ID
	}
	in, args := idList(1, ids)
	var same []alert.ID
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var id alert.ID
		var seen int64
		var latest int
		if err := rows.Scan(&id, &seen, &latest); err != nil {
			return err
		}
		if o := read[id]; o.Seen == seen && o.Latest == (latest == 1) {
			same = append(same, id)
		}
		return nil
	}, db.statements.unchanged+"("+in+")"+db.statements.unchangedOrder, args...)
	return same, err
}

// unchangedText is followed by a list of ids, and that by unchangedOrder.
const (
	unchangedText = `SELECT id, seen, CASE WHEN latest_key IS NULL THEN 0 ELSE 1 END FROM alert
WHERE status = 'closed' AND behind IS NULL AND id IN `
	unchangedOrder = "\nORDER BY source, latest_key, id"
)

// NoteQuiet implements retention.Store.
func (db *DB) NoteQuiet(ctx context.Context, t ha.Term, old []retention.Old) error {
	err := db.writeFenced(ctx, t, func(tx *sql.Tx) error {
		ids, err := db.unchanged(ctx, tx, old)
		if err != nil || len(ids) == 0 {
			return err
		}
		in, args := idList(1, ids)
		if _, err := tx.ExecContext(ctx, "DELETE FROM timeline WHERE kind = '"+quietKind+"' AND alert_id IN ("+in+")", args...); err != nil {
			return err
		}
		seen := make(map[alert.ID]int64, len(old))
		for _, o := range old {
			seen[o.ID] = o.Seen
		}
		events := make([][]any, len(ids))
		for i, id := range ids {
			events[i] = eventRow(id, "", t.Server, quietKind,
				"closed for long; removed if its source does not repeat it for "+retention.Quiet.String(), seen[id])
		}
		_, err = db.batch(ctx, tx, db.statements.events, events)
		return err
	})
	return db.explain(err, "note how often old alerts were seen")
}
