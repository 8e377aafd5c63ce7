package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
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
			return c.mark(ctx, markMoved)
		}
	}
	if errors.Is(err, errOvertaken) {
		return err // the move is another copy's
	}
	back := c.mark(ctx, "")
	c.out.Back = back == nil
	return errors.Join(err, back)
}

// settledName reads what the group is called after whatever transaction is still
// about to change that: the row is written, so that its lock is waited for.
func (db *DB) settledName(ctx context.Context) (name string, err error) {
	err = db.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE management_group SET created_at = created_at"); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT name FROM management_group").Scan(&name)
	})
	return name, err
}

// finish puts the copy into service in one transaction.
func (c *copying) finish(ctx context.Context) error {
	var history, copied string
	if err := c.old.engine.Read.QueryRowContext(ctx, "SELECT "+engine.Identity).Scan(&history); err != nil {
		return c.old.explain(err, "read what names the history of "+c.old.Where())
	}
	if err := c.fresh.engine.Read.QueryRowContext(ctx, "SELECT "+engine.Identity).Scan(&copied); err != nil {
		return c.fresh.explain(err, "read what names the history of "+c.fresh.Where())
	}
	identity, fresh := c.old.engine.Column("identity"), c.fresh.engine.Column("identity")
	err := each(ctx, c.old.engine.Read, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		c.out.Doubted = append(c.out.Doubted, name)
		return err
	}, "SELECT connector FROM lease WHERE "+identity+" <> '' AND "+identity+" <> $1 ORDER BY connector", history)
	if err != nil {
		return c.old.explain(err, "read the leases of "+c.old.Where())
	}
	group, err := c.old.groupRow(ctx) // its generation is of the documents that were copied last
	if err != nil {
		return err
	}
	if err := c.mark(ctx, markEnding); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, finishTime)
	defer cancel()
	c.finishing = true
	err = c.fresh.whileCalled(ctx, []string{c.called(markCopy)}, func(tx *sql.Tx) error {
		for _, step := range []struct {
			text string
			args []any
		}{
			{"UPDATE lease SET " + fresh + " = $1 WHERE " + fresh + " = $2", []any{copied, history}},
			{"UPDATE management_group SET name = $1, generation = $2", []any{c.name, group.generation}},
		} {
			if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
	return c.fresh.explain(err, "put "+c.fresh.Where()+" into service")
}
