package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
	"tieline/internal/retention"
)

// Forget implements retention.Store. Alerts are locked before links, and both
// in the order everybody keeps.
func (db *DB) Forget(ctx context.Context, t ha.Term, keep time.Duration, old []retention.Old) (int, error) {
	n := 0
	err := db.writeFenced(ctx, t, func(tx *sql.Tx) error {
		n = 0
		ids, err := db.unchanged(ctx, tx, old)
		if err != nil {
			return err
		}
		if ids, err = db.finished(ctx, tx, t.Connector, keep, ids); err != nil || len(ids) == 0 {
			return err
		}
		n = len(ids)
		in, args := idList(2, ids)
		args = append([]any{t.Connector}, args...)
		for _, table := range []string{"note", "timeline", "link"} {
			_, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE connector = $1 AND alert_id IN ("+in+")", args...)
			if err != nil {
				return err
			}
		}
		return db.forgetUnlinked(ctx, tx, ids)
	})
	return n, db.explain(err, "remove the old alerts of connector "+t.Connector)
}

// finished locks the connector's links to the alerts and returns those alerts
// of which none is unfinished or changed lately.
func (db *DB) finished(ctx context.Context, tx *sql.Tx, connector string, keep time.Duration, ids []alert.ID) ([]alert.ID, error) {
	links := make([]alert.LinkID, 0, 2*len(ids))
	for _, id := range ids {
		for _, side := range []alert.Side{alert.Remote, alert.Source} {
			links = append(links, alert.LinkID{Connector: connector, Alert: id, Side: side})
		}
	}
	held, err := db.lock(ctx, tx, links)
	if err != nil {
		return nil, err
	}
	var all []alert.ID
	for i, id := range ids {
		over := true
		for _, l := range links[2*i : 2*i+2] {
			if r := held.rows[l]; r != nil {
				over = over && r.Finished() && fromMicros(held.now-r.changedAt) > keep
			}
		}
		if over {
			all = append(all, id)
		}
	}
	return all, nil
}

// forgetUnlinked removes those of the locked alerts that no connector has a link to.
func (db *DB) forgetUnlinked(ctx context.Context, tx *sql.Tx, ids []alert.ID) error {
	in, args := idList(1, ids)
	var free []alert.ID
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var id alert.ID
		err := rows.Scan(&id)
		free = append(free, id)
		return err
	}, "SELECT id FROM alert WHERE id IN ("+in+") AND NOT EXISTS (SELECT 1 FROM link WHERE link.alert_id = alert.id)", args...)
	if err != nil || len(free) == 0 {
		return err
	}
	in, args = idList(1, free)
	if _, err := tx.ExecContext(ctx, "DELETE FROM timeline WHERE alert_id IN ("+in+")", args...); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM alert WHERE id IN ("+in+")", args...)
	return err
}

// ForgetNews implements retention.Store.
func (db *DB) ForgetNews(ctx context.Context, t ha.Term, keep time.Duration, after string, limit int) (next string, n int, err error) {
	looked := 0
	byTicket := map[string][]string{}
	err = each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var ticket string
		var ago int64
		if err := rows.Scan(&next, &ticket, &ago); err != nil {
			return err
		}
		looked++
		if fromMicros(ago) > keep {
			byTicket[ticket] = append(byTicket[ticket], next)
		}
		return nil
	}, `SELECT id, ticket, (SELECT now FROM clock) - received_at FROM news WHERE connector = $1 AND id > $2`+db.first("id", "$3"),
		t.Connector, after, limit)
	if looked < limit {
		next = ""
	}
	if err == nil && len(byTicket) > 0 {
		n, err = db.forgetNews(ctx, t, byTicket)
	}
	return next, n, db.explain(err, "remove the old news of connector "+t.Connector)
}

// forgetNews removes the news of those tickets that no link has.
func (db *DB) forgetNews(ctx context.Context, t ha.Term, byTicket map[string][]string) (int, error) {
	var tickets []string
	for ticket := range byTicket {
		if ticket != "" {
			tickets = append(tickets, ticket)
		}
	}
	n := 0
	err := db.writeFenced(ctx, t, func(tx *sql.Tx) error {
		linked, err := linkedTickets(ctx, tx, t.Connector, tickets)
		if err != nil {
			return err
		}
		var ids []string
		for ticket, some := range byTicket {
			if !linked[ticket] {
				ids = append(ids, some...)
			}
		}
		if n = len(ids); n == 0 {
			return nil
		}
		in, args := idList(2, ids)
		_, err = tx.ExecContext(ctx, "DELETE FROM news WHERE connector = $1 AND id IN ("+in+")", append([]any{t.Connector}, args...)...)
		return err
	})
	return n, err
}

func linkedTickets(ctx context.Context, tx *sql.Tx, connector string, tickets []string) (map[string]bool, error) {
	linked := map[string]bool{}
	if len(tickets) == 0 {
		return linked, nil
	}
	in, args := idList(2, tickets)
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var ticket string
		err := rows.Scan(&ticket)
		linked[ticket] = true
		return err
	}, "SELECT ticket FROM link WHERE connector = $1 AND ticket <> '' AND ticket IN ("+in+")", append([]any{connector}, args...)...)
	return linked, err
}

// keptEvents is how many changes of Active of each connector stay, however old.
const keptEvents = 1000

const forgetEventsText = `DELETE FROM availability_event
WHERE connector = $1 AND id <= $5 AND at < (SELECT now FROM clock) - $6 AND ` + fence

// ForgetEvents implements retention.Store.
func (db *DB) ForgetEvents(ctx context.Context, t ha.Term, keep time.Duration) (int, error) {
	var newest int64
	err := db.engine.Read.QueryRowContext(ctx, `SELECT id FROM availability_event WHERE connector = $1`+db.slice("id DESC", "1", "$2"),
		t.Connector, keptEvents).Scan(&newest)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	var n int64
	if err == nil {
		n, err = db.alone(ctx, db.statements.forgetEvents, fenceArgs(t, newest, keep.Microseconds())...)
	}
	if err == nil && n == 0 {
		err = db.deposed(ctx, db.engine.Read, t)
	}
	return int(n), db.explain(err, "remove old changes of Active of connector "+t.Connector)
}
