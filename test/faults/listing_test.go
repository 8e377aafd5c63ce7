package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// listing is a source that pushes each of its alerts once, and lists them as
// Alertmanager does. It is compared so rarely that nothing comes of it by itself.
type listing struct {
	mu   sync.Mutex
	open []map[string]any
}

// listing adds such a source to the connector's.
func (r *rig) listing() *listing {
	r.t.Helper()
	l := &listing{}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /api/v2/status", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"uptime":"once"}`) })
	routes.HandleFunc("GET /api/v2/alerts", func(w http.ResponseWriter, _ *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		_ = json.NewEncoder(w).Encode(l.open) // who left needs no answer
	})
	server := httptest.NewServer(routes)
	r.t.Cleanup(server.Close)
	source := fmt.Sprintf(`sources:
  - name: listing
    kind: alertmanager
    url: %s
    compare: 1h
    settings: {receiver: tieline}
`, server.URL)
	document := r.desk.Document(connectorName, polling.String(), tolerance)
	r.must(r.Apply(r.ctx, strings.Replace(document, "sources:\n", source, 1)))
	return l
}

// push raises an alert and tells one server after another of it, until one takes it.
func (l *listing) push(r *rig, name string) {
	r.t.Helper()
	alert := map[string]any{
		"status": "firing", "labels": map[string]string{"alertname": "Listed", "name": name},
		"annotations": map[string]string{"number": "1"}, "startsAt": time.Now().UTC().Format(time.RFC3339),
	}
	l.mu.Lock()
	l.open = append(l.open, alert)
	l.mu.Unlock()
	body, err := json.Marshal(map[string]any{"version": "4", "alerts": []any{alert}})
	r.must(err)
	for i := 0; ; i++ {
		server := r.Servers[i%len(r.Servers)]
		resp, err := http.Post(server.URL+"/v1/sources/listing", "application/json", bytes.NewReader(body))
		if err == nil {
			resp.Body.Close()
		}
		if err == nil && resp.StatusCode/100 == 2 {
			return
		}
		if r.ctx.Err() != nil {
			r.t.Fatalf("no server took %s in: %v", name, err)
		}
		r.pause(50 * time.Millisecond) // the servers do not have the document yet
	}
}

// ticketsOf waits until an alert has been given as many tickets.
func (r *rig) ticketsOf(name string, want int) {
	r.t.Helper()
	for {
		tickets := map[string]bool{}
		for _, receipt := range r.ledger.Receipts() {
			if receipt.Alert == name && receipt.Create {
				tickets[receipt.Ticket] = true
			}
		}
		if len(tickets) == want {
			return
		}
		if r.ctx.Err() != nil {
			r.t.Fatalf("%s was given %d tickets, not %d", name, len(tickets), want)
		}
		r.pause(50 * time.Millisecond)
	}
}
