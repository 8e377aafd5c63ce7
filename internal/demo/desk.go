package demo

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

// deskDelay is how long the desk works on a request after writing it down. A
// server killed in this time leaves a ticket behind whose number nobody told it.
const deskDelay = 15 * time.Millisecond

// desk is the remote system of the demo: a ticket desk over HTTP which drops no
// repeated create, so that a doubled ticket would be seen.
type desk struct {
	ledger *ledger.Ledger
	server *http.Server
	url    string

	mu      sync.Mutex
	tickets []ticket
	byKey   map[string][]int // indexes into tickets
	senders map[string]int   // requests by server
}

// ticket is what the webhook adapter sends by default, as far as the desk cares.
type ticket struct {
	ID       string            `json:"id"`
	Key      string            `json:"key"`
	Revision int64             `json:"revision"`
	State    string            `json:"state"`
	Fields   map[string]string `json:"fields"` // alert: the stream's name of it; number: of the observation shown
}

func openDesk(l *ledger.Ledger) (*desk, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the desk: %w", err)
	}
	d := &desk{ledger: l, url: "http://" + listener.Addr().String(), byKey: map[string][]int{}, senders: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tickets", d.create)
	mux.HandleFunc("PUT /tickets/{id}", d.update)
	mux.HandleFunc("GET /tickets", d.look)
	mux.HandleFunc("GET /tickets/{id}", d.show)
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	d.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = d.server.Serve(listener) }()
	return d, nil
}

func (d *desk) close() { _ = d.server.Close() }

func (d *desk) create(w http.ResponseWriter, r *http.Request) {
	t, ok := readTicket(w, r)
	if !ok {
		return
	}
	d.mu.Lock()
	t.ID = strconv.Itoa(len(d.tickets) + 1)
	d.byKey[t.Key] = append(d.byKey[t.Key], len(d.tickets))
	d.tickets = append(d.tickets, t)
	d.write(r, t, true)
	d.mu.Unlock()
	time.Sleep(deskDelay)
	answer(w, http.StatusCreated, t)
}

func (d *desk) update(w http.ResponseWriter, r *http.Request) {
	t, ok := readTicket(w, r)
	if !ok {
		return
	}
	d.mu.Lock()
	n, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || n < 1 || n > len(d.tickets) {
		d.mu.Unlock()
		http.Error(w, "no such ticket", http.StatusNotFound)
		return
	}
	t.ID = strconv.Itoa(n)
	d.tickets[n-1] = t
	d.write(r, t, false)
	d.mu.Unlock()
	time.Sleep(deskDelay)
	answer(w, http.StatusOK, t)
}

// write puts the request on the ledger; d.mu is held, so that the ledger has
// the order in which the desk carried them out.
func (d *desk) write(r *http.Request, t ticket, create bool) {
	server := sender(r.UserAgent())
	d.senders[server]++
	number, _ := strconv.Atoi(t.Fields["number"])
	d.ledger.Receive(ledger.Receipt{
		Alert: t.Fields["alert"], Number: number, Create: create, Ticket: t.ID, Closed: t.State == "resolved", Server: server, At: time.Now(),
	})
}

func (d *desk) look(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	found := []ticket{}
	for _, i := range d.byKey[r.URL.Query().Get("key")] {
		found = append(found, d.tickets[i])
	}
	d.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"tickets": found})
}

func (d *desk) show(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || n < 1 || n > len(d.tickets) {
		http.Error(w, "no such ticket", http.StatusNotFound)
		return
	}
	answer(w, http.StatusOK, d.tickets[n-1])
}

// sent returns how many requests each server sent.
func (d *desk) sent(server string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.senders[server]
}

func readTicket(w http.ResponseWriter, r *http.Request) (ticket, bool) {
	var t ticket
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&t); err != nil {
		http.Error(w, "not a ticket: "+err.Error(), http.StatusBadRequest)
		return t, false
	}
	return t, true
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// sender reads the server's name from "tieline/1.2 (name)".
func sender(agent string) string {
	_, rest, ok := strings.Cut(agent, "(")
	if !ok {
		return agent
	}
	return strings.TrimSuffix(rest, ")")
}
