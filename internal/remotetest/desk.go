package remotetest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"tieline/internal/remote"
)

// DeskOptions say what the desk offers.
type DeskOptions struct {
	Token       string // bearer token it asks for; "" = none
	Deduplicate bool   // a create or note with an Idempotency-Key seen before does nothing
}

// Desk is a ticket desk in memory, an http.Handler for the webhook adapter:
//
//	POST /tickets             a remote.Message of kind "new": makes a ticket
//	PUT  /tickets/{id}        one of kind "update"
//	POST /tickets/{id}/notes  one of kind "note"
//	GET  /tickets?key=K       the tickets that carry a key
//	GET  /tickets/{id}
//	GET  /health
//
// It does whatever it is asked, in the order in which requests are carried out,
// like systems that know nothing of revisions; what happened is in Entries.
// Safe for concurrent use.
type Desk struct {
	options DeskOptions
	routes  *http.ServeMux
	closed  chan struct{}
	held    sync.WaitGroup // requests that are not answered

	mu      sync.Mutex
	tickets []*DeskTicket
	byKey   map[string][]*DeskTicket
	seen    map[string]*DeskTicket // by idempotency key
	entries []Entry
	planned []Fault
	always  func(*http.Request) Fault
	late    []func()
	timers  []*time.Timer
}

// DeskTicket is a ticket of the desk.
type DeskTicket struct {
	ID       string            `json:"id"`
	Key      string            `json:"key"`
	State    string            `json:"state"`
	Subject  string            `json:"subject"`
	Severity string            `json:"severity"`
	Revision int64             `json:"revision"`
	Fields   map[string]string `json:"fields"`
	Notes    []string          `json:"notes"`
}

// Entry is one write that the desk carried out.
type Entry struct {
	At       time.Time
	Kind     string // "new", "update", "note"
	Key      string
	Revision int64 // 0 for a note
	Note     int64 // number of a note
	Ticket   string
	State    string // the ticket's afterwards
	Dropped  bool   // its idempotency key was seen before: nothing was done
	Late     bool   // its caller was not answered and had given up, or may have
}

// Fault is how the desk treats one write. The zero Fault treats it well.
type Fault struct {
	Delay      time.Duration // before it is carried out
	Status     int           // answer this and do nothing; 0 = carry out
	RetryAfter string        // header of an answer with Status
	Lose       bool          // carry out, then close the connection without an answer
	Late       bool          // do not answer; carry out on Release, or after LateBy
	LateBy     time.Duration
}

// NewDesk returns an empty desk. Close it.
func NewDesk(o DeskOptions) *Desk {
	d := &Desk{
		options: o, routes: http.NewServeMux(), closed: make(chan struct{}),
		byKey: map[string][]*DeskTicket{}, seen: map[string]*DeskTicket{},
	}
	d.routes.HandleFunc("POST /tickets", d.write)
	d.routes.HandleFunc("PUT /tickets/{id}", d.write)
	d.routes.HandleFunc("POST /tickets/{id}/notes", d.write)
	d.routes.HandleFunc("GET /tickets", d.list)
	d.routes.HandleFunc("GET /tickets/{id}", d.get)
	d.routes.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	return d
}

// Settings returns what the webhook adapter needs to work with a desk at url,
// but for the token: the caller adds its reference.
func (d *Desk) Settings(url string, lookup bool) remote.Settings {
	ticket := map[string]any{"ticket": "body.id", "state": "body.state"}
	with := func(more map[string]any) map[string]any {
		m := map[string]any{}
		for _, part := range []map[string]any{ticket, more} {
			for k, v := range part {
				m[k] = v
			}
		}
		return m
	}
	values := map[string]any{
		"create": with(map[string]any{"path": "/tickets"}),
		"update": with(map[string]any{"method": "PUT", "path": "/tickets/{{ path .Ticket }}"}),
		"note":   map[string]any{"path": "/tickets/{{ path .Ticket }}/notes"},
		"probe":  map[string]any{"path": "/health"},
		"settle": "1s",
	}
	if d.options.Deduplicate {
		values["idempotent"] = true
	}
	if lookup {
		values["lookup"] = map[string]any{
			"path": "/tickets?key={{ urlquery .Key }}",
			"tickets": `body.tickets.map(t, {"id": t.id, "state": t.state, "key": t.key,
				"fields": {"subject": t.subject, "severity": t.severity, "revision": t.revision}})`,
		}
	}
	return remote.Settings{Endpoints: []string{url}, Values: values}
}

// Plan treats the next writes so, one fault each, before Always is asked.
func (d *Desk) Plan(faults ...Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.planned = append(d.planned, faults...)
}

// Always decides how every write is treated that no plan is left for; nil = well.
func (d *Desk) Always(f func(*http.Request) Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.always = f
}

// Release carries out what is late, in the order of arrival.
func (d *Desk) Release() {
	d.mu.Lock()
	late := d.late
	d.late = nil
	d.mu.Unlock()
	for _, carryOut := range late {
		carryOut()
	}
}

// Waiting returns how many late writes wait for Release.
func (d *Desk) Waiting() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.late)
}

// Close lets go of requests that are not answered. Late writes that are still
// waiting are never carried out.
func (d *Desk) Close() {
	d.mu.Lock()
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	for _, t := range d.timers {
		t.Stop()
	}
	d.mu.Unlock()
	d.held.Wait()
}

// SetState is a person changing a ticket.
func (d *Desk) SetState(id, state string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.find(id)
	if t != nil {
		t.State = state
	}
	return t != nil
}

