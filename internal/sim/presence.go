package sim

import (
	"context"
	"fmt"
	"time"
)

// conn is a connection of a process to the database.
type conn struct {
	p        *Process
	presence string
	lost     bool // guarded by the database's mutex
}

// lock is a presence that is held, with those who wait for it to end.
type lock struct {
	holder  *conn
	waiters []*waiter
}

// waiter waits for the end of a presence.
type waiter struct {
	ended chan struct{}
	reset bool // it ended because the database did, and the waiter's connection too
}

// free ends a presence and tells its waiters. The caller holds the mutex.
func (d *Database) free(name string, reset bool) {
	l := d.locks[name]
	if l == nil {
		return
	}
	delete(d.locks, name)
	for _, w := range l.waiters {
		w.reset = reset
		close(w.ended)
	}
}

// drop ends one connection, as the database sees it.
func (d *Database) drop(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !c.lost {
		c.lost = true
		d.free(c.presence, false)
		c.p.forget(c)
	}
}

// peerGone ends the connections of a dead process: at once, or, when its host
// is cut off, when the keepalives have told.
func (d *Database) peerGone(p *Process) {
	r := d.w.chance.of(0, "gone", p.boot)
	after := r.between(200*time.Microsecond, 2*time.Millisecond)
	if req, ans := p.host.cut(); req || ans {
		after = r.between(time.Second, 15*time.Second)
	}
	time.AfterFunc(after, func() { d.dropAll(p) })
}

func (d *Database) dropAll(p *Process) {
	for _, c := range p.open() {
		d.drop(c)
	}
}

func (p *Process) open() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	var cs []*conn
	for c := range p.conns {
		cs = append(cs, c)
	}
	return cs
}

func (p *Process) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// connect opens a connection that holds a presence under a fresh name.
func (d *Database) connect(p *Process, server string) (*conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names++
	c := &conn{p: p, presence: fmt.Sprintf("presence-%s-%d", server, d.names)}
	d.locks[c.presence] = &lock{holder: c}
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	if p.isDead() {
		time.AfterFunc(time.Millisecond, func() { d.drop(c) })
	}
	return c, nil
}

// await waits for the end of a presence, on a connection of its own.
func (d *Database) await(ctx context.Context, p *Process, name string, held func()) error {
	for {
		gone, err := ask(ctx, p, "await", name, func() (*waiter, error) { return d.watch(name), nil })
		if err != nil {
			return err
		}
		if gone == nil {
			return nil
		}
		held()
		held = func() {}
		again, err := d.waitFor(ctx, p, name, gone)
		if err != nil || !again {
			return err
		}
	}
}

// watch returns a waiter for the end of the presence, nil when nobody has it.
func (d *Database) watch(name string) *waiter {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.locks[name]
	if l == nil {
		return nil
	}
	w := &waiter{ended: make(chan struct{})}
	l.waiters = append(l.waiters, w)
	return w
}

// waitFor waits in one bounded piece. Losing the database looks like the end of
// the presence to nobody: the waiter's own connection is lost with it.
func (d *Database) waitFor(ctx context.Context, p *Process, name string, gone *waiter) (again bool, err error) {
	piece := time.NewTimer(p.roll("await piece", name).between(50*time.Second, 70*time.Second))
	defer piece.Stop()
	select {
	case <-gone.ended:
	case <-piece.C:
		return true, p.pass()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-p.dead:
		return false, errDead
	}
	if err := p.pass(); err != nil {
		return false, err
	}
	if gone.reset {
		return false, errReset
	}
	// The answer travels like any other, and is lost where the host is cut off.
	_, err = ask(ctx, p, "await granted", name, func() (bool, error) { return true, nil })
	return false, err
}
