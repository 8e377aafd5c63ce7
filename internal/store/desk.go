package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// RetryRequest names the links a person wants tried again.
type RetryRequest struct {
	Connector string     // "" = every connector
	Alerts    []alert.ID // whose links are tried at once, parked or waiting
	AllParked bool       // every parked link instead
	Seen      Seen       // what it was decided on
	Who       string
}

// Seen are links as somebody saw them, by their tags (alert.Link.Tag), who then
// decided what is to be done: once one of them is another, nothing is done at
// all, and the error is fault.Conflict over ErrChanged. A link that is not in it
// may be anything.
type Seen map[alert.LinkID]string

// ErrChanged is the cause of a Conflict about what was seen.
var ErrChanged = errors.New("it is not as it was seen")

// check compares locked links with what was seen.
func (s Seen) check(held *heldLinks) error {
	var changed []alert.LinkID
	for id, tag := range s {
		if l := held.rows[id]; l == nil || l.Link.Tag() != tag {
			changed = append(changed, id)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	first := slices.MinFunc(changed, func(a, b alert.LinkID) int {
		return cmp.Or(cmp.Compare(a.Connector, b.Connector), compareID(a.Alert, b.Alert))
	})
	what := fmt.Sprintf("what connector %s does about alert %s has changed since: %s", first.Connector, first.Alert, standing(held.rows[first]))
	if more := len(changed) - 1; more > 0 {
		what += fmt.Sprintf("; so have %d more", more)
	}
	return fault.Wrap(fault.Conflict, ErrChanged, what).WithNext("Look at it, and ask again if that is still right.")
}

// standing says how a link stands now, for somebody who saw it otherwise.
func standing(l *linkRow) string {
	switch {
	case l == nil:
		return "the alert is gone"
	case l.Claim.ID != uuid.Nil:
		return "it is being sent"
	case l.Parked != "":
		return "it is parked: " + l.Parked
	case l.Skipped != "":
		return "it is not sent, for good: " + l.Skipped
	case l.Due():
		return "it is due"
	default:
		return fmt.Sprintf("revision %d was delivered", l.Delivered)
	}
}

// retryPage bounds how many links one transaction of a retry holds.
const retryPage = 500

// Retry makes links due now, with no attempts, and returns how many. Links that
// are claimed, or have nothing to be done, stay as they are.
func (db *DB) Retry(ctx context.Context, r RetryRequest) (int, error) {
	total := 0
	for {
		n, found, err := db.retryOnce(ctx, r)
		total += n
		// What was retried is parked no more, so the next page is other links.
		if err != nil || !r.AllParked || found < retryPage || n == 0 {
			return total, db.explain(err, "retry links")
		}
	}
}

func (db *DB) retryOnce(ctx context.Context, r RetryRequest) (n, found int, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		n = 0
		ids, err := db.retryable(ctx, tx, r)
		if err != nil {
			return err
		}
		found = len(ids)
		held, err := db.lock(ctx, tx, ids)
		if err == nil {
			err = r.Seen.check(held)
		}
		if err != nil {
			return err
		}
		var events [][]any
		for _, id := range ids {
			l := held.rows[id]
			if l == nil || !l.retry(held.now) {
				continue
			}
			held.change(l)
			events = append(events, eventRow(id.Alert, id.Connector, "", "retried", "by "+r.Who, l.Wanted))
			n++
		}
		if err := db.store(ctx, tx, held); err != nil {
			return err
		}
		_, err = db.batch(ctx, tx, db.statements.events, events)
		return err
	})
	return n, found, err
}

// retry makes the link due now; false when there is nothing to retry.
func (r *linkRow) retry(now int64) bool {
	waiting := r.dueAt.Valid && r.dueAt.Int64 > now
	if r.Parked == "" && !waiting {
		return false
	}
	r.Parked, r.Attempts = "", 0
	r.notBefore, r.dueAt = 0, sql.NullInt64{}
	r.dueFrom(now)
	return true
}

func (db *DB) retryable(ctx context.Context, tx *sql.Tx, r RetryRequest) ([]alert.LinkID, error) {
	const (
		columns = "SELECT link.alert_id, link.connector, link.side"
		of      = " AND ($1 = '' OR link.connector = $1)"
	)
	var ids []alert.LinkID
	scan := func(rows *sql.Rows) error {
		var id alert.LinkID
		err := rows.Scan(&id.Alert, &id.Connector, &id.Side)
		ids = append(ids, id)
		return err
	}
	if r.AllParked {
		err := each(ctx, tx, scan, columns+db.statements.parkedLinks+of+db.first("", "$2"), r.Connector, retryPage)
		return ids, err
	}
	for _, id := range r.Alerts {
		if err := each(ctx, tx, scan, columns+" FROM link WHERE link.alert_id = $2"+of, r.Connector, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
