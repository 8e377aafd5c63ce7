package forwardtest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// Bookmark implements forward.Mail.
func (s *Store) Bookmark(ctx context.Context, connector, name string) (value string, err error) {
	err = s.do(ctx, "Bookmark", func() error {
		value = s.bookmarks[connector+"/"+name]
		return nil
	})
	return value, err
}

// Receive implements forward.Mail.
func (s *Store) Receive(ctx context.Context, t ha.Term, name, old, next string, news []alert.News, backState func(string) (string, bool)) error {
	return s.do(ctx, "Receive", func() error {
		if !s.fenced(t) {
			return forward.ErrDeposed
		}
		mark := t.Connector + "/" + name
		if s.bookmarks[mark] != old {
			return forward.ErrMoved
		}
		s.bookmarks[mark] = next
		for i, n := range news {
			news[i].Unheard = false
			if !s.news[t.Connector+"/"+n.ID] {
				s.news[t.Connector+"/"+n.ID] = true
				news[i].Unheard = !s.hear(t.Connector, n, backState)
			}
		}
		return nil
	})
}

// hear tells the links that a piece of news is about; known = there is one.
func (s *Store) hear(connector string, n alert.News, backState func(string) (string, bool)) (known bool) {
	for _, l := range s.ordered(connector) {
		named := strings.HasSuffix(string(n.Key), l.Alert.String())
		mine := n.Ticket != "" && n.Ticket == l.Ticket
		if l.Side != alert.Remote || !mine && !named {
			continue
		}
		known = true
		if !mine && n.Assign == "" && n.Ticket != "" && l.Ticket != "" {
			continue // a twin's
		}
		heard, fresh := l.Hear(n)
		l.Link = heard
		if _, told := backState(n.State); !fresh || !told || n.State == "" {
			continue
		}
		id := alert.LinkID{Connector: connector, Alert: l.Alert, Side: alert.Source}
		back := s.links[id]
		if back == nil {
			s.add(alert.NewLink(id, 1))
			continue
		}
		back.Link = back.Revise()
		back.touch(0)
	}
	return known
}

// OpenAlerts implements forward.Absences.
func (s *Store) OpenAlerts(ctx context.Context, source string) (open []forward.OpenAlert, err error) {
	err = s.do(ctx, "OpenAlerts", func() error {
		for _, a := range s.alerts {
			if a.Source == source && a.Status == alert.Open {
				open = append(open, forward.OpenAlert{ID: a.ID, Key: a.Key, Seen: a.Seen})
			}
		}
		return nil
	})
	return open, err
}

// CloseAbsent implements forward.Absences.
func (s *Store) CloseAbsent(ctx context.Context, t ha.Term, _ string, gone []forward.OpenAlert, _ string) (n int, err error) {
	err = s.do(ctx, "CloseAbsent", func() error {
		if !s.fenced(t) {
			return forward.ErrDeposed
		}
		for _, g := range gone {
			if a := s.alerts[g.ID]; a.Seen == g.Seen && a.Status == alert.Open {
				s.apply(a, alert.Observation{Status: alert.Closed})
				n++
			}
		}
		return nil
	})
	return n, err
}

// Now implements forward.Books.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.do(ctx, "Now", func() error {
		now = time.Now()
		return nil
	})
	return now, err
}

// Standing implements forward.Books.
func (s *Store) Standing(ctx context.Context, connector string, after alert.ID, limit int) (found []forward.Standing, err error) {
	err = s.do(ctx, "Standing", func() error {
		for _, l := range s.ordered(connector) {
			if _, rests := l.Suspect(); rests && l.Side == alert.Remote && bytes.Compare(l.Alert[:], after[:]) > 0 {
				found = append(found, forward.Standing{
					Alert: l.Alert, Status: s.alerts[l.Alert].Status, Ticket: l.Ticket, Heard: l.Heard, Due: l.Due(),
				})
			}
		}
		slices.SortFunc(found, func(a, b forward.Standing) int { return bytes.Compare(a.Alert[:], b.Alert[:]) })
		found = found[:min(len(found), limit)]
		return nil
	})
	return found, err
}

// Doubtful implements forward.Books.
func (s *Store) Doubtful(ctx context.Context, t ha.Term, alerts []alert.ID, since time.Time) (n int, err error) {
	err = s.do(ctx, "Doubtful", func() error {
		if !s.fenced(t) {
			return forward.ErrDeposed
		}
		for _, id := range alerts {
			l := s.links[alert.LinkID{Connector: t.Connector, Alert: id, Side: alert.Remote}]
			if !l.changed.Before(since) {
				continue
			}
			if doubted, ok := l.Suspect(); ok {
				l.Link = doubted
				l.touch(0)
				n++
			}
		}
		return nil
	})
	return n, err
}

