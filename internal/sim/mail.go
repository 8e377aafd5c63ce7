package sim

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

func (m mailroom) Bookmark(ctx context.Context, connector, name string) (string, error) {
	return run(ctx, m.p, "bookmark", name, func(r *rows) (string, error) { return r.bookmarks[connector+"/"+name], nil })
}

func (m mailroom) Receive(ctx context.Context, t ha.Term, name, old, next string, news []alert.News,
	backState func(string) (string, bool)) error {
	_, err := run(ctx, m.p, "receive", name, func(r *rows) (bool, error) {
		if !r.names(t) {
			return false, forward.ErrDeposed
		}
		key := t.Connector + "/" + name
		if r.bookmarks[key] != old {
			return false, forward.ErrMoved
		}
		m.p.w.check.bookmark(r, key, next)
		r.bookmarks[key] = next
		for _, n := range news {
			if id := t.Connector + "/" + n.ID; !r.news[id] {
				r.news[id] = true
				r.hear(m.p.w, t, n, backState)
			}
		}
		return true, nil
	})
	return err
}

// hear tells the link of a ticket what was heard of it, and the source's link
// that it has something to show. Only the ticket the link names counts: a
// merged twin says nothing about the alert (rule C7).
func (r *rows) hear(w *World, t ha.Term, n alert.News, backState func(string) (string, bool)) {
	connector := t.Connector
	id, ok := n.Key.Alert(w.group, connector)
	row, known := r.links[alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote}]
	if !ok || !known || row.Ticket != "" && row.Ticket != n.Ticket {
		return
	}
	link, fresh := row.Hear(n)
	row.Link = link
	r.put(w, row)
	if _, mapped := backState(n.State); !fresh || n.Own || !mapped {
		return
	}
	if back := link.Back(); r.links[back.LinkID].Stage == "" {
		r.links[back.LinkID] = linkRow{Link: back}
	}
	r.revise(w, connector, id)
}

func (m mailroom) OpenAlerts(ctx context.Context, source string) ([]forward.OpenAlert, error) {
	return run(ctx, m.p, "open alerts", source, func(r *rows) ([]forward.OpenAlert, error) {
		var out []forward.OpenAlert
		for _, a := range r.alerts {
			if a.Source == source && a.Status == alert.Open {
				out = append(out, forward.OpenAlert{ID: a.ID, Key: a.Key, Seen: a.Seen})
			}
		}
		return out, nil
	})
}

func (m mailroom) CloseAbsent(ctx context.Context, t ha.Term, source string, gone []forward.OpenAlert, _ string) (int, error) {
	return run(ctx, m.p, "close absent", source, func(r *rows) (int, error) {
		if !r.names(t) {
			return 0, forward.ErrDeposed
		}
		n := 0
		for _, g := range gone {
			a, ok := r.alerts[g.ID]
			if !ok || a.Status != alert.Open || a.Seen != g.Seen {
				continue
			}
			r.observe(m.p.w, alert.Observation{Source: source, Key: g.Key, Status: alert.Closed})
			n++
		}
		return n, nil
	})
}

func (m mailroom) Now(ctx context.Context) (time.Time, error) {
	return run(ctx, m.p, "now", "", func(*rows) (time.Time, error) { return m.p.w.db.now(), nil })
}

func (m mailroom) Standing(ctx context.Context, connector string, after alert.ID, limit int) ([]forward.Standing, error) {
	return run(ctx, m.p, "standing", "", func(r *rows) ([]forward.Standing, error) {
		var out []forward.Standing
		for _, a := range sortedAlerts(r) {
			row, ok := r.links[alert.LinkID{Connector: connector, Alert: a.ID, Side: alert.Remote}]
			if !ok || len(out) == limit || bytes.Compare(a.ID[:], after[:]) <= 0 {
				continue
			}
			if row.Stage == alert.Settled && row.Claim.ID == uuid.Nil && row.Parked == "" && row.Skipped == "" {
				out = append(out, forward.Standing{Alert: a.ID, Status: a.Status, Ticket: row.Ticket, Heard: row.Heard, Due: row.Due()})
			}
		}
		return out, nil
	})
}

func (m mailroom) Linked(ctx context.Context, connector string, alerts []alert.ID) (map[alert.ID]bool, error) {
	return run(ctx, m.p, "linked", "", func(r *rows) (map[alert.ID]bool, error) {
		linked := map[alert.ID]bool{}
		for _, id := range alerts {
			_, linked[id] = r.links[alert.LinkID{Connector: connector, Alert: id, Side: alert.Remote}]
		}
		return linked, nil
	})
}

func (m mailroom) Doubtful(ctx context.Context, t ha.Term, alerts []alert.ID, since time.Time) (int, error) {
	return run(ctx, m.p, "doubtful", "", func(r *rows) (int, error) {
		if !r.names(t) {
			return 0, forward.ErrDeposed
		}
		n := 0
		for _, id := range alerts {
			row, ok := r.links[alert.LinkID{Connector: t.Connector, Alert: id, Side: alert.Remote}]
			if !ok || !row.changed.Before(since) {
				continue
			}
			if link, changed := row.Suspect(); changed {
				row.Link, row.due = link, m.p.w.db.now()
				r.put(m.p.w, row)
				n++
			}
		}
		return n, nil
	})
}

func (m mailroom) Unpark(ctx context.Context, t ha.Term, prefix string) (int, error) {
	return run(ctx, m.p, "unpark", "", func(r *rows) (int, error) {
		if !r.names(t) {
			return 0, forward.ErrDeposed
		}
		n := 0
		for _, row := range r.linksOf(t.Connector) {
			if row.Parked != "" && strings.HasPrefix(row.Parked, prefix) {
				row.Parked, row.Attempts, row.due = "", 0, m.p.w.db.now()
				r.put(m.p.w, row)
				n++
			}
		}
		return n, nil
	})
}

// sortedAlerts returns the alerts in the order of their ids.
func sortedAlerts(r *rows) []alert.Alert {
	return slices.SortedFunc(maps.Values(r.alerts), func(a, b alert.Alert) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}
