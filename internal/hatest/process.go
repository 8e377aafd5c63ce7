package hatest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tieline/internal/ha"
)

// Call names a kind of call, for faults.
type Call string

// The calls.
const (
	CallOpen    Call = "open"
	CallBeat    Call = "beat"
	CallRead    Call = "read"
	CallTake    Call = "take"
	CallRelease Call = "release"
	CallDoubt   Call = "doubt"
	callAwait   Call = "await"
)

// Process is one start of a server, as the database sees it: a ha.Coordinator
// whose faults can be chosen.
type Process struct {
	Server string
	Boot   string

	db     *Database
	woken  chan struct{}
	killed bool
	deaf   bool
	thawed chan struct{} // not nil while frozen; closed by Thaw
	cut    chan struct{} // not nil while partitioned; closed by Heal
	refuse bool
	lose   map[Call]loss
}

// loss is a fault of the next call of a kind.
type loss int

const (
	lostRequest loss = iota + 1 // never reached the database
	lostAnswer                  // was carried out
)

var (
	errDown    = errors.New("hatest: the database is down")
	errGone    = errors.New("hatest: the session is gone")
	errRefused = errors.New("hatest: connection refused")
)

// Join starts a process for a server: it writes the server's row under a new
// boot id, or fails while another process of that name holds its presence.
func (d *Database) Join(server string) (*Process, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, ok := d.servers[server]; ok && d.locks[old.Presence] != nil {
		return nil, fmt.Errorf("hatest: a process of server %s runs already", server)
	}
	return d.join(server), nil
}

// JoinAnyway starts a process for a server although another may run.
func (d *Database) JoinAnyway(server string) *Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.join(server)
}

// JoinAs starts a process for a server under a boot id of the caller's choice.
func (d *Database) JoinAs(server, boot string) *Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.joinAs(server, boot)
}

func (d *Database) join(server string) *Process {
	d.boots++
	return d.joinAs(server, fmt.Sprintf("%s-boot%d", server, d.boots))
}

func (d *Database) joinAs(server, boot string) *Process {
	p := d.process(server, boot)
	row := d.servers[server]
	row.Name, row.Boot, row.Presence, row.HeartbeatAt = server, p.Boot, "", time.Now()
	if row.Promised == 0 {
		row.Promised = 90 * time.Second
	}
	d.servers[server] = row
	d.procs[server] = append(d.procs[server], p)
	return p
}

func (d *Database) process(server, boot string) *Process {
	return &Process{Server: server, Boot: boot, db: d, woken: make(chan struct{}, 1), lose: map[Call]loss{}}
}

// Coordinator returns a ha.Coordinator for any server, without faults.
func (d *Database) Coordinator() ha.Coordinator { return d.process("", "") }

// Cut ends one session from the database's side.
func (d *Database) Cut(s ha.Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(s.(*session))
}

// Woken receives when somebody woke the group.
func (p *Process) Woken() <-chan struct{} { return p.woken }

// wake is called with the mutex held.
func (p *Process) wake() {
	if p.killed || p.deaf {
		return
	}
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// Deafen makes the process miss every wake-up.
func (p *Process) Deafen() { p.with(func() { p.deaf = true }) }

// Kill ends the process as SIGKILL does: its sessions end and its presence is
// free at once. The calls of what is left of it in the test return
// ha.ErrReplaced, so that its Runner ends by itself.
func (p *Process) Kill() {
	p.with(func() {
		p.killed = true
		p.dropAll()
		p.thaw()
		p.heal()
	})
}

// CutSessions ends the process's sessions and waits, as the database's
// administrator or a proxy can; it may reconnect at once.
func (p *Process) CutSessions() { p.with(p.dropAll) }

// CutPresence lets the presence go although the session lives on.
func (p *Process) CutPresence() {
	p.with(func() {
		for s := range p.db.sessions {
			if s.p == p {
				p.db.unlock(s)
			}
		}
	})
}

// Freeze stops the process's calls, as SIGSTOP does: they return only after
// Thaw, whatever their context says. Its sessions and presence stay.
func (p *Process) Freeze() {
	p.with(func() {
		if p.thawed == nil {
			p.thawed = make(chan struct{})
		}
	})
}

// Thaw lets a frozen process go on.
func (p *Process) Thaw() { p.with(p.thaw) }

func (p *Process) thaw() {
	if p.thawed != nil {
		close(p.thawed)
		p.thawed = nil
	}
	p.dropClosed()
}

// Partition makes the database unreachable for this process: calls hang until
// their contexts end. Its sessions and presence stay until CutSessions, as they
// do until the database's TCP keepalives find out, or, once closed, until Heal.
func (p *Process) Partition() {
	p.with(func() {
		if p.cut == nil {
			p.cut = make(chan struct{})
		}
	})
}

// Heal ends a partition. Calls that hang go on hanging until their contexts end.
func (p *Process) Heal() { p.with(p.heal) }

func (p *Process) heal() {
	p.cut = nil
	p.dropClosed()
}

// dropClosed drops the sessions whose closing the database could not hear of.
func (p *Process) dropClosed() {
	for s := range p.db.sessions {
		if s.p == p && s.closed {
			p.db.drop(s)
		}
	}
}

// Refuse makes the database refuse this process's connections, or no more.
func (p *Process) Refuse(on bool) {
	p.with(func() {
		if p.refuse = on; on {
			p.dropAll()
		}
	})
}

// LoseAnswer makes the next call of a kind fail although it is carried out.
func (p *Process) LoseAnswer(c Call) { p.with(func() { p.lose[c] = lostAnswer }) }

// LoseRequest makes the next call of a kind fail without being carried out.
func (p *Process) LoseRequest(c Call) { p.with(func() { p.lose[c] = lostRequest }) }

func (p *Process) with(f func()) {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	f()
}

func (p *Process) dropAll() {
	for s := range p.db.sessions {
		if s.p == p {
			p.db.drop(s)
		}
	}
}

// travel is one way of a call: latency, and being frozen or cut off.
func (p *Process) travel(ctx context.Context) error {
	if p.db.Latency != nil {
		if d := p.db.Latency(); d > 0 {
			time.Sleep(d)
		}
	}
	p.db.mu.Lock()
	thawed, cut := p.thawed, p.cut
	p.db.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
	if cut != nil {
		<-ctx.Done()
		return ctx.Err()
	}
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	switch {
	case p.killed:
		return ha.ErrReplaced
	case p.refuse:
		return errRefused
	case !p.db.up:
		return errDown
	}
	return ctx.Err()
}

// call makes one call: there, carried out, and back.
func (p *Process) call(ctx context.Context, c Call, s *session, do func() error) error {
	if err := p.travel(ctx); err != nil {
		return err
	}
	lost, err := p.carryOut(c, s, do)
	if lost != 0 {
		return fmt.Errorf("hatest: the %s's connection broke", c)
	}
	if back := p.travel(ctx); back != nil {
		return back
	}
	return err
}

func (p *Process) carryOut(c Call, s *session, do func() error) (loss, error) {
	p.db.mu.Lock()
	defer p.db.mu.Unlock()
	if s != nil && s.gone {
		return 0, errGone
	}
	lost := p.lose[c]
	delete(p.lose, c)
	if lost == lostRequest {
		return lost, nil
	}
	p.db.calls++
	err := do()
	return lost, err
}
