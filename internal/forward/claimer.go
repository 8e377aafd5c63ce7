package forward

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
)

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// claimer is a tenure's main loop: it decides when to claim and how much, and
// does what else needs the lease at its time. All of it runs on one goroutine,
// so that only one claim statement is under way at a time.
type claimer struct {
	*tenure
	sweep    *sweep
	changed  <-chan struct{} // the Setup was replaced
	unparked int64           // document version for which parked links were tried again
	hungry   bool            // claim now
	ask      bool            // ask when the next link is due
	empty    bool            // the last claim brought nothing
	at       time.Time       // be hungry then; zero = nothing is due
	idleAt   time.Time       // ask then
	notUntil time.Time       // leave the database alone until then: it just failed
	pause    time.Duration   // after the next failure in a row, or blocked claim
	failing  bool
	lookups  lookups
}

func newClaimer(t *tenure) *claimer {
	c := &claimer{tenure: t, hungry: true, unparked: -1, pause: firstPause}
	c.sweep = newSweep(t)
	return c
}

// run claims until the term drains or ends. ErrDeposed when a statement found
// the lease gone.
func (c *claimer) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c.term.Progress()
		select {
		case <-ctx.Done():
			return nil
		case <-c.term.Draining():
			return nil
		default:
		}
		if c.deposed.Load() {
			return ErrDeposed
		}
		if err := c.step(ctx); err != nil {
			if c.lost(err) {
				return ErrDeposed
			}
			c.failed(err)
		}
		timer.Reset(c.sleepFor())
		c.wait(ctx, timer)
	}
}

// wait sleeps until something happens.
func (c *claimer) wait(ctx context.Context, timer *time.Timer) {
	select {
	case <-ctx.Done():
	case <-c.term.Draining():
	case <-c.wake:
		c.hungry = true
	case <-c.recheck:
		c.ask = true
	case <-c.room:
	case <-c.changed:
		c.refresh()
		c.hungry = true
	case <-timer.C:
	}
}

// step does at most one round of everything that is due now.
func (c *claimer) step(ctx context.Context) error {
	now := time.Now()
	if now.Before(c.notUntil) {
		return nil
	}
	if swept, err := c.sweep.run(ctx); err != nil {
		return err
	} else if swept {
		c.hungry = true
	}
	if !c.at.IsZero() && !now.Before(c.at) {
		c.hungry, c.at = true, time.Time{}
	}
	if !c.idleAt.IsZero() && !now.Before(c.idleAt) {
		c.ask = true
	}
	gear := c.gear.Load()
	if gear == nil {
		return nil
	}
	switch {
	case c.hungry:
		return c.feed(ctx, gear)
	case c.ask:
		return c.askDue(ctx)
	case c.unparked != gear.Version:
		return c.remap(ctx, gear)
	case c.again.due(now):
		return c.comeBack(ctx)
	}
	return nil
}

// feed claims what the queue, the breaker and the remote's pace have room for.
func (c *claimer) feed(ctx context.Context, gear *equipment) error {
	many := c.pace.batch(max(gear.limits.Concurrency, 1), gear.startable())
	if len(c.queue) > many/2 {
		return nil // room is signalled
	}
	n, again := c.breaker.permits(many)
	if n == 0 {
		c.at, c.hungry = again, false
		return nil
	}
	probe := n == 1 && c.breaker.state() == BreakerHalf
	if probe {
		c.breaker.probe()
	}
	after := c.lookups.pass(probe)
	got, err := c.claim(ctx, gear, n, after, probe)
	if probe && got == 0 {
		c.breaker.probed()
	}
	if err != nil {
		return err
	}
	c.succeeded()
	if !after.IsZero() {
		return nil // what was passed over is next
	}
	c.hungry = got == n
	c.empty = got == 0
	if c.empty {
		c.ask = true
	} else {
		c.pause = firstPause
	}
	return nil
}

// claim claims up to n links due after a time, zero = all, and queues them. The claim id is ours (rule C2) and
// the window starts before the statement is sent (rule C3).
func (c *claimer) claim(ctx context.Context, gear *equipment, n int, after time.Time, probe bool) (int, error) {
	id, start := uuid.New(), c.term.Clock().Now()
	c.held.begin(id)
	defer c.held.done(id)
	stmt, cancel := statement(ctx)
	got, err := c.cfg.Store.Claim(stmt, ClaimRequest{
		Term: c.term, Claim: id, Limit: n,
		View:  alert.TermView{Epoch: c.term.Epoch, Age: c.term.Age(), Swept: c.sweep.swept},
		After: after,
	})
	cancel()
	if c.lost(err) {
		return 0, ErrDeposed
	}
	if err == nil && got == 0 {
		return 0, nil
	}
	work, readErr := c.read(ctx, gear, id, start)
	if readErr != nil {
		c.sweep.suspect()
		return 0, readErr
	}
	if err != nil && len(work) == 0 {
		c.sweep.suspect() // it may yet be carried out
		return 0, err
	}
	now := time.Now()
	for _, w := range work {
		c.held.begin(id)
		c.queue <- &job{Work: w, claimed: start, read: now, probe: probe}
	}
	c.lookups.claimed(work, n, after)
	c.observe.Claimed(len(work))
	c.sweep.claimed()
	return len(work), nil
}

