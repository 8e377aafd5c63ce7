package forwardtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// Behaviour is what becomes of one call of the Remote.
type Behaviour struct {
	Fail  *remote.Failure // it answers this and does nothing
	Lose  bool            // it does it, and its answer is lost after the deadline of the call
	Stall time.Duration   // it does it that much later; the caller has given up by its deadline
	Take  time.Duration   // it answers after that long
	Lie   bool            // it answers success and does nothing
}

// Ticket is one of the Remote's tickets.
type Ticket struct {
	ID       string
	Key      alert.Key
	State    string
	Open     bool
	Revision int64
	Notes    []string
	Comments []string
	RefersTo string
	MergedTo string
}

// Call is one call of the Remote, as it arrived.
type Call struct {
	Op     string // "create", "update", "look", "compare", "merge", "note", "news", "list"
	Key    alert.Key
	Ticket string
	Draft  alert.Draft
	At     time.Time
}

// Remote is a remote system in memory, with every ability. Its zero value is not
// usable.
type Remote struct {
	Promise remote.Traits

	mu      sync.Mutex
	on      func(c Call) Behaviour
	tickets []*Ticket
	calls   []Call
	news    []alert.News
}

// NewRemote returns an empty remote system with Lookup and a settle time.
func NewRemote() *Remote {
	return &Remote{
		Promise: remote.Traits{Guarantee: remote.Lookup, Settle: 5 * time.Second},
		on:      func(Call) Behaviour { return Behaviour{} },
	}
}

// Blind is the Remote without its abilities: it creates and updates.
type Blind struct{ R *Remote }

// Disturb sets what happens to calls from now on; nil = nothing.
func (r *Remote) Disturb(f func(c Call) Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f == nil {
		f = func(Call) Behaviour { return Behaviour{} }
	}
	r.on = f
}

// Calls returns the calls of one operation; "" = all.
func (r *Remote) Calls(op string) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []Call
	for _, c := range r.calls {
		if op == "" || c.Op == op {
			found = append(found, c)
		}
	}
	return found
}

// Tickets returns copies of all tickets.
func (r *Remote) Tickets() []Ticket {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Ticket
	for _, t := range r.tickets {
		all = append(all, *t)
	}
	return all
}

// Open returns the open tickets.
func (r *Remote) Open() []Ticket {
	return slices.DeleteFunc(r.Tickets(), func(t Ticket) bool { return !t.Open })
}

// Edit changes a ticket as a person would, and tells the news of its state.
func (r *Remote) Edit(id string, f func(t *Ticket)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.find(id)
	f(t)
	r.tell(t, false)
}

// Make makes a ticket behind everybody's back.
func (r *Remote) Make(k alert.Key) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.make(alert.Draft{Key: k}).ID
}

// Delete removes a ticket.
func (r *Remote) Delete(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tickets = slices.DeleteFunc(r.tickets, func(t *Ticket) bool { return t.ID == id })
}

func (r *Remote) make(d alert.Draft) *Ticket {
	t := &Ticket{ID: strconv.Itoa(len(r.tickets) + 1), Key: d.Key, State: "open", Open: true, RefersTo: d.RefersTo}
	r.tickets = append(r.tickets, t)
	t.show(d)
	return t
}

func (t *Ticket) show(d alert.Draft) {
	t.Revision = d.Revision
	if d.State != "" {
		t.State, t.Open = d.State, d.State == "open"
	}
	if d.Comment != "" {
		t.Comments = append(t.Comments, d.Comment)
	}
}

func (t *Ticket) view() alert.Ticket {
	return alert.Ticket{ID: t.ID, State: t.State, Open: t.Open, Key: t.Key, URL: "https://desk.test/" + t.ID}
}

func (r *Remote) find(id string) *Ticket {
	for _, t := range r.tickets {
		if t.ID == id {
			return t
		}
	}
	return nil
}

func (r *Remote) tell(t *Ticket, own bool) {
	r.news = append(r.news, alert.News{ID: strconv.Itoa(len(r.news) + 1), Ticket: t.ID, Key: t.Key, State: t.State, Own: own})
}

// Gone is the failure of a call for a ticket that does not exist.
func Gone() *remote.Failure {
	return &remote.Failure{Class: remote.Permanent, Status: 404, Msg: "desk: no such ticket", Err: remote.ErrGone}
}

// call is one call's life: it arrives, is carried out, and is answered or not.
func call[T any](ctx context.Context, r *Remote, c Call, do func() (T, error)) (answer T, err error) {
	c.At = time.Now()
	remote.Visited(ctx, "http://desk")
	b := r.arrive(c)
	if !pass(ctx, b.Take) {
		return answer, &remote.Failure{Class: remote.Unknown, Msg: "desk: no answer", Err: ctx.Err()}
	}
	switch {
	case b.Fail != nil:
		return answer, b.Fail
	case b.Lie:
		return answer, nil
	case b.Stall > 0:
		time.AfterFunc(b.Stall, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			_, _ = do()
		})
		<-ctx.Done()
		return answer, &remote.Failure{Class: remote.Unknown, Msg: "desk: no answer", Err: ctx.Err()}
	}
	r.mu.Lock()
	answer, err = do()
	r.mu.Unlock()
	if b.Lose {
		var none T
		<-ctx.Done()
		return none, &remote.Failure{Class: remote.Unknown, Msg: "desk: no answer", Err: ctx.Err()}
	}
	return answer, err
}

