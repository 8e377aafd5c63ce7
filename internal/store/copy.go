package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/google/uuid"

	"tieline/internal/fault"
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
}

// CopiedTable is one table that was copied and compared, row by row.
type CopiedTable struct {
	Name string
	Rows int64
}

// Copy moves a management group to another database, of any engine: the group
// keeps its id and keys, so that no ticket is mistaken and none opened twice.
// No server may live, in either database. While it copies, and afterwards,
// servers are refused by the old database, and until it is finished by the new
// one; one that was interrupted is begun anew by calling it again, and one that
// failed leaves the old database as it was, unless the new one did not say whether
// it is in service: then neither is until Copy is called again. Every row is read
// back and compared.
//
// Nothing that was confirmed is missing in the copy, so that no link is in doubt:
// leases go on at the next epoch in the new database's history, and claims of
// servers that died are found by the new term (rule C4). A frozen process that
// comes back finds the old database's leases released at a higher epoch. Only
// where the old database itself had changed its history, and no Active had dealt
// with that, does the new one have it to deal with (rule L8).
//
// It returns fault.Refused when a server lives, when the schema of from is not
// this program's, when either group is not called as CopyOptions say, and when to
// has anything of its own; fault.Invalid when both are the same database, and
// fault.Unavailable when either is away.
func Copy(ctx context.Context, from, to string, o CopyOptions) (Copied, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, bool) {}
	}
	old, err := Open(ctx, from, Options{Log: o.Log, MaxConns: 2})
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
		old: old, fresh: fresh, o: o, group: group, name: unmarked(group.name),
		out: Copied{From: old.Where(), To: fresh.Where(), Group: group.id},
	}
	err = c.run(ctx)
	return c.out, err
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
	out        Copied
	finishing  bool // the new database may be in service
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

func (c *copying) run(ctx context.Context) error {
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
		return c.old.rename(ctx, c.name+markMoved)
	}
	if strings.HasSuffix(c.group.name, markMoved) {
		return fault.New(fault.Refused, fmt.Sprintf("%s was moved from %s already", called(c.name), c.old.Where())).
			WithNext("its servers belong to the database it was moved to")
	}
	if err := c.old.nobodyLives(ctx); err != nil {
		return err
	}
	if err := c.prepare(ctx, target); err != nil {
		return err
	}
	if err := c.withdraw(ctx); err != nil {
		return err
	}
	if err = c.all(ctx); err != nil {
		return c.fail(ctx, err)
	}
	return c.old.rename(ctx, c.name+markMoved)
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
	// What is there is an interrupted copy's, or tells who prepared a schema that no
	// server ever joined. The audit that goes on is the group's, which is copied.
	for _, t := range tables {
		if err := c.fresh.empty(ctx, t.name); err != nil {
			return err
		}
	}
	return c.fresh.writeGroup(ctx, groupRow{c.group.id, c.name + markCopy, c.group.nudgeKey, c.group.generation, c.group.created})
}

func (db *DB) hasRows(ctx context.Context, table, which string) (bool, error) {
	var n int64
	err := db.engine.Read.QueryRowContext(ctx, "SELECT CASE WHEN EXISTS (SELECT 1 FROM "+table+" WHERE "+which+") THEN 1 ELSE 0 END").Scan(&n)
	return n > 0, db.explain(err, "look into table "+table+" of "+db.Where())
}

func (db *DB) empty(ctx context.Context, table string) error {
	_, err := db.alone(ctx, "DELETE FROM "+table)
	return db.explain(err, "empty table "+table+" of "+db.Where())
}

func (db *DB) writeGroup(ctx context.Context, g groupRow) error {
	_, err := db.alone(ctx, "UPDATE management_group SET id = $1, name = $2, nudge_key = $3, generation = $4, created_at = $5",
		g.id, g.name, g.nudgeKey, g.generation, g.created)
	return db.explain(err, "write the management group of "+db.Where())
}

func (db *DB) rename(ctx context.Context, name string) error {
	_, err := db.alone(ctx, "UPDATE management_group SET name = $1", name)
	return db.explain(err, "mark the management group of "+db.Where())
}

