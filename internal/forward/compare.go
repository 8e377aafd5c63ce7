package forward

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/source"
)

// compareSources compares our open alerts with each source's list, on the
// source's interval.
func (t *tenure) compareSources(ctx context.Context) {
	for ctx.Err() == nil {
		setup, changed := t.cfg.Setups.Setup()
		round, stop := context.WithCancel(ctx)
		var each sync.WaitGroup
		if setup != nil {
			var names []string
			for _, src := range setup.Sources {
				if src.Lister != nil && src.Compare > 0 {
					names = append(names, src.Name)
				}
			}
			t.toCompare(round, names)
			for _, src := range setup.Sources {
				if slices.Contains(names, src.Name) {
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

// anewPause is how soon a source is asked again for what the database lost.
const anewPause = 5 * time.Second

func (t *tenure) compareSource(ctx context.Context, src SourceSetup) {
	var c comparison
	failing, anew := false, t.anew(ctx)
	for {
		err := t.compareOnce(ctx, src, &c)
		if err == nil && anew {
			err = t.takeInAll(ctx, src)
			anew = err != nil
			if err == nil {
				t.compared(ctx, src.Name)
			}
		}
		if t.lost(err) {
			return
		}
		if err != nil && !failing && ctx.Err() == nil {
			t.log.Warn("a source's list could not be compared", "connector", t.cfg.Connector, "source", src.Name, "err", err)
		}
		failing = err != nil
		pause := src.Compare
		if anew {
			pause = min(pause, anewPause)
		}
		if !t.untilCompare(ctx, src, pause) {
			return
		}
	}
}

// untilCompare waits for the next comparison; false = ctx ended. What the source
// says meanwhile that it left out of a push is fetched at once.
func (t *tenure) untilCompare(ctx context.Context, src SourceSetup, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-t.omittedBy(src.Name):
			if err := t.fetchOmitted(ctx, src); err != nil && ctx.Err() == nil {
				t.log.Warn("alerts that a source left out could not be fetched; the next comparison finds them",
					"connector", t.cfg.Connector, "source", src.Name, "err", err)
			}
		}
	}
}

// fetchOmitted takes in what the source announces and nobody here has heard of.
// It concludes nothing from what is absent: that takes two looks, some time apart.
func (t *tenure) fetchOmitted(ctx context.Context, src SourceSetup) error {
	stmt, cancel := statement(ctx)
	ours, err := t.cfg.Store.OpenAlerts(stmt, src.Name)
	cancel()
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(ours))
	for _, a := range ours {
		known[a.Key] = true
	}
	return t.takeIn(ctx, src, func(key string) bool { return !known[key] })
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
	gone, unheard := c.absent(ours, theirs, incarnation), c.unheard(ours, theirs)
	return errors.Join(t.closeGone(ctx, src, gone), t.takeInUnheard(ctx, src, unheard))
}

func (t *tenure) closeGone(ctx context.Context, src SourceSetup, gone []OpenAlert) error {
	if len(gone) == 0 {
		return nil
	}
	stmt, cancel := statement(ctx)
	defer cancel()
	n, err := t.cfg.Store.CloseAbsent(stmt, t.term, src.Name, gone, "no longer in the list of source "+src.Name)
	if err != nil {
		return err
	}
	t.log.Info("alerts that vanished from their source were closed", "connector", t.cfg.Connector, "source", src.Name, "count", n)
	poke(t.wake)
	return nil
}

// takeInUnheard accepts alerts that were open at the source at two comparisons
// and never heard of: a push that was lost, or one that the source believes to
// have made.
func (t *tenure) takeInUnheard(ctx context.Context, src SourceSetup, unheard map[string]bool) error {
	if len(unheard) == 0 {
		return nil
	}
	return t.takeIn(ctx, src, func(key string) bool { return unheard[key] })
}

// takeInAll accepts all that the source announces, known or not: the database may
// have lost alerts and what they were told since. What is known and unchanged
// changes nothing.
func (t *tenure) takeInAll(ctx context.Context, src SourceSetup) error {
	return t.takeIn(ctx, src, func(string) bool { return true })
}

// takeIn accepts those alerts that the source announces and that are wanted, by
// their keys.
func (t *tenure) takeIn(ctx context.Context, src SourceSetup, wanted func(key string) bool) error {
	announcer, able := src.Lister.(source.Announcer)
	if !able || t.cfg.Accept == nil {
		return nil
	}
	call, cancel := context.WithTimeout(ctx, 3*statementTimeout)
	defer cancel()
	announced, err := announcer.Announced(call)
	if err != nil {
		return err
	}
	found := slices.DeleteFunc(announced, func(o alert.Observation) bool { return !wanted(o.Key) })
	if len(found) == 0 {
		return nil
	}
	if err := t.cfg.Accept(call, found); err != nil {
		return err
	}
	t.log.Info("alerts were taken in from the list of their source", "connector", t.cfg.Connector, "source", src.Name, "count", len(found))
	return nil
}

// comparison remembers which alerts were missing on either side.
type comparison struct {
	incarnation string
	once        map[alert.ID]int64   // absent once, with the seen count it had then
	strange     map[string]time.Time // at the source and not with us, once, by key, with its beginning
}

// unheard returns the keys of alerts that were open at the source now and the
// time before, with the same beginning, and not with us.
func (c *comparison) unheard(ours []OpenAlert, theirs []alert.Observation) map[string]bool {
	known := make(map[string]bool, len(ours))
	for _, a := range ours {
		known[a.Key] = true
	}
	strange, unheard := map[string]time.Time{}, map[string]bool{}
	for i := range theirs {
		o := &theirs[i]
		if known[o.Key] {
			continue
		}
		if began, before := c.strange[o.Key]; before && began.Equal(o.StartsAt) {
			unheard[o.Key] = true
		}
		strange[o.Key] = o.StartsAt
	}
	c.strange = strange
	return unheard
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
