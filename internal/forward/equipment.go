package forward

import (
	"time"

	"golang.org/x/time/rate"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/ha"
	"tieline/internal/remote"
	"tieline/internal/source"
)

// requestsInCall is how often the limit of one request a call may last: an adapter
// reads, writes and reads back, and a remote that is merely slow must get through.
const requestsInCall = 3

// equipment is a Setup made ready: the abilities found, the limits worked out.
type equipment struct {
	*Setup
	rules    Rules
	looker   remote.Looker
	comparer remote.Comparer
	merger   remote.Merger
	noter    remote.Noter
	limits   connector.Limits
	limiter  *rate.Limiter
	timeout  time.Duration // of one call, of however many requests
	window   time.Duration // rule C3
	settle   time.Duration // rule C6
}

func equip(s *Setup, t ha.Term) *equipment {
	e := &equipment{Setup: s, limits: s.Mapping.Limits()}
	e.looker, _ = s.Remote.(remote.Looker)
	e.comparer, _ = s.Remote.(remote.Comparer)
	e.merger, _ = s.Remote.(remote.Merger)
	e.noter, _ = s.Remote.(remote.Noter)
	traits := s.Remote.Traits()
	gone := Refire(s.Mapping.Refire("deleted").Action)
	e.rules = Rules{
		Guarantee: traits.Guarantee, KeyLife: traits.KeyLife,
		CanLook: e.looker != nil, CanCompare: e.comparer != nil, CanMerge: e.merger != nil, CanNote: e.noter != nil,
		CloseAction: s.Mapping.CloseAction(),
		Recreate:    gone == "new" || gone == RefireLinked,
		Attempts:    e.limits.Attempts,
		First:       time.Duration(e.limits.Backoff.First), Max: time.Duration(e.limits.Backoff.Max),
	}
	e.limiter = rate.NewLimiter(rate.Inf, 1)
	if r := e.limits.Rate; r > 0 {
		e.limiter = rate.NewLimiter(rate.Limit(r), max(e.limits.Burst, 1))
	}
	e.window = sendWindow(e.limits, t)
	e.timeout = min(requestsInCall*orElse(time.Duration(e.limits.Timeout), 10*time.Second), e.window/2)
	e.settle = max(traits.Settle, time.Duration(e.limits.Settle), t.Settings.Settle)
	return e
}

// sendWindow is the shorter of what the term and the present document say: a
// successor may know only the newer one.
func sendWindow(l connector.Limits, t ha.Term) time.Duration {
	window := orElse(t.Settings.Window, 30*time.Second)
	if w := time.Duration(l.Window); w > 0 {
		window = min(window, w)
	}
	return window
}

// patience is the longer of the two: how long claims of earlier terms are left
// alone (rule C4).
func (e *equipment) patience(t ha.Term) time.Duration {
	return max(orElse(t.Settings.Window, 30*time.Second), time.Duration(e.limits.Window))
}

// startable is how long after its claim a call may start, so that whatever the
// adapter does within its deadline (another endpoint, say) also starts in the window.
func (e *equipment) startable() time.Duration { return e.window - e.timeout }

func (e *equipment) source(name string) (SourceSetup, bool) {
	for _, s := range e.Sources {
		if s.Name == name {
			return s, true
		}
	}
	return SourceSetup{}, false
}

// situation is what the claim found, with the document's view of it.
func (e *equipment) situation(w Work, key alert.Key, jitter float64) (Situation, error) {
	s := Situation{Work: w, Rules: e.rules, Jitter: jitter}
	if w.Link.Side == alert.Source {
		s.Draft.Key = key
		s.Back = e.back(w)
		return s, nil
	}
	d, err := e.Mapping.Draft(&w.Alert, &w.Link, key)
	if err != nil {
		return s, err
	}
	d.Key, d.Revision = key, w.Alert.Revision
	s.Draft = d
	if w.Link.Stage == alert.Fresh {
		s.Refire = RefireFor(w.Previous, e.Mapping)
	}
	return s, nil
}

// back is the word the source should be told; "" = it is not told. Whatever the
// ticket's state, nothing that the source shows of it outlives the alert.
func (e *equipment) back(w Work) string {
	src, ok := e.source(w.Alert.Source)
	switch {
	case !ok || src.Writer == nil:
		return ""
	case w.Alert.Status == alert.Closed:
		return source.Ended
	case w.Peer == nil || w.Peer.Heard == "":
		return ""
	}
	state, ok := e.Mapping.BackState(w.Peer.Heard)
	if !ok {
		return ""
	}
	return state
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}
