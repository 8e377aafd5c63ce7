package intake

import (
	"context"
	"errors"

	"tieline/internal/alert"
)

// Observed is one observation with the connectors whose subscription matches
// it, decided before the transaction with the documents of one generation.
type Observed struct {
	alert.Observation
	// Route decides which connectors forward the alert as it will be stored. The
	// store calls it inside the transaction with the alert after alert.Apply; it
	// is pure and fast.
	Route func(a *alert.Alert) []Routing
	// Gone reports whether whoever brought it waits no more; nil = never. The store
	// calls it inside the transaction, just before it decides, and stores nothing
	// of what it brought (ErrGone).
	Gone func() bool
}

// Routing tells the store what to do for one connector that subscribes to the alert.
type Routing struct {
	Connector string
	// Delay holds back a close so that a flapping alert does not resolve its
	// ticket at once; 0 for every other change. It is a matter of liveness, on
	// the database's clock.
	DelaySeconds float64
	// Skip, when not empty, is why a closed alert that was never claimed is not
	// forwarded. It takes effect only on a link that is Fresh and unclaimed.
	Skip string
}

// Accepted says what became of one observation.
type Accepted struct {
	ID     alert.ID
	Change alert.Change
	Err    error // this observation alone was refused, or ErrGone; nothing of it is stored
}

// ErrGone is the Accepted.Err of what nobody waits for any more.
var ErrGone = errors.New("whoever brought it has gone")

// Batch is what one transaction takes in.
type Batch struct {
	Server     string // who takes it in
	Generation int64  // of the documents the routes were decided with
	Items      []Observed
}

// Store commits observations. Rows are locked in the order of (source, key), so
// that concurrent batches never wait for each other in a circle.
type Store interface {
	// Accept applies a batch in one transaction: each observation as alert.Apply
	// says, in the batch's order per key; links of the matching connectors want
	// the new revision. So do the Remote links the alert already has, whether or not
	// their subscription still matches: a ticket that was opened must hear of the
	// close, also when the alert's severity changed in between. The answers stand
	// in the items' order. An error means that nothing is known to be stored. One
	// bad row is found by bisection and refused alone (Accepted.Err).
	Accept(ctx context.Context, b Batch) ([]Accepted, error)
}
