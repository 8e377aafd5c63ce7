package cluster

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tieline/internal/ledger"
)

// Desk is a remote system for the webhook adapter: a ticket desk that finds
// tickets by key, refuses nothing and deduplicates nothing, so that a second
// create is a second ticket. Whatever reaches it goes into the ledger first.
type Desk struct {
	URL    string
	Ledger *ledger.Ledger
	// Arrived, when set, is called with the sender's name before a request is
	// answered; the fault suite kills and freezes from here.
	Arrived func(server string)

	server  *http.Server
	mu      sync.Mutex
	tickets []*deskTicket
	byKey   map[string][]*deskTicket
}

type deskTicket struct {
	ID    string `json:"id"`
	Key   string `json:"key"`
	State string `json:"state"`
	Open  bool   `json:"open"`
}

// deskDraft is the part of the adapter's default body that the desk reads.
type deskDraft struct {
	Key    string            `json:"key"`
	State  string            `json:"state"`
	Fields map[string]string `json:"fields"`
}

// NewDesk starts a desk on a free port.
func NewDesk(l *ledger.Ledger) (*Desk, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &Desk{URL: "http://" + listener.Addr().String(), Ledger: l, byKey: map[string][]*deskTicket{}}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /tickets", d.create)
	routes.HandleFunc("PUT /tickets/{id}", d.update)
	routes.HandleFunc("GET /tickets", d.look)
	routes.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	d.server = &http.Server{Handler: routes}
	go d.server.Serve(listener)
	return d, nil
}

// Close ends the desk.
func (d *Desk) Close() { d.server.Close() }

func (d *Desk) create(w http.ResponseWriter, r *http.Request) {
	draft, ok := readDraft(w, r)
	if !ok {
		return
	}
	d.mu.Lock()
	ticket := &deskTicket{ID: strconv.Itoa(len(d.tickets) + 1), Key: draft.Key, State: draft.State, Open: true}
	d.tickets = append(d.tickets, ticket)
	d.byKey[draft.Key] = append(d.byKey[draft.Key], ticket)
	d.receive(r, draft, ticket, true)
	d.mu.Unlock()
	d.answer(w, r, *ticket)
}

func (d *Desk) update(w http.ResponseWriter, r *http.Request) {
	draft, ok := readDraft(w, r)
	if !ok {
		return
	}
	n, err := strconv.Atoi(r.PathValue("id"))
	d.mu.Lock()
	if err != nil || n < 1 || n > len(d.tickets) {
		d.mu.Unlock()
		http.Error(w, "no such ticket", http.StatusNotFound)
		return
	}
	ticket := d.tickets[n-1]
	if draft.State != "" {
		ticket.State = draft.State
	}
	d.receive(r, draft, ticket, false)
	shown := *ticket
	d.mu.Unlock()
	d.answer(w, r, shown)
}

func (d *Desk) look(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	found := []deskTicket{}
	for _, t := range d.byKey[r.URL.Query().Get("key")] {
		found = append(found, *t)
	}
	d.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"tickets": found}) // a client that left needs no answer
}

// receive writes a request into the ledger; d.mu is held, so that the ledger's
// order is the desk's.
func (d *Desk) receive(r *http.Request, draft deskDraft, t *deskTicket, create bool) {
	number, _ := strconv.Atoi(draft.Fields["number"])
	d.Ledger.Receive(ledger.Receipt{
		Alert: draft.Fields["name"], Number: number, Create: create, Ticket: t.ID,
		Closed: t.State == "closed", Server: sender(r), At: time.Now(),
	})
}

func (d *Desk) answer(w http.ResponseWriter, r *http.Request, t deskTicket) {
	if d.Arrived != nil {
		d.Arrived(sender(r))
	}
	_ = json.NewEncoder(w).Encode(t) // the sender may have been killed: then nobody reads it
}

// sender is the server's name, which the adapters tell in the user agent:
// "tieline/1.0 (name)".
func sender(r *http.Request) string {
	_, rest, _ := strings.Cut(r.UserAgent(), "(")
	return strings.TrimSuffix(rest, ")")
}

func readDraft(w http.ResponseWriter, r *http.Request) (deskDraft, bool) {
	var draft deskDraft
	err := json.NewDecoder(r.Body).Decode(&draft)
	if err == nil && (draft.Key == "" || draft.Fields["name"] == "" || draft.Fields["number"] == "") {
		err = fmt.Errorf("key, fields.name or fields.number is missing")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return draft, false
	}
	return draft, true
}

// Document is the connector document that feeds this desk from a generic source.
func (d *Desk) Document(name, polling string, tolerance int) string {
	return fmt.Sprintf(`
name: %[1]s
sources:
  - name: %[1]s
    kind: generic
%[2]s
fields:
  name: "{{ .Labels.name }}"
  number: "{{ .Annotations.number }}"
high_availability:
  polling_interval: %[3]s
  tolerance: %[4]d
`, name, d.Remote(), polling, tolerance)
}

// Remote is the part of a connector document that names this desk.
func (d *Desk) Remote() string {
	return fmt.Sprintf(`
remote:
  kind: webhook
  endpoints: [%s]
  settings:
    settle: 5s
    ended: []
    create:
      path: /tickets
      ticket: body.id
      state: body.state
    update:
      method: PUT
      path: "/tickets/{{ path .Ticket }}"
    lookup:
      path: "/tickets?key={{ urlquery .Key }}"
      tickets: body.tickets
states:
  open: open
  closed: closed
limits:
  window: 5s
  timeout: 2s
  concurrency: 16
`, d.URL)
}
