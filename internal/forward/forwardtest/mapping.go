package forwardtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/source"
)

// Mapping is a plain forward.Mapping: "open" and "resolved" for the states,
// every remote state told back as it is.
type Mapping struct {
	Fail   func(a *alert.Alert) error // nil = none fails
	Action string                     // of a close; "" = "resolve"
	Table  map[string]connector.Refire
	Bounds connector.Limits
}

// Draft implements forward.Mapping.
func (m Mapping) Draft(a *alert.Alert, _ *alert.Link, k alert.Key) (alert.Draft, error) {
	if m.Fail != nil {
		if err := m.Fail(a); err != nil {
			return alert.Draft{}, err
		}
	}
	d := alert.Draft{Key: k, Revision: a.Revision, Subject: a.Summary, State: "open", Alert: a}
	if a.Status == alert.Closed {
		d.State = "resolved"
	}
	return d, nil
}

// BackState implements forward.Mapping.
func (m Mapping) BackState(remoteState string) (string, bool) { return remoteState, remoteState != "" }

// StateClass implements forward.Mapping.
func (m Mapping) StateClass(remoteState string) string {
	if remoteState == "" {
		return "open"
	}
	return remoteState
}

// Refire implements forward.Mapping.
func (m Mapping) Refire(class string) connector.Refire { return m.Table[class] }

// CloseAction implements forward.Mapping.
func (m Mapping) CloseAction() string {
	if m.Action == "" {
		return "resolve"
	}
	return m.Action
}

// Limits implements forward.Mapping.
func (m Mapping) Limits() connector.Limits {
	l := m.Bounds
	if l.Concurrency == 0 {
		l.Concurrency = 4
	}
	if l.Timeout == 0 {
		l.Timeout = connector.Duration(2 * time.Second)
	}
	if l.Attempts == 0 {
		l.Attempts = 5
	}
	if l.Backoff.First == 0 {
		l.Backoff = connector.Backoff{First: connector.Duration(time.Second), Max: connector.Duration(time.Minute)}
	}
	return l
}

// Setups is a forward.Setups whose Setup a test replaces.
type Setups struct {
	mu      sync.Mutex
	now     *forward.Setup
	changed chan struct{}
}

// NewSetups returns a provider of one Setup.
func NewSetups(s *forward.Setup) *Setups { return &Setups{now: s, changed: make(chan struct{})} }

// Setup implements forward.Setups.
func (p *Setups) Setup() (*forward.Setup, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.changed
}

// Replace puts another Setup in its place.
func (p *Setups) Replace(s *forward.Setup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = s
	close(p.changed)
	p.changed = make(chan struct{})
}

// Source is a source that can be listed and written to.
type Source struct {
	mu          sync.Mutex
	open        []alert.Observation
	muted       []string
	incarnation string
	written     []source.Update
	fail        error
}

// Show sets what List answers.
func (s *Source) Show(incarnation string, keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incarnation, s.open = incarnation, nil
	for _, k := range keys {
		s.open = append(s.open, alert.Observation{Key: k, Status: alert.Open})
	}
}

// Refuse makes Write answer an error; nil = success again.
func (s *Source) Refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// List implements source.Lister.
func (s *Source) List(context.Context) ([]alert.Observation, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.incarnation, nil
}

// Announced implements source.Announcer.
func (s *Source) Announced(context.Context) ([]alert.Observation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.open), func(o alert.Observation) bool { return slices.Contains(s.muted, o.Key) }), nil
}

// Mute keeps listed alerts from being announced.
func (s *Source) Mute(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = keys
}

// Write implements source.Writer.
func (s *Source) Write(_ context.Context, u source.Update) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = append(s.written, u)
	return s.fail
}

// Written returns what was written.
func (s *Source) Written() []source.Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]source.Update(nil), s.written...)
}

// Clock is a term's clock for a synctest bubble, which can be stepped: a frozen
// or suspended process sees time jump.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Now implements ha.Clock.
func (c *Clock) Now() ha.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now().Round(0).Add(c.ahead)
	return ha.Instant{Boot: now.Sub(start), Wall: now}
}

// Jump makes the clock show that much more.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}
