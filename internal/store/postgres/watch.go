package postgres

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tieline/internal/store/hosts"
)

const (
	// askWithin bounds the asking of the other hosts, all of them together.
	askWithin = time.Second
	// askEvery is how long a process waits between askings, on the average.
	askEvery = 2 * time.Second
	// slow is how long a statement of a coordination session takes that gives rise
	// to ask at once.
	slow = time.Second
)

// watch keeps a process from an old primary: one that was replaced while it could
// not be reached, and takes writes again, or still does. It remembers the newest
// history that the process has met.
type watch struct {
	log     *slog.Logger
	asking  sync.Mutex    // held while a host that was not in use before is compared
	suspect chan struct{} // has the other hosts asked at once; nil = nobody asks them

	mu     sync.Mutex
	newest standing // of a host that takes writes; none: it is empty
	using  standing // of the host that was compared with the others; none: it is empty
	told   string   // the split that the log has
	moves  context.Context
	move   context.CancelFunc // ends moves
}

// admit refuses a connection to a host whose history is older than one met before.
func (w *watch) admit(s standing) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.older(w.newest) {
		return s.fenced(w.newest)
	}
	if s.readOnly == "" && s.timeline > 0 {
		w.met(s)
	}
	if s.readOnly == "" && s.host == w.using.host {
		w.using = s // it may have been started anew
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

// met notes the newest history, and has those told who are with an older one. The
// caller holds mu.
func (w *watch) met(s standing) {
	if w.newest.older(s) && w.move != nil {
		w.move()
		w.moves, w.move = nil, nil
	}
	w.newest = s
}

// moving ends when a newer history than any before is met.
func (w *watch) moving() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.moves == nil {
		w.moves, w.move = context.WithCancel(context.Background())
	}
	return w.moves
}

// agrees reports whether a host was compared with the others before.
func (w *watch) agrees(host string) bool { return w.inUse().host == host }

// inUse is the host that was compared with the others, an empty one before.
func (w *watch) inUse() standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.using
}

// use notes that a host was compared with the others, and is the one to use.
func (w *watch) use(s standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.using = s
}

// took has the other hosts asked at once after a statement that was slow or failed:
// so it looks when the host in use was away.
func (w *watch) took(d time.Duration, err error) {
	if d < slow && err == nil {
		return
	}
	select {
	case w.suspect <- struct{}{}:
	default: // they are about to be asked, or there are none
	}
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
	silent := slices.ContainsFunc(others, func(o hosts.Answer[standing]) bool { return o.Err != nil })
	for _, o := range append(others, hosts.Answer[standing]{Got: mine}) {
		if s := newest.split(o.Got); o.Err == nil && s != nil {
			split = s
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if newest.host != mine.host {
		w.met(newest)
	}
	text := ""
	if split != nil {
		text = split.Cause
	}
	if text != "" && text != w.told {
		w.log.Error("two hosts of the database take writes", slog.String("reason", split.Cause), slog.String("next", split.Next))
	}
	if text != "" || !silent { // one that comes and goes is told of once
		w.told = text
	}
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
		w.use(mine)
		return true
	}
	p.last.Store(int32(p.index(newest.host))) //nolint:gosec // a URL's hosts are few
	return false
}

// lookAround asks the other hosts again and again until ctx ends: one of them may
// have been promoted while the one in use could not be reached from there. What is
// connected to the old one is given up then.
func (p places) lookAround(ctx context.Context) {
	for {
		timer := time.NewTimer(askEvery*3/4 + rand.N(askEvery/2)) // servers started together ask apart
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-p.watch.suspect:
			timer.Stop()
		}
		p.lookOnce(ctx)
	}
}

func (p places) lookOnce(ctx context.Context) {
	mine := p.watch.inUse()
	if mine.system == "" { // it cannot be compared
		return
	}
	newest := p.watch.judge(mine, p.others(ctx, p.index(mine.host)))
	if newest.host != mine.host {
		p.last.Store(int32(p.index(newest.host))) //nolint:gosec // a URL's hosts are few
	}
}

// keepLooking looks around in the background where there are several hosts. Its
// result ends that, and waits until it has ended, no longer than a look lasts.
func (p places) keepLooking() (stop func()) {
	if len(p.each) == 1 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.lookAround(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}
