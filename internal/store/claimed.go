package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
)

const claimedText = `
SELECT (SELECT now FROM clock), ` + linkColumns + `, ` + alertColumns + `
FROM link JOIN alert ON alert.id = link.alert_id
WHERE link.connector = $1 AND link.claim_id = $2
ORDER BY link.created_at, link.alert_id, link.side`

// Claimed implements forward.Links.
func (db *DB) Claimed(ctx context.Context, connector string, claim alert.ClaimID) ([]forward.Work, error) {
	var works []forward.Work
	var want extras
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var now int64
		var l linkRow
		var a alertRow
		err := rows.Scan(append(append([]any{&now}, l.into()...), a.into()...)...)
		if err != nil {
			return err
		}
		if err := l.finish(); err != nil {
			return err
		}
		w := forward.Work{Link: l.Link, Age: time.Duration(now-l.createdAt) * time.Microsecond, Changed: moment(l.changedAt)}
		if w.Alert, err = a.alert(); err != nil {
			return err
		}
		want.note(&w)
		works = append(works, w)
		return nil
	}, claimedText, connector, claim)
	if err == nil {
		err = db.readExtras(ctx, connector, claim, want, works)
	}
	if err != nil {
		return nil, db.explain(err, "read claimed links of connector "+connector)
	}
	return works, nil
}

// extras says what else must be read for some of the links; mostly it is nothing.
type extras struct{ notes, previous, peers bool }

func (e *extras) note(w *forward.Work) {
	e.notes = e.notes || w.Link.NotesDelivered < w.Link.NotesWanted
	e.previous = e.previous || wantsPrevious(w)
	e.peers = e.peers || w.Link.Side == alert.Source
}

func wantsPrevious(w *forward.Work) bool {
	return w.Link.Stage == alert.Fresh && w.Link.Side == alert.Remote && w.Alert.Previous != uuid.Nil
}

func (db *DB) readExtras(ctx context.Context, connector string, claim alert.ClaimID, want extras, works []forward.Work) error {
	at := make(map[alert.LinkID]*forward.Work, len(works))
	for i := range works {
		at[works[i].Link.LinkID] = &works[i]
	}
	for _, part := range []struct {
		wanted bool
		text   string
		scan   func(*sql.Rows) error
	}{
		{want.notes, notesText, func(rows *sql.Rows) error { return scanNote(rows, at) }},
		{want.previous, previousText, func(rows *sql.Rows) error { return scanPrevious(rows, at) }},
		{want.peers, peersText, func(rows *sql.Rows) error { return scanPeer(rows, at) }},
	} {
		if !part.wanted {
			continue
		}
		if err := each(ctx, db.engine.Read, part.scan, part.text, connector, claim); err != nil {
			return err
		}
	}
	return nil
}

const notesText = `
SELECT link.alert_id, link.connector, link.side, note.seq, note.text, note.at
FROM link JOIN note ON note.alert_id = link.alert_id AND note.connector = link.connector AND note.side = link.side
WHERE link.connector = $1 AND link.claim_id = $2 AND note.seq > link.notes_delivered
ORDER BY link.alert_id, link.side, note.seq`

func scanNote(rows *sql.Rows, at map[alert.LinkID]*forward.Work) error {
	var id alert.LinkID
	var n alert.Note
	var when int64
	if err := rows.Scan(&id.Alert, &id.Connector, &id.Side, &n.Seq, &n.Text, &when); err != nil {
		return err
	}
	n.At = moment(when)
	if w := at[id]; w != nil {
		w.Notes = append(w.Notes, n)
	}
	return nil
}

// previousText reads the links of the alerts that fired before. mine is the
// claimed link, link the earlier alert's.
const previousText = `
SELECT mine.alert_id, alert.changed_at, (SELECT now FROM clock) - alert.changed_at, ` + linkColumns + `
FROM link AS mine
JOIN alert AS fresh ON fresh.id = mine.alert_id
JOIN alert ON alert.id = fresh.previous
JOIN link ON link.alert_id = fresh.previous AND link.connector = mine.connector AND link.side = 'remote'
WHERE mine.connector = $1 AND mine.claim_id = $2 AND mine.side = 'remote' AND mine.stage = 'fresh'`

func scanPrevious(rows *sql.Rows, at map[alert.LinkID]*forward.Work) error {
	var mine uuid.UUID
	var closed, ago int64
	var l linkRow
	if err := rows.Scan(append([]any{&mine, &closed, &ago}, l.into()...)...); err != nil {
		return err
	}
	if err := l.finish(); err != nil {
		return err
	}
	w := at[alert.LinkID{Connector: l.Connector, Alert: mine, Side: alert.Remote}]
	if w != nil && wantsPrevious(w) {
		w.Previous = &forward.Previous{Link: l.Link, ClosedAt: moment(closed), Ago: time.Duration(ago) * time.Microsecond}
	}
	return nil
}

// peersText reads the Remote links beside claimed Source links.
const peersText = `
SELECT ` + linkColumns + `
FROM link AS mine
JOIN link ON link.alert_id = mine.alert_id AND link.connector = mine.connector AND link.side = 'remote'
WHERE mine.connector = $1 AND mine.claim_id = $2 AND mine.side = 'source'`

func scanPeer(rows *sql.Rows, at map[alert.LinkID]*forward.Work) error {
	l, err := scanLink(rows)
	if err != nil {
		return err
	}
	id := l.LinkID
	id.Side = alert.Source
	if w := at[id]; w != nil {
		w.Peer = &l.Link
	}
	return nil
}
