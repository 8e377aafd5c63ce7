package forwardtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// ErrAnswerLost is what a caller gets whose answer was lost.
var ErrAnswerLost = errors.New("forwardtest: the connection was lost")

// Fault says what happens to one statement.
type Fault int

// The faults.
const (
	None   Fault = iota
	Before       // it never arrives
	After        // it is carried out, its answer is lost
)

// Store is a model of the database: forward.Storage in memory.
type Store struct {
	mu        sync.Mutex
	fault     func(statement string) Fault
	calls     map[string]int
	leases    map[string]ha.Lease
	alerts    map[alert.ID]*alert.Alert
	links     map[alert.LinkID]*row
	bookmarks map[string]string
	news      map[string]bool
}

type row struct {
	alert.Link
	made, changed, due time.Time
	notes              []alert.Note
	events             []forward.Event
	recorded           []alert.Recorded
}

// NewStore returns an empty database.
func NewStore() *Store {
	return &Store{
		fault: func(string) Fault { return None }, calls: map[string]int{},
		leases: map[string]ha.Lease{}, alerts: map[alert.ID]*alert.Alert{}, links: map[alert.LinkID]*row{},
		bookmarks: map[string]string{}, news: map[string]bool{},
	}
}

// Disturb sets what happens to statements from now on; nil = nothing. f is called
// with the name of the method, under the database's lock.
func (s *Store) Disturb(f func(statement string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == nil {
		f = func(string) Fault { return None }
	}
	s.fault = f
}

// Calls is how often a statement was called.
func (s *Store) Calls(statement string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[statement]
}

// Total is how many statements were called.
func (s *Store) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		n += c
	}
	return n
}

// TakeOver makes the server the Active with the next epoch, and returns its lease.
func (s *Store) TakeOver(connector, server string) ha.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leases[connector]
	l.Connector, l.Server, l.Boot, l.Identity = connector, server, "boot of "+server, "one"
	l.Epoch++
	s.leases[connector] = l
	return l
}

// do runs one statement under the lock, with its fault.
func (s *Store) do(ctx context.Context, statement string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[statement]++
	switch s.fault(statement) {
	case Before:
		return ErrAnswerLost
	case After:
		_ = f()
		return ErrAnswerLost
	}
	return f()
}

func (s *Store) fenced(t ha.Term) bool {
	l := s.leases[t.Connector]
	return l.Epoch == t.Epoch && l.Boot == t.Boot && l.Identity == t.Identity
}

// Claim implements forward.Links.
func (s *Store) Claim(ctx context.Context, r forward.ClaimRequest) (n int, err error) {
	err = s.do(ctx, "Claim", func() error {
		if !s.fenced(r.Term) {
			return forward.ErrDeposed
		}
		for _, l := range s.ordered(r.Term.Connector) {
			if n == r.Limit {
				break
			}
			if l.due.After(time.Now()) || !l.due.After(r.After) || !l.Claimable(r.View) {
				continue
			}
			l.Link = l.WithClaim(alert.Claim{ID: r.Claim, Epoch: r.Term.Epoch})
			n++
		}
		return nil
	})
	if err != nil {
		n = 0
	}
	return n, err
}

// ordered returns a connector's links, oldest due first.
func (s *Store) ordered(connector string) []*row {
	var all []*row
	for _, l := range s.links {
		if l.Connector == connector {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *row) int {
		return cmp.Or(a.due.Compare(b.due), bytes.Compare(a.Alert[:], b.Alert[:]), cmp.Compare(a.Side, b.Side))
	})
	return all
}

// Claimed implements forward.Links.
func (s *Store) Claimed(ctx context.Context, connector string, claim alert.ClaimID) (work []forward.Work, err error) {
	err = s.do(ctx, "Claimed", func() error {
		for _, l := range s.ordered(connector) {
			if l.Claim.ID == claim {
				work = append(work, s.work(l))
			}
		}
		return nil
	})
	if err != nil {
		work = nil
	}
	return work, err
}

