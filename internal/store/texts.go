package store

import (
	"context"
	"database/sql"

	"tieline/internal/store/engine"
)

// texts are the statements made once for the engine: those over sets of rows,
// and those that some engine writes in its own way. Each stands beside its use.
type texts struct {
	expire, unpark, makeBookmark               string
	joinServer, addLease                       string
	saveConnector, saveLease                   string
	backlog, busy, fenced, moveBookmark        string
	parkedLinks, isParked                      string
	lockGroup, groupName, lockStrike           string
	documents, history                         string
	unchanged, unchangedOrder, detail          string
	forgetEvents                               string
	latest, newAlerts, grownAlerts, seenAlerts *engine.Batch
	wantLinks, tellLinks                       *engine.Batch
	events, skipEvents                         *engine.Batch
	lockLinks, writeLinks, addLinks, record    *engine.Batch
	lockAlerts, evaluated                      *engine.Batch
	addNews, byTicket, throughput              *engine.Batch
}

func newTexts(e *engine.Engine) texts {
	one, rows, lock := singles(e), batches(e), "\n"+e.Statements.ForUpdate
	return texts{
		expire:        one("expire", expireText),
		unpark:        one("unpark", unparkText),
		makeBookmark:  one("make bookmark", makeBookmarkText),
		joinServer:    one("join server", joinServerText),
		addLease:      one("add lease", addLeaseText),
		saveConnector: one("save connector", saveConnectorText),
		saveLease:     one("save lease", saveLeaseText),
		backlog:       one("backlog", backlogText(e)),
		busy:          one("busy connectors", ""),
		parkedLinks:   one("parked links", parkedLinksText),
		isParked:      one("is parked", isParkedText),
		fenced:        one("fenced", fencedText),
		moveBookmark:  one("move bookmark", moveBookmarkText),
		lockGroup:     one("lock group", lockGroupText+lock),
		groupName:     one("group name", lockGroupText),
		lockStrike:    one("lock strike", lockStrikeText+lock),
		documents:     one("documents", documentsText),
		history:       one("history", historyText),
		detail:        one("detail", detailText),

		forgetEvents:   one("forget events", forgetEventsText),
		unchanged:      one("unchanged", unchangedText),
		unchangedOrder: one("unchanged order", unchangedOrder+lock),

		latest:      rows("latest alerts", latestInput, "", latestText+one("latest alerts from", latestFrom+lock)),
		newAlerts:   rows("new alerts", newAlertsInput, newAlertsInto, newAlertsText),
		grownAlerts: rows("grown alerts", grownAlertsInput, "", grownAlertsText),
		seenAlerts:  rows("seen alerts", seenAlertsInput, "", seenAlertsText),
		wantLinks:   rows("want links", wantLinksInput, wantLinksInto, wantLinksText),
		tellLinks:   rows("tell links", tellLinksInput, "", tellLinksText),
		events:      rows("events", eventsInput, eventsInto, eventsText),
		skipEvents:  rows("skip events", skipEventsInput, eventsInto, skipEventsText),
		lockLinks:   rows("lock links", lockLinksInput, "", lockLinksText+one("lock links from", lockLinksFrom+lock)),
		writeLinks:  rows("write links", writeLinksInput, "", writeLinksText),
		addLinks:    rows("add links", addLinksInput, addLinksInto, addLinksText),
		record:      rows("record", recordInput, "", recordText),
		lockAlerts:  rows("lock alerts", lockAlertsInput, "", lockAlertsText+one("lock alerts from", lockAlertsFrom+lock)),
		evaluated:   rows("evaluated", evaluatedInput, "", evaluatedText),
		addNews:     rows("add news", addNewsInput, addNewsInto, addNewsText),
		byTicket:    rows("by ticket", byTicketInput, "", byTicketText),
		throughput:  rows("throughput", throughputInput, throughputInto, throughputText),
	}
}

// singles returns what chooses a statement's text: the engine's own, else the
// store's.
func singles(e *engine.Engine) func(name, text string) string {
	return func(name, text string) string {
		if e.Own != nil {
			if own := e.Own(name, nil); own != "" {
				return own
			}
		}
		return text
	}
}

// batches is the same for statements over rows; into begins an INSERT.
func batches(e *engine.Engine) func(name string, columns []engine.Column, into, rest string) *engine.Batch {
	return func(name string, columns []engine.Column, into, rest string) *engine.Batch {
		b := &engine.Batch{Columns: columns}
		if e.Own != nil {
			b.Text = e.Own(name, columns)
		}
		if b.Text == "" {
			b.Text = e.Rows(columns, into, rest)
		}
		return b
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
