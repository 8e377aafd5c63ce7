package store

import (
	"context"
	"database/sql"
	"time"

	"tieline/internal/store/engine"
)

// HistoryQuery says which part of a history a person wants to see, the newest
// first; zero fields ask nothing.
type HistoryQuery struct {
	Connector string
	Since     time.Time // from then on
	Before    time.Time // earlier than that
	Limit     int       // 1 to 1000; 0 = 100
	Texts     bool      // documents with their text
	Signs     bool      // events with those that tell until when a former Active lived
}

// bounds are the query's times and limit as statements take them.
func (q HistoryQuery) bounds() (since, before int64, limit int) {
	since, before = 0, int64(1)<<62
	if !q.Since.IsZero() {
		since = q.Since.UnixMicro()
	}
	if !q.Before.IsZero() {
		before = q.Before.UnixMicro()
	}
	if limit = q.Limit; limit == 0 {
		limit = 100
	}
	return since, before, min(max(limit, 1), 1000)
}

// Reasons of events that only tell until when a former Active lived: the Active
// under the event's epoch.
const (
	LastHeard  = engine.LastHeard  // it sent its last heartbeat then
	SeenEnding = engine.SeenEnding // its process was seen to end then
)

const noSigns = " AND reason NOT IN ('" + LastHeard + "', '" + SeenEnding + "')"

// AvailabilityEvents returns changes of who is Active and of who may be, newest first.
func (db *DB) AvailabilityEvents(ctx context.Context, q HistoryQuery) ([]AvailabilityEvent, error) {
	since, before, limit := q.bounds()
	which := ""
	if !q.Signs {
		which = noSigns
	}
	var events []AvailabilityEvent
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var e AvailabilityEvent
		var at int64
		err := rows.Scan(&e.ID, &e.Connector, &e.Epoch, &at, &e.From, &e.To, &e.Reason, &e.Who)
		e.At = moment(at)
		events = append(events, e)
		return err
	}, `SELECT id, connector, epoch, at, from_server, to_server, reason, who FROM availability_event
		WHERE (connector = $1 OR $1 = '') AND at >= $2 AND at < $3`+which+db.first("id DESC", "$4"), q.Connector, since, before, limit)
	return events, db.explain(err, "read the availability history")
}

// DocumentLog returns versions of documents, newest first. Without Texts it
// reads none of them: documents may be long, and many.
func (db *DB) DocumentLog(ctx context.Context, q HistoryQuery) ([]StoredDocument, error) {
	since, before, limit := q.bounds()
	text := "''"
	if q.Texts {
		text = "document"
	}
	var docs []StoredDocument
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		d, err := scanDocument(rows)
		docs = append(docs, d)
		return err
	}, `SELECT connector, version, `+text+`, who, comment, at FROM connector_version
		WHERE (connector = $1 OR $1 = '') AND at >= $2 AND at < $3`+db.first("at DESC, connector, version DESC", "$4"),
		q.Connector, since, before, limit)
	return docs, db.explain(err, "read the history of the documents")
}