// arrive notes the call and tells what becomes of it, which may be a panic.
func (r *Remote) arrive(c Call) Behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
	return r.on(c)
}

func pass(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Traits implements remote.Adapter.
func (r *Remote) Traits() remote.Traits { return r.Promise }

// Probe implements remote.Adapter.
func (r *Remote) Probe(context.Context) error { return nil }

// Create implements remote.Adapter. An Idempotent remote drops a key it knows.
func (r *Remote) Create(ctx context.Context, d alert.Draft) (alert.Ticket, error) {
	return call(ctx, r, Call{Op: "create", Key: d.Key, Draft: d}, func() (alert.Ticket, error) {
		if r.Promise.Guarantee == remote.Idempotent {
			for _, t := range r.tickets {
				if t.Key == d.Key {
					return t.view(), nil
				}
			}
		}
		t := r.make(d)
		r.tell(t, true)
		return t.view(), nil
	})
}

// Update implements remote.Adapter.
func (r *Remote) Update(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, error) {
	return call(ctx, r, Call{Op: "update", Key: d.Key, Ticket: ticket, Draft: d}, func() (alert.Ticket, error) {
		t := r.find(ticket)
		if t == nil {
			return alert.Ticket{}, Gone()
		}
		t.show(d)
		r.tell(t, true)
		return t.view(), nil
	})
}

// Look implements remote.Looker.
func (r *Remote) Look(ctx context.Context, k alert.Key) ([]alert.Ticket, error) {
	return call(ctx, r, Call{Op: "look", Key: k}, func() ([]alert.Ticket, error) {
		var found []alert.Ticket
		for _, t := range r.tickets {
			if t.Key == k && t.MergedTo == "" {
				found = append(found, t.view())
			}
		}
		return found, nil
	})
}

// Compare implements remote.Comparer.
func (r *Remote) Compare(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, []string, error) {
	var differs []string
	v, err := call(ctx, r, Call{Op: "compare", Key: d.Key, Ticket: ticket, Draft: d}, func() (alert.Ticket, error) {
		t := r.find(ticket)
		if t == nil {
			return alert.Ticket{}, Gone()
		}
		if t.Revision != d.Revision {
			differs = append(differs, "revision")
		}
		if d.State != "" && d.State != t.State {
			differs = append(differs, "state")
		}
		return t.view(), nil
	})
	return v, differs, err
}

// Merge implements remote.Merger.
func (r *Remote) Merge(ctx context.Context, survivor, twin string) error {
	_, err := call(ctx, r, Call{Op: "merge", Ticket: twin}, func() (bool, error) {
		s, t := r.find(survivor), r.find(twin)
		if s == nil || t == nil {
			return false, Gone()
		}
		t.MergedTo, t.Open, t.State = s.ID, false, "merged"
		r.tell(t, false)
		return true, nil
	})
	return err
}

// Note implements remote.Noter.
func (r *Remote) Note(ctx context.Context, ticket string, k alert.Key, n alert.Note) error {
	_, err := call(ctx, r, Call{Op: "note", Key: k, Ticket: ticket}, func() (bool, error) {
		t := r.find(ticket)
		if t == nil {
			return false, Gone()
		}
		t.Notes = append(t.Notes, n.Text)
		return true, nil
	})
	return err
}

// News implements remote.Poller: the bookmark counts, and two are re-read.
func (r *Remote) News(ctx context.Context, bookmark string) ([]alert.News, string, error) {
	next := bookmark
	news, err := call(ctx, r, Call{Op: "news"}, func() ([]alert.News, error) {
		next = fmt.Sprint(len(r.news))
		from, err := strconv.Atoi(bookmark)
		if err != nil || next == bookmark {
			return nil, nil
		}
		return slices.Clone(r.news[max(from-2, 0):]), nil
	})
	return news, next, err
}

// List implements remote.Lister, two tickets a page.
func (r *Remote) List(ctx context.Context, page string) ([]alert.Ticket, string, error) {
	next := ""
	tickets, err := call(ctx, r, Call{Op: "list"}, func() ([]alert.Ticket, error) {
		from, _ := strconv.Atoi(page)
		to := min(from+2, len(r.tickets))
		if to < len(r.tickets) {
			next = strconv.Itoa(to)
		}
		var found []alert.Ticket
		for _, t := range r.tickets[from:to] {
			found = append(found, t.view())
		}
		return found, nil
	})
	return tickets, next, err
}

// Traits implements remote.Adapter.
func (b Blind) Traits() remote.Traits { return b.R.Promise }

// Probe implements remote.Adapter.
func (b Blind) Probe(ctx context.Context) error { return b.R.Probe(ctx) }

// Create implements remote.Adapter.
func (b Blind) Create(ctx context.Context, d alert.Draft) (alert.Ticket, error) {
	return b.R.Create(ctx, d)
}

// Update implements remote.Adapter.
func (b Blind) Update(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, error) {
	return b.R.Update(ctx, ticket, d)
}
