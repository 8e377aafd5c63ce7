package forward

import (
	"context"
	"sync"

	"tieline/internal/alert"
)

// compareSources compares our open alerts with each source's list, on the
// source's interval.
func (t *tenure) compareSources(ctx context.Context) {
	for ctx.Err() == nil {
		setup, changed := t.cfg.Setups.Setup()
		round, stop := context.WithCancel(ctx)
		var each sync.WaitGroup
		if setup != nil {
			for _, src := range setup.Sources {
				if src.Lister != nil && src.Compare > 0 {
					each.Go(func() { t.compareSource(round, src) })
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
		stop()
		each.Wait()
	}
}

func (t *tenure) compareSource(ctx context.Context, src SourceSetup) {
	var c comparison
	failing := false
	for {
		err := t.compareOnce(ctx, src, &c)
		if t.lost(err) {
			return
		}
		if err != nil && !failing && ctx.Err() == nil {
			t.log.Warn("a source's list could not be compared", "connector", t.cfg.Connector, "source", src.Name, "err", err)
		}
		failing = err != nil
		if !sleep(ctx, src.Compare, nil) {
			return
		}
	}
}

// compareOnce reads our list first, then the source's: an alert that is raised
// between the two is on neither side missing.
func (t *tenure) compareOnce(ctx context.Context, src SourceSetup, c *comparison) error {
	stmt, cancel := statement(ctx)
	ours, err := t.cfg.Store.OpenAlerts(stmt, src.Name)
	cancel()
	if err != nil {
		return err
	}
	call, cancel := context.WithTimeout(ctx, 3*statementTimeout)
	theirs, incarnation, err := src.Lister.List(call)
	cancel()
	if err != nil {
		return err
	}
	gone := c.absent(ours, theirs, incarnation)
	if len(gone) == 0 {
		return nil
	}
	stmt, cancel = statement(ctx)
	defer cancel()
	n, err := t.cfg.Store.CloseAbsent(stmt, t.term, src.Name, gone, "no longer in the list of source "+src.Name)
	if err != nil {
		return err
	}
	t.log.Info("alerts that vanished from their source were closed", "connector", t.cfg.Connector, "source", src.Name, "count", n)
	poke(t.wake)
	return nil
}

// comparison remembers which alerts were absent from the source's list.
type comparison struct {
	incarnation string
	once        map[alert.ID]int64 // absent once, with the seen count it had then
}

// absent returns the alerts that were absent now and the time before, not seen
// in between. A list that follows a restart of the source proves nothing: it may
// not have been told of its alerts again.
func (c *comparison) absent(ours []OpenAlert, theirs []alert.Observation, incarnation string) []OpenAlert {
	restarted := c.incarnation != "" && incarnation != c.incarnation
	c.incarnation = incarnation
	if restarted {
		c.once = nil
		return nil
	}
	listed := make(map[string]bool, len(theirs))
	for i := range theirs {
		listed[theirs[i].Key] = true
	}
	once := make(map[alert.ID]int64)
	var gone []OpenAlert
	for _, a := range ours {
		if listed[a.Key] {
			continue
		}
		if seen, before := c.once[a.ID]; before && seen == a.Seen {
			gone = append(gone, a)
		}
		once[a.ID] = a.Seen
	}
	c.once = once
	return gone
}
