package store

import (
	"context"
	"database/sql"

	"tieline/internal/store/engine"
)

// texts are the statements over sets of rows, made once for the engine. Each
// stands beside its use.
type texts struct {
	latest, newAlerts, grownAlerts, seenAlerts *engine.Batch
	wantLinks, tellLinks                       *engine.Batch
	events, skipEvents                         *engine.Batch
	lockLinks, writeLinks, addLinks, record    *engine.Batch
	lockAlerts, evaluated                      *engine.Batch
	addNews, byTicket                          *engine.Batch
}

func newTexts(e *engine.Engine) texts {
	text := func(columns []engine.Column, rest string) *engine.Batch {
		return &engine.Batch{Columns: columns, Text: e.Rows(columns, rest)}
	}
	lock := "\n" + e.Statements.ForUpdate
	return texts{
		latest:      text(latestInput, latestText+lock),
		newAlerts:   text(newAlertsInput, newAlertsText),
		grownAlerts: text(grownAlertsInput, grownAlertsText),
		seenAlerts:  text(seenAlertsInput, seenAlertsText),
		wantLinks:   text(wantLinksInput, wantLinksText),
		tellLinks:   text(tellLinksInput, tellLinksText),
		events:      text(eventsInput, eventsText),
		skipEvents:  text(skipEventsInput, skipEventsText),
		lockLinks:   text(lockLinksInput, lockLinksText+lock),
		writeLinks:  text(writeLinksInput, writeLinksText),
		addLinks:    text(addLinksInput, addLinksText),
		record:      text(recordInput, recordText),
		lockAlerts:  text(lockAlertsInput, lockAlertsText+lock),
		evaluated:   text(evaluatedInput, evaluatedText),
		addNews:     text(addNewsInput, addNewsText),
		byTicket:    text(byTicketInput, byTicketText),
	}
}

// batch executes a statement over rows; none are no statement.
func (db *DB) batch(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	return db.engine.Run(ctx, tx, b, rows)
}

// batchEach executes a statement over rows that answers rows.
func (db *DB) batchEach(ctx context.Context, tx *sql.Tx, b *engine.Batch, rows [][]any, scan func(*sql.Rows) error) error {
	if len(rows) == 0 {
		return nil
	}
	return db.engine.Each(ctx, tx, b, rows, scan)
}
