package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"tieline/internal/alert"
)

// Lateness and patience of the model, in the proportions rule C6 asks for:
// settle is longer than the greatest lateness plus a pause.
const (
	window   = 3 * time.Second
	lateness = 1500 * time.Millisecond // a write is carried out at most this long after its request
	settle   = 3 * time.Second
	timeout  = 800 * time.Millisecond // of one request to the desk
)

// Desk is the model remote system: a ticket desk which may carry a write out
// after its sender has given up.
type Desk struct {
	w    *World
	kind deskKind

	mu      sync.Mutex
	tickets []*deskTicket
	news    []alert.News
	down    bool
}

// deskKind is what the desk offers against doubling.
type deskKind int

const (
	lookupDesk     deskKind = iota // keys can be looked up, twins merged
	idempotentDesk                 // a second create with a key is the first
	blindDesk                      // neither: at least once
)

func (k deskKind) String() string { return [...]string{"lookup", "idempotent", "blind"}[k] }

// deskTicket is a ticket as the desk has it.
type deskTicket struct {
	id       int
	key      alert.Key
	open     bool
	merged   bool  // ended in favour of a survivor
	revision int64 // of the draft it shows
	state    string
	notes    []int64
}

func (t *deskTicket) view() alert.Ticket {
	return alert.Ticket{ID: strconv.Itoa(t.id), State: t.state, Open: t.open, Key: t.key}
}

func (k *Desk) setDown(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

func (k *Desk) isDown() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.down
}

func (k *Desk) find(id string) *deskTicket {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(k.tickets) {
		return nil
	}
	return k.tickets[n-1]
}

func (k *Desk) create(d alert.Draft) alert.Ticket {
	if k.kind == idempotentDesk {
		for _, t := range k.tickets {
			if t.key == d.Key {
				return t.view()
			}
		}
	}
	t := &deskTicket{id: len(k.tickets) + 1, key: d.Key, open: true, state: cmp.Or(d.State, "open"), revision: d.Revision}
	k.tickets = append(k.tickets, t)
	return t.view()
}

func (k *Desk) update(t *deskTicket, d alert.Draft) alert.Ticket {
	t.revision = d.Revision
	if d.State != "" {
		t.state = d.State
	}
	return t.view()
}

func (k *Desk) merge(survivor, twin *deskTicket) {
	if survivor != twin && twin.open {
		twin.open, twin.merged, twin.state = false, true, "merged"
		k.tell(twin, false)
	}
}

// tell adds a piece of news about a ticket.
func (k *Desk) tell(t *deskTicket, own bool) {
	k.news = append(k.news, alert.News{
		ID: fmt.Sprintf("news-%d", len(k.news)+1), Ticket: strconv.Itoa(t.id), Key: t.key, State: t.state, Own: own,
	})
}

// work lets a person at the desk change a ticket's state.
func (k *Desk) work(r *roll) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.tickets) == 0 {
		return
	}
	t := k.tickets[r.n(len(k.tickets))]
	if t.open {
		t.state = []string{"working", "waiting", "resolved"}[r.n(3)]
		k.tell(t, false)
	}
}

// with returns the tickets that carry a key, in creation order.
func (k *Desk) with(key alert.Key) []*deskTicket {
	var out []*deskTicket
	for _, t := range k.tickets {
		if t.key == key {
			out = append(out, t)
		}
	}
	return out
}

// survivors returns the open tickets of a key.
func (k *Desk) survivors(key alert.Key) []*deskTicket {
	return slices.DeleteFunc(k.with(key), func(t *deskTicket) bool { return !t.open })
}
