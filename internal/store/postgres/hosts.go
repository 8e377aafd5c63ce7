package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// headStart is how long a host is asked alone. One that says nothing until then,
// as one that is lost does, keeps nobody waiting: the next is asked beside it.
const headStart = 250 * time.Millisecond

// hosts are where a database may be: a configuration for each host of its URL.
type hosts struct {
	each []*pgx.ConnConfig
	last *atomic.Int32 // index of the one that was connected to last, which is asked first
}

// hostsOf takes a configuration apart. What a host is to be tried with, one after
// the other (with TLS and without), stays together.
func hostsOf(c *pgx.ConnConfig) hosts {
	h := hosts{last: &atomic.Int32{}}
	one := c.Copy()
	one.Fallbacks = nil
	for _, f := range c.Fallbacks {
		if f.Host == one.Host && f.Port == one.Port {
			one.Fallbacks = append(one.Fallbacks, f)
			continue
		}
		h.each = append(h.each, one)
		one = c.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = f.Host, f.Port, f.TLSConfig, nil
	}
	h.each = append(h.each, one)
	return h
}

// with returns the same hosts, to be connected to in another way.
func (h hosts) with(change func(*pgx.ConnConfig)) hosts {
	changed := hosts{last: h.last}
	for _, c := range h.each {
		c = c.Copy()
		change(c)
		changed.each = append(changed.each, c)
	}
	return changed
}

// connect makes a connection to the first host that gives one.
func (h hosts) connect(ctx context.Context) (*pgx.Conn, error) {
	return first(ctx, h, func(ctx context.Context, at int) (*pgx.Conn, error) {
		return pgx.ConnectConfig(ctx, h.each[at])
	}, closeConn)
}

// made is what came of asking one host.
type made[T any] struct {
	at   int
	conn T
	err  error
}

// first returns what the first host gives that gives anything, and discards what
// others give after it. Its error is every host's.
func first[T any](ctx context.Context, h hosts, connect func(ctx context.Context, at int) (T, error), discard func(T)) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin, count := int(h.last.Load()), len(h.each)
	answers := make(chan made[T], count)
	next := time.NewTimer(0)
	defer next.Stop()
	var failed []error
	for asked := 0; ; {
		select {
		case <-next.C:
			if asked == count {
				continue
			}
			at := (begin + asked) % count
			asked++
			go func() {
				conn, err := connect(ctx, at)
				answers <- made[T]{at, conn, err}
			}()
			next.Reset(headStart)
		case a := <-answers:
			if a.err == nil {
				h.last.Store(int32(a.at)) //nolint:gosec // a URL's hosts are few
				go discardAll(answers, asked-len(failed)-1, discard)
				return a.conn, nil
			}
			if failed = append(failed, a.err); len(failed) == count {
				var none T
				return none, errors.Join(failed...)
			}
			next.Reset(0)
		}
	}
}

// discardAll gets rid of what is answered too late to be used.
func discardAll[T any](answers <-chan made[T], outstanding int, discard func(T)) {
	for range outstanding {
		if a := <-answers; a.err == nil {
			discard(a.conn)
		}
	}
}

// anyHost makes connections for database/sql.
type anyHost struct {
	hosts hosts
	each  []driver.Connector
}

func newAnyHost(h hosts) anyHost {
	a := anyHost{hosts: h}
	for _, c := range h.each {
		a.each = append(a.each, stdlib.GetConnector(*c))
	}
	return a
}

// Driver implements driver.Connector.
func (a anyHost) Driver() driver.Driver { return a.each[0].Driver() }

// Connect implements driver.Connector.
func (a anyHost) Connect(ctx context.Context) (driver.Conn, error) {
	return first(ctx, a.hosts, func(ctx context.Context, at int) (driver.Conn, error) {
		return a.each[at].Connect(ctx)
	}, func(c driver.Conn) { _ = c.Close() })
}
