package ha

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// call is one Ask for the session's goroutine.
type call struct {
	ask   Ask
	limit time.Duration
}

// session owns the coordination session: it makes the calls one after another
// and tells the loop what came of each. A session that failed is closed at once
// and beside, so that opening the next one waits for nothing.
func (r *Runner) session(ctx context.Context) {
	var s Session
	closing := func() {
		if old := s; old != nil {
			r.all.Go(func() { _ = old.Close() }) // what Close says of a lost session changes nothing
		}
		s = nil
	}
	defer closing()
	for {
		var c call
		select {
		case c = <-r.calls:
		case <-ctx.Done():
			return
		}
		began := r.clock.Now()
		a := r.do(ctx, c, &s)
		if a.Err != nil && !errors.Is(a.Err, ErrLost) {
			closing()
		}
		r.tell(func(now Instant) { r.answered(now, began, c.ask, a) })
	}
}

// do makes one call within its limit.
func (r *Runner) do(ctx context.Context, c call, s *Session) (a Answer) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("no answer within %v", c.limit))
	defer cancel()
	if _, open := c.ask.(Open); !open && *s == nil {
		return Answer{Err: errors.New("no session")}
	}
	switch ask := c.ask.(type) {
	case Open:
		var opened Session
		if opened, a.Err = r.cfg.Coordinator.Open(ctx, r.cfg.Server, r.cfg.Boot); a.Err == nil {
			*s, a.Presence = opened, opened.Presence()
		}
	case Reread:
		a.Group, a.Err = (*s).Read(ctx)
	case Beat:
		a.Group, a.Err = (*s).Beat(ctx, ask)
	case Take:
		a.Lease, a.Err = (*s).Take(ctx, ask)
	case Release:
		a.Err = (*s).Release(ctx, ask)
	case Doubt:
		a.Err = (*s).Doubt(ctx, ask.Connector, ask.Epoch, ask.Identity)
	}
	if a.Err != nil && ctx.Err() != nil {
		a.Err = fmt.Errorf("%w (%w)", a.Err, context.Cause(ctx))
	}
	return a
}

// answered folds in an answer and reports it.
func (r *Runner) answered(now, began Instant, ask Ask, a Answer) {
	r.know.Answer(now, ask, a)
	if loss, changed := r.know.Lost(); changed {
		r.lost(loss)
	}
	if _, beat := ask.(Beat); beat && r.cfg.Observe.Beat != nil {
		r.cfg.Observe.Beat(now.Waited(began), a.Err)
	}
	if r.cfg.Observe.Called != nil && a.Err == nil {
		for _, c := range r.know.Called() {
			r.cfg.Observe.Called(c)
		}
	}
	switch {
	case a.Err == nil:
		r.succeeded(ask)
	case errors.Is(a.Err, ErrLost):
		r.log.Debug("the lease has moved on", "call", fmt.Sprintf("%T", ask))
	case errors.Is(a.Err, ErrReplaced):
		r.log.Error("this server's row was removed or belongs to another process", "err", a.Err)
	case !r.away:
		r.away = true
		r.log.Warn("lost the coordination session", "err", a.Err)
	default:
		r.log.Debug("the coordination session is still away", "err", a.Err)
	}
}

// succeeded reports a call that succeeded, where that is worth a line.
func (r *Runner) succeeded(ask Ask) {
	switch ask := ask.(type) {
	case Beat:
		if r.away {
			r.away = false
			r.log.Info("the coordination session is back")
		}
	case Release:
		r.log.Info("released the lease", "connector", ask.Connector, "epoch", ask.Epoch,
			"reason", string(ask.Reason), "successor", ask.Successor)
		r.ended(ask.Connector, ask.Epoch, string(ask.Reason))
	case Doubt:
		r.log.Error("the database's history changed: every link of the connector is in doubt and is checked",
			"connector", ask.Connector, "epoch", ask.Epoch)
	}
}

func (r *Runner) ended(connector string, epoch int64, why string) {
	if r.cfg.Observe.Ended != nil {
		r.cfg.Observe.Ended(connector, epoch, why)
	}
}

// lost reports what another history of the database lacks, as far as this
// server's own heartbeats show it.
func (r *Runner) lost(l Loss) {
	switch {
	case l.Beats == 0:
		r.log.Warn("the database's history changed; the heartbeats it had confirmed to this server are all there")
	case l.Since < 0:
		r.log.Error("the database lost confirmed commits: every heartbeat of this server that is remembered is missing", "count", l.Beats)
	default:
		r.log.Error("the database lost confirmed commits: what it confirmed since a heartbeat that is there may be missing",
			"count", l.Beats, "took", l.Since.Round(time.Millisecond))
	}
}