// withdraw takes the old database out of service: no server may live, none is
// let in any more, and no term of one that may come back is good for a claim.
func (c *copying) withdraw(ctx context.Context) error {
	err := c.old.write(ctx, func(tx *sql.Tx) error {
		if _, err := c.old.lockGroup(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE management_group SET name = $1", c.name+markMoving); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE lease SET epoch = epoch + 1, beat = 0, server = '', boot = '', successor = ''")
		return err
	})
	if err != nil {
		return c.old.explain(err, "take "+c.old.Where()+" out of service")
	}
	// One that joined meanwhile was not seen before.
	if err := c.old.nobodyLives(ctx); err != nil {
		return errors.Join(err, c.old.rename(ctx, c.name))
	}
	return nil
}

// nobodyLives refuses when a server's process may be alive.
func (db *DB) nobodyLives(ctx context.Context) error {
	g, err := db.ReadGroup(ctx)
	if err != nil {
		return err
	}
	for _, s := range g.Servers {
		p, err := db.process(ctx, db.engine.Read, s.Name)
		if err != nil {
			return db.explain(err, "look at server "+s.Name)
		}
		lives := p.mayLive()
		if p.boot != "" && p.presence != "" {
			if lives, err = db.engine.Coordination.Held(ctx, p.presence); err != nil {
				return db.explain(err, "look for the presence of server "+s.Name)
			}
		}
		if lives {
			return fault.New(fault.Refused, fmt.Sprintf("server %s is alive in %s: it %s", s.Name, db.Where(), heardOf(s))).
				WithNext("stop every server of the management group first")
		}
	}
	return nil
}

// all copies and compares every table, and puts the copy into service.
func (c *copying) all(ctx context.Context) error {
	for _, t := range tables {
		n, err := c.table(ctx, t)
		if err != nil {
			return err
		}
		c.out.Tables = append(c.out.Tables, CopiedTable{t.name, n})
	}
	return c.finish(ctx)
}

// copyRows and copyBytes bound what one transaction writes.
const (
	copyRows  = 500
	copyBytes = 1 << 20
)

func (c *copying) table(ctx context.Context, t copied) (int64, error) {
	batch := t.insert(c.fresh.engine)
	source := newDigest(t)
	var rows [][]any
	size := 0
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := c.fresh.write(ctx, func(tx *sql.Tx) error {
			_, err := c.fresh.engine.Run(ctx, tx, batch, rows)
			return err
		})
		rows, size = nil, 0
		c.o.Progress(t.name, source.rows, false)
		return c.fresh.explain(err, "write table "+t.name+" of "+c.fresh.Where())
	}
	err := t.read(ctx, c.old.engine, func(row []any) error {
		source.add(row)
		rows = append(rows, append([]any{source.rows}, row...))
		if size += sizeOf(row); len(rows) < copyRows && size < copyBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return 0, c.old.explain(err, "read table "+t.name+" of "+c.old.Where())
	}
	written := newDigest(t)
	err = t.read(ctx, c.fresh.engine, func(row []any) error { written.add(row); return nil })
	if err != nil {
		return 0, c.fresh.explain(err, "read table "+t.name+" of "+c.fresh.Where())
	}
	if !written.equal(source) {
		return 0, fault.New(fault.Internal, fmt.Sprintf("table %s is not the same in %s: %d rows there, %d in %s, and their contents differ",
			t.name, c.fresh.Where(), written.rows, source.rows, c.old.Where())).
			WithNext("was either changed meanwhile? The old database is as it was; try again")
	}
	c.o.Progress(t.name, source.rows, true)
	return source.rows, nil
}

func sizeOf(row []any) int {
	n := 8 * len(row)
	for _, v := range row {
		if s, ok := v.(string); ok {
			n += len(s)
		}
	}
	return n
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
	ctx, cancel := context.WithTimeout(ctx, finishTime)
	defer cancel()
	c.finishing = true
	err = c.fresh.write(ctx, func(tx *sql.Tx) error {
		for _, step := range []struct {
			text string
			args []any
		}{
			{"UPDATE lease SET " + fresh + " = $1 WHERE " + fresh + " = $2", []any{copied, history}},
			{"UPDATE server SET boot = '', presence = ''", nil},
			{"UPDATE management_group SET name = $1", []any{c.name}},
		} {
			if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
	return c.fresh.explain(err, "put "+c.fresh.Where()+" into service")
}
