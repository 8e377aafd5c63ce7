package postgres

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"tieline/internal/store/hosts"
)

// places are where a database may be: a configuration for each host of its URL.
type places struct {
	each  []*pgx.ConnConfig
	last  *atomic.Int32 // index of the one that was connected to last, which is asked first
	watch *watch        // shared by all that connect to the same database
}

// placesOf takes a configuration apart. What a host is to be tried with, one after
// the other (with TLS and without), stays together.
func placesOf(c *pgx.ConnConfig) places {
	p := places{last: &atomic.Int32{}, watch: &watch{log: slog.New(slog.DiscardHandler)}}
	one := c.Copy()
	one.Fallbacks = nil
	for _, f := range c.Fallbacks {
		if f.Host == one.Host && f.Port == one.Port {
			one.Fallbacks = append(one.Fallbacks, f)
			continue
		}
		p.each = append(p.each, one)
		one = c.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = f.Host, f.Port, f.TLSConfig, nil
	}
	p.each = append(p.each, one)
	return p
}

// with returns the same places, to be connected to in another way.
func (p places) with(change func(*pgx.ConnConfig)) places {
	changed := places{last: p.last, watch: p.watch}
	for _, c := range p.each {
		c = c.Copy()
		change(c)
		changed.each = append(changed.each, c)
	}
	return changed
}

// sharing returns the same places, under a watch that others share.
func (p places) sharing(w *watch) places {
	p.watch = w
	return p
}

// name is a host as people write it.
func (p places) name(at int) string {
	return net.JoinHostPort(p.each[at].Host, strconv.Itoa(int(p.each[at].Port)))
}

// index is where a host of that name is.
func (p places) index(name string) int {
	for at := range p.each {
		if p.name(at) == name {
			return at
		}
	}
	return 0 // names come from here
}

// connect makes a connection to the first host that gives one.
func (p places) connect(ctx context.Context) (*pgx.Conn, error) {
	return connectTo(ctx, p, func(ctx context.Context, at int) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, p.each[at])
	}, (*pgx.Conn).PgConn, closeConn)
}

// connectTo makes a connection to the first host that gives one and that has no
// older history than any this process met. A host that was not in use before is
// compared with the others. The error names each host.
func connectTo[T any](ctx context.Context, p places, connect func(ctx context.Context, at int) (T, error), raw func(T) *pgconn.PgConn, discard func(T)) (T, error) {
	for {
		conn, err := hosts.First(ctx, len(p.each), p.last, func(ctx context.Context, at int) (conn T, err error) {
			conn, err = connect(ctx, at)
			if err != nil {
				return conn, &hosts.At{Host: p.name(at), Err: err}
			}
			mine, err := look(ctx, raw(conn), p.name(at))
			if err == nil {
				err = p.watch.admit(mine)
			}
			if err != nil {
				discard(conn)
				return conn, &hosts.At{Host: p.name(at), Err: err}
			}
			return conn, nil
		}, discard)
		if err != nil {
			return conn, err
		}
		if mine, ok := raw(conn).CustomData()[standingKey].(standing); !ok || p.settle(ctx, mine) {
			return conn, nil
		}
		discard(conn) // each time a newer history was met, so that this ends
	}
}

// anyHost makes connections for database/sql.
type anyHost struct {
	places
	each []driver.Connector
}

func newAnyHost(p places) anyHost {
	a := anyHost{places: p}
	for _, c := range p.each {
		// A connection to a host that was left is not used again.
		a.each = append(a.each, stdlib.GetConnector(*c, stdlib.OptionResetSession(func(_ context.Context, conn *pgx.Conn) error {
			if p.watch.left(conn.PgConn()) != nil {
				return driver.ErrBadConn
			}
			return nil
		})))
	}
	return a
}

// Driver implements driver.Connector.
func (a anyHost) Driver() driver.Driver { return a.each[0].Driver() }

// Connect implements driver.Connector.
func (a anyHost) Connect(ctx context.Context) (driver.Conn, error) {
	return connectTo(ctx, a.places, func(ctx context.Context, at int) (driver.Conn, error) {
		return a.each[at].Connect(ctx)
	}, func(c driver.Conn) *pgconn.PgConn { return c.(*stdlib.Conn).Conn().PgConn() }, func(c driver.Conn) { _ = c.Close() })
}

// takesWrites refuses a host of several that takes none, and says why.
func takesWrites(ctx context.Context, conn *pgconn.PgConn) error {
	s, err := look(ctx, conn, "")
	if err == nil && s.readOnly != "" {
		return takesNoWrites(s.readOnly)
	}
	return err
}
