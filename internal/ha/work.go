package ha

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// running is a term whose work has not returned.
type running struct {
	term   Term
	cancel context.CancelCauseFunc
	drain  chan struct{}
	over   chan struct{} // closed when the work returned
	told   bool          // to finish or to stop; the loop's own
}

// errEarly is the failure of work that returns before it was told to.
var errEarly = errors.New("the work returned although its term goes on")

func (w *running) returned() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

// begin starts a term's work in a goroutine of its own.
func (r *Runner) begin(base context.Context, b Begin) {
	ctx, cancel := context.WithCancelCause(base)
	w := &running{cancel: cancel, drain: make(chan struct{}), over: make(chan struct{})}
	w.term = NewTerm(b.Lease, b.Settings, r.clock, w.drain)
	w.term.Reason = b.Reason
	r.works[b.Lease.Connector] = w
	r.log.Info("became Active", "connector", b.Lease.Connector, "epoch", b.Lease.Epoch, "reason", string(b.Reason))
	if r.cfg.Observe.Began != nil {
		r.cfg.Observe.Began(b.Lease.Connector, b.Lease.Epoch, b.Reason)
	}
	r.all.Go(func() {
		err := r.run(ctx, w.term)
		cancel(ErrTermOver)
		close(w.over)
		r.tell(func(now Instant) { r.returned(now, w, err) })
	})
}

// run calls the work; a panic in it is an error that ends the term.
func (r *Runner) run(ctx context.Context, t Term) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return r.cfg.Work(ctx, t)
}

func (r *Runner) returned(now Instant, w *running, err error) {
	delete(r.works, w.term.Connector)
	if err == nil && !w.told {
		err = errEarly
	}
	if err != nil {
		r.log.Error("the work of a term ended", "connector", w.term.Connector, "epoch", w.term.Epoch, "err", err)
	}
	r.know.Returned(now, w.term.Connector, w.term.Epoch)
}

// drain tells a term's work to finish.
func (r *Runner) drain(d Drain) {
	if w := r.works[d.Connector]; w != nil && w.term.Epoch == d.Epoch {
		r.log.Info("handing over", "connector", d.Connector, "epoch", d.Epoch, "reason", string(d.Reason), "successor", d.Successor)
		w.told = true
		close(w.drain)
	}
}

// end cancels a term's context. Its work may take its time to return: nothing
// waits for it but the next term of the same connector.
func (r *Runner) end(e End) {
	w := r.works[e.Connector]
	if w == nil || w.term.Epoch != e.Epoch {
		return
	}
	w.told = true
	w.cancel(ErrTermOver)
	r.log.Warn("the term is over", "connector", e.Connector, "epoch", e.Epoch, "reason", string(e.Why))
	r.ended(e.Connector, e.Epoch, string(e.Why))
}
