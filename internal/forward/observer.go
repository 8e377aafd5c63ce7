package forward

import "time"

// Observer is told what happens, for metrics. Nil fields are not called. The
// functions are called from several goroutines and must not block.
type Observer struct {
	// Carried is told of every step that ended or advanced a carry.
	Carried func(op Op, result Result, took time.Duration)
	// Delivered is told how long after its acceptance an alert reached the remote
	// for the first time. No two machines' clocks are compared.
	Delivered func(latency time.Duration)
	// InFlight is told of each change in the number of links being sent.
	InFlight func(delta int)
	// Breaker is told of each change of the remote's breaker.
	Breaker func(s BreakerState)
	// Claimed is told how many links each claim brought.
	Claimed func(n int)
	// Recorded is told how many outcomes one transaction recorded, and how long it took.
	Recorded func(n int, took time.Duration)
}

func (o Observer) withDefaults() Observer {
	if o.Carried == nil {
		o.Carried = func(Op, Result, time.Duration) {}
	}
	if o.Delivered == nil {
		o.Delivered = func(time.Duration) {}
	}
	if o.InFlight == nil {
		o.InFlight = func(int) {}
	}
	if o.Breaker == nil {
		o.Breaker = func(BreakerState) {}
	}
	if o.Claimed == nil {
		o.Claimed = func(int) {}
	}
	if o.Recorded == nil {
		o.Recorded = func(int, time.Duration) {}
	}
	return o
}
