package alerts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/store"
)

// Timeline returns what happened to an alert, from raised to closed, oldest
// first. The steps that every alert goes through alike are not written down each
// time, which would double what an alert costs: raised and accepted are kept on
// the alert, matched on its links, and what was sent says under which claim.
func (s *Service) Timeline(ctx context.Context, a alert.Alert) ([]Event, error) {
	var events []Event
	var matches []store.Match
	reads, ctx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { events, err = s.store.Timeline(ctx, a.ID); return })
	reads.Go(func() (err error) { matches, err = s.store.Matches(ctx, a.ID); return })
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	return withSteps(a, events, matches), nil
}

// withSteps puts the steps that are not written down among those that are.
func withSteps(a alert.Alert, events []Event, matches []store.Match) []Event {
	all := withClaims(events, matches)
	for _, m := range matches {
		all = insert(all, Event{At: m.At, Connector: m.Connector, Kind: "matched", Text: matchText(m)})
	}
	begin := []Event{{
		At: a.AcceptedAt, Server: a.AcceptedBy, Kind: "accepted", Text: "taken in from source " + a.Source, Revision: 1,
	}}
	if !a.StartsAt.IsZero() {
		begin = slices.Insert(begin, 0, Event{At: a.StartsAt, Kind: "raised", Text: "at source " + a.Source + ", by its own clock"})
	}
	return append(begin, all...)
}

// insert puts an event behind the last one that is not younger. What is stored
// keeps its order, whatever its stamps say.
func insert(events []Event, e Event) []Event {
	at := len(events)
	for at > 0 && events[at-1].At.After(e.At) {
		at--
	}
	return slices.Insert(events, at, e)
}

// matchText says by which rule a connector took the alert.
func matchText(m store.Match) string {
	if m.Version == 0 {
		return "its subscription takes the alert"
	}
	rule := "it takes every alert of its sources"
	if doc, _ := connector.Examine([]byte(m.Document)); doc != nil && doc.Subscription != "" {
		rule = "its subscription takes the alert: " + strings.TrimSpace(doc.Subscription)
	}
	return fmt.Sprintf("%s (version %d of the document)", rule, m.Version)
}

// withClaims puts a claim before what was done under it. What one claim led to is
// recorded at one moment; it was claimed before the first of its calls began.
func withClaims(events []Event, matches []store.Match) []Event {
	var all []Event
	for i := 0; i < len(events); {
		n := 1
		for i+n < len(events) && underOneClaim(events[i], events[i+n]) {
			n++
		}
		if events[i].Epoch > 0 && events[i].Server != "" {
			all = insert(all, claimOf(events[i:i+n], matches))
		}
		all = append(all, events[i:i+n]...)
		i += n
	}
	return all
}

func underOneClaim(a, b Event) bool {
	return a.Epoch > 0 && a.Epoch == b.Epoch && a.Connector == b.Connector && a.Server == b.Server && a.At.Equal(b.At)
}

func claimOf(done []Event, matches []store.Match) Event {
	first := done[0]
	var calls, window time.Duration
	for _, e := range done {
		calls += e.Took
	}
	for _, m := range matches {
		if m.Connector == first.Connector {
			window = m.Window
		}
	}
	text := "the right to send, committed before the call"
	if window > 0 {
		text += fmt.Sprintf("; a send may start for %s after it", ago(window))
	}
	return Event{
		At: first.At.Add(-calls), Connector: first.Connector, Server: first.Server, Epoch: first.Epoch, Kind: "claimed", Text: text,
	}
}
