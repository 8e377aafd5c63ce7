package browser

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"tieline/internal/remotetest"
)

// ticketDesk is the remote system of a site: a desk that refuses or fails what
// a test tells it to, by words in the ticket's subject.
type ticketDesk struct {
	*remotetest.Desk
	server *httptest.Server

	mu       sync.Mutex
	refusals map[string]refusal
	stopped  map[string]chan struct{} // closed when the desk goes on
}

// refusal is what the desk answers.
type refusal struct {
	status int
	text   string
}

func newTicketDesk() *ticketDesk {
	d := &ticketDesk{Desk: remotetest.NewDesk(remotetest.DeskOptions{}), refusals: map[string]refusal{}, stopped: map[string]chan struct{}{}}
	d.server = httptest.NewServer(d)
	return d
}

func (d *ticketDesk) close() {
	d.Close()
	d.server.Close()
}

// refuse answers tickets whose subject has the word with a status and a text,
// until accept is called; of several words the longest counts.
func (d *ticketDesk) refuse(word string, status int, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusals[word] = refusal{status, text}
}

func (d *ticketDesk) accept(word string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.refusals, word)
}

// stop keeps what has the word in its subject waiting for an answer, until it is
// told to go on.
func (d *ticketDesk) stop(word string, stop bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if stop {
		d.stopped[word] = make(chan struct{})
		return
	}
	close(d.stopped[word])
	delete(d.stopped, word)
}

// stopFor is what a body waits for; nil = nothing.
func (d *ticketDesk) stopFor(body []byte) chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	for word, on := range d.stopped {
		if bytes.Contains(body, []byte(word)) {
			return on
		}
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (d *ticketDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender left
	}
	if on := d.stopFor(body); on != nil {
		select {
		case <-on:
		case <-r.Context().Done():
			return
		}
	}
	if no, refused := d.refused(body); refused {
		if strings.HasPrefix(no.text, "<") { // as from a server that stands before the desk
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(no.status)
			_, _ = io.WriteString(w, no.text) // the sender may have left
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(no.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": no.text}) // the sender may have left
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.Desk.ServeHTTP(w, r)
}

func (d *ticketDesk) refused(body []byte) (refusal, bool) {
	var message struct {
		Subject string `json:"subject"`
	}
	if json.Unmarshal(body, &message) != nil { // a lookup or a probe has no subject
		return refusal{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	longest := ""
	for word := range d.refusals {
		if strings.Contains(message.Subject, word) && len(word) > len(longest) {
			longest = word
		}
	}
	return d.refusals[longest], longest != ""
}
