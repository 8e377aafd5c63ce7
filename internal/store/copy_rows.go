package store

import (
	"context"
	"database/sql"
	"fmt"

	"tieline/internal/fault"
)

// copyRounds is how often the old database is compared with what was read of it, and
// what differs copied anew. Nothing of this version writes to it any more; a program
// of another one, or a person, may.
const copyRounds = 5

// all copies and compares every table, and puts the copy into service.
func (c *copying) all(ctx context.Context) error {
	read := make([]*digest, len(tables))
	for i, t := range tables {
		var err error
		if read[i], err = c.table(ctx, t); err != nil {
			return err
		}
	}
	if err := c.again(ctx, read); err != nil {
		return err
	}
	for i, t := range tables {
		c.out.Tables = append(c.out.Tables, CopiedTable{t.name, read[i].rows})
	}
	return c.finish(ctx)
}

// again compares the old database with what was read of it, and copies what was
// changed once more, until a whole round finds nothing.
func (c *copying) again(ctx context.Context, read []*digest) error {
	var changed string
	for range copyRounds {
		changed = ""
		for i, t := range tables {
			now, err := c.old.digest(ctx, t)
			if err != nil {
				return err
			}
			if now.equal(read[i]) {
				continue
			}
			changed = t.name
			if err := c.fresh.empty(ctx, c.called(markCopy), t.name); err != nil {
				return err
			}
			if read[i], err = c.table(ctx, t); err != nil {
				return err
			}
		}
		if changed == "" {
			return nil
		}
	}
	return fault.New(fault.Refused, fmt.Sprintf("table %s of %s is changed again and again while it is copied", changed, c.old.Where())).
		WithNext("stop every server, console and command that uses that database, those of another version of Tieline too, and try again")
}

// copyRows and copyBytes bound what one transaction writes.
const (
	copyRows  = 500
	copyBytes = 1 << 20
)

// table copies one table, reads the copy back and returns what was read first.
func (c *copying) table(ctx context.Context, t copied) (*digest, error) {
	source, err := c.carry(ctx, t)
	if err != nil {
		return nil, err
	}
	written, err := c.fresh.digest(ctx, t)
	if err != nil {
		return nil, err
	}
	if !written.equal(source) {
		return nil, fault.New(fault.Internal, fmt.Sprintf("table %s is not the same in %s: %d rows there, %d in %s, and their contents differ",
			t.name, c.fresh.Where(), written.rows, source.rows, c.old.Where())).
			WithNext("was the new one changed meanwhile? The old database is as it was; try again")
	}
	c.o.Progress(t.name, source.rows, true)
	return source, nil
}

// carry writes the rows of one table of the old database to the new one.
func (c *copying) carry(ctx context.Context, t copied) (*digest, error) {
	batch := t.insert(c.fresh.engine)
	source := newDigest(t)
	var rows [][]any
	size := 0
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := c.fresh.whileCalled(ctx, []string{c.called(markCopy)}, func(tx *sql.Tx) error {
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
		return nil, c.old.explain(err, "read table "+t.name+" of "+c.old.Where())
	}
	return source, nil
}

// digest reads a table.
func (db *DB) digest(ctx context.Context, t copied) (*digest, error) {
	d := newDigest(t)
	err := t.read(ctx, db.engine, func(row []any) error { d.add(row); return nil })
	return d, db.explain(err, "read table "+t.name+" of "+db.Where())
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
