package forward

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

const (
	statementTimeout = 10 * time.Second
	liveness         = time.Second // how often a loop says that it is alive, at least
)

// tenure is a Forwarder's work during one term: the claimer, the senders, the
// recorder, and what reads the remote's and the sources' side.
type tenure struct {
	*Forwarder
	term    ha.Term
	gear    atomic.Pointer[equipment] // nil = this server cannot run the document
	queue   chan *job
	slots   *slots
	pace    *pace
	breaker *breaker
	again   *comeback
	held    *held
	rec     *recorder
	history history

	halt    chan struct{} // closed when nothing more may be started
	room    chan struct{} // the queue has run low
	recheck chan struct{} // something was recorded or received: links may be due
	doubts  chan struct{} // a reconcile run is called for
	idle    chan struct{} // closed when nothing is in flight, and the recorder has all outcomes
	deposed atomic.Bool
}

// job is a claimed link on its way.
type job struct {
	Work
	claimed ha.Instant // before the claim statement was sent (rule C3)
	read    time.Time  // when its age was told
	probe   bool       // it finds out whether the remote is back
}

func newTenure(f *Forwarder, term ha.Term) *tenure {
	t := &tenure{
		Forwarder: f, term: term,
		queue: make(chan *job, 2*batchMost), slots: newSlots(1), pace: newPace(), held: newHeld(), again: newComeback(),
		halt: make(chan struct{}), room: make(chan struct{}, 1), recheck: make(chan struct{}, 1),
		doubts: make(chan struct{}, 1), idle: make(chan struct{}), history: history{mu: newTurn()},
	}
	t.breaker = newBreaker(func(s BreakerState) {
		f.log.Warn("the remote's breaker changed", "connector", f.cfg.Connector, "reason", string(s))
		f.observe.Breaker(s)
	})
	t.rec = newRecorder(f, term, t.recorded)
	return t
}

// run works until the term drains or ends.
func (t *tenure) run(ctx context.Context) error {
	side, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	c := newClaimer(t)
	c.refresh()
	t.working.Go(t.rec.run)
	t.working.Go(func() { t.dispatch(ctx) })
	readers.Go(func() { t.readNews(side) })
	readers.Go(func() { t.compareSources(side) })
	readers.Go(func() { t.watchDoubts(side) })

	err := c.run(ctx)
	close(t.halt)
	stop()
	readers.Wait()
	if err == nil && ctx.Err() == nil {
		t.finish(ctx)
	}
	return err
}

// finish waits for what is in flight, as a planned end does; the lease must be
// renewed meanwhile.
func (t *tenure) finish(ctx context.Context) {
	tick := time.NewTicker(liveness)
	defer tick.Stop()
	for {
		t.term.Progress()
		select {
		case <-t.idle:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// recorded is called after each transaction of outcomes. What is recorded when
// the term is over may be due for the next Active, which may have looked before.
func (t *tenure) recorded(batch []Entry) {
	if t.halted() {
		t.cfg.Announce()
	}
	for i := range batch {
		o := &batch[i].Outcome
		t.held.done(o.Claim)
		if CauseOf(o.Parked) == CauseRemote {
			t.again.gaveUp(o.Side)
		}
	}
	poke(t.recheck)
}

func (t *tenure) halted() bool {
	select {
	case <-t.halt:
		return true
	default:
		return false
	}
}

// statement bounds one statement, so that a database that went away without a
// word stops no loop for ever.
func statement(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, statementTimeout)
}

// lost reports whether an error says that the lease is gone, and remembers it.
func (t *tenure) lost(err error) bool {
	if !errors.Is(err, ErrDeposed) {
		return false
	}
	t.deposed.Store(true)
	poke(t.recheck)
	return true
}

// giveBack records that nothing was sent (rule C5).
func (t *tenure) giveBack(j job) {
	v := After(Situation{Work: j.Work}, Step{Op: OpRest}, Answer{Unsent: true})
	t.observe.Carried(OpRest, ResultUnsent, 0)
	t.end(j, Entry{Outcome: v.Outcome(alert.Hold{}, 0)})
}

// end hands a job's outcome to the recorder.
func (t *tenure) end(j job, e Entry) {
	t.rec.put(e)
	t.ended(j)
}

// abandon leaves a job's claim as it is: what the database has is not known, and
// a claim held by nobody is found and made uncertain (rule C4).
func (t *tenure) abandon(j job) {
	t.held.done(j.Link.Claim.ID)
	t.ended(j)
}

func (t *tenure) ended(j job) {
	if j.probe {
		t.breaker.probed()
		poke(t.recheck)
	}
}

// hold is a hold for the settle time from now on.
func (t *tenure) hold(settle time.Duration) alert.Hold {
	return alert.Hold{Epoch: t.term.Epoch, Until: t.term.Age() + settle}
}
