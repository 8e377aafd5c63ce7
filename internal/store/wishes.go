package store

import (
	"context"
	"database/sql"
	"time"

	"tieline/internal/store/engine"
)

// reconnectGrace is how long a server may be without its presence before it
// counts as dead: one that lost its connection takes a new one at once (rule L4).
const reconnectGrace = 500 * time.Millisecond

// gone returns the presences of servers that are known dead: nobody has held them
// for the grace, and no fresh name stands in their place. Those that cannot be
// asked about are not among them: silence will tell.
func (db *DB) gone(ctx context.Context) (map[string]bool, error) {
	before, err := db.unheldNow(ctx)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	if err := sleep(ctx, reconnectGrace); err != nil {
		return nil, err
	}
	still, err := db.unheldNow(ctx)
	for presence := range still {
		if !before[presence] {
			delete(still, presence)
		}
	}
	return still, err
}

// unheldNow returns which of the presences that the servers publish nobody holds,
// of those that their heartbeats call live.
func (db *DB) unheldNow(ctx context.Context) (map[string]bool, error) {
	var names []string
	err := each(ctx, db.engine.Read, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	}, "SELECT presence FROM server WHERE boot <> '' AND presence <> '' AND "+engine.Now+" - heartbeat_at < promised ORDER BY name")
	if err != nil || len(names) == 0 {
		return nil, err
	}
	all, err := db.Unheld(ctx, names)
	if err != nil {
		return nil, nil // as of one without a presence
	}
	unheld := map[string]bool{}
	for name, is := range all {
		if is {
			unheld[name] = true
		}
	}
	return unheld, nil
}

// WithdrawWish ends a switchover that was asked for to a server that has gone
// Offline since, and tells so in the history. epoch is the lease's, boot the
// server's process, as somebody saw them who found it Offline; where either is
// another by now, or the wish, nothing changes.
func (db *DB) WithdrawWish(ctx context.Context, connector string, epoch int64, server, boot string) error {
	err := db.administer(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `UPDATE lease SET wish = '' WHERE connector = $1 AND epoch = $2 AND wish = $3
			AND NOT EXISTS (SELECT 1 FROM server WHERE name = $3 AND boot <> $4)`, connector, epoch, server, boot))
		if err != nil || n == 0 {
			return err
		}
		return db.note(ctx, tx, event{connector: connector, to: server, reason: WishWithdrawn})
	})
	return db.explain(err, "withdraw a switchover")
}

// WishWithdrawn is the reason of an event: a switchover that was asked for to a
// server will not be, because the server's process ended before.
const WishWithdrawn = "make active withdrawn"

// endWishes ends the switchovers that were asked for to a server whose process
// ends, or has: one that starts anew is not made Active by what was asked of the
// one before.
func (db *DB) endWishes(ctx context.Context, tx *sql.Tx, server string) error {
	var wished []string
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var connector string
		err := rows.Scan(&connector)
		wished = append(wished, connector)
		return err
	}, "SELECT connector FROM lease WHERE wish = $1 ORDER BY connector", server)
	if err != nil {
		return err
	}
	for _, connector := range wished {
		n, err := affected(tx.ExecContext(ctx, "UPDATE lease SET wish = '' WHERE connector = $1 AND wish = $2", connector, server))
		if err == nil && n > 0 {
			err = db.note(ctx, tx, event{connector: connector, to: server, reason: WishWithdrawn})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
