package postgres

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tieline/internal/store/hosts"
)

const (
	// askWithin bounds the asking of the other hosts, all of them together.
	askWithin = time.Second
	// askEvery is how often a server asks them while it runs, at most.
	askEvery = 10 * time.Second
)

// watch keeps a process from an old primary: one that was replaced while it could
// not be reached, and takes writes again, or still does. It remembers the newest
// history that the process has met.
type watch struct {
	log    *slog.Logger
	asking sync.Mutex     // held while the other hosts are asked
	ends   sync.WaitGroup // what asks in the background

	mu     sync.Mutex
	newest standing // of a host that takes writes; none: it is empty
	agreed string   // host that was compared with the others
	asked  time.Time
	told   string // the split that the log has
	closed bool
}

// admit refuses a connection to a host whose history is older than one met before.
func (w *watch) admit(s standing) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.older(w.newest) {
		return s.fenced(w.newest)
	}
	if s.readOnly == "" && s.timeline > 0 {
		w.newest = s
	}
	return nil
}

// left reports why a connection is of no use any more: a newer history was met
// since it was made.
func (w *watch) left(conn *pgconn.PgConn) error {
	s, known := conn.CustomData()[standingKey].(standing)
	w.mu.Lock()
	defer w.mu.Unlock()
	if known && s.older(w.newest) {
		return s.fenced(w.newest)
	}
	return nil
}

// agrees reports whether a host was compared with the others before.
func (w *watch) agrees(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.agreed == host
}

// inUse is the host that was compared with the others, "" before.
func (w *watch) inUse() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.agreed
}

// due reports whether the other hosts are to be asked again, and notes that they
// are.
func (w *watch) due(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.agreed == "" || now.Sub(w.asked) < askEvery {
		return false
	}
	w.asked = now
	w.ends.Add(1)
	return true
}

// close waits for what asks in the background, no longer than askWithin.
func (w *watch) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.ends.Wait()
}

// judge compares a host with the others, and returns the one with the newest
// history. The log tells once of what a person must do.
func (w *watch) judge(mine standing, others []hosts.Answer[standing]) standing {
	newest := mine
	for _, o := range others {
		if o.Err == nil && o.Got.readOnly == "" && newest.older(o.Got) {
			newest = o.Got
		}
	}
	var split *hosts.Reason
	for _, o := range append(others, hosts.Answer[standing]{Got: mine}) {
		if s := newest.split(o.Got); o.Err == nil && s != nil {
			split = s
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if newest.host == mine.host {
		w.agreed, w.asked = mine.host, time.Now()
	} else {
		w.newest = newest
	}
	text := ""
	if split != nil {
		text = split.Cause
	}
	if text != "" && text != w.told {
		w.log.Error("two hosts of the database take writes", slog.String("reason", split.Cause), slog.String("next", split.Next))
	}
	w.told = text
	return newest
}

// others asks every host but one what it is.
func (p places) others(ctx context.Context, but int) []hosts.Answer[standing] {
	return hosts.Others(ctx, len(p.each), but, askWithin, func(ctx context.Context, at int) (standing, error) {
		c := p.each[at].Copy()
		c.ValidateConnect = nil // that it takes no writes is an answer
		conn, err := pgx.ConnectConfig(ctx, c)
		if err != nil {
			return standing{}, &hosts.At{Host: p.name(at), Err: err}
		}
		defer closeConn(conn)
		return look(ctx, conn.PgConn(), p.name(at))
	})
}

// settle compares the host that a connection was made to with the others, where
// that was not done yet, and reports whether it has the newest history. If not, the
// next connection begins with the one that has.
func (p places) settle(ctx context.Context, mine standing) bool {
	w := p.watch
	if len(p.each) == 1 || w.agrees(mine.host) {
		return true
	}
	w.asking.Lock()
	defer w.asking.Unlock()
	if w.agrees(mine.host) {
		return true
	}
	newest := w.judge(mine, p.others(ctx, p.index(mine.host)))
	if newest.host == mine.host {
		return true
	}
	p.last.Store(int32(p.index(newest.host))) //nolint:gosec // a URL's hosts are few
	return false
}

// lookAround asks the other hosts again, in the background, every now and then:
// one of them may have been promoted while the one in use could not be reached
// from there. What is connected to the old one is given up then.
func (p places) lookAround(conn *pgconn.PgConn) {
	s, known := conn.CustomData()[standingKey].(standing)
	if len(p.each) == 1 || !known || !p.watch.due(time.Now()) {
		return
	}
	go func() {
		defer p.watch.ends.Done()
		ctx, cancel := context.WithTimeout(context.Background(), askWithin)
		defer cancel()
		newest := p.watch.judge(s, p.others(ctx, p.index(s.host)))
		if newest.host != s.host {
			p.last.Store(int32(p.index(newest.host))) //nolint:gosec // a URL's hosts are few
		}
	}()
}
