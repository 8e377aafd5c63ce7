package sqlserver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// line is one connection outside the pool, for a session or a waiter. Its
// statements run to their end whatever becomes of their callers: the driver would
// tell the server of a context that ends in the middle, and might give the
// connection up, and with it the presence it holds.
type line struct {
	wires *wires
	db    *sql.DB // of this one connection
	conn  *sql.Conn
	turn  chan struct{} // holds a value while no statement runs
}

// openLine makes the connection.
func openLine(ctx context.Context, c *connector) (*line, error) {
	made, err := c.Connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect for coordination: %w", err)
	}
	l := &line{wires: made.(*conn).wires, db: sql.OpenDB(&once{made: made}), turn: make(chan struct{}, 1)}
	if l.conn, err = l.db.Conn(ctx); err != nil {
		l.wires.cut()
		return nil, errors.Join(fmt.Errorf("connect for coordination: %w", err), l.db.Close())
	}
	l.turn <- struct{}{}
	return l, nil
}

// row runs a batch and scans the one row of its last answer into dest. It returns
// early when ctx ends; the batch goes on, and what it did is not known.
func (l *line) row(ctx context.Context, text string, args, dest []any) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	answer := make(chan error, 1)
	values := make([]any, len(dest))
	go func() {
		err := l.scan(text, args, values)
		l.turn <- struct{}{}
		answer <- err
	}()
	select {
	case err := <-answer:
		if err != nil {
			return err
		}
		return assign(dest, values)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *line) scan(text string, args, values []any) error {
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	// Without a context that can end. Scan reads the answer to its end (conn.go).
	return l.conn.QueryRowContext(context.Background(), text, args...).Scan(into...)
}

// close ends the connection at once, also in the middle of a statement.
func (l *line) close() {
	l.wires.cut()
	_ = l.conn.Close() // the network connection is gone
	_ = l.db.Close()
}

// assign gives the caller's variables what a row said.
func assign(dest, values []any) error {
	for i, v := range values {
		var err error
		switch d := dest[i].(type) {
		case *int64:
			*d, err = as[int64](v)
		case *string:
			*d, err = as[string](v)
		case *uuid.UUID:
			err = d.Scan(v)
		default:
			err = fmt.Errorf("no column is read into a %T", d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func as[T any](v any) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("the database answered %T where %T was asked for", v, t)
	}
	return t, nil
}

// once gives out a connection that was made already.
type once struct{ made driver.Conn }

func (o *once) Connect(context.Context) (driver.Conn, error) {
	made := o.made
	if made == nil {
		return nil, driver.ErrBadConn // it was lost: a line is not made anew
	}
	o.made = nil
	return made, nil
}

func (o *once) Driver() driver.Driver { return &connector{} }
