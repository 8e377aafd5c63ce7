package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"tieline/internal/store/engine"
)

// behindText is the column behind: NULL for a closed alert that was evaluated
// with the newest documents, as no sweep need look at it again.
const behindText = `CASE WHEN input.status = 'closed' AND input.generation >= (SELECT generation FROM management_group)
	THEN NULL ELSE input.generation END`

var newAlertsInput = []engine.Column{
	{Name: "id", Type: engine.UUID}, {Name: "source", Type: engine.Text}, {Name: "source_key", Type: engine.Text},
	{Name: "latest_key", Type: engine.NullText}, {Name: "status", Type: engine.Text}, {Name: "revision", Type: engine.Int},
	{Name: "seen", Type: engine.Int}, {Name: "starts_at", Type: engine.Int}, {Name: "ends_at", Type: engine.Int},
	{Name: "body", Type: engine.Text}, {Name: "accepted_by", Type: engine.Text}, {Name: "previous", Type: engine.NullUUID},
	{Name: "generation", Type: engine.Int},
}

const newAlertsInto = `
INSERT INTO alert (id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
	accepted_at, changed_at, accepted_by, previous, generation, behind)`

const newAlertsText = `
SELECT id, source, source_key, latest_key, status, revision, seen, starts_at, ends_at, body,
	(SELECT now FROM clock), (SELECT now FROM clock), accepted_by, previous, generation, ` + behindText + `
FROM input WHERE ` + engine.InService

var grownAlertsInput = []engine.Column{
	{Name: "id", Type: engine.UUID}, {Name: "latest_key", Type: engine.NullText}, {Name: "status", Type: engine.Text},
	{Name: "revision", Type: engine.Int}, {Name: "seen", Type: engine.Int}, {Name: "starts_at", Type: engine.Int},
	{Name: "ends_at", Type: engine.Int}, {Name: "body", Type: engine.Text}, {Name: "generation", Type: engine.Int},
}

const grownAlertsText = `
UPDATE alert SET latest_key = input.latest_key, status = input.status, revision = input.revision, seen = input.seen,
	starts_at = input.starts_at, ends_at = input.ends_at, body = input.body, changed_at = (SELECT now FROM clock),
	generation = input.generation, behind = ` + behindText + `
FROM input WHERE alert.id = input.id AND ` + engine.InService

var seenAlertsInput = []engine.Column{
	{Name: "id", Type: engine.UUID}, {Name: "latest_key", Type: engine.NullText}, {Name: "seen", Type: engine.Int},
	{Name: "starts_at", Type: engine.Int},
}

const seenAlertsText = `
UPDATE alert SET latest_key = input.latest_key, seen = input.seen, starts_at = input.starts_at
FROM input WHERE alert.id = input.id AND ` + engine.InService

var wantLinksInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "wanted", Type: engine.Int},
	{Name: "delay", Type: engine.Int}, {Name: "skip", Type: engine.Text},
}

// wantLinksText makes links want a revision, as alert.NewLink and alert.Link.Want
// do, in the order of their keys. A link that was due keeps its place in the
// order and its back-off; a delay moves it back, and ends when a revision
// without one comes. A skip takes effect only on a Fresh link nobody claimed.
// excluded.changed_at is the statement's now.
const wantLinksInto = addLinksInto

const wantLinksText = `
SELECT alert_id, connector, 'remote', 'fresh', '', '', '', '', 0, 0,
	0, '', '', skip, wanted, 0, '', NULL, 0, 0, 0,
	'', CASE WHEN skip = '' THEN (SELECT now FROM clock) + delay END,
	CASE WHEN delay > 0 THEN (SELECT now FROM clock) + delay ELSE 0 END,
	(SELECT now FROM clock), (SELECT now FROM clock), 0
FROM input WHERE true
ON CONFLICT (alert_id, connector, side) DO UPDATE SET
	wanted = CASE WHEN excluded.wanted > link.wanted THEN excluded.wanted ELSE link.wanted END,
	skipped = CASE WHEN link.stage = 'fresh' AND link.claim_id IS NULL AND link.parked = '' AND link.skipped = ''
		THEN excluded.skipped ELSE link.skipped END,
	not_before = excluded.not_before,
	changed_at = excluded.changed_at,
	due_at = CASE
		WHEN link.claim_id IS NOT NULL OR link.parked <> '' OR link.skipped <> '' THEN NULL
		WHEN excluded.skipped <> '' AND link.stage = 'fresh' THEN NULL
		WHEN link.stage = 'settled' AND link.delivered >= excluded.wanted
			AND link.notes_delivered >= link.notes_wanted THEN NULL
		WHEN link.due_at IS NULL OR link.due_at = link.not_before THEN
			CASE WHEN excluded.not_before > 0 THEN excluded.not_before ELSE excluded.changed_at END
		WHEN link.due_at < excluded.not_before THEN excluded.not_before
		ELSE link.due_at END
WHERE link.wanted < excluded.wanted`

var tellLinksInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "revision", Type: engine.Int}, {Name: "status", Type: engine.Text},
}

