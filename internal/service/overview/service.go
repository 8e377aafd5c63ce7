package overview

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// Store is what overview needs of the database. Each method is one statement.
type Store interface {
	// Glance reads the group at one moment.
	Glance(ctx context.Context) (store.Glance, error)
	Backlog(ctx context.Context) (map[string]store.Backlog, error)
	Throughput(ctx context.Context) (map[string]int64, error)
	Document(ctx context.Context, connector string, version int64) (store.StoredDocument, error)
	// Unheld returns which of the presences nobody holds.
	Unheld(ctx context.Context, presences []string) (map[string]bool, error)
	// Listen tells of wake-ups until ctx ends.
	Listen(ctx context.Context, heard func(topic string)) error
	// Wake tells all servers.
	Wake(ctx context.Context, topics ...string)
}

// Service reads the management group.
type Service struct {
	store    Store
	presence suspicions
	hub      *Hub

	mu      sync.Mutex
	last    *Snapshot
	lastAt  time.Time     // when last was read, by this machine
	offset  time.Duration // the database's clock minus this machine's, as last seen
	remotes map[string]remoteKind
}

// New returns a service over the store.
func New(db Store) *Service {
	s := &Service{store: db, presence: suspicions{since: map[string]time.Time{}}, remotes: map[string]remoteKind{}}
	s.hub = newHub(s)
	return s
}

// Hub tells watchers of changes.
func (s *Service) Hub() *Hub { return s.hub }

// readTime bounds a reading of the group.
const readTime = 5 * time.Second

// Read reads the management group now. The error is fault.Unavailable when the
// database does not answer.
func (s *Service) Read(ctx context.Context) (*Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	var r reading
	var group store.Glance
	reads, rctx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { group, err = s.store.Glance(rctx); return })
	reads.Go(func() (err error) { r.backlog, err = s.store.Backlog(rctx); return })
	reads.Go(func() (err error) { r.delivered, err = s.store.Throughput(rctx); return })
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	r.name, r.now, r.group, r.since = group.Name, group.Now, group.Group, group.Since
	r.suspect, r.dead = s.presence.look(ctx, s.store, r.group.Servers)
	snapshot := derive(r)
	snapshot.Marks = marksOf(group, r.backlog)
	s.keep(snapshot)
	return snapshot, nil
}

func (s *Service) keep(snapshot *Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.lastAt = snapshot, time.Now()
	s.offset = snapshot.At.Sub(s.lastAt)
}

// Last returns the latest reading and its age; nil when there was none.
func (s *Service) Last() (snapshot *Snapshot, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, time.Since(s.lastAt)
}

// Now is the database's clock as last seen, carried on by this machine's.
func (s *Service) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.offset).UTC()
}

// Connector reads one connector. The error is fault.NotFound when there is none.
func (s *Service) Connector(ctx context.Context, name string) (Connector, *Snapshot, error) {
	snapshot, err := s.Read(ctx)
	if err != nil {
		return Connector{}, nil, err
	}
	c, ok := snapshot.Connector(name)
	if !ok {
		return Connector{}, snapshot, NoConnector(name)
	}
	return c, snapshot, nil
}

// NoConnector is the error about a connector that does not exist.
func NoConnector(name string) error {
	return fault.New(fault.NotFound, fmt.Sprintf("there is no connector %q", name)).
		WithNext("The overview lists those there are.")
}

// How long Refresh waits for heartbeats: a server writes two of them at least a
// second apart.
const (
	refreshTime = 2500 * time.Millisecond
	refreshLook = 100 * time.Millisecond
)

// Refresh asks every server for a heartbeat now, waits a moment for them, and
// reads the group. It returns the servers that count as on and did not answer.
func (s *Service) Refresh(ctx context.Context) (snapshot *Snapshot, silent []string, err error) {
	if snapshot, err = s.Read(ctx); err != nil {
		return nil, nil, err
	}
	asked, begun := snapshot.At, time.Now()
	s.store.Wake(ctx, store.TopicRefresh)
	for {
		silent = snapshot.silentSince(asked)
		if len(silent) == 0 || time.Since(begun) > refreshTime || !pause(ctx, refreshLook) {
			return snapshot, silent, nil
		}
		if snapshot, err = s.Read(ctx); err != nil {
			return nil, nil, err
		}
	}
}

// silentSince are the servers that are on and have written no heartbeat since.
func (s *Snapshot) silentSince(at time.Time) []string {
	var names []string
	for _, v := range s.Servers {
		if v.On && v.Last.At.Before(at) {
			names = append(names, v.Name)
		}
	}
	return names
}

// Remote is the kind of a connector's remote system, "" when its document cannot
// be read. It asks the database once per version.
func (s *Service) Remote(ctx context.Context, name string, version int64) string {
	s.mu.Lock()
	known, ok := s.remotes[name]
	s.mu.Unlock()
	if ok && known.version == version {
		return known.kind
	}
	stored, err := s.store.Document(ctx, name, version)
	if err != nil {
		return ""
	}
	doc, _ := connector.Parse([]byte(stored.Text)) // one that is wrong elsewhere still has a kind
	kind := ""
	if doc != nil {
		kind = doc.Remote.Kind
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remotes[name] = remoteKind{stored.Version, kind}
	return kind
}

// remoteKind is a connector's kind of remote system as of a version.
type remoteKind struct {
	version int64
	kind    string
}
