package intake

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"tieline/internal/alert"
)

// Rerouted is an alert whose subscriptions are evaluated again.
type Rerouted struct {
	Alert alert.ID
	// Route decides as Observed.Route does, with the alert as it is stored by then.
	Route func(*alert.Alert) []Routing
}

// Evaluated is what sweeping needs of storage.
type Evaluated interface {
	// Behind returns up to limit alerts whose subscriptions were evaluated with
	// documents older than the generation.
	Behind(ctx context.Context, generation int64, limit int) ([]alert.Alert, error)
	// Reroute makes links of the connectors that subscribe by now, and notes the
	// generation. Alerts that were evaluated with a newer one are left alone.
	Reroute(ctx context.Context, server string, generation int64, items []Rerouted) error
}

const (
	sweepBatch = 500
	// sweepEvery is the time between sweeps when nothing calls for one.
	sweepEvery = 10 * time.Minute
)

// sweepAgain is when to sweep after a change of the documents: at once, and
// again while servers may still take alerts in with the documents before.
var sweepAgain = []time.Duration{0, 2 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute}

// Sweeper evaluates the subscriptions of alerts whose generation is behind. Any
// server may sweep, several at once too: the Actives do.
type Sweeper struct {
	Store  Evaluated
	Router *Router
	Server string
	Wake   func(connectors []string) // as Config.Wake
	Log    *slog.Logger

	// Active reports whether this server is to sweep.
	Active func() bool
	// Changed receives when the documents changed, or this server became Active.
	Changed <-chan struct{}
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) {
	again := sweepAgain
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Changed:
			again = sweepAgain
		case <-timer.C:
			s.try(ctx)
		}
		wait := sweepEvery
		if len(again) > 0 {
			wait, again = again[0], again[1:]
		}
		timer.Reset(wait)
	}
}

func (s *Sweeper) try(ctx context.Context) {
	if !s.Active() {
		return
	}
	n, err := s.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		s.Log.Warn("alerts could not be evaluated with the newest documents; they will be", "err", err)
	}
	if n > 0 {
		s.Log.Info("alerts were evaluated with the newest documents", "alerts", n)
	}
}

// Sweep evaluates every alert that is behind, once, and returns how many. It
// does nothing where this server cannot run every document: it would declare
// evaluated what it cannot evaluate.
func (s *Sweeper) Sweep(ctx context.Context) (int, error) {
	table := s.Router.Table()
	if len(table.Broken) > 0 {
		return 0, nil
	}
	for total := 0; ; {
		behind, err := s.Store.Behind(ctx, table.Generation, sweepBatch)
		if err != nil {
			return total, fmt.Errorf("find alerts evaluated with older documents: %w", err)
		}
		if len(behind) == 0 {
			return total, nil
		}
		if err := s.reroute(ctx, table, behind); err != nil {
			return total, err
		}
		total += len(behind)
		if len(behind) < sweepBatch {
			return total, nil
		}
	}
}

func (s *Sweeper) reroute(ctx context.Context, table *Table, behind []alert.Alert) error {
	woken := make(map[string]bool)
	route := func(a *alert.Alert) []Routing {
		routes := table.Route(a)
		for _, r := range routes {
			woken[r.Connector] = true
		}
		return routes
	}
	items := make([]Rerouted, len(behind))
	for i, a := range behind {
		items[i] = Rerouted{Alert: a.ID, Route: route}
	}
	if err := s.Store.Reroute(ctx, s.Server, table.Generation, items); err != nil {
		return fmt.Errorf("evaluate subscriptions again: %w", err)
	}
	if len(woken) > 0 {
		s.Wake(slices.Sorted(maps.Keys(woken)))
	}
	return nil
}
