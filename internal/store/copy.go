package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"

	"github.com/google/uuid"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store/engine"
)

// CopyOptions say how Copy reports.
type CopyOptions struct {
	Log      *slog.Logger                              // nil = none
	Progress func(table string, rows int64, done bool) // nil = nobody is told
	// Group is what the management group must be called; "" = whichever is there.
	Group string
}

// Copied is what Copy did.
type Copied struct {
	From, To string // without credentials
	Group    uuid.UUID
	Tables   []CopiedTable
	// Doubted are connectors whose database's history had changed and was not dealt
	// with yet: the copy's first Active looks every ticket up.
	Doubted []string
	Already bool // the copy had been finished before; nothing was copied now
	Back    bool // it failed, and the old database is in service as before
}

// CopiedTable is one table that was copied and compared, row by row.
type CopiedTable struct {
	Name string
	Rows int64
}

// Copy moves a management group to another database, of any engine: the group
// keeps its id and keys, so that no ticket is mistaken and none opened twice.
// No server may live, in either database. While it copies, and afterwards,
// the old database refuses servers and whoever would change something, alerts
// included, and so does the new one until it is finished; a Copy that was
// interrupted is begun anew by calling it again, and one that failed leaves the old
// database in service, unless the new one did not say whether it is in service: then
// neither is until Copy is called again. Every row is read back and compared.
//
// Nothing that was confirmed is missing in the copy, so that no link is in doubt.
// Whoever writes without being fenced by a term compares the group's mark in the
// same transaction; what was under way when it was set is waited for before a row is
// read; and in the end the old database is compared once more, so that what a
// program wrote that knows no mark is copied too. Leases go on at the next epoch in the new database's
// history, and claims of servers that died are found by the new term (rule C4). A
// frozen process that comes back finds the old database's leases released at a higher
// epoch, and its own row given up, so that it can neither beat nor take. Only
// where the old database itself had changed its history, and no Active had dealt
// with that, does the new one have it to deal with (rule L8).
//
// It returns fault.Refused when a server lives, when the schema of from is not
// this program's, when either group is not called as CopyOptions say, when to
// has anything of its own, and when from goes on being changed; fault.Invalid when
// both are the same database, and fault.Unavailable when either is away.
func Copy(ctx context.Context, from, to string, o CopyOptions) (Copied, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, bool) {}
	}
	old, err := Open(ctx, from, Options{Log: o.Log, MaxConns: 4})
	if err != nil {
		return Copied{}, err
	}
	defer old.Close()
	group, err := old.groupRow(ctx)
	if err == nil {
		err = o.named(group) // before the other database is given a schema
	}
	if err != nil {
		return Copied{}, err
	}
	fresh, err := Open(ctx, to, Options{Log: o.Log, MaxConns: 2, Migrate: true})
	if err != nil {
		return Copied{}, err
	}
	defer fresh.Close()
	c := &copying{
		old: old, fresh: fresh, o: o,
		out: Copied{From: old.Where(), To: fresh.Where(), Group: group.id},
	}
	return c.out, c.alone(ctx)
}

// alone runs the copy while no other one does from this database: two at once would
// make two of one group.
func (c *copying) alone(ctx context.Context) (err error) {
	ran := false
	locked := c.old.engine.Lock(ctx, func() error {
		ran, err = true, c.run(ctx)
		return nil
	})
	if !ran {
		return c.old.explain(locked, "keep other copies from "+c.old.Where())
	}
	return err // what became of the lock afterwards changes nothing
}

// named refuses a management group that is called otherwise than it was said to be.
func (o CopyOptions) named(g groupRow) error {
	if o.Group == "" {
		return nil
	}
	return GroupInfo{Name: g.name}.Is(o.Group, "this command")
}

type copying struct {
	old, fresh *DB
	o          CopyOptions
	group      groupRow
	name       string // of the group, without a mark
	whose      string // this copy's marks
	out        Copied
	finishing  bool // the new database may be in service
	// left are the names that the old group may have, as this copy found or left it.
	left []string
}

// groupRow is management_group's row.
type groupRow struct {
	id                  uuid.UUID
	name, nudgeKey      string
	generation, created int64
}

func (db *DB) groupRow(ctx context.Context) (g groupRow, err error) {
	err = db.engine.Read.QueryRowContext(ctx, "SELECT id, name, nudge_key, generation, created_at FROM management_group").
		Scan(&g.id, &g.name, &g.nudgeKey, &g.generation, &g.created)
	return g, db.explain(err, "read the management group of "+db.Where())
}

func (c *copying) run(ctx context.Context) (err error) {
	if c.group, err = c.old.groupRow(ctx); err != nil { // another Copy may have changed it
		return err
	}
	c.name, c.whose, c.left = unmarked(c.group.name), newWhose(), []string{c.group.name}
	target, err := c.fresh.groupRow(ctx)
	if err != nil {
		return err
	}
	if err := c.o.named(target); err != nil {
		return err
	}
	same := target.id == c.group.id && target.name == c.group.name && target.nudgeKey == c.group.nudgeKey
	if same && !strings.HasSuffix(target.name, markMoved) { // a group that moved on leaves its row behind, in one database after the other
		return fault.New(fault.Invalid, "both URLs name the same database, "+c.old.Where()).WithNext("give the new database as the second one")
	}
	if target.id == c.group.id && target.name == c.name && strings.HasSuffix(c.group.name, markMoving) {
		c.out.Already = true
		return c.mark(ctx, markMoved)
	}
	if strings.HasSuffix(c.group.name, markEnding) && target.id != c.group.id {
		return fault.New(fault.Refused, fmt.Sprintf("%s was copied from %s to another database, which may be in service", called(c.name), c.old.Where())).
			WithNext("call tieline db copy with that one as the second URL")
	}
	if strings.HasSuffix(c.group.name, markMoved) {
		return fault.New(fault.Refused, fmt.Sprintf("%s was moved from %s already", called(c.name), c.old.Where())).
			WithNext("its servers belong to the database it was moved to")
	}
	if err := c.old.nobodyLives(ctx, c.old.engine.Read); err != nil {
		return err
	}
	if err := c.prepare(ctx, target); err != nil {
		return err
	}
	if err = c.withdraw(ctx); err == nil {
		err = c.all(ctx)
	}
	if err != nil {
		return c.fail(ctx, err)
	}
	return c.mark(ctx, markMoved)
}

