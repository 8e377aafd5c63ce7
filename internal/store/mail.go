package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/store/engine"
)

// Bookmark implements forward.Mail.
func (db *DB) Bookmark(ctx context.Context, connector, name string) (string, error) {
	var value string
	err := db.engine.Read.QueryRowContext(ctx, "SELECT value FROM bookmark WHERE connector = $1 AND name = $2", connector, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, db.explain(err, "read bookmark "+name+" of connector "+connector)
}

const (
	moveBookmarkText = `UPDATE bookmark SET value = $7 WHERE connector = $1 AND name = $5 AND value = $6 AND ` + fence
	makeBookmarkText = `INSERT INTO bookmark (connector, name, value)
SELECT connector, CAST($5 AS text), CAST($6 AS text) FROM lease WHERE connector = $1 AND ` + fence + `
ON CONFLICT (connector, name) DO NOTHING`
)

// moveBookmark is the compare-and-swap on a bookmark, fenced.
func (db *DB) moveBookmark(ctx context.Context, tx *sql.Tx, t ha.Term, name, old, next string) error {
	r, err := tx.ExecContext(ctx, db.statements.moveBookmark, fenceArgs(t, name, old, next)...)
	if err == nil && old == "" {
		if n, _ := r.RowsAffected(); n == 0 {
			r, err = tx.ExecContext(ctx, db.statements.makeBookmark, fenceArgs(t, name, next)...)
		}
	}
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return err
	}
	ours, err := db.fenced(ctx, tx, t)
	switch {
	case err != nil:
		return err
	case !ours:
		return forward.ErrDeposed
	}
	return forward.ErrMoved
}

// Receive implements forward.Mail.
func (db *DB) Receive(ctx context.Context, t ha.Term, name, old, next string, news []alert.News,
	backState func(remoteState string) (sourceState string, ok bool)) error {
	group, err := db.Group(ctx)
	if err != nil {
		return err
	}
	var unheard map[string]bool
	err = db.transact(ctx, func(tx *sql.Tx) error {
		if err := db.moveBookmark(ctx, tx, t, name, old, next); err != nil {
			return err
		}
		fresh, err := db.addNews(ctx, tx, t.Connector, news)
		if err != nil || len(fresh) == 0 {
			return err
		}
		m := &mailbag{term: t, group: group.ID, backState: backState, unheard: map[string]bool{}}
		if err := db.address(ctx, tx, m, fresh); err != nil {
			return err
		}
		for _, n := range fresh {
			m.hear(n)
		}
		if err := db.store(ctx, tx, m.held); err != nil {
			return err
		}
		_, err = db.batch(ctx, tx, db.statements.events, m.events)
		unheard = m.unheard
		return err
	})
	if err == nil {
		for i := range news {
			news[i].Unheard = unheard[news[i].ID]
		}
	}
	if errors.Is(err, forward.ErrDeposed) || errors.Is(err, forward.ErrMoved) {
		return err
	}
	return db.explain(err, "store news for connector "+t.Connector)
}

var addNewsInput = []engine.Column{
	{Name: "connector", Type: engine.Text}, {Name: "id", Type: engine.Text}, {Name: "ticket", Type: engine.Text},
	{Name: "state", Type: engine.Text}, {Name: "author", Type: engine.Text}, {Name: "text", Type: engine.Text},
	{Name: "at", Type: engine.Int},
}

const addNewsInto = `
INSERT INTO news (connector, id, ticket, state, author, text, at, received_at)`

const addNewsText = `
SELECT connector, id, ticket, state, author, text, at, (SELECT now FROM clock) FROM input WHERE true
ON CONFLICT (connector, id) DO NOTHING RETURNING id`

// addNews stores news and returns those that were not known, in their order.
func (db *DB) addNews(ctx context.Context, tx *sql.Tx, connector string, news []alert.News) ([]alert.News, error) {
	rows := make([][]any, 0, len(news))
	given := make(map[string]bool, len(news))
	for _, n := range news {
		if !given[n.ID] { // a second one of the same id is a repeat
			given[n.ID] = true
			rows = append(rows, []any{connector, n.ID, n.Ticket, n.State, n.Author, n.Text, micros(n.At)})
		}
	}
	added := map[string]bool{}
	err := db.batchEach(ctx, tx, db.statements.addNews, rows, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		added[id] = true
		return err
	})
	var fresh []alert.News
	for _, n := range news {
		if added[n.ID] {
			fresh = append(fresh, n)
			delete(added, n.ID)
		}
	}
	return fresh, err
}

