package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"tieline/internal/forward"
	"tieline/internal/ha"
)

// Errors a process meets at its gate.
var (
	errDead    = errors.New("the process has crashed")
	errNoReply = errors.New("connection timed out")
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset by peer")
)

// Process is one boot of one server. It is the ha.Clock of its code.
type Process struct {
	w      *World
	host   *Host
	server string
	boot   string
	stop   context.CancelFunc // asks it to stop as planned

	dead  chan struct{} // closed by a crash
	die   sync.Once
	ended chan struct{} // closed when nothing of it runs any more
	woken chan struct{}

	mu        sync.Mutex
	thawed    chan struct{} // not nil while frozen; closed when it runs again
	seen      ha.Instant    // what its clock shows while frozen
	reads     int           // of the clock while frozen
	since     time.Time     // frozen since
	suspend   bool          // the freeze also stops the monotonic clock
	suspended time.Duration // how long its monotonic clock stood still so far
	counts    map[string]uint64
	conns     map[*conn]bool
	cutOff    bool                     // its last probe could not connect to the desk
	late      map[string]time.Duration // kinds of call whose next request the network keeps for so long
	runner    *ha.Runner
	forwarder *forward.Forwarder
}

// frozenReads is how often a frozen process's clock is answered before the
// reader is stopped as well: code that waits in a loop for its clock to move
// would otherwise spin.
const frozenReads = 2000

// Now shows the process's clock. A frozen process cannot see time pass: until
// it runs again, its clock shows when it was stopped.
func (p *Process) Now() ha.Instant {
	p.mu.Lock()
	if p.thawed == nil {
		defer p.mu.Unlock()
		return p.reading()
	}
	p.reads++
	if p.reads < frozenReads {
		defer p.mu.Unlock()
		return p.seen
	}
	thawed := p.thawed
	p.mu.Unlock()
	select {
	case <-thawed:
	case <-p.dead:
	}
	return p.Now()
}

func (p *Process) reading() ha.Instant {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	now := time.Now()
	return ha.Instant{
		Boot: now.Sub(p.w.start) + p.host.bootOffset - p.suspended,
		Wall: now.Add(p.host.wallOffset).Round(0),
	}
}

// freeze stops the process; with suspend its monotonic clock stands still too.
func (p *Process) freeze(suspend bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.thawed != nil || p.isDead() {
		return
	}
	p.seen, p.reads = p.reading(), 0
	p.thawed, p.since, p.suspend = make(chan struct{}), time.Now(), suspend
}

func (p *Process) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.thawed == nil {
		return
	}
	if p.suspend {
		p.suspended += time.Since(p.since)
	}
	close(p.thawed)
	p.thawed = nil
}

func (p *Process) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thawed != nil
}

func (p *Process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// pass lets the process through its gate: not while it is frozen, never once it
// has crashed.
func (p *Process) pass() error {
	for {
		p.mu.Lock()
		thawed := p.thawed
		p.mu.Unlock()
		if p.isDead() {
			return errDead
		}
		if thawed == nil {
			return nil
		}
		select {
		case <-thawed:
		case <-p.dead:
			return errDead
		}
	}
}

// crash ends the process: no call of it has an effect any more, and its
// connections end as soon as the database can be told.
func (p *Process) crash() {
	p.die.Do(func() {
		close(p.dead)
		p.thaw() // what is left of its code must come to an end
		p.stop()
		p.w.db.peerGone(p)
	})
}

// roll returns the random numbers for the next call of its kind.
func (p *Process) roll(kind, about string) *roll {
	p.mu.Lock()
	key := kind + "\x00" + about
	p.counts[key]++
	n := p.counts[key]
	p.mu.Unlock()
	return p.w.chance.of(n, "call", p.boot, kind, about)
}

// trip is one request's fate on the way to the database and back.
type trip struct {
	r        *roll
	there    time.Duration // until the request arrives
	back     time.Duration // until the answer arrives
	reqLost  bool
	ansLost  bool
	patience time.Duration // until the process's system gives the connection up
}

func (p *Process) trip(kind, about string) trip {
	r := p.roll(kind, about)
	t := trip{
		r:     r,
		there: r.between(100*time.Microsecond, 2*time.Millisecond),
		back:  r.between(100*time.Microsecond, 2*time.Millisecond),
	}
	if r.hit(0.02) {
		t.there += r.between(0, 150*time.Millisecond)
	}
	t.there += p.delay(kind)
	loss := p.w.lossRate()
	t.reqLost, t.ansLost = r.hit(loss), r.hit(loss)
	t.patience = r.between(200*time.Millisecond, 8*time.Second)
	p.w.trace.fate(p, kind, about, t)
	return t
}

// delay is how much longer than usual the network keeps this request: only a
// scene asks for that, of one request.
func (p *Process) delay(kind string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.late[kind]
	delete(p.late, kind)
	return d
}

// keep makes the network deliver the process's next request of a kind so much
// later. The process waits for its answer as long as its code lets it.
func (p *Process) keep(kind string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = map[string]time.Duration{kind: d}
}

// reply is what a request came to.
type reply[T any] struct {
	v   T
	err error
}

// ask sends one request of the process to the database and waits for the
// answer. do is the statement; it runs atomically, at most once, also when the
// process has given up or died meanwhile.
func ask[T any](ctx context.Context, p *Process, kind, about string, do func() (T, error)) (T, error) {
	var none T
	p.w.reached(p, kind, false)
	if err := p.pass(); err != nil {
		return none, err
	}
	t := p.trip(kind, about)
	ch := make(chan reply[T], 1)
	time.AfterFunc(t.there, func() { arrive(p, t, kind, about, ch, do) })
	patience := time.NewTimer(max(t.patience, t.there+t.back+time.Second))
	defer patience.Stop()
	var a reply[T]
	select {
	case a = <-ch:
	case <-ctx.Done():
		a.err = context.Cause(ctx)
	case <-patience.C:
		a.err = errNoReply
	case <-p.dead:
		return none, errDead
	}
	p.w.reached(p, kind, true)
	if err := p.pass(); err != nil {
		return none, err
	}
	p.w.trace.add(p, "answer", kind, about, errText(a.err))
	return a.v, a.err
}

// arrive carries the request out at the database, if it gets there, and sends
// the answer back.
func arrive[T any](p *Process, t trip, kind, about string, ch chan reply[T], do func() (T, error)) {
	cut, _ := p.host.cut()
	if t.reqLost || cut {
		if t.r.hit(0.2) { // kept by the network, delivered long after
			t.reqLost, t.ansLost = false, true
			time.AfterFunc(t.r.between(time.Second, 25*time.Second), func() { arrive(p, t, kind, about, ch, do) })
		}
		return
	}
	if p.isDead() && t.r.hit(0.5) {
		return
	}
	var a reply[T]
	if p.w.db.isUp() {
		p.w.trace.add(p, "db", kind, about, "")
		a.v, a.err = do()
		if a.err != nil {
			p.w.trace.add(p, "db says", kind, about, errText(a.err))
		}
	} else {
		a.err = errRefused
	}
	if t.ansLost {
		return
	}
	time.AfterFunc(t.back, func() {
		if _, cut := p.host.cut(); !cut {
			ch <- a
		}
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