// read reads what a claim holds, again and again while its window is open: a
// lost answer is re-read, not guessed (rule C2).
func (c *claimer) read(ctx context.Context, gear *equipment, id alert.ClaimID, start instant) ([]Work, error) {
	pause := firstPause
	for {
		c.term.Progress()
		stmt, cancel := statement(ctx)
		work, err := c.cfg.Store.Claimed(stmt, c.cfg.Connector, id)
		cancel()
		if err == nil {
			return work, nil
		}
		if ctx.Err() != nil || c.term.Clock().Now().Since(start)+pause >= gear.startable() {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-c.term.Draining():
			return nil, err
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// askDue finds out how long to sleep.
func (c *claimer) askDue(ctx context.Context) error {
	stmt, cancel := statement(ctx)
	defer cancel()
	wait, ok, err := c.cfg.Store.NextDue(stmt, c.cfg.Connector)
	if err != nil {
		return err
	}
	c.succeeded()
	c.ask = false
	switch {
	case !ok:
		c.at = time.Time{}
	case wait > 0:
		c.at = time.Now().Add(wait)
	case c.empty:
		// Due, but held until a time that only a term's clock tells.
		c.at = time.Now().Add(c.pause)
		c.pause = min(2*c.pause, lastPause)
	default:
		c.hungry = true
	}
	return nil
}

// remap tries links again that were parked by a mapping or a refusal: the
// document has changed, or may have while another server was Active.
func (c *claimer) remap(ctx context.Context, gear *equipment) error {
	for _, prefix := range []string{mappingPrefix, refusedPrefix} {
		if _, err := c.unpark(ctx, prefix); err != nil {
			return err
		}
	}
	c.unparked = gear.Version
	return nil
}

// comeBack tries links again whose attempts ran out.
func (c *claimer) comeBack(ctx context.Context) error {
	c.again.begin()
	n, err := c.unpark(ctx, gaveUpPrefix)
	if err != nil {
		c.again.failed()
		return err
	}
	c.again.came(n)
	return nil
}

func (c *claimer) unpark(ctx context.Context, prefix string) (int, error) {
	stmt, cancel := statement(ctx)
	defer cancel()
	n, err := c.cfg.Store.Unpark(stmt, c.term, prefix)
	if n > 0 {
		c.hungry = true
		c.log.Info("parked links are tried again", "connector", c.cfg.Connector, "epoch", c.term.Epoch, "count", n, "reason", prefix)
	}
	return n, err
}

// refresh takes the current Setup over.
func (c *claimer) refresh() {
	setup, changed := c.cfg.Setups.Setup()
	c.changed = changed
	if setup == nil {
		c.gear.Store(nil)
		return
	}
	gear := equip(setup, c.term)
	if old := c.gear.Load(); old != nil && old.limits.Rate == gear.limits.Rate && old.limits.Burst == gear.limits.Burst {
		gear.limiter = old.limiter
	}
	c.gear.Store(gear)
	c.slots.resize(gear.limits.Concurrency)
}

func (c *claimer) succeeded() {
	if c.failing {
		c.log.Info("the database answers again", "connector", c.cfg.Connector, "epoch", c.term.Epoch)
	}
	c.failing = false
	if c.cfg.Idle < 0 {
		return
	}
	c.idleAt = time.Now().Add(orElse(c.cfg.Idle, orElse(c.term.Settings.Polling, 30*time.Second)))
}

// failed leaves the database alone for a moment. Once is logged, not each time.
func (c *claimer) failed(err error) {
	if !c.failing {
		c.log.Warn("forwarding waits for the database", "connector", c.cfg.Connector, "epoch", c.term.Epoch, "err", err)
		c.pause = firstPause
	}
	c.failing, c.hungry = true, true
	c.notUntil = time.Now().Add(c.pause)
	c.pause = min(2*c.pause, lastPause)
}

// sleepFor is how long nothing needs to be done, at most liveness.
func (c *claimer) sleepFor() time.Duration {
	now := time.Now()
	if now.Before(c.notUntil) {
		return min(c.notUntil.Sub(now), liveness)
	}
	gear := c.gear.Load()
	if gear != nil && (!c.hungry && (c.ask || c.unparked != gear.Version) || c.hungry && c.canFeed(gear)) {
		return 0
	}
	sleep := liveness
	times := []time.Time{c.at, c.idleAt, c.sweep.next()}
	if gear != nil && !c.hungry {
		times = append(times, c.again.next())
	}
	for _, at := range times {
		if !at.IsZero() {
			sleep = min(sleep, max(at.Sub(now), 0))
		}
	}
	return sleep
}

func (c *claimer) canFeed(gear *equipment) bool {
	return len(c.queue) <= c.pace.batch(max(gear.limits.Concurrency, 1), gear.startable())/2
}
