package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

// Defaults of Config.
const (
	DefaultDeadline = 1900 * time.Millisecond // the answer is to be there within 2 s
	DefaultBatch    = 2000
	DefaultFlights  = 2 // took in more than one did on PostgreSQL; three was not clearly better
	DefaultWaiting  = 50_000
)

// retryAfter is when a caller should try again that could not be served.
const retryAfter = time.Second

// Config is what a Gate is made of.
type Config struct {
	Store  Store
	Router *Router
	Server string // who takes the alerts in
	// Wake is called after a commit with the connectors that have new work. It
	// must not wait.
	Wake func(connectors []string)
	// Observe is called after each commit, or failure to; nil = not.
	Observe func(Flight)
	Log     *slog.Logger // nil = silent

	Deadline time.Duration // of one Accept; 0 = DefaultDeadline
	Batch    int           // observations that share a commit, at most, unless one caller brings more; 0 = DefaultBatch
	Flights  int           // commits at a time; 0 = DefaultFlights
	Waiting  int           // observations that may wait; more are refused at once; 0 = DefaultWaiting
}

// Flight tells of one commit.
type Flight struct {
	Callers      int
	Observations int
	Took         time.Duration
	Err          error
}

// Gate lets concurrent callers share transactions.
type Gate struct {
	cfg Config

	mu      sync.Mutex
	queue   []*call
	waiting int // observations in the queue
	flying  int
	aloft   map[subject]int // what the commits in flight are about
	closed  bool
	flights sync.WaitGroup
	failed  atomic.Int64 // commits since one last succeeded
}

// subject is what observations keep their order about.
type subject struct{ source, key string }

// call is one caller's observations.
type call struct {
	ctx          context.Context // of the caller
	observations []alert.Observation
	done         chan struct{} // closed when accepted or err stands
	accepted     []Accepted
	err          error
}

// NewGate returns an open gate.
func NewGate(cfg Config) *Gate {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Wake == nil {
		cfg.Wake = func([]string) {}
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Flight) {}
	}
	cfg.Deadline = max(cfg.Deadline, 0)
	if cfg.Deadline == 0 {
		cfg.Deadline = DefaultDeadline
	}
	for _, n := range []struct {
		field     *int
		otherwise int
	}{{&cfg.Batch, DefaultBatch}, {&cfg.Flights, DefaultFlights}, {&cfg.Waiting, DefaultWaiting}} {
		if *n.field <= 0 {
			*n.field = n.otherwise
		}
	}
	return &Gate{cfg: cfg, aloft: make(map[subject]int)}
}

// Accept stores observations and answers when they are committed, in their
// order. Observations of one problem are applied in the order of the calls. Those of a
// caller whose context ended before they set off are not stored. An
// error is of kind fault.Unavailable: nothing is known to be stored, and After
// says when to try again.
func (g *Gate) Accept(ctx context.Context, observations []alert.Observation) ([]Accepted, error) {
	if len(observations) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Deadline)
	defer cancel()
	c := &call{ctx: ctx, observations: observations, done: make(chan struct{})}
	if err := g.enqueue(c); err != nil {
		return nil, err
	}
	select {
	case <-c.done:
		return c.accepted, c.err
	case <-ctx.Done():
		g.withdraw(c)
		return nil, unavailable(context.Cause(ctx), fmt.Sprintf("the alerts were not stored within %v", g.cfg.Deadline))
	}
}

// Close refuses new calls and returns when those accepted are answered, or ctx ends.
func (g *Gate) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	landed := make(chan struct{})
	go func() {
		g.flights.Wait()
		close(landed)
	}()
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for commits in flight: %w", context.Cause(ctx))
	}
}

func (g *Gate) enqueue(c *call) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return unavailable(nil, "this server is stopping and takes no alerts in")
	case g.waiting > 0 && g.waiting+len(c.observations) > g.cfg.Waiting:
		return unavailable(nil, fmt.Sprintf("%d alerts already wait to be stored", g.waiting))
	}
	g.queue = append(g.queue, c)
	g.waiting += len(c.observations)
	g.launch()
	return nil
}

// withdraw takes a call back that has not set off.
func (g *Gate) withdraw(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.queue, c); i >= 0 {
		g.queue = slices.Delete(g.queue, i, i+1)
		g.waiting -= len(c.observations)
		g.launch() // it may have held up others
	}
}

// launch starts the commits that may start. It is called with the lock held.
func (g *Gate) launch() {
	for g.flying < g.cfg.Flights {
		calls := g.board()
		if len(calls) == 0 {
			return
		}
		g.flying++
		g.flights.Go(func() {
			g.fly(calls)
			g.mu.Lock()
			defer g.mu.Unlock()
			g.flying--
			g.mark(calls, -1)
			g.launch()
		})
	}
}

