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
	From    time.Time // the last that is known of the Active before
	Latest  time.Time // by when it had ended; From, where that was seen or told
	To      time.Time
	Reason  ha.Reason // why the Active was gone
	Of      string    // the server that was Active before
	Planned bool      // it was handed over
	Unknown bool      // nothing tells when the Active ended: the gap may have been longer
	Open    bool      // nobody is Active now
}

// Least and Most are how long it lasted: the same where both ends are known.
func (g Gap) Least() time.Duration { return g.To.Sub(g.Latest) }
func (g Gap) Most() time.Duration  { return g.To.Sub(g.From) }

// History is who was Active when, in a window of time.
type History struct {
	Since, Until time.Time
	Servers      []string // in communication order, then those that left it
	Bands        []Band   // the oldest first
	Gaps         []Gap    // the oldest first
	Nobody       *Gap     // since when nobody is Active, however long; nil = somebody is, or nobody ever was
	Documents    []store.StoredDocument
	// Complete is false where the window reaches back further than what was read.
	Complete bool
}

// historyEvents bounds how many changes one picture is made of.
const historyEvents = 1000

// History returns who was Active in the window that ends now. c is the
// connector as it is.
func (s *Service) History(ctx context.Context, c overview.Connector, now time.Time, window time.Duration) (History, error) {
	events, err := s.store.AvailabilityEvents(ctx, store.HistoryQuery{Connector: c.Name, Limit: historyEvents, Signs: true})
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

// sign is until when the Active of an epoch is known to have lived.
type sign struct {
	at    time.Time
	exact bool // it ended then; otherwise within a polling interval after that
}

// tracer follows the events.
type tracer struct {
	h        History
	settings ha.Settings // as they are now
	signs    map[int64]sign
	current  *Band
	ended    *Gap // since when nobody is Active
}

// trace makes bands and gaps of a connector's events, oldest first.
func trace(events []store.AvailabilityEvent, c overview.Connector, since, now time.Time) History {
	t := tracer{h: History{Since: since, Until: now, Servers: c.Order()}, settings: c.Settings, signs: map[int64]sign{}}
	for _, e := range events {
		if known, is := signOf(e); is {
			t.signs[e.Epoch] = known
		}
	}
	for _, e := range events {
		t.follow(e)
	}
	t.end(c, now)
	return t.clip(since)
}

func signOf(e store.AvailabilityEvent) (sign, bool) {
	switch e.Reason {
	case store.LastHeard:
		return sign{at: e.At}, true
	case store.SeenEnding:
		return sign{at: e.At, exact: true}, true
	}
	return sign{}, false
}

// noted are events that change no Active.
var noted = []string{"joined", "removed", "moved up", "moved down", "make active", store.WishWithdrawn, store.LastHeard, store.SeenEnding}

// Changes reports whether an event changed who is Active.
func Changes(e store.AvailabilityEvent) bool { return !slices.Contains(noted, e.Reason) }

func (t *tracer) follow(e store.AvailabilityEvent) {
	switch {
	case !Changes(e):
	case e.To == "": // released, or its history was doubted
		t.close(e.At)
		t.ended = &Gap{From: e.At, Latest: e.At, Reason: ha.Reason(e.Reason), Of: e.From, Planned: e.Reason != string(ha.ReasonIdentity)}
	default:
		t.take(e)
	}
}

// take begins a band. Where the Active before did not release, when it ended is
// what was noted of it then, or else what the reason tells.
func (t *tracer) take(e store.AvailabilityEvent) {
	if t.current != nil {
		t.gone(t.ending(ha.Reason(e.Reason), e.At))
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

// ending is the gap that the Active left by the moment somebody followed it.
func (t *tracer) ending(reason ha.Reason, followed time.Time) Gap {
	known, ok := t.signs[t.current.Epoch]
	switch {
	case ok:
		return t.after(known, reason, followed)
	case reason == ha.ReasonSilence: // its beat had not moved for so long
		from := followed.Add(-t.settings.Length())
		return Gap{From: from, Latest: from, Reason: reason}
	}
	return Gap{From: followed, Latest: followed, Reason: reason, Unknown: true}
}

// after is the gap that begins with a sign: one that lived would have sent its
// next heartbeat a polling interval later.
func (t *tracer) after(known sign, reason ha.Reason, until time.Time) Gap {
	g := Gap{From: known.at, Latest: known.at, Reason: reason}
	if !known.exact {
		g.Latest = known.at.Add(t.settings.Polling)
	}
	if g.Latest.After(until) {
		g.Latest = until
	}
	return g
}

// gone ends the band where the gap begins.
func (t *tracer) gone(g Gap) {
	g.From, g.Latest = later(g.From, t.current.From), later(g.Latest, t.current.From)
	g.Of = t.current.Server
	t.close(g.From)
	t.ended = &g
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
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
	if t.current != nil && !lives(c, t.current.Server) {
		t.gone(t.ongoing(c, now))
	}
	if t.current != nil {
		t.current.Open = true
		t.close(now)
	}
	if t.ended != nil {
		t.ended.To, t.ended.Open = now, true
		t.h.Nobody = t.ended
		t.h.Gaps = append(t.h.Gaps, *t.ended)
	}
}

// lives reports whether the server is Active and not known to be dead: the lease
// of a dead one may run on.
func lives(c overview.Connector, server string) bool {
	m, _ := c.Member(server)
	return c.Active == server && m.Standing != overview.Dead
}

// ongoing is the gap that the last Active left and nobody has ended. What its row
// tells is of its present process, unless that has noted of the one before.
func (t *tracer) ongoing(c overview.Connector, now time.Time) Gap {
	if known, ok := t.signs[t.current.Epoch]; ok {
		return t.after(known, ha.ReasonRestart, now)
	}
	m, ok := c.Member(t.current.Server)
	switch {
	case !ok:
		return Gap{From: now, Latest: now, Reason: ha.ReasonSilence, Unknown: true}
	case m.Standing == overview.Dead:
		return t.after(sign{at: m.Last.At}, ha.ReasonPresence, now)
	}
	return t.after(sign{at: m.Last.At}, ha.ReasonSilence, now)
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
		h.Gaps[i].From, h.Gaps[i].Latest = later(h.Gaps[i].From, since), later(h.Gaps[i].Latest, since)
	}
	return h
}
