package forward

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/ha"
)

// Storage is all that forwarding needs of the database.
type Storage interface {
	Links
	Mail
	Absences
	Books
	Desk
}

// Config is what a Forwarder is made of.
type Config struct {
	Connector string
	Group     uuid.UUID // the management group's, part of every ticket's key
	Store     Storage
	Setups    Setups
	Observer  Observer
	Log       *slog.Logger   // nil = silent
	Jitter    func() float64 // in [0, 1); nil = random

	// Accept takes in what a comparison found open at a source and nobody was told
	// of, as if the source had pushed it; nil = it is left.
	Accept func(ctx context.Context, found []alert.Observation) error

	// Announce tells every server's Forwarder of the connector that there may be
	// due links, as Wake tells this one; nil = nobody is told. It must not block.
	Announce func()

	// Idle is how often an idle Active asks for due links without having been
	// woken: what a lost wake-up costs at most. 0 = the polling interval; negative
	// = never, where something else calls Wake that often (one query for all
	// connectors, say).
	Idle time.Duration
	// Reconcile is how long between reconcile runs; 0 = an hour, negative = only on
	// demand and after an outage.
	Reconcile time.Duration
}

// Forwarder forwards for one connector whenever this server is its Active. It
// is used for one term after another; what a term left in flight is recorded in
// the background while the next one works.
type Forwarder struct {
	cfg     Config
	log     *slog.Logger
	observe Observer
	wake    chan struct{}
	quit    chan struct{}
	giveUp  sync.Once
	working sync.WaitGroup // everything that outlives Run

	mu      sync.Mutex
	current *tenure
	omitted map[string]chan struct{} // by source: it left alerts out

	warming atomic.Bool
}

// New returns a Forwarder. It starts nothing.
func New(c Config) *Forwarder {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Announce == nil {
		c.Announce = func() {}
	}
	if c.Reconcile == 0 {
		c.Reconcile = time.Hour
	}
	return &Forwarder{
		cfg: c, log: c.Log, observe: c.Observer.withDefaults(),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), omitted: map[string]chan struct{}{},
	}
}

// Wake tells that there may be due links. It never blocks; calls merge.
func (f *Forwarder) Wake() { poke(f.wake) }

// FetchOmitted tells that a source left alerts out of what it pushed. The Active
// takes them from its list at once, where the source is compared and announces
// (source.Announcer). It never blocks; calls merge.
func (f *Forwarder) FetchOmitted(source string) {
	if f.tenure() != nil {
		poke(f.omittedBy(source))
	}
}

func (f *Forwarder) omittedBy(source string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.omitted[source]
	if ch == nil {
		ch = make(chan struct{}, 1)
		f.omitted[source] = ch
	}
	return ch
}

// Run forwards during one term; it is ha.Work. When the term drains it finishes
// what is in flight, then returns nil. When ctx ends it returns at once: nothing
// more is started. Either way what is not recorded by then is recorded in the
// background (rule C5), so that a switchover waits for no commit of it. ErrDeposed says that a statement found the lease gone.
func (f *Forwarder) Run(ctx context.Context, term ha.Term) error {
	t := newTenure(f, term)
	f.setCurrent(t)
	defer f.setCurrent(nil)
	return t.run(ctx)
}

// Warm makes the database ready for the first claim of a term that may be about
// to begin: it goes the same way with a claim that no lease allows. It changes
// nothing, and says nothing of what became of it. Calls meanwhile do nothing.
func (f *Forwarder) Warm(ctx context.Context) {
	if f.tenure() != nil || !f.warming.CompareAndSwap(false, true) {
		return
	}
	defer f.warming.Store(false)
	stmt, cancel := statement(ctx)
	defer cancel()
	id := uuid.New()
	nobodys := ha.Term{Connector: f.cfg.Connector, Epoch: -1, Boot: id.String()}
	if _, err := f.cfg.Store.Claim(stmt, ClaimRequest{Term: nobodys, Claim: id, Limit: 1}); errors.Is(err, ErrDeposed) {
		_, _ = f.cfg.Store.Claimed(stmt, f.cfg.Connector, id) // nothing: only the way is of use
	}
}

// Close waits until everything in flight is recorded, at most until ctx ends;
// then what is left is given up, and a successor finds out by looking.
func (f *Forwarder) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		f.working.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		f.giveUp.Do(func() { close(f.quit) })
		<-done
		return context.Cause(ctx)
	}
}

// BreakerState is that of the remote's breaker; closed while not Active.
func (f *Forwarder) BreakerState() BreakerState {
	if t := f.tenure(); t != nil {
		return t.breaker.state()
	}
	return BreakerClosed
}

// BreakerSince is when the remote's breaker tripped, by this machine's clock; zero
// while it is closed.
func (f *Forwarder) BreakerSince() time.Time {
	if t := f.tenure(); t != nil {
		return t.breaker.since()
	}
	return time.Time{}
}

// Reconcile compares both sides now, by the remote's listing. It sends nothing:
// links in doubt are marked and worked as usual. Only the Active can.
func (f *Forwarder) Reconcile(ctx context.Context) (Report, error) {
	t := f.tenure()
	if t == nil {
		return Report{}, fault.New(fault.Refused, "this server is not Active for connector "+f.cfg.Connector).
			WithNext("ask the Active; `tieline status` names it")
	}
	return t.reconcile(ctx)
}

func (f *Forwarder) tenure() *tenure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current
}

func (f *Forwarder) setCurrent(t *tenure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current = t
}