// board takes the calls of the next commit off the queue: from its head, until
// the batch is full or a call is about something that another commit in flight
// is about, whose order would be open.
func (g *Gate) board() []*call {
	size, n := 0, 0
	for n < len(g.queue) {
		c := g.queue[n]
		full := n > 0 && size+len(c.observations) > g.cfg.Batch
		if full || g.conflicts(c) {
			break
		}
		size += len(c.observations)
		n++
	}
	calls := slices.Clone(g.queue[:n])
	g.queue = slices.Delete(g.queue, 0, n)
	g.waiting -= size
	g.mark(calls, 1)
	return calls
}

// With one commit at a time there is nothing to keep apart.
func (g *Gate) conflicts(c *call) bool {
	if len(g.aloft) == 0 {
		return false
	}
	return slices.ContainsFunc(c.observations, func(o alert.Observation) bool {
		return g.aloft[subject{o.Source, o.Key}] > 0
	})
}

func (g *Gate) mark(calls []*call, by int) {
	if g.cfg.Flights == 1 {
		return
	}
	for _, c := range calls {
		for _, o := range c.observations {
			s := subject{o.Source, o.Key}
			if g.aloft[s] += by; g.aloft[s] == 0 {
				delete(g.aloft, s)
			}
		}
	}
}

// gone reports whether a caller waits no more. The clock is asked as well: in a
// process that was frozen the timers have yet to tell.
func (c *call) gone() bool {
	deadline, limited := c.ctx.Deadline()
	return c.ctx.Err() != nil || limited && !time.Now().Before(deadline)
}

// fly commits the calls' observations in one transaction and answers them. No
// caller's context reaches it: one that gives up must not fail the others. What
// a caller brought that has gone by then is not stored: it was not answered and
// says it again, perhaps to another server, and by now it may be an old word.
func (g *Gate) fly(calls []*call) {
	table := g.cfg.Router.Table()
	batch := Batch{Server: g.cfg.Server, Generation: table.stamp()}
	woken := make(map[string]bool)
	route := func(a *alert.Alert) []Routing {
		routes := table.Route(a)
		for _, r := range routes {
			woken[r.Connector] = true
		}
		return routes
	}
	for _, c := range calls {
		for _, o := range c.observations {
			batch.Items = append(batch.Items, Observed{Observation: o, Route: route, Gone: c.gone})
		}
	}
	// Twice the callers' time: one that came late may still be answered.
	ctx, cancel := context.WithTimeout(context.Background(), 2*g.cfg.Deadline)
	defer cancel()
	begun := time.Now()
	accepted, err := g.cfg.Store.Accept(ctx, batch)
	flight := Flight{Callers: len(calls), Observations: len(batch.Items), Took: time.Since(begun), Err: err}
	if err == nil && len(accepted) != len(batch.Items) {
		err = fmt.Errorf("the store answered %d of %d observations", len(accepted), len(batch.Items))
	}
	g.log(err)
	if err != nil {
		err = notStored(err)
	}
	answer(calls, accepted, err)
	g.cfg.Observe(flight)
	if err == nil && len(woken) > 0 {
		g.cfg.Wake(slices.Sorted(maps.Keys(woken)))
	}
}

// log tells once that alerts cannot be stored, and once that they are again: a
// source that tries without rest must not fill the log.
func (g *Gate) log(err error) {
	if err == nil {
		if n := g.failed.Swap(0); n > 0 {
			g.cfg.Log.Info("alerts are stored again", "failed", n)
		}
		return
	}
	level := slog.LevelDebug
	if g.failed.Add(1) == 1 {
		level = slog.LevelWarn
	}
	g.cfg.Log.Log(context.Background(), level, "alerts could not be stored; their sources will send them again", "err", err)
}

func answer(calls []*call, accepted []Accepted, err error) {
	for _, c := range calls {
		if err == nil {
			c.accepted, accepted = accepted[:len(c.observations):len(c.observations)], accepted[len(c.observations):]
		}
		c.err = err
		if slices.ContainsFunc(c.accepted, func(a Accepted) bool { return errors.Is(a.Err, ErrGone) }) {
			c.accepted, c.err = nil, unavailable(ErrGone, "the alerts were not stored: whoever sent them had gone")
		}
		close(c.done)
	}
}

// notStored makes of a store's error one that callers can act on: whatever it
// is, trying again is right, because nothing is known to be stored.
func notStored(err error) error {
	msg := "the alerts could not be stored"
	if fault.KindOf(err) == fault.Unavailable {
		msg += ": " + fault.Message(err)
	}
	return unavailable(err, msg)
}

func unavailable(cause error, msg string) error {
	e := fault.Wrap(fault.Unavailable, cause, msg)
	e.After = retryAfter
	return e
}
