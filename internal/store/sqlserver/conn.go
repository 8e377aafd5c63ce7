package sqlserver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"

	"tieline/internal/store/param"
)

// cancelGrace is how long the driver may wait for the server to confirm that a
// statement was cancelled (it would wait up to 10 s) before its connection is
// given up.
const cancelGrace = 300 * time.Millisecond

// errLogin is why a connection was given up before it could be used.
var errLogin = fmt.Errorf("the server did not complete the login in time: %w", context.DeadlineExceeded)

// markers are the texts with this driver's parameters.
var markers = param.New(param.AtP)

// connector makes connections that are set up once and never reset: nobody but
// the store uses them, and a reset would drop their settings and, on those that
// hold one, the presence.
type connector struct {
	config msdsn.Config
	login  time.Duration // bounds the making of one connection
	wishes string        // settings of each new connection, one a line, that a server may refuse
}

func (c *connector) Driver() driver.Driver { return c }

// Open implements driver.Driver, which database/sql does not use beside Connect.
func (c *connector) Open(string) (driver.Conn, error) { return c.Connect(context.Background()) }

// Connect bounds what the driver does not: it waits for the answers of the login
// without a limit.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.login, errLogin)
	defer cancel()
	config := c.config
	if config.TLSConfig != nil {
		config.TLSConfig = config.TLSConfig.Clone() // the driver changes it
	}
	w := &wires{}
	stop := context.AfterFunc(ctx, w.cut)
	made, err := c.connect(ctx, config, w)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		w.cut()
		return nil, err
	}
	return made, nil
}

func (c *connector) connect(ctx context.Context, config msdsn.Config, w *wires) (*conn, error) {
	inner := mssql.NewConnectorConfig(config)
	inner.Dialer = w
	made, err := inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	dc := &conn{Conn: made.(*mssql.Conn), wires: w}
	if err := dc.setUp(ctx, c.wishes); err != nil {
		return nil, fmt.Errorf("set the connection up: %w", err)
	}
	return dc, nil
}

// setUp makes one request of what is needed and what is wished. Only where that is
// refused each setting is one of its own.
func (c *conn) setUp(ctx context.Context, wishes string) error {
	if err := c.settle(ctx, needs+"\n"+wishes); !refused(err) {
		return err
	}
	if err := c.settle(ctx, needs); err != nil {
		return err
	}
	for wish := range strings.SplitSeq(wishes, "\n") {
		if err := c.settle(ctx, wish); err != nil && !refused(err) {
			return err
		}
	}
	return nil
}

// settle runs a batch without parameters: what it sets would end with one that
// has some, as that is a procedure's.
func (c *conn) settle(ctx context.Context, batch string) error {
	s, err := c.Conn.PrepareContext(ctx, batch)
	if err != nil {
		return err
	}
	_, err = s.(driver.StmtExecContext).ExecContext(ctx, nil)
	return err
}

// wires are the network connections of one database connection: one, or several
// that were tried. Cutting them ends every wait of the driver at once.
type wires struct {
	mu    sync.Mutex
	cuts  bool
	conns []net.Conn
}

// DialContext notices a lost host within about 11 s.
func (w *wires) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cuts {
		return nil, errors.Join(net.ErrClosed, nc.Close())
	}
	w.conns = append(w.conns, nc)
	return nc, nil
}

func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts = true
	for _, nc := range w.conns {
		_ = nc.Close() // it is given up
	}
}

// conn is a connection of the driver with the parameters and the patience of ours.
type conn struct {
	*mssql.Conn
	wires   *wires
	spoiled atomic.Bool
}

// watch gives the connection up when ctx ends and the call does not return soon
// after. The function it returns ends the watch.
func (c *conn) watch(ctx context.Context) (done func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	returned := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-returned:
		case <-time.After(cancelGrace):
			c.wires.cut()
		}
	})
	return sync.OnceFunc(func() { close(returned); stop() })
}

