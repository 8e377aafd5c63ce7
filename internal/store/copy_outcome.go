package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tieline/internal/fault"
)

// finishTime is how long either database may take for the last steps: one that
// says nothing must not leave both out of service for ever.
const finishTime = time.Minute

// fail puts the old database into service again, unless the new one is, or may be:
// two that serve one group would each open its tickets.
func (c *copying) fail(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	if c.finishing {
		name, unread := c.fresh.settledName(ctx)
		if unread != nil {
			return fault.Wrap(fault.Unavailable, errors.Join(err, unread), "whether "+c.fresh.Where()+" is in service now is not known, as it does not answer; "+
				c.old.Where()+" stays out of service").WithNext("when it answers again, call tieline db copy again with the same two URLs")
		}
		if name == c.name {
			return c.old.rename(ctx, c.name+markMoved)
		}
	}
	return errors.Join(err, c.old.rename(ctx, c.name))
}

// settledName reads what the group is called after whatever transaction is still
// about to change that: the row is written, so that its lock is waited for.
func (db *DB) settledName(ctx context.Context) (name string, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE management_group SET created_at = created_at"); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT name FROM management_group").Scan(&name)
	})
	return name, err
}
