package sqlite

import (
	"context"
	"time"
)

// maxPause bounds the pause after a long transaction. It is longer than 100 ms,
// which is how seldom SQLite looks for its lock after waiting a while.
const maxPause = 250 * time.Millisecond

// gate lets one write transaction of this process run at a time and pauses half
// a transaction's length between two. SQLite hands its lock to nobody in
// particular: without the pause the process that just committed takes it again,
// and three busy writers kept a heartbeat waiting for 2.5 s (0.13 s with it).
type gate struct {
	turn chan time.Time // holds one value, when the next transaction may begin, while nobody is inside
}

func newGate() *gate {
	g := &gate{turn: make(chan time.Time, 1)}
	g.turn <- time.Time{}
	return g
}

func (g *gate) enter(ctx context.Context) (done func(), err error) {
	var from time.Time
	select {
	case from = <-g.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if wait := time.Until(from); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			g.turn <- from
			return nil, context.Cause(ctx)
		}
	}
	began := time.Now()
	return func() {
		ended := time.Now()
		g.turn <- ended.Add(min(ended.Sub(began)/2, maxPause))
	}, nil
}