// ResetSession implements driver.SessionResetter: the connection stays as it is.
func (c *conn) ResetSession(context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return nil
}

// CheckNamedValue gives ids the type of their columns, char(36): the driver
// would send them as nvarchar, for which a column would be converted row by row.
// An absent value gets a type: the one that says there is none is not known to
// every server.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	switch id := v.Value.(type) {
	case uuid.UUID:
		v.Value = mssql.VarChar(id.String())
		return nil
	case uuid.NullUUID:
		v.Value = sql.NullString{}
		if id.Valid {
			v.Value = mssql.VarChar(id.UUID.String())
		}
		return nil
	case nil:
		v.Value = sql.NullString{}
		return nil
	}
	return c.Conn.CheckNamedValue(v)
}

func (c *conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

func (c *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	s, err := c.Conn.PrepareContext(ctx, markers.Statement(text).Text)
	if err != nil {
		return nil, err
	}
	return &stmt{Stmt: s.(*mssql.Stmt), conn: c}, nil
}

func (c *conn) Ping(ctx context.Context) error {
	defer c.watch(ctx)()
	return c.Conn.Ping(ctx)
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	defer c.watch(ctx)()
	t, err := c.Conn.BeginTx(ctx, opts)
	if err != nil {
		c.spoil()
		return nil, err
	}
	return &tx{Tx: t, conn: c, ctx: ctx}, nil
}

// spoil gives up a connection on which a transaction may be open that nobody
// knows of: its beginning was cancelled when it had begun, or its end failed. As
// no connection is reset, what is done on it next would be part of that.
func (c *conn) spoil() {
	c.spoiled.Store(true)
	c.wires.cut()
}

// IsValid implements driver.Validator.
func (c *conn) IsValid() bool { return !c.spoiled.Load() && c.Conn.IsValid() }

// tx is a transaction whose end is watched as its beginning was.
type tx struct {
	driver.Tx
	conn *conn
	ctx  context.Context //nolint:containedctx // the driver keeps it just so
}

func (t *tx) Commit() error {
	defer t.conn.watch(t.ctx)()
	return t.ended(t.Tx.Commit())
}

func (t *tx) Rollback() error {
	defer t.conn.watch(t.ctx)()
	return t.ended(t.Tx.Rollback())
}

func (t *tx) ended(err error) error {
	if err != nil {
		t.conn.spoil()
	}
	return err
}

type stmt struct {
	*mssql.Stmt
	conn *conn
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	defer s.conn.watch(ctx)()
	return s.Stmt.ExecContext(ctx, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	done := s.conn.watch(ctx)
	r, err := s.Stmt.QueryContext(ctx, args)
	if err != nil {
		done()
		return nil, err
	}
	return &rows{Rows: r.(*mssql.Rows), conn: s.conn, ctx: ctx, done: done}, nil
}

// rows is an answer that is read to its end. The driver's own Close cancels what
// it has not read yet: after the first row of a batch that would be the rest of
// the batch, and an error told behind the row would be lost.
type rows struct {
	*mssql.Rows
	conn *conn
	ctx  context.Context //nolint:containedctx // of the query
	done func()
}

func (r *rows) Close() error {
	defer r.done()
	var err error
	if r.ctx.Err() == nil {
		err = r.rest()
	}
	return errors.Join(err, r.Rows.Close())
}

// rest reads what is left, also behind an error, and returns the first one.
func (r *rows) rest() (first error) {
	for {
		row := make([]driver.Value, len(r.Columns()))
		for {
			err := r.Next(row)
			if err == io.EOF { //nolint:errorlint // a broken connection wraps it
				break
			}
			if first == nil {
				first = err
			}
			if !r.conn.IsValid() {
				return first
			}
		}
		if !r.HasNextResultSet() {
			return first
		}
		if err := r.NextResultSet(); err != nil {
			return errors.Join(first, err)
		}
	}
}
