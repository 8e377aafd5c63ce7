package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/secret"
	"tieline/internal/source"
	"tieline/internal/source/alertmanager"
	"tieline/internal/source/generic"
)

// fakeStore keeps alerts as alert.Apply says. A key that begins with "bad" is
// refused alone.
type fakeStore struct {
	took time.Duration // of a commit

	mu      sync.Mutex
	err     error
	hold    chan struct{} // a commit waits for it; nil = not
	latest  map[subject]alert.Alert
	links   map[alert.ID][]Routing
	batches []Batch
	now     int // commits in flight
	most    int // at a time
}

func newFakeStore() *fakeStore {
	return &fakeStore{latest: make(map[subject]alert.Alert), links: make(map[alert.ID][]Routing)}
}

func (s *fakeStore) Accept(ctx context.Context, b Batch) ([]Accepted, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	hold := s.hold
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.commit(b)
}

func (s *fakeStore) commit(b Batch) ([]Accepted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	s.batches = append(s.batches, b)
	accepted := make([]Accepted, len(b.Items))
	for i, item := range b.Items {
		accepted[i] = s.apply(b, item)
	}
	return accepted, nil
}

func (s *fakeStore) apply(b Batch, item Observed) Accepted {
	if len(item.Key) > 2 && item.Key[:3] == "bad" {
		return Accepted{Err: fault.New(fault.Invalid, "the database refuses the alert")}
	}
	if item.Gone != nil && item.Gone() {
		return Accepted{Err: ErrGone}
	}
	at := subject{item.Source, item.Key}
	var latest *alert.Alert
	if a, ok := s.latest[at]; ok {
		latest = &a
	}
	next, change := alert.Apply(latest, item.Observation)
	if next.ID == (alert.ID{}) {
		next.ID = alert.NewID()
	}
	if change.Grew() {
		next.Generation = b.Generation
		s.links[next.ID] = item.Route(&next)
	}
	s.latest[at] = next
	return Accepted{ID: next.ID, Change: change}
}

// Behind and Reroute implement Evaluated.
func (s *fakeStore) Behind(_ context.Context, generation int64, limit int) ([]alert.Alert, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var behind []alert.Alert
	for _, a := range s.latest {
		if a.Generation < generation && len(behind) < limit {
			behind = append(behind, a)
		}
	}
	return behind, s.err
}

func (s *fakeStore) Reroute(_ context.Context, _ string, generation int64, items []Rerouted) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range items {
		for at, a := range s.latest {
			if a.ID == item.Alert && a.Generation < generation {
				a.Generation = generation
				s.latest[at] = a
				s.links[a.ID] = item.Route(&a)
			}
		}
	}
	return s.err
}

func (s *fakeStore) sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sizes []int
	for _, b := range s.batches {
		sizes = append(sizes, len(b.Items))
	}
	return sizes
}

func firing(key string) []alert.Observation {
	return []alert.Observation{{Source: "s", Key: key, Status: alert.Open, Content: alert.Content{Severity: "critical"}}}
}

func resolved(key string) []alert.Observation {
	return []alert.Observation{{Source: "s", Key: key, Status: alert.Closed}}
}

var kinds = map[string]source.Kind{"generic": generic.Kind(), "alertmanager": alertmanager.Kind()}

var errNoSecret = errors.New("secret env:ABSENT is not set")

func resolve(r secret.Ref) (secret.String, error) {
	switch r {
	case "":
		return secret.String{}, nil
	case "env:ABSENT":
		return secret.String{}, errNoSecret
	}
	return secret.New("hunter2"), nil
}

// document returns a compiled connector with lines added to the least one.
func document(t testing.TB, name, lines string) *connector.Compiled {
	t.Helper()
	text := fmt.Sprintf("name: %s\nremote: {kind: files, settings: {directory: /files}}\n%s", name, lines)
	doc, err := connector.Parse([]byte(text))
	if err != nil {
		t.Fatal(fault.Message(err))
	}
	compiled, err := connector.Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func table(t testing.TB, generation int64, connectors ...*connector.Compiled) *Table {
	t.Helper()
	return NewTable(TableConfig{Generation: generation, Connectors: connectors, Kinds: kinds, Resolve: resolve})
}
