package forward

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/remote"
)

// Report is what a reconcile run found.
type Report struct {
	Tickets   int // listed that carry a key of ours
	Links     int // at rest, compared with them
	Missing   int // open alerts whose ticket is not listed
	LeftOpen  int // closed alerts whose ticket is open
	Twins     int // alerts with several open tickets
	Strangers int // keys of ours with an open ticket, of alerts that are not kept
	Forgotten int // the same with ended tickets only
	Marked    int // links that will be verified
	// Open are the ids of tickets of Strangers, the first of each, sorted, at most
	// strangersNamed: of alerts that were forgotten, or lost with the database's
	// commits.
	Open []string

	resolves bool // closed alerts' tickets are to be closed
}

const standingPage = 1000

// strangersNamed is how many tickets a report names.
const strangersNamed = 20

// remotePause is how soon the remote is listed again for what the database lost.
const remotePause = time.Minute

// watchDoubts runs the reconcile run on its timer, after an outage, and at once
// where commits may have been lost.
func (t *tenure) watchDoubts(ctx context.Context) {
	if t.anew(ctx) {
		poke(t.doubts)
	}
	var timer, again <-chan time.Time
	if t.cfg.Reconcile > 0 {
		ticker := time.NewTicker(t.cfg.Reconcile)
		defer ticker.Stop()
		timer = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer:
		case <-again:
		case <-t.doubts:
		}
		again = nil
		if _, err := t.reconcile(ctx); err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.Refused {
			t.log.Warn("the reconcile run failed", "connector", t.cfg.Connector, "epoch", t.term.Epoch, "err", err)
		}
		if t.uncompared(remoteSide) {
			again = time.After(remotePause)
		}
	}
}

// counterpart is what a listing told of one key.
type counterpart struct {
	open    int
	state   string // of the first open one, else of the first
	ticket  string // its id
	matched bool
}

// listing is the remote's side.
type listing struct {
	byKey   map[alert.ID]*counterpart
	tickets map[string]alert.ID // by id: a ticket taken over carries an earlier alert's key
}

// reconcile compares both sides and marks the links in doubt.
func (t *tenure) reconcile(ctx context.Context) (Report, error) {
	var r Report
	setup, _ := t.cfg.Setups.Setup()
	if setup == nil {
		return r, fault.New(fault.Refused, "this server cannot run the connector's current document")
	}
	lister, ok := setup.Remote.(remote.Lister)
	if !ok {
		t.compared(ctx, remoteSide) // there is nothing to compare with
		return r, fault.New(fault.Refused, "the remote system of connector "+t.cfg.Connector+" cannot list its tickets")
	}
	began, err := t.cfg.Store.Now(ctx)
	if err != nil {
		return r, fmt.Errorf("read the database's time: %w", err)
	}
	listed, err := t.list(ctx, lister, &r)
	if err != nil {
		return r, err
	}
	r.resolves = setup.Mapping.CloseAction() == "resolve"
	if err := t.judge(ctx, listed, began, &r); err != nil {
		t.lost(err)
		return r, err
	}
	if err := t.strangers(ctx, setup.Mapping, listed, &r); err != nil {
		return r, err
	}
	t.log.Info("both sides were compared", "connector", t.cfg.Connector, "epoch", t.term.Epoch,
		"count", r.Tickets, "marked", r.Marked, "strangers", r.Strangers)
	t.compared(ctx, remoteSide)
	if t.anew(ctx) && r.Strangers > 0 {
		t.log.Warn("open tickets are of alerts that the database does not know: it lost them, or they were forgotten",
			"connector", t.cfg.Connector, "epoch", t.term.Epoch, "count", r.Strangers, "tickets", r.Open)
	}
	poke(t.recheck)
	return r, nil
}

// list pages through the remote's tickets, grouped by key.
func (t *tenure) list(ctx context.Context, l remote.Lister, r *Report) (listing, error) {
	listed := listing{byKey: make(map[alert.ID]*counterpart), tickets: make(map[string]alert.ID)}
	for page := ""; ; {
		call, cancel := context.WithTimeout(ctx, 3*statementTimeout)
		tickets, next, err := l.List(call, page)
		cancel()
		if err != nil {
			return listed, fmt.Errorf("list the remote's tickets: %w", err)
		}
		for _, ticket := range tickets {
			id, ours := ticket.Key.Alert(t.cfg.Group, t.cfg.Connector)
			if !ours {
				continue
			}
			r.Tickets++
			listed.byKey[id] = listed.byKey[id].with(ticket)
			listed.tickets[ticket.ID] = id
		}
		if next == "" || next == page {
			return listed, nil
		}
		page = next
	}
}

func (c *counterpart) with(t alert.Ticket) *counterpart {
	if c == nil {
		c = &counterpart{state: t.State, ticket: t.ID}
	}
	if t.Open {
		if c.open == 0 {
			c.state, c.ticket = t.State, t.ID
		}
		c.open++
	}
	return c
}

// judge goes through our side and marks the links that do not agree.
func (t *tenure) judge(ctx context.Context, listed listing, began time.Time, r *Report) error {
	var after alert.ID
	for {
		links, err := t.cfg.Store.Standing(ctx, t.cfg.Connector, after, standingPage)
		if err != nil {
			return fmt.Errorf("read links at rest: %w", err)
		}
		var doubtful []alert.ID
		for _, l := range links {
			c := listed.byKey[l.Alert]
			if c != nil {
				c.matched = true
			} else if earlier, took := listed.tickets[l.Ticket]; took {
				listed.byKey[earlier].matched = true
				continue
			}
			if r.doubts(l, c) {
				doubtful = append(doubtful, l.Alert)
			}
		}
		r.Links += len(links)
		if len(doubtful) > 0 {
			n, err := t.cfg.Store.Doubtful(ctx, t.term, doubtful, began)
			if err != nil {
				return fmt.Errorf("mark links in doubt: %w", err)
			}
			r.Marked += n
		}
		if len(links) < standingPage {
			return nil
		}
		after = links[len(links)-1].Alert
	}
}

// strangers counts the tickets whose alert is not kept. Those of links that are
// not at rest are none: they are worked anyway.
func (t *tenure) strangers(ctx context.Context, m Mapping, listed listing, r *Report) error {
	var unmatched []alert.ID
	for id, c := range listed.byKey {
		if !c.matched {
			unmatched = append(unmatched, id)
		}
	}
	if len(unmatched) == 0 {
		return nil
	}
	linked, err := t.cfg.Store.Linked(ctx, t.cfg.Connector, unmatched)
	if err != nil {
		return fmt.Errorf("look for the tickets' alerts: %w", err)
	}
	for _, id := range unmatched {
		switch c := listed.byKey[id]; {
		case linked[id]:
		case c.open == 0 || m.StateClass(c.state) != "open": // a resolved one can be worked again, and need not be
			r.Forgotten++
		default:
			r.Strangers++
			r.Open = append(r.Open, c.ticket)
		}
	}
	slices.Sort(r.Open)
	r.Open = r.Open[:min(len(r.Open), strangersNamed)]
	return nil
}

// doubts reports whether a link at rest and what the listing told of its key
// disagree. A ticket whose state we heard from the remote itself is as a person
// wants it.
func (r *Report) doubts(l Standing, c *counterpart) bool {
	switch {
	case l.Due:
		return false
	case c == nil:
		if l.Status == alert.Open {
			r.Missing++
			return true
		}
		return false
	case c.open > 1:
		r.Twins++
		return true
	case r.resolves && l.Status == alert.Closed && c.open == 1 && c.state != l.Heard:
		r.LeftOpen++
		return true
	}
	return false
}
