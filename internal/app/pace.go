package app

import (
	"context"
	"maps"
	"sync/atomic"
	"time"

	"tieline/internal/forward"
)

// The last minute is counted in steps, and told after each: what a person reads
// is at most a step old.
const (
	paceStep  = 5 * time.Second
	paceSteps = int(time.Minute / paceStep)
)

// pace counts what a connector delivered. Counting is one addition in memory;
// telling is one small transaction per step for all connectors of a server, and
// none while nothing is delivered.
type pace struct {
	now   atomic.Int64     // in the step under way
	steps [paceSteps]int64 // the ones before; of the teller alone
	at    int
}

// count counts what was written to the remote system.
func (p *pace) count(r forward.Result) {
	switch r {
	case forward.ResultCreated, forward.ResultUpdated, forward.ResultNoted, forward.ResultMerged:
		p.now.Add(1)
	}
}

// step ends a step and returns the sum of the last minute.
func (p *pace) step() int64 {
	p.steps[p.at] = p.now.Swap(0)
	p.at = (p.at + 1) % paceSteps
	var sum int64
	for _, n := range p.steps {
		sum += n
	}
	return sum
}

// paceTime bounds the telling.
const paceTime = 2 * time.Second

// tellPace tells people what this server delivers, until ctx ends.
func (a *App) tellPace(ctx context.Context) {
	tick := time.NewTicker(paceStep)
	defer tick.Stop()
	told := map[string]int64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		told = a.tellStep(ctx, told)
	}
}

// tellStep ends a step, and returns what stands in the database by then. A count
// that stays the same is told again: a reader does not believe an old one.
func (a *App) tellStep(ctx context.Context, told map[string]int64) map[string]int64 {
	now := map[string]int64{}
	for _, u := range a.units.all() {
		if n := u.pace.step(); n > 0 {
			now[u.name] = n
		}
	}
	if len(now) == 0 && len(told) == 0 {
		return now
	}
	ctx, cancel := context.WithTimeout(ctx, paceTime)
	defer cancel()
	if err := a.db.SaveThroughput(ctx, a.cfg.Server, now); err != nil {
		a.log.Debug("what was delivered could not be told", "err", err)
		return maps.Clone(told) // told again, also when there is nothing left to tell
	}
	return now
}