// prepare makes sure that the new database is empty, or has what an interrupted
// copy of this group left, which is removed; and marks it.
func (c *copying) prepare(ctx context.Context, target groupRow) error {
	again := target.id == c.group.id && strings.HasSuffix(target.name, markCopy)
	for _, t := range tables {
		which := "1 = 1"
		if t.name == "audit" && target.name == "" {
			which = c.fresh.engine.Column("action") + " NOT IN ('db migrate', 'db copy')"
		}
		own, err := c.fresh.hasRows(ctx, t.name, which)
		if err != nil {
			return err
		}
		if own && !again {
			return fault.New(fault.Refused, fmt.Sprintf("the database %s is not empty: it has rows in table %s", c.fresh.Where(), t.name)).
				WithNext("copy to a new database; nothing was changed")
		}
	}
	// Marked before it is emptied: a copy that was interrupted, and was not, must not
	// take the empty tables for its own.
	err := c.fresh.writeGroup(ctx, target.name, groupRow{c.group.id, c.called(markCopy), c.group.nudgeKey, c.group.generation, c.group.created})
	if err != nil {
		return err
	}
	// What is there is an interrupted copy's, or tells who prepared a schema that no
	// server ever joined. The audit that goes on is the group's, which is copied.
	for _, t := range tables {
		if err := c.fresh.empty(ctx, c.called(markCopy), t.name); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) hasRows(ctx context.Context, table, which string) (bool, error) {
	var n int64
	err := db.engine.Read.QueryRowContext(ctx, "SELECT CASE WHEN EXISTS (SELECT 1 FROM "+table+" WHERE "+which+") THEN 1 ELSE 0 END").Scan(&n)
	return n > 0, db.explain(err, "look into table "+table+" of "+db.Where())
}

func (db *DB) empty(ctx context.Context, group, table string) error {
	err := db.whileCalled(ctx, []string{group}, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM "+table)
		return err
	})
	return db.explain(err, "empty table "+table+" of "+db.Where())
}

func (db *DB) writeGroup(ctx context.Context, called string, g groupRow) error {
	err := db.whileCalled(ctx, []string{called}, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE management_group SET id = $1, name = $2, nudge_key = $3, generation = $4, created_at = $5",
			g.id, g.name, g.nudgeKey, g.generation, g.created)
		return err
	})
	return db.explain(err, "write the management group of "+db.Where())
}

// withdraw takes the old database out of service: no server may live, nothing is
// let in or changed any more, and neither the term nor the process of one that may
// come back is good for anything. When it returns, nothing is under way that was
// begun before.
func (c *copying) withdraw(ctx context.Context) error {
	err := c.leave(markMoving, func(found []string) error { return c.old.whileCalled(ctx, found, c.takeOut(ctx)) })
	if err != nil {
		return c.old.explain(err, "take "+c.old.Where()+" out of service")
	}
	return c.quiet(ctx)
}

// takeOut is the transaction that takes the old database out of service; nobody joins
// meanwhile.
func (c *copying) takeOut(ctx context.Context) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		if err := c.old.nobodyLives(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE management_group SET name = $1", c.called(markMoving)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, heardOfAllText); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE lease SET epoch = epoch + 1, beat = 0, server = '', boot = '', successor = ''"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE server SET boot = '', presence = ''")
		return err
	}
}

// quiet waits until every transaction of the old database has ended that did not
// see the mark.
func (c *copying) quiet(ctx context.Context) error {
	text := c.old.engine.Statements.Quiet
	if text == "" {
		return nil
	}
	err := c.old.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text)
		return err
	})
	if err != nil && c.old.engine.Classify(err) == engine.Busy {
		return fault.Wrap(fault.Refused, err, "a transaction that began before the copy does not end in "+c.old.Where()).
			WithNext("stop what uses that database (a console, a command, a backup) and try again")
	}
	return c.old.explain(err, "wait for what is under way in "+c.old.Where())
}

// nobodyLives refuses when a server's process may be alive.
func (db *DB) nobodyLives(ctx context.Context, q querier) error {
	var names []string
	err := each(ctx, q, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	}, "SELECT name FROM server ORDER BY name")
	if err != nil {
		return db.explain(err, "read the servers of "+db.Where())
	}
	for _, name := range names {
		p, err := db.process(ctx, q, name)
		if err != nil {
			return db.explain(err, "look at server "+name)
		}
		lives := p.mayLive()
		if p.boot != "" && p.presence != "" {
			if lives, err = db.engine.Coordination.Held(ctx, p.presence); err != nil {
				return db.explain(err, "look for the presence of server "+name)
			}
		}
		if lives {
			heard := heardOf(ha.Server{Boot: p.boot, Presence: p.presence, Silence: p.silence, Promised: p.promised})
			return fault.New(fault.Refused, fmt.Sprintf("server %s is alive in %s: it %s", name, db.Where(), heard)).
				WithNext("stop every server of the management group first")
		}
	}
	return nil
}