// Linked implements forward.Books.
func (s *Store) Linked(ctx context.Context, connector string, alerts []alert.ID) (linked map[alert.ID]bool, err error) {
	err = s.do(ctx, "Linked", func() error {
		linked = map[alert.ID]bool{}
		for _, id := range alerts {
			linked[id] = s.links[alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote}] != nil
		}
		return nil
	})
	return linked, err
}

// Unpark implements forward.Desk.
func (s *Store) Unpark(ctx context.Context, t ha.Term, prefix string) (n int, err error) {
	err = s.do(ctx, "Unpark", func() error {
		if !s.fenced(t) {
			return forward.ErrDeposed
		}
		for _, l := range s.ordered(t.Connector) {
			if l.Parked != "" && strings.HasPrefix(l.Parked, prefix) {
				l.Parked, l.Attempts = "", 0
				l.touch(0)
				n++
			}
		}
		return nil
	})
	return n, err
}

// Raise accepts a new alert for a connector, as intake would.
func (s *Store) Raise(connector, source, key string, c alert.Content) alert.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var latest *alert.Alert
	for _, a := range s.alerts {
		if a.Source == source && a.Key == key && (latest == nil || a.AcceptedAt.After(latest.AcceptedAt)) {
			latest = a
		}
	}
	a, _ := alert.Apply(latest, alert.Observation{Source: source, Key: key, Status: alert.Open, Content: c})
	a.ID, a.AcceptedAt, a.ChangedAt = alert.NewID(), time.Now(), time.Now()
	s.alerts[a.ID] = &a
	s.add(alert.NewLink(alert.LinkID{Connector: connector, Alert: a.ID, Side: alert.Remote}, a.Revision))
	return a.ID
}

func (s *Store) add(l alert.Link) {
	now := time.Now()
	s.links[l.LinkID] = &row{Link: l, made: now, changed: now, due: now}
}

// Change gives an open alert a new revision, Close ends it.
func (s *Store) Change(id alert.ID, c alert.Content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(s.alerts[id], alert.Observation{Status: alert.Open, Content: c})
}

// Close ends an alert.
func (s *Store) Close(id alert.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(s.alerts[id], alert.Observation{Status: alert.Closed})
}

// See repeats an open alert.
func (s *Store) See(id alert.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alerts[id].Seen++
}

func (s *Store) apply(a *alert.Alert, o alert.Observation) {
	next, change := alert.Apply(a, o)
	*a = next
	if !change.Grew() {
		return
	}
	a.ChangedAt = time.Now()
	for _, l := range s.links {
		if l.Alert != a.ID {
			continue
		}
		wasDue := l.Due()
		switch {
		case l.Side == alert.Remote:
			l.Link = l.Want(a.Revision)
		case a.Status == alert.Closed:
			l.Link = l.Revise()
		}
		if !wasDue {
			l.touch(0)
		}
	}
}

// Say adds a note to a link.
func (s *Store) Say(connector string, id alert.ID, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote}]
	l.NotesWanted++
	l.notes = append(l.notes, alert.Note{Seq: l.NotesWanted, Text: text, At: time.Now()})
	l.touch(0)
}

// Link returns a Remote link as it stands.
func (s *Store) Link(connector string, id alert.ID) alert.Link {
	return s.LinkOf(alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote})
}

// LinkOf returns a link as it stands; the zero Link when there is none.
func (s *Store) LinkOf(id alert.LinkID) alert.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.links[id]; l != nil {
		return l.Link
	}
	return alert.Link{}
}

// Edit changes a link by hand; it is due again at once if anything remains.
func (s *Store) Edit(id alert.LinkID, f func(l *alert.Link)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.links[id]
	f(&l.Link)
	l.touch(0)
}

// Delay makes a link due that much later, as the document's wait before a close does.
func (s *Store) Delay(id alert.LinkID, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[id].touch(d)
}

// Recorded is what became of a link's outcomes, in order.
func (s *Store) Recorded(connector string, id alert.ID) []alert.Recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.links[alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote}].recorded)
}

// Events returns a link's timeline.
func (s *Store) Events(id alert.LinkID) []forward.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.links[id].events)
}

// Alert returns an alert as it stands.
func (s *Store) Alert(id alert.ID) alert.Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.alerts[id]
}

// Unsettled is how many links of the connector are due or claimed.
func (s *Store) Unsettled(connector string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.ordered(connector) {
		if l.Due() || l.Claim.ID != uuid.Nil {
			n++
		}
	}
	return n
}