// tellLinksText raises what every other link of the alerts to a remote wants,
// whether or not its subscription still matches: a ticket that was opened must
// hear of the close. So must the source that was told of the ticket (alert.Link.Revise).
const tellLinksText = `
UPDATE link SET wanted = CASE WHEN link.side = 'remote' THEN input.revision ELSE link.wanted + 1 END,
	changed_at = (SELECT now FROM clock), not_before = 0,
	due_at = CASE WHEN link.claim_id IS NOT NULL OR link.parked <> '' OR link.skipped <> '' THEN NULL
		WHEN link.side = 'remote' AND link.stage = 'settled' AND link.delivered >= input.revision
			AND link.notes_delivered >= link.notes_wanted THEN NULL
		WHEN link.due_at IS NULL OR link.due_at = link.not_before THEN (SELECT now FROM clock)
		ELSE link.due_at END
FROM input
WHERE link.alert_id = input.alert_id
  AND (link.side = 'remote' AND link.wanted < input.revision OR link.side = 'source' AND input.status = 'closed')`

var skipEventsInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "server", Type: engine.Text},
	{Name: "skip", Type: engine.Text}, {Name: "revision", Type: engine.Int},
}

// skipEventsText tells the timeline of the skips that took effect.
const skipEventsText = `
SELECT input.alert_id, input.connector, (SELECT now FROM clock), input.server, 0, 'skipped', input.skip, '', 0, input.revision, ''
FROM input
JOIN link ON link.alert_id = input.alert_id AND link.connector = input.connector AND link.side = 'remote'
WHERE link.skipped = input.skip AND NOT EXISTS (SELECT 1 FROM timeline AS t
	WHERE t.alert_id = input.alert_id AND t.connector = input.connector AND t.kind = 'skipped')`

// carryOut writes a plan, if the management group is in this database: each alert
// that an observation changes is written by a statement that compares it.
func (db *DB) carryOut(ctx context.Context, tx *sql.Tx, p *plan) error {
	w, err := p.rows()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		batch *engine.Batch
		rows  [][]any
		each  bool // affects each of its rows, in the group's own database
	}{
		// Alerts that stop being the latest come before those that take their place.
		{db.statements.grownAlerts, w.grown, true},
		{db.statements.seenAlerts, w.seen, true},
		{db.statements.newAlerts, w.fresh, true},
		{db.statements.wantLinks, w.wants, false},
		{db.statements.tellLinks, w.tells, false},
		{db.statements.skipEvents, w.skips, false},
		{db.statements.events, w.events, false},
	} {
		for rows := range slices.Chunk(step.rows, statementRows) {
			n, err := db.batch(ctx, tx, step.batch, rows)
			if err != nil {
				return err
			}
			if step.each && n < int64(len(rows)) {
				return db.notInService(ctx, tx)
			}
			if p.answered != nil {
				p.answered()
			}
		}
	}
	return nil
}

// statementRows bounds how many rows one statement of Accept is about.
const statementRows = 500

// writes are a plan's rows, by statement.
type writes struct{ grown, seen, fresh, wants, tells, skips, events [][]any }

func (p *plan) rows() (writes, error) {
	var w writes
	for _, t := range p.touched {
		if err := w.alert(t); err != nil {
			return w, err
		}
		w.routes(t, p.batch.Server)
		if t.stored && t.grew {
			w.tells = append(w.tells, []any{t.alert.ID, t.alert.Revision, string(t.alert.Status)})
		}
		for i, c := range t.changes {
			revision := t.alert.Revision - int64(len(t.changes)-1-i)
			w.events = append(w.events, eventRow(t.alert.ID, "", p.batch.Server, string(c), p.reason, revision))
		}
	}
	for _, t := range p.rerouted {
		w.routes(t, p.batch.Server)
	}
	// Links are locked in one order by everybody; alerts stay in that of (source, key).
	slices.SortFunc(w.wants, func(a, b []any) int {
		return cmp.Or(compareID(a[0], b[0]), cmp.Compare(a[1].(string), b[1].(string)))
	})
	slices.SortFunc(w.tells, func(a, b []any) int { return compareID(a[0], b[0]) })
	return w, nil
}

func (w *writes) routes(t *touched, server string) {
	for _, r := range t.routes {
		delay := int64(r.DelaySeconds * 1e6)
		w.wants = append(w.wants, []any{t.alert.ID, r.Connector, t.alert.Revision, delay, r.Skip})
		if r.Skip != "" {
			w.skips = append(w.skips, []any{t.alert.ID, r.Connector, server, r.Skip, t.alert.Revision})
		}
	}
}

func (w *writes) alert(t *touched) error {
	a := t.alert
	var latest any = a.Key
	if t.old {
		latest = nil
	}
	if t.stored && !t.grew {
		w.seen = append(w.seen, []any{a.ID, latest, a.Seen, micros(a.StartsAt)})
		return nil
	}
	content, err := body(a)
	if err != nil {
		return err
	}
	if t.stored {
		w.grown = append(w.grown, []any{a.ID, latest, string(a.Status), a.Revision, a.Seen, micros(a.StartsAt), micros(a.EndsAt), content, a.Generation})
		return nil
	}
	w.fresh = append(w.fresh, []any{
		a.ID, a.Source, a.Key, latest, string(a.Status), a.Revision, a.Seen, micros(a.StartsAt), micros(a.EndsAt),
		content, a.AcceptedBy, nullID(a.Previous), a.Generation,
	})
	return nil
}
