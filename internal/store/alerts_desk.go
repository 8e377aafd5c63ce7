package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/forward"
)

// ParkedQuery says which parked links a person wants to see; zero fields ask nothing.
type ParkedQuery struct {
	Connector string
	Text      string        // in the reason, in any case
	Limit     int           // 1 to 1000; 0 = 100
	After     *alert.LinkID // the last row of the page before; nil = the first page
}

// ParkedLink is one row of the parked desk.
type ParkedLink struct {
	alert.Link
	Since time.Time   // by the database's clock
	Of    alert.Alert // that the link is of
}

// What an engine asks for parked links, from where; and of one, l.
const (
	parkedLinksText = " FROM link WHERE link.parked <> ''"
	isParkedText    = "l.parked <> ''"
)

// conditions are what a parked link must be to be asked for.
func (q ParkedQuery) conditions() *conditions {
	c := &conditions{}
	if q.Connector != "" {
		c.link = append(c.link, " AND link.connector = "+c.arg(q.Connector))
	}
	if q.Text != "" {
		c.link = append(c.link, " AND lower(link.parked) LIKE "+c.arg(likely(q.Text))+" ESCAPE '!'")
	}
	if q.After != nil {
		id, connector, side := c.arg(q.After.Alert), c.arg(q.After.Connector), c.arg(string(q.After.Side))
		c.link = append(c.link, fmt.Sprintf(` AND (link.alert_id < %[1]s OR link.alert_id = %[1]s AND (link.connector > %[2]s
			OR link.connector = %[2]s AND link.side > %[3]s))`, id, connector, side))
	}
	return c
}

// chosen names the links of a page, in order.
func (q ParkedQuery) chosen(db *DB) (text string, args []any) {
	c := q.conditions()
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	return "SELECT link.alert_id, link.connector, link.side" + db.statements.parkedLinks + strings.Join(c.link, "") +
		db.first("link.alert_id DESC, link.connector, link.side", c.arg(min(limit, 1000))), c.args
}

// Parked lists parked links, those of the newest alerts first, in one statement:
// all that is stored of them is read of those alone that are on the page.
func (db *DB) Parked(ctx context.Context, q ParkedQuery) ([]ParkedLink, error) {
	text, args := q.chosen(db)
	text = "SELECT " + linkColumns + ", " + alertColumns + " FROM (" + text + `) AS chosen
		JOIN link ON link.alert_id = chosen.alert_id AND link.connector = chosen.connector AND link.side = chosen.side
		JOIN alert ON alert.id = chosen.alert_id ORDER BY link.alert_id DESC, link.connector, link.side`
	var list []ParkedLink
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var of alertRow
		l, err := scanLink(rows, of.into()...)
		if err != nil {
			return err
		}
		a, err := of.alert()
		list = append(list, ParkedLink{Link: l.Link, Since: moment(l.changedAt), Of: a})
		return err
	}, text, args...)
	return list, db.explain(err, "list parked links")
}

// Tried returns what was last sent of alerts by connectors that parked their
// links for it, from their timelines (forward.Tried), in one statement. One that
// nothing was sent of has none.
func (db *DB) Tried(ctx context.Context, alerts []alert.ID) (map[alert.LinkID]TimelineEvent, error) {
	tried := make(map[alert.LinkID]TimelineEvent, len(alerts))
	if len(alerts) == 0 {
		return tried, nil
	}
	c := &conditions{}
	kind := c.arg(forward.Tried)
	marks := make([]string, len(alerts))
	for i, id := range alerts {
		marks[i] = c.arg(id)
	}
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		id := alert.LinkID{Side: alert.Remote}
		var e TimelineEvent
		var at int64
		err := rows.Scan(&id.Alert, &id.Connector, &at, &e.Server, &e.Text, &e.Endpoint, &e.Revision)
		e.At, e.Connector, e.Kind = moment(at), id.Connector, forward.Tried
		tried[id] = e // the last one stays
		return err
	}, "SELECT alert_id, connector, at, server, text, endpoint, revision FROM timeline WHERE kind = "+kind+
		" AND alert_id IN ("+strings.Join(marks, ", ")+") ORDER BY id", c.args...)
	return tried, db.explain(err, "read what was sent")
}

// DeskRequest names links of the parked desk for something to be done to them:
// those listed, or those that the filter finds.
type DeskRequest struct {
	Links     []alert.LinkID
	All       bool   // all that the filter finds, instead
	Connector string // of the filter
	Text      string // of the filter
	Seen      Seen   // of those listed: what it was decided on
	SeenAll   string // with All: the tag of the set (ParkedSet) that it was decided on; "" = whatever is there
	Who       string
}