// mailbag is what one Receive works on.
type mailbag struct {
	term      ha.Term
	group     uuid.UUID
	backState func(string) (string, bool)
	byTicket  map[string]alert.ID
	unheard   map[string]bool // ids of news that no link was known for
	held      *heldLinks
	events    [][]any
}

var byTicketInput = []engine.Column{{Name: "connector", Type: engine.Text}, {Name: "ticket", Type: engine.Text}}

// byTicketText finds the alerts of tickets. A ticket that was adopted is on two
// links; the one that is still told about it comes first.
const byTicketText = `
SELECT link.ticket, link.alert_id
FROM input JOIN link ON link.connector = input.connector AND link.ticket = input.ticket
WHERE link.ticket <> '' AND link.side = 'remote'
ORDER BY CASE WHEN link.skipped = '' THEN 0 ELSE 1 END, link.created_at DESC`

// address finds the links that news is about and locks them. Tickets that the
// news itself assigns need no looking up: their links are found by the keys.
func (db *DB) address(ctx context.Context, tx *sql.Tx, m *mailbag, news []alert.News) error {
	m.byTicket = map[string]alert.ID{}
	var tickets [][]any
	for _, n := range news {
		if n.Ticket != "" {
			tickets = append(tickets, []any{m.term.Connector, n.Ticket})
		}
	}
	err := db.batchEach(ctx, tx, db.statements.byTicket, tickets, func(rows *sql.Rows) error {
		var ticket string
		var id alert.ID
		err := rows.Scan(&ticket, &id)
		if _, known := m.byTicket[ticket]; !known {
			m.byTicket[ticket] = id
		}
		return err
	})
	if err != nil {
		return err
	}
	var ids []alert.LinkID
	for _, n := range news {
		if id, ok := m.alert(n); ok {
			ids = append(ids, m.link(id, alert.Remote), m.link(id, alert.Source))
		}
	}
	m.held, err = db.lock(ctx, tx, ids)
	return err
}

// alert finds the alert that a piece of news is about: by the key, which cannot
// be mistaken, else by the ticket.
func (m *mailbag) alert(n alert.News) (alert.ID, bool) {
	if id, ok := n.Key.Alert(m.group, m.term.Connector); ok {
		return id, true
	}
	id, ok := m.byTicket[n.Ticket]
	return id, ok
}

func (m *mailbag) link(id alert.ID, side alert.Side) alert.LinkID {
	return alert.LinkID{Connector: m.term.Connector, Alert: id, Side: side}
}

// hear tells a link its news, the timeline what was told, and the source's link
// that it has something to show.
func (m *mailbag) hear(n alert.News) {
	id, ok := m.alert(n)
	r := m.held.rows[m.link(id, alert.Remote)]
	if !ok || r == nil {
		m.unheard[n.ID] = true
		return
	}
	// What a twin tells is not about the alert: it may just have been closed for
	// being a twin (rule C7).
	if n.Assign == "" && n.Ticket != "" && r.Ticket != "" && n.Ticket != r.Ticket {
		return
	}
	if n.Assign != "" {
		m.byTicket[n.Assign] = id // the news that follows may name it by that alone
	}
	link, fresh := r.Link.Hear(n)
	if fresh {
		r.Link = link
		m.held.change(r)
	}
	if fresh || n.Text != "" {
		m.events = append(m.events, []any{
			id, m.term.Connector, m.term.Server, m.term.Epoch, "news", told(n), "", int64(0), int64(0), r.Ticket,
		})
	}
	if _, mapped := m.backState(n.State); fresh && !n.Own && n.State != "" && mapped {
		m.wantBack(r.Link)
	}
}

func (m *mailbag) wantBack(remote alert.Link) {
	fresh := remote.Back()
	back := m.held.rows[fresh.LinkID]
	if back == nil {
		back = m.held.add(fresh)
	}
	back.Link = back.Revise()
	back.dueFrom(m.held.now)
	m.held.change(back)
}

// told is the news in one line, for the timeline.
func told(n alert.News) string {
	var parts []string
	for _, p := range []struct{ what, value string }{
		{"ticket ", n.Assign}, {"state ", n.State}, {"by ", n.Author}, {"", n.Text},
	} {
		if p.value != "" {
			parts = append(parts, p.what+p.value)
		}
	}
	return strings.Join(parts, ", ")
}