// Entries returns every write carried out so far, in order.
func (d *Desk) Entries() []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

// Tickets returns every ticket as it is now, in the order of creation.
func (d *Desk) Tickets() []DeskTicket {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]DeskTicket, len(d.tickets))
	for i, t := range d.tickets {
		list[i] = *t
		list[i].Notes = slices.Clone(t.Notes)
	}
	return list
}

// ServeHTTP implements http.Handler.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.options.Token != "" && r.Header.Get("Authorization") != "Bearer "+d.options.Token {
		http.Error(w, `{"error":"not authorized"}`, http.StatusUnauthorized)
		return
	}
	d.routes.ServeHTTP(w, r)
}

func (d *Desk) find(id string) *DeskTicket {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(d.tickets) {
		return nil
	}
	return d.tickets[n-1]
}

func (d *Desk) list(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.byKey[r.URL.Query().Get("key")]
	if found == nil {
		found = []*DeskTicket{}
	}
	answer(w, http.StatusOK, map[string]any{"tickets": found})
}

func (d *Desk) get(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.find(r.PathValue("id")); t != nil {
		answer(w, http.StatusOK, t)
		return
	}
	answer(w, http.StatusNotFound, map[string]string{"error": "no such ticket"})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may be gone
}

// fault takes the next planned fault.
func (d *Desk) fault(r *http.Request) Fault {
	d.mu.Lock()
	always := d.always
	if len(d.planned) > 0 {
		f := d.planned[0]
		d.planned = d.planned[1:]
		d.mu.Unlock()
		return f
	}
	d.mu.Unlock()
	if always == nil {
		return Fault{}
	}
	return always(r)
}

func (d *Desk) write(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	var m remote.Message
	if err != nil || json.Unmarshal(body, &m) != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "the message cannot be read"})
		return
	}
	f := d.fault(r)
	if !d.wait(r, f.Delay) {
		return
	}
	idempotency := r.Header.Get("Idempotency-Key")
	switch {
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		answer(w, f.Status, map[string]string{"error": "refused as planned"})
	case f.Late:
		d.hold(r, f, func() { d.carryOut(m, r.PathValue("id"), idempotency, true) })
		panic(http.ErrAbortHandler)
	case f.Lose:
		d.carryOut(m, r.PathValue("id"), idempotency, true)
		panic(http.ErrAbortHandler) // net/http closes the connection
	default:
		if t := d.carryOut(m, r.PathValue("id"), idempotency, false); t != nil {
			answer(w, http.StatusOK, t)
			return
		}
		answer(w, http.StatusNotFound, map[string]string{"error": "no such ticket"})
	}
}

// wait waits, and reports false when the caller or the desk went away.
func (d *Desk) wait(r *http.Request, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	select {
	case <-time.After(delay):
		return true
	case <-r.Context().Done():
		return false
	case <-d.closed:
		return false
	}
}

// hold keeps a request unanswered until its caller gives up.
func (d *Desk) hold(r *http.Request, f Fault, carryOut func()) {
	d.mu.Lock()
	d.held.Add(1)
	if f.LateBy > 0 {
		d.timers = append(d.timers, time.AfterFunc(f.LateBy, carryOut))
	} else {
		d.late = append(d.late, carryOut)
	}
	d.mu.Unlock()
	defer d.held.Done()
	select {
	case <-r.Context().Done():
	case <-d.closed:
	}
}

// carryOut does what a message asks; nil = no such ticket.
func (d *Desk) carryOut(m remote.Message, id, idempotency string, late bool) *DeskTicket {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := Entry{At: time.Now(), Kind: m.Kind, Key: m.Key, Revision: m.Revision, Late: late}
	var t *DeskTicket
	if m.Kind == "new" {
		t, e.Dropped = d.open(m, idempotency)
	} else if t = d.find(id); t == nil {
		return nil
	} else if m.Note != nil {
		e.Dropped = d.again(idempotency, t)
	}
	switch {
	case e.Dropped:
	case m.Note != nil:
		t.Notes = append(t.Notes, m.Note.Text)
		e.Note = m.Note.Seq
	default:
		t.show(m)
	}
	e.Ticket, e.State = t.ID, t.State
	d.entries = append(d.entries, e)
	copied := *t
	return &copied
}

func (d *Desk) open(m remote.Message, idempotency string) (t *DeskTicket, dropped bool) {
	if d.again(idempotency, nil) {
		return d.seen[idempotency], true
	}
	t = &DeskTicket{ID: strconv.Itoa(len(d.tickets) + 1), Key: m.Key, State: "open", Notes: []string{}}
	d.tickets = append(d.tickets, t)
	d.byKey[m.Key] = append(d.byKey[m.Key], t)
	d.seen[idempotency] = t
	return t, false
}

// again reports whether the idempotency key was seen, where the desk minds it,
// and remembers it for the ticket when there is one.
func (d *Desk) again(idempotency string, t *DeskTicket) bool {
	if !d.options.Deduplicate || idempotency == "" {
		return false
	}
	_, seen := d.seen[idempotency]
	if !seen && t != nil {
		d.seen[idempotency] = t
	}
	return seen
}

func (t *DeskTicket) show(m remote.Message) {
	t.Subject, t.Severity, t.Revision, t.Fields = m.Subject, m.Severity, m.Revision, m.Fields
	if m.State != "" {
		t.State = m.State
	}
}
