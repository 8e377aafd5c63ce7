package ha

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is what a Runner needs. Server, Boot, Coordinator and Work are
// required; the rest has defaults.
type Config struct {
	Server  string // name of this server's row, which exists already
	Boot    string // random, new at each start of the process, in the row already
	Version string // of the program

	Coordinator Coordinator
	Clock       Clock // default SystemClock

	// Work forwards for the term's connector. It may be called for any connector
	// that Reports calls eligible.
	Work Work
	// Reports tells of this server's connectors. It is called often and must not
	// block. After a change that should count at once, call Runner.Nudge.
	Reports func() []Report

	// Wake tells every server of the group, this one included, to read it now. It
	// must not block. A lost wake-up costs time only.
	Wake func()
	// Withdraw ends an operator's wish in the database and wakes every server. It
	// must not block. Where it fails it is called again. Default: does nothing.
	Withdraw func(Withdrawal)
	// Woken receives when another server called Wake; several wake-ups may be one.
	Woken <-chan struct{}

	Log     *slog.Logger // default: discards
	Observe Observer
	Timing  Timing // zero = DefaultTiming
	// Jitter returns numbers in [0, 1) for reconnects; default math/rand/v2.
	Jitter func() float64
}

// Observer is told of what metrics count. Each function may be nil, is called
// from the runner's own goroutine and must not block.
type Observer struct {
	Began func(connector string, epoch int64, reason Reason) // this server became Active
	Ended func(connector string, epoch int64, why string)    // its term is over: an Ending or the Reason of its release
	Beat  func(took time.Duration, err error)                // a heartbeat was answered, or was not
	// Called: a reading says that this server is meant to be the connector's next
	// Active. It may be told so several times, and come to nothing.
	Called func(connector string)
}

// Runner runs availability for one server: it does what Knowledge decides.
type Runner struct {
	cfg   Config
	log   *slog.Logger
	clock Clock
	know  *Knowledge

	events chan event    // what other goroutines have to tell the loop
	nudged chan struct{} // holds at most one nudge
	wanted chan struct{} // likewise, for a heartbeat
	done   chan struct{} // closed when the loop is over
	calls  chan call     // to the session's goroutine
	all    sync.WaitGroup

	waits map[string]*wait // by presence name
	works map[string]*running

	status statusBox
	away   bool // the session's loss was logged
}

// event is folded in by the loop.
type event func(now Instant)

// New returns a Runner. It starts nothing.
func New(c Config) *Runner {
	if c.Clock == nil {
		c.Clock = SystemClock()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Timing == (Timing{}) {
		c.Timing = DefaultTiming()
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Reports == nil {
		c.Reports = func() []Report { return nil }
	}
	if c.Wake == nil {
		c.Wake = func() {}
	}
	if c.Withdraw == nil {
		c.Withdraw = func(Withdrawal) {}
	}
	self := Self{Server: c.Server, Boot: c.Boot, Version: c.Version}
	return &Runner{
		cfg: c, log: c.Log.With("server", c.Server), clock: c.Clock,
		know:   NewKnowledge(self, c.Timing, c.Jitter),
		events: make(chan event), nudged: make(chan struct{}, 1), wanted: make(chan struct{}, 1), done: make(chan struct{}),
		calls: make(chan call, 1), waits: map[string]*wait{}, works: map[string]*running{},
	}
}

// Nudge makes the runner decide again at once, without reading the group: the
// reports changed.
func (r *Runner) Nudge() {
	select {
	case r.nudged <- struct{}{}:
	default:
	}
}

// Beat asks for a heartbeat now, or a second after the last one: a person wants a
// sign of life.
func (r *Runner) Beat() {
	select {
	case r.wanted <- struct{}{}:
	default:
	}
}

// Run takes part in the management group until ctx ends, which is a planned
// stop: every term is drained and released, then Run returns nil. It returns
// ErrReplaced when the server's row is gone or taken, upon which the process
// must exit, and an error when work did not return after its term. It may be
// called once.
func (r *Runner) Run(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.all.Go(func() { r.session(base) })
	err := r.loop(ctx, base)
	close(r.done)
	cancel()
	return errors.Join(err, r.finish())
}

// loop decides and does, until the knowledge says that it is over.
func (r *Runner) loop(ctx, base context.Context) error {
	stop := ctx.Done()
	for {
		now := r.clock.Now()
		r.know.Reported(now, r.cfg.Reports())
		for c, w := range r.works {
			r.know.Progressed(now, c, w.term.ProgressCount())
		}
		plan := r.know.Step(now)
		r.act(base, plan)
		r.publish()
		if plan.Fault != nil || plan.Exit {
			return plan.Fault
		}
		timer := time.NewTimer(plan.Sleep)
		select {
		case <-timer.C:
		case <-r.nudged:
		case <-r.wanted:
			r.know.Wanted()
		case <-r.cfg.Woken:
			r.know.Woken()
		case e := <-r.events:
			e(r.clock.Now())
		case <-stop:
			stop = nil
			r.know.Stop(r.clock.Now())
		}
		timer.Stop()
	}
}

// act does what the plan says. Nothing in it blocks.
func (r *Runner) act(base context.Context, p Plan) {
	for _, e := range p.End {
		r.end(e)
	}
	for _, d := range p.Drain {
		r.drain(d)
	}
	for _, b := range p.Begin {
		r.begin(base, b)
	}
	for _, w := range p.Withdraw {
		r.log.Info("withdrawing the wish for a server that went Offline", "connector", w.Connector, "epoch", w.Epoch, "successor", w.Server)
		r.cfg.Withdraw(w)
	}
	if p.Wake {
		r.cfg.Wake()
	}
	r.await(base, p.Await)
	if p.Ask != nil {
		r.calls <- call{ask: p.Ask, limit: r.know.Limit(p.Ask)} // one at a time: never blocks
	}
}

// tell hands an event to the loop, unless it is over.
func (r *Runner) tell(e event) {
	select {
	case r.events <- e:
	case <-r.done:
	}
}

// finish waits for every goroutine, and says whose work did not return.
func (r *Runner) finish() error {
	for _, w := range r.works {
		w.cancel(ErrTermOver)
	}
	idle := make(chan struct{})
	go func() {
		r.all.Wait()
		close(idle)
	}()
	limit := time.NewTimer(lastWait)
	defer limit.Stop()
	select {
	case <-idle:
		return nil
	case <-limit.C:
	}
	stuck := sorted(r.works)
	stuck = slices.DeleteFunc(stuck, func(c string) bool { return r.works[c].returned() })
	return fmt.Errorf("stop: work or a database call has not returned %v after it was cancelled (connectors: %s)",
		lastWait, strings.Join(stuck, ", "))
}

// lastWait is how long Run waits for its goroutines at the end.
const lastWait = 5 * time.Second
