package store

import (
	"context"
	"database/sql"
	"time"

	"tieline/internal/alert"
	"tieline/internal/store/engine"
)

// TimelineEvent is one line of an alert's timeline.
type TimelineEvent struct {
	At        time.Time // by the database's clock
	Connector string    // "" = concerns the alert itself
	Server    string    // who did it
	Epoch     int64     // of its term; 0 = it needs none
	Kind      string
	Text      string
	Endpoint  string
	Took      time.Duration
	Revision  int64
	Ticket    string
}

var eventsInput = []engine.Column{
	{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "server", Type: engine.Text},
	{Name: "epoch", Type: engine.Int}, {Name: "kind", Type: engine.Text}, {Name: "text", Type: engine.Text},
	{Name: "endpoint", Type: engine.Text}, {Name: "took", Type: engine.Int}, {Name: "revision", Type: engine.Int},
	{Name: "ticket", Type: engine.Text},
}

const eventsInto = `
INSERT INTO timeline (alert_id, connector, at, server, epoch, kind, text, endpoint, took, revision, ticket)`

const eventsText = `
SELECT alert_id, connector, (SELECT now FROM clock), server, epoch, kind, text, endpoint, took, revision, ticket
FROM input`

// eventRow is an event that no term stands behind.
func eventRow(id alert.ID, connector, server, kind, text string, revision int64) []any {
	return []any{id, connector, server, int64(0), kind, text, "", int64(0), revision, ""}
}

const timelineText = `
SELECT at, connector, server, epoch, kind, text, endpoint, took, revision, ticket
FROM timeline WHERE alert_id = $1 ORDER BY id`

// Timeline returns what happened to an alert, oldest first. An alert that is
// not known has none.
func (db *DB) Timeline(ctx context.Context, id alert.ID) ([]TimelineEvent, error) {
	var events []TimelineEvent
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var e TimelineEvent
		var at, took int64
		err := rows.Scan(&at, &e.Connector, &e.Server, &e.Epoch, &e.Kind, &e.Text, &e.Endpoint, &took, &e.Revision, &e.Ticket)
		e.At, e.Took = moment(at), time.Duration(took)*time.Microsecond
		events = append(events, e)
		return err
	}, timelineText, id)
	return events, db.explain(err, "read the timeline of alert "+id.String())
}

// Match is when a connector's subscription took an alert.
type Match struct {
	Connector string
	At        time.Time     // when the link was made, by the database's clock
	Version   int64         // of the document that was current then; 0 = not known
	Document  string        // its text
	Window    time.Duration // the connector's send window, as it is now
}

const matchesText = `
SELECT l.connector, l.created_at, coalesce(v.version, 0), coalesce(v.document, ''), coalesce(c.send_window, 0)
FROM link AS l
LEFT JOIN connector AS c ON c.name = l.connector
LEFT JOIN connector_version AS v ON v.connector = l.connector AND v.version = (
	SELECT max(w.version) FROM connector_version AS w WHERE w.connector = l.connector AND w.at <= l.created_at)
WHERE l.alert_id = $1 AND l.side = 'remote' ORDER BY l.connector`

// Matches returns which connectors took an alert and when, by name. It is read
// from the links: nothing is written about it.
func (db *DB) Matches(ctx context.Context, id alert.ID) ([]Match, error) {
	var all []Match
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var m Match
		var at, window int64
		err := rows.Scan(&m.Connector, &at, &m.Version, &m.Document, &window)
		m.At, m.Window = moment(at), time.Duration(window)*time.Microsecond
		all = append(all, m)
		return err
	}, matchesText, id)
	return all, db.explain(err, "read who took alert "+id.String())
}
