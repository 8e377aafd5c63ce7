package sim

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// mailroom is one process's way to the database for package forward.
type mailroom struct{ p *Process }

// run executes one statement of the process.
func run[T any](ctx context.Context, p *Process, kind, about string, do func(r *rows) (T, error)) (T, error) {
	d := p.w.db
	return ask(ctx, p, kind, about, func() (T, error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		v, err := do(&d.rows)
		d.w.check.step(&d.rows)
		return v, err
	})
}

// names reports whether the lease still names the term: the fence.
func (r *rows) names(t ha.Term) bool {
	l := r.leases[t.Connector]
	return l.Epoch == t.Epoch && l.Server == t.Server && l.Boot == t.Boot && l.Identity == t.Identity && r.identity == t.Identity
}

// linksOf returns a connector's links in a fixed order: oldest due first.
func (r *rows) linksOf(connector string) []linkRow {
	var out []linkRow
	for id, row := range r.links {
		if id.Connector == connector {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b linkRow) int {
		return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.Side, b.Side), cmp.Compare(a.Alert.String(), b.Alert.String()))
	})
	return out
}

func (m mailroom) Claim(ctx context.Context, q forward.ClaimRequest) (int, error) {
	m.p.w.check.claiming(m.p, q)
	return run(ctx, m.p, "claim", "", func(r *rows) (int, error) {
		if !r.names(q.Term) {
			return 0, forward.ErrDeposed
		}
		n, now := 0, m.p.w.db.now()
		for _, row := range r.linksOf(q.Term.Connector) {
			if n == q.Limit {
				break
			}
			if row.due.After(now) || !row.due.After(q.After) || !row.Claimable(q.View) {
				continue
			}
			row.Link = row.WithClaim(alert.Claim{ID: q.Claim, Epoch: q.Term.Epoch})
			r.links[row.LinkID] = row // a claim is no change of it
			m.p.w.check.claimed(m.p, row.LinkID, q.Claim)
			n++
		}
		return n, nil
	})
}

func (m mailroom) Claimed(ctx context.Context, connector string, claim alert.ClaimID) ([]forward.Work, error) {
	works, err := run(ctx, m.p, "claimed", "", func(r *rows) ([]forward.Work, error) {
		var out []forward.Work
		for _, row := range r.linksOf(connector) {
			if row.Claim.ID == claim {
				out = append(out, r.work(m.p.w, row))
			}
		}
		return out, nil
	})
	if err == nil {
		m.p.w.check.confirmed(m.p, claim, works)
	}
	return works, err
}

// work reads a claimed link's payload.
func (r *rows) work(w *World, row linkRow) forward.Work {
	out := forward.Work{Link: row.Link, Alert: r.alerts[row.LinkID.Alert], Age: w.db.now().Sub(row.made), Changed: row.changed}
	if row.Side == alert.Source {
		id := row.LinkID
		id.Side = alert.Remote
		if peer, ok := r.links[id]; ok {
			out.Peer = &peer.Link
		}
	}
	for _, n := range r.notes[row.LinkID] {
		if n.Seq > row.NotesDelivered {
			out.Notes = append(out.Notes, n)
		}
	}
	if row.Stage == alert.Fresh && row.Side == alert.Remote && out.Alert.Previous != uuid.Nil {
		id := row.LinkID
		id.Alert = out.Alert.Previous
		if prev, ok := r.links[id]; ok {
			closed := r.alerts[id.Alert].ChangedAt
			out.Previous = &forward.Previous{Link: prev.Link, ClosedAt: closed, Ago: w.db.now().Sub(closed)}
		}
	}
	return out
}

func (m mailroom) Record(ctx context.Context, _ ha.Term, entries []forward.Entry) ([]alert.Recorded, error) {
	about := ""
	if len(entries) > 0 {
		about = m.p.w.nameOf(entries[0].Outcome.LinkID)
	}
	return run(ctx, m.p, "record", about, func(r *rows) ([]alert.Recorded, error) {
		out := make([]alert.Recorded, len(entries))
		for i, e := range entries {
			row, ok := r.links[e.Outcome.LinkID]
			if !ok {
				out[i] = alert.Dropped // the database lost the link with its last commits
				continue
			}
			row.Link, out[i] = row.Record(e.Outcome)
			row.due = m.p.w.db.now().Add(e.Outcome.Delay)
			r.put(m.p.w, row)
			m.p.w.check.recorded(m.p, e.Outcome, out[i])
		}
		return out, nil
	})
}

func (m mailroom) Expire(ctx context.Context, t ha.Term, stuck []alert.ClaimID, hold alert.Hold) (int, error) {
	return run(ctx, m.p, "expire", "", func(r *rows) (int, error) {
		if !r.names(t) {
			return 0, forward.ErrDeposed
		}
		n := 0
		for _, row := range r.linksOf(t.Connector) {
			c := row.Claim
			if c.ID == uuid.Nil || c.Epoch >= t.Epoch && !slices.Contains(stuck, c.ID) {
				continue
			}
			m.p.w.check.expired(m.p, row.LinkID, c.ID)
			row.Link = row.Expire(hold)
			row.due = m.p.w.db.now()
			if row.Hold == hold && hold.Epoch != 0 {
				row.due = row.due.Add(settle)
			}
			r.put(m.p.w, row)
			n++
		}
		return n, nil
	})
}

func (m mailroom) OpenClaims(ctx context.Context, connector string) ([]alert.ClaimID, error) {
	return run(ctx, m.p, "open claims", "", func(r *rows) ([]alert.ClaimID, error) {
		var out []alert.ClaimID
		for _, row := range r.linksOf(connector) {
			if c := row.Claim.ID; c != uuid.Nil && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
		return out, nil
	})
}

// due is NextDue's answer.
type due struct {
	wait time.Duration
	ok   bool
}

func (m mailroom) NextDue(ctx context.Context, connector string) (time.Duration, bool, error) {
	a, err := run(ctx, m.p, "next due", "", func(r *rows) (due, error) {
		for _, row := range r.linksOf(connector) {
			if row.Due() && row.Claim.ID == uuid.Nil {
				return due{max(row.due.Sub(m.p.w.db.now()), 0), true}, nil
			}
		}
		return due{}, nil
	})
	return a.wait, a.ok, err
}

func (m mailroom) Adopt(ctx context.Context, claim alert.ClaimID, link, previous alert.LinkID, reason string) (bool, error) {
	return run(ctx, m.p, "adopt", m.p.w.nameOf(link), func(r *rows) (bool, error) {
		mine, ok := r.links[link]
		prev, known := r.links[previous]
		if !ok || !known || mine.Claim.ID != claim || mine.Stage != alert.Fresh || !prev.Yields() {
			return false, nil
		}
		mine.Ticket, mine.TicketURL, mine.Stage = prev.Ticket, prev.TicketURL, alert.Settled
		mine.Told, mine.Heard = prev.Told, prev.Heard
		prev.Skipped = reason
		r.put(m.p.w, mine)
		r.put(m.p.w, prev)
		return true, nil
	})
}

// put stores a link.
func (r *rows) put(w *World, row linkRow) {
	row.changed = w.db.now()
	if row.made.IsZero() {
		row.made = row.changed
	}
	r.links[row.LinkID] = row
}
