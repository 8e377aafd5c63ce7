package postgres

import (
	"context"
	"database/sql/driver"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"tieline/internal/store/hosts"
)

// places are where a database may be: a configuration for each host of its URL.
type places struct {
	each []*pgx.ConnConfig
	last *atomic.Int32 // index of the one that was connected to last, which is asked first
}

// placesOf takes a configuration apart. What a host is to be tried with, one after
// the other (with TLS and without), stays together.
func placesOf(c *pgx.ConnConfig) places {
	p := places{last: &atomic.Int32{}}
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
	changed := places{last: p.last}
	for _, c := range p.each {
		c = c.Copy()
		change(c)
		changed.each = append(changed.each, c)
	}
	return changed
}

// connect makes a connection to the first host that gives one.
func (p places) connect(ctx context.Context) (*pgx.Conn, error) {
	return hosts.First(ctx, len(p.each), p.last, func(ctx context.Context, at int) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, p.each[at])
	}, closeConn)
}

// anyHost makes connections for database/sql.
type anyHost struct {
	each []driver.Connector
	last *atomic.Int32
}

func newAnyHost(p places) anyHost {
	a := anyHost{last: p.last}
	for _, c := range p.each {
		a.each = append(a.each, stdlib.GetConnector(*c))
	}
	return a
}

// Driver implements driver.Connector.
func (a anyHost) Driver() driver.Driver { return a.each[0].Driver() }

// Connect implements driver.Connector.
func (a anyHost) Connect(ctx context.Context) (driver.Conn, error) {
	return hosts.First(ctx, len(a.each), a.last, func(ctx context.Context, at int) (driver.Conn, error) {
		return a.each[at].Connect(ctx)
	}, func(c driver.Conn) { _ = c.Close() })
}
