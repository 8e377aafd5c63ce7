package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// always is set on every connection for coordination. The keepalives make the
// server end the presence of a host that is lost; the rest undoes what a
// database's own defaults would break.
var always = map[string]string{
	"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "3", "tcp_keepalives_count": "3", "tcp_user_timeout": "15000",
	"client_connection_check_interval": "5000",
	"idle_session_timeout":             "0", // these connections are silent between heartbeats
	"default_transaction_isolation":    "read committed",
	"jit":                              "off",
}

// conn is a connection for coordination. Where its backend is its own, its
// settings were set once; where a pooler lends it one, each statement brings
// them along, so that no other client of the pooler finds them set.
type conn struct {
	*pgx.Conn
	backend       int64 // process id of the first backend that answered
	names, values []string
}

// setLocal sets what of the settings the server knows until the transaction ends.
const setLocal = `SELECT count(set_config(s.name, w.value, $3))
	FROM unnest($1::text[], $2::text[]) AS w(name, value) JOIN pg_settings s ON s.name = w.name`

// connect opens a connection. Settings are set by a statement, because poolers
// refuse them at the start.
func (c *Coordinator) connect(ctx context.Context, at places, name string, limits map[string]time.Duration) (*conn, error) {
	raw, err := at.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect for coordination: %w", err)
	}
	opened := &conn{Conn: raw}
	opened.backend, err = backendOf(ctx, raw)
	if err == nil {
		err = opened.set(ctx, name, limits)
	}
	if err != nil {
		opened.close()
		return nil, fmt.Errorf("set up the coordination connection: %w", err)
	}
	return opened, nil
}

func (c *conn) set(ctx context.Context, name string, limits map[string]time.Duration) error {
	names, values := []string{"application_name"}, []string{name}
	for setting, limit := range limits {
		names, values = append(names, setting), append(values, strconv.FormatInt(limit.Milliseconds(), 10))
	}
	if c.borrowed() {
		c.names, c.values = names, values
		return nil
	}
	for setting, value := range always {
		names, values = append(names, setting), append(values, value)
	}
	_, err := c.Exec(ctx, setLocal, names, values, false)
	return err
}

// borrowed reports whether a pooler is in between: it announces a process id of
// its own.
func (c *conn) borrowed() bool { return int64(c.PgConn().PID()) != c.backend }

// row runs a statement that answers one row, in one round trip. It returns
// pgx.ErrNoRows when there is none.
func (c *conn) row(ctx context.Context, into []any, query string, args ...any) error {
	if c.names == nil {
		return c.QueryRow(ctx, query, args...).Scan(into...)
	}
	// What is sent without a sync between is one transaction.
	b := &pgx.Batch{}
	b.Queue(setLocal, c.names, c.values, true)
	b.Queue(query, args...)
	answers := c.SendBatch(ctx, b)
	_, err := answers.Exec()
	if err == nil {
		err = answers.QueryRow().Scan(into...)
	}
	closed := answers.Close()
	if err == nil || errors.Is(err, pgx.ErrNoRows) && closed != nil {
		return errors.Join(err, closed)
	}
	return err
}

func (c *conn) close() { closeConn(c.Conn) }

func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx) // the connection is given up either way
}
