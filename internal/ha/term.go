package ha

import (
	"context"
	"sync/atomic"
	"time"
)

// Term is one server's time as Active of one connector, from the answer of its
// take-over to its end. Whatever only the Active may do takes a Term, so that
// the fence cannot be forgotten.
type Term struct {
	Connector string
	Server    string
	Boot      string
	Epoch     int64
	Identity  string // the database's history the epoch belongs to
	Settings  Settings
	Reason    Reason // why it began; ReasonIdentity: it is the first in another history of the database

	clock    Clock
	began    Instant
	drain    <-chan struct{}
	progress *atomic.Int64
}

// NewTerm returns a term that begins now on the clock. The runner makes terms;
// tests and the simulation may.
func NewTerm(l Lease, s Settings, c Clock, drain <-chan struct{}) Term {
	return Term{
		Connector: l.Connector, Server: l.Server, Boot: l.Boot, Epoch: l.Epoch, Identity: l.Identity,
		Settings: s, clock: c, began: c.Now(), drain: drain, progress: new(atomic.Int64),
	}
}

// Age is how long ago the take-over was answered: what has certainly passed by
// this machine's clock. Waits end by it (rule C4), so a step of the wall clock,
// which Since would count, must not lengthen it.
func (t Term) Age() time.Duration { return t.clock.Now().Waited(t.began) }

// Clock is the clock the term is measured by.
func (t Term) Clock() Clock { return t.clock }

// Draining is closed when the term is about to be handed over as planned: claim
// nothing more, finish what is in flight, return.
func (t Term) Draining() <-chan struct{} { return t.drain }

// Progress tells the runner that the work loop is alive. A lease whose loop
// makes none is not renewed (rule L1), so a loop calls it at least every few
// seconds, also when it has nothing to do.
func (t Term) Progress() { t.progress.Add(1) }

// ProgressCount is how often Progress was called.
func (t Term) ProgressCount() int64 { return t.progress.Load() }

// Work forwards for a connector during one term. It returns when ctx ends (the
// term was lost: stop at once) or when the term drains and all is finished. An
// error before that ends the term early: the lease is released.
type Work func(ctx context.Context, t Term) error

// ErrTermOver is the cause of the context's end when a term was lost or its
// lease could not be renewed in time.
var ErrTermOver = termOver{}

type termOver struct{}

func (termOver) Error() string { return "the term is over" }
