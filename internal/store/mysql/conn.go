package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	mysql "github.com/go-sql-driver/mysql"

	"tieline/internal/fault"
	"tieline/internal/store/hosts"
	"tieline/internal/store/param"
)

// markers gives the store's statements the driver's markers, for all databases.
var markers = param.New(param.Question)

// limits are how long the server lets a session of ours wait or be silent.
type limits struct {
	lock      time.Duration // for a row's lock
	statement time.Duration // for one statement; 0 = no limit. MariaDB alone has it
	frozen    time.Duration // for the next statement inside a transaction. MariaDB alone has it
	silent    time.Duration // for the next statement; 0 = the server's default
}

// connector makes connections that are set up and checked, and understand the
// store's parameters: to a host that takes writes, beginning with the one that did
// so last.
type connector struct {
	hosts   []driver.Connector
	names   []string      // of the hosts, with their ports
	last    *atomic.Int32 // index of the host that was connected to last
	nodes   *nodes        // nil: nobody minds which server it is
	login   time.Duration // bounds the making of one connection
	flavour flavour
	limits  limits
}

func newConnector(c *mysql.Config, f flavour, l limits) (*connector, error) {
	made := &connector{last: &atomic.Int32{}, login: loginWithin(c), flavour: f, limits: l}
	for _, one := range eachHost(c) {
		base, err := mysql.NewConnector(one)
		if err != nil {
			return nil, wrongURL(err.Error())
		}
		made.hosts, made.names = append(made.hosts, base), append(made.names, one.Addr)
	}
	return made, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.hosts[0].Driver() }

// Connect implements driver.Connector.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	return hosts.First(ctx, len(c.hosts), c.last, func(ctx context.Context, at int) (driver.Conn, error) {
		made, err := c.connect(ctx, at)
		if err != nil {
			return nil, &hosts.At{Host: c.names[at], Err: err}
		}
		return made, nil
	}, func(unused driver.Conn) { _ = unused.Close() })
}

// connect bounds what the driver does not: it waits for the answers of the login
// without a limit.
func (c *connector) connect(ctx context.Context, at int) (driver.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.login, errLogin)
	defer cancel()
	base, err := c.hosts[at].Connect(ctx)
	if err != nil {
		return nil, because(ctx, err)
	}
	conn := &conn{full: base.(full)}
	found, err := c.setUp(ctx, conn)
	if err == nil {
		err = c.nodes.same(ctx, found.name)
	}
	if err != nil {
		return nil, errors.Join(because(ctx, err), base.Close())
	}
	c.rivals(ctx, at, found.name)
	return conn, nil
}

// errLogin is why a connection was given up before it could be used.
var errLogin = fmt.Errorf("the server did not complete the login in time: %w", context.DeadlineExceeded)

// because says of a call that was given up why it was.
func because(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errLogin) {
		return errors.Join(errLogin, err)
	}
	return err
}

// setUp makes the session what the statements rely on, whatever the server's
// defaults are, and looks whether it is: a proxy in between may keep settings to
// itself. It returns which server the session is with.
func (c *connector) setUp(ctx context.Context, conn *conn) (node, error) {
	settings := []string{
		"autocommit = 1", "sql_mode = '" + strictMode + "'", "time_zone = '+00:00'",
		"innodb_lock_wait_timeout = " + seconds(c.limits.lock), "lock_wait_timeout = 60",
		"group_concat_max_len = 67108864",
	}
	if c.limits.silent > 0 {
		settings = append(settings, "wait_timeout = "+seconds(c.limits.silent))
	}
	if c.flavour.maria {
		settings = append(settings, "idle_transaction_timeout = "+seconds(c.limits.frozen),
			"max_statement_time = "+seconds(c.limits.statement))
	}
	isolation := "@@transaction_isolation"
	if c.flavour.maria {
		isolation = "@@tx_isolation"
	}
	values, err := conn.row(ctx, "SET NAMES utf8mb4 COLLATE "+c.flavour.collation+
		"; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; SET SESSION "+strings.Join(settings, ", ")+
		"; SELECT "+isolation+", @@autocommit, @@sql_mode, "+c.flavour.nodeText())
	if err != nil {
		return node{}, fmt.Errorf("set the session up: %w", err)
	}
	found := nodeOf(values[3:])
	if len(c.hosts) > 1 && found.readOnly != "" {
		return node{}, found.takesNoWrites()
	}
	if values[0] != "READ-COMMITTED" || values[1] != "1" || !strings.Contains(values[2], "STRICT_ALL_TABLES") {
		return node{}, fault.New(fault.Refused, fmt.Sprintf("the database does not keep a session's settings: isolation %s, autocommit %s, mode %s",
			values[0], values[1], values[2])).
			WithNext("connect to the server directly, or set the proxy in between to keep sessions and their variables")
	}
	return found, nil
}

// strictMode refuses what it cannot store as it was given.
const strictMode = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

// seconds is a limit as the server takes it: whole, and no less than one; 0 = none.
func seconds(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return strconv.FormatInt(max(int64((d+time.Second-1)/time.Second), 1), 10)
}

// full is all that the driver's connection can do.
type full interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

// conn is a connection that takes the store's parameters.
type conn struct {
	full
	inside bool // a transaction; a connection is used by one at a time
}

// deadlocks is how often a statement is tried that a deadlock undid.
const deadlocks = 5

// ExecContext repeats a statement outside a transaction that a deadlock undid:
// that one is known to have done nothing. A transaction is its owner's to repeat.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s := markers.Statement(query)
	args, err := s.Args(args)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		r, err := c.full.ExecContext(ctx, s.Text, args)
		if c.inside || try == deadlocks || !isCode(err, codeDeadlock) {
			return r, tooLarge(err)
		}
	}
}

func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.full.BeginTx(ctx, o)
	c.inside = err == nil
	return transaction{tx, c}, err
}

type transaction struct {
	driver.Tx
	conn *conn
}

func (t transaction) Commit() error {
	t.conn.inside = false
	return t.Tx.Commit()
}

func (t transaction) Rollback() error {
	t.conn.inside = false
	return t.Tx.Rollback()
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s := markers.Statement(query)
	args, err := s.Args(args)
	if err != nil {
		return nil, err
	}
	r, err := c.full.QueryContext(ctx, s.Text, args)
	return r, tooLarge(err)
}

// tooLarge says what the driver means when it would rather prepare a statement:
// that its arguments do not fit into a packet.
func tooLarge(err error) error {
	if errors.Is(err, driver.ErrSkip) {
		return mysql.ErrPktTooLarge
	}
	return err
}

// row reads the one row of texts that the last of several statements answers.
func (c *conn) row(ctx context.Context, query string) (values []string, err error) {
	rows, err := c.full.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	raw := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(raw); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	for _, v := range raw {
		switch v := v.(type) {
		case []byte:
			values = append(values, string(v))
		default:
			values = append(values, fmt.Sprint(v))
		}
	}
	return values, nil
}