func (s *Store) work(l *row) forward.Work {
	w := forward.Work{Link: l.Link, Alert: *s.alerts[l.Alert], Age: time.Since(l.made), Changed: l.changed}
	for _, n := range l.notes {
		if n.Seq > l.NotesDelivered {
			w.Notes = append(w.Notes, n)
		}
	}
	switch {
	case l.Side == alert.Source:
		if p := s.links[alert.LinkID{Connector: l.Connector, Alert: l.Alert, Side: alert.Remote}]; p != nil {
			peer := p.Link
			w.Peer = &peer
		}
	case l.Stage == alert.Fresh && w.Alert.Previous != uuid.Nil:
		if p := s.links[alert.LinkID{Connector: l.Connector, Alert: w.Alert.Previous, Side: alert.Remote}]; p != nil {
			closed := s.alerts[p.Alert].ChangedAt
			w.Previous = &forward.Previous{Link: p.Link, ClosedAt: closed, Ago: time.Since(closed)}
		}
	}
	return w
}

// Record implements forward.Links.
func (s *Store) Record(ctx context.Context, _ ha.Term, entries []forward.Entry) (answers []alert.Recorded, err error) {
	err = s.do(ctx, "Record", func() error {
		for _, e := range entries {
			l := s.links[e.Outcome.LinkID]
			var a alert.Recorded
			l.Link, a = l.Link.Record(e.Outcome)
			answers = append(answers, a)
			l.recorded = append(l.recorded, a)
			l.events = append(l.events, e.Events...)
			l.touch(e.Outcome.Delay)
		}
		return nil
	})
	return answers, err
}

func (l *row) touch(delay time.Duration) {
	l.changed = time.Now()
	l.due = l.changed.Add(delay)
}

// Expire implements forward.Links.
func (s *Store) Expire(ctx context.Context, t ha.Term, stuck []alert.ClaimID, hold alert.Hold) (n int, err error) {
	err = s.do(ctx, "Expire", func() error {
		if !s.fenced(t) {
			return forward.ErrDeposed
		}
		for _, l := range s.ordered(t.Connector) {
			old := l.Claim.ID != uuid.Nil && l.Claim.Epoch < t.Epoch
			if old || slices.Contains(stuck, l.Claim.ID) {
				l.Link = l.Link.Expire(hold)
				l.touch(0)
				n++
			}
		}
		return nil
	})
	return n, err
}

// OpenClaims implements forward.Links.
func (s *Store) OpenClaims(ctx context.Context, connector string) (ids []alert.ClaimID, err error) {
	err = s.do(ctx, "OpenClaims", func() error {
		for _, l := range s.ordered(connector) {
			if l.Claim.ID != uuid.Nil && !slices.Contains(ids, l.Claim.ID) {
				ids = append(ids, l.Claim.ID)
			}
		}
		return nil
	})
	return ids, err
}

// NextDue implements forward.Links.
func (s *Store) NextDue(ctx context.Context, connector string) (wait time.Duration, ok bool, err error) {
	err = s.do(ctx, "NextDue", func() error {
		for _, l := range s.ordered(connector) {
			if l.Due() && l.Claim.ID == uuid.Nil {
				wait, ok = max(time.Until(l.due), 0), true
				return nil
			}
		}
		return nil
	})
	return wait, ok, err
}

// Adopt implements forward.Links.
func (s *Store) Adopt(ctx context.Context, claim alert.ClaimID, link, previous alert.LinkID, reason string) (ok bool, err error) {
	err = s.do(ctx, "Adopt", func() error {
		l, p := s.links[link], s.links[previous]
		if l.Claim.ID != claim || l.Stage != alert.Fresh || !p.Yields() {
			return nil
		}
		ok, p.Skipped = true, reason
		l.Stage, l.Ticket, l.TicketURL, l.Told, l.Heard = alert.Settled, p.Ticket, p.TicketURL, p.Told, p.Heard
		return nil
	})
	return ok && err == nil, err
}
