package availability

import (
	"context"
	"slices"
	"time"

	"tieline/internal/ha"
	"tieline/internal/service/overview"
	"tieline/internal/store"
)

// Band is a time during which a server was Active.
type Band struct {
	Server   string
	Epoch    int64
	From, To time.Time
	Open     bool // it still is; To is now
	Earlier  bool // it began before what is shown
}

// Length is how long it lasted.
func (b Band) Length() time.Duration { return b.To.Sub(b.From) }

// Gap is a time during which nobody was Active.
type Gap struct {
	From, To time.Time
	Reason   ha.Reason // why the Active was gone
	Of       string    // the server that was Active before
	Planned  bool      // it was handed over
	About    bool      // its begin is inferred: nobody saw the Active die
	Open     bool      // nobody is Active now
}

// Length is how long it lasted.
func (g Gap) Length() time.Duration { return g.To.Sub(g.From) }

// History is who was Active when, in a window of time.
type History struct {
	Since, Until time.Time
	Servers      []string // in communication order, then those that left it
	Bands        []Band   // the oldest first
	Gaps         []Gap    // the oldest first
	Documents    []store.StoredDocument
	// Complete is false where the window reaches back further than what was read.
	Complete bool
}

// historyEvents bounds how many changes one picture is made of.
const historyEvents = 1000

// History returns who was Active in the window that ends now. c is the
// connector as it is.
func (s *Service) History(ctx context.Context, c overview.Connector, now time.Time, window time.Duration) (History, error) {
	events, err := s.store.AvailabilityEvents(ctx, store.HistoryQuery{Connector: c.Name, Limit: historyEvents})
	if err != nil {
		return History{}, err
	}
	since := now.Add(-window)
	docs, err := s.store.DocumentLog(ctx, store.HistoryQuery{Connector: c.Name, Since: since, Limit: historyEvents})
	if err != nil {
		return History{}, err
	}
	slices.Reverse(events)
	h := trace(events, c, since, now)
	h.Documents = docs
	h.Complete = len(events) < historyEvents || events[0].At.Before(since)
	return h, nil
}

// How long before a take-over its cause lay, where nobody saw it: the grace of
// a presence is half a second.
const presenceGap = 500 * time.Millisecond

// tracer follows the events.
type tracer struct {
	h       History
	length  time.Duration // promised length, as it is now
	current *Band
	ended   *Gap // since when nobody is Active
}

// trace makes bands and gaps of a connector's events, oldest first.
func trace(events []store.AvailabilityEvent, c overview.Connector, since, now time.Time) History {
	t := tracer{h: History{Since: since, Until: now, Servers: c.Order()}, length: c.Settings.Length()}
	for _, e := range events {
		t.follow(e)
	}
	t.end(c, now)
	return t.clip(since)
}

// noted are events that change no Active.
var noted = []string{"joined", "removed", "moved up", "moved down", "make active"}

// Changes reports whether an event changed who is Active.
func Changes(e store.AvailabilityEvent) bool { return !slices.Contains(noted, e.Reason) }

func (t *tracer) follow(e store.AvailabilityEvent) {
	switch {
	case !Changes(e):
	case e.To == "": // released, or its history was doubted
		t.close(e.At)
		t.ended = &Gap{From: e.At, Reason: ha.Reason(e.Reason), Of: e.From, Planned: e.Reason != string(ha.ReasonIdentity)}
	default:
		t.take(e)
	}
}

// take begins a band. Where the Active before did not release, when it ended is
// inferred from how that was noticed.
func (t *tracer) take(e store.AvailabilityEvent) {
	if t.current != nil {
		from := e.At
		switch ha.Reason(e.Reason) {
		case ha.ReasonPresence:
			from = e.At.Add(-presenceGap)
		case ha.ReasonSilence:
			from = e.At.Add(-t.length)
		}
		if from.Before(t.current.From) {
			from = t.current.From
		}
		of := t.current.Server
		t.close(from)
		t.ended = &Gap{From: from, Reason: ha.Reason(e.Reason), Of: of, About: true}
	}
	if t.ended != nil {
		t.ended.To = e.At
		t.h.Gaps = append(t.h.Gaps, *t.ended)
		t.ended = nil
	}
	t.current = &Band{Server: e.To, Epoch: e.Epoch, From: e.At}
	if !slices.Contains(t.h.Servers, e.To) {
		t.h.Servers = append(t.h.Servers, e.To)
	}
}

func (t *tracer) close(at time.Time) {
	if t.current != nil {
		t.current.To = at
		t.h.Bands = append(t.h.Bands, *t.current)
		t.current = nil
	}
}

// end draws the last band or gap up to now, by what is known of now.
func (t *tracer) end(c overview.Connector, now time.Time) {
	if t.current != nil && c.Active != t.current.Server {
		// Nobody took over from it, and it is not heard: since its last heartbeat.
		at, reason := now, ha.ReasonSilence
		if m, ok := c.Member(t.current.Server); ok {
			at = m.Last.At
			if m.Standing == overview.Dead {
				reason = ha.ReasonPresence
			}
		}
		if at.Before(t.current.From) {
			at = t.current.From
		}
		of := t.current.Server
		t.close(at)
		t.ended = &Gap{From: at, Reason: reason, Of: of, About: true}
	}
	if t.current != nil {
		t.current.Open = true
		t.close(now)
	}
	if t.ended != nil {
		t.ended.To, t.ended.Open = now, true
		t.h.Gaps = append(t.h.Gaps, *t.ended)
	}
}

// clip leaves what lies in the window.
func (t *tracer) clip(since time.Time) History {
	h := t.h
	h.Bands = slices.DeleteFunc(h.Bands, func(b Band) bool { return b.To.Before(since) })
	h.Gaps = slices.DeleteFunc(h.Gaps, func(g Gap) bool { return g.To.Before(since) })
	for i := range h.Bands {
		if h.Bands[i].From.Before(since) {
			h.Bands[i].From, h.Bands[i].Earlier = since, true
		}
	}
	for i := range h.Gaps {
		if h.Gaps[i].From.Before(since) {
			h.Gaps[i].From = since
		}
	}
	return h
}