// RetryParked makes parked links due now, with no attempts, and returns how
// many, and the connectors that have work. Those that are parked no more stay as
// they are.
func (db *DB) RetryParked(ctx context.Context, r DeskRequest) (n int, work []string, err error) {
	return db.deskWork(ctx, r, "retried", "by "+r.Who, func(l *linkRow, now int64) bool {
		return l.Parked != "" && l.retry(now)
	})
}

// GiveUp ends parked links for good, because of a person's reason, and returns
// how many that was possible for (alert.Link.GiveUp). A link parked for another
// reason than a refusal or its attempts may have a ticket that nobody can find.
func (db *DB) GiveUp(ctx context.Context, r DeskRequest, reason string) (n int, err error) {
	n, _, err = db.deskWork(ctx, r, "given up", clipText("by "+r.Who+": "+reason), func(l *linkRow, now int64) bool {
		if forward.CauseOf(l.Parked) == forward.CauseOther {
			return false
		}
		next, ok := l.Link.GiveUp(r.Who, clipText(reason))
		l.Link = next
		return ok
	})
	return n, err
}

// TakeUp makes a link that was given up due again. It returns fault.Conflict
// where nobody gave it up.
func (db *DB) TakeUp(ctx context.Context, id alert.LinkID, who string) error {
	return db.TakeUpSeen(ctx, nil, id, who)
}

// TakeUpSeen is TakeUp for somebody who decided on what was seen.
func (db *DB) TakeUpSeen(ctx context.Context, seen Seen, id alert.LinkID, who string) error {
	n, _, err := db.deskWork(ctx, DeskRequest{Links: []alert.LinkID{id}, Seen: seen}, "taken up", "by "+who, func(l *linkRow, now int64) bool {
		next, ok := l.Link.TakeUp()
		l.Link = next
		l.dueFrom(now)
		return ok
	})
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, fmt.Sprintf("nobody gave up what %s does about alert %s", id.Connector, id.Alert))
	}
	return err
}

// deskWork changes links in transactions of bounded size. change reports whether
// the link became another; the filter must not find it again then.
func (db *DB) deskWork(ctx context.Context, r DeskRequest, kind, text string, change func(l *linkRow, now int64) bool) (total int, work []string, err error) {
	if r.All && r.SeenAll != "" {
		return db.deskSet(ctx, r, kind, text, change)
	}
	q := ParkedQuery{Connector: r.Connector, Text: r.Text, Limit: retryPage}
	for {
		ids := r.Links
		if r.All {
			if ids, err = db.parkedIDs(ctx, q); err != nil || len(ids) == 0 {
				return total, work, db.explain(err, "find parked links")
			}
			q.After = &ids[len(ids)-1]
		}
		size := retryPage
		if r.Seen != nil {
			size = max(len(ids), 1) // all of them or none
		}
		for some := range slices.Chunk(ids, size) {
			n, due, err := db.deskOnce(ctx, some, r.Seen, kind, text, change)
			total += n
			for _, name := range due {
				if !slices.Contains(work, name) {
					work = append(work, name)
				}
			}
			if err != nil {
				return total, work, db.explain(err, "change parked links")
			}
		}
		if !r.All {
			return total, work, nil
		}
	}
}

func (db *DB) deskOnce(ctx context.Context, ids []alert.LinkID, seen Seen, kind, text string, change func(l *linkRow, now int64) bool) (n int, work []string, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		n, work = 0, nil
		held, err := db.lock(ctx, tx, ids)
		if err == nil {
			err = seen.check(held)
		}
		if err != nil {
			return err
		}
		var events [][]any
		for _, id := range ids {
			l := held.rows[id]
			if l == nil || slices.Contains(held.changed, l) || !change(l, held.now) {
				continue
			}
			held.change(l)
			events = append(events, eventRow(id.Alert, id.Connector, "", kind, text, l.Wanted))
			if l.dueAt.Valid {
				work = append(work, id.Connector)
			}
			n++
		}
		if err := db.store(ctx, tx, held); err != nil {
			return err
		}
		_, err = db.batch(ctx, tx, db.statements.events, events)
		return err
	})
	return n, work, err
}

// parkedIDs names the links that a filter finds.
func (db *DB) parkedIDs(ctx context.Context, q ParkedQuery) ([]alert.LinkID, error) {
	text, args := q.chosen(db)
	var ids []alert.LinkID
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var id alert.LinkID
		err := rows.Scan(&id.Alert, &id.Connector, &id.Side)
		ids = append(ids, id)
		return err
	}, text, args...)
	return ids, err
}

// likely is the LIKE pattern of a text anywhere, in any case.
func likely(text string) string { return "%" + likeEscape.Replace(strings.ToLower(text)) + "%" }
