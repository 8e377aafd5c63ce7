package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"tieline/internal/remote"
	"tieline/internal/remotetest"
)

// heard is a desk that remembers what it was told, word by word.
type heard struct {
	desk
	mu       sync.Mutex
	messages []remote.Message
}

func newHeard(t *testing.T) *heard {
	t.Helper()
	h := &heard{}
	d := remotetest.NewDesk(remotetest.DeskOptions{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		d.ServeHTTP(w, r)
		var m remote.Message // remembered once it is carried out
		if json.Unmarshal(body, &m) == nil {
			h.mu.Lock()
			h.messages = append(h.messages, m)
			h.mu.Unlock()
		}
	}))
	t.Cleanup(func() {
		d.Close()
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	h.desk = desk{d, fmt.Sprintf(deskDocument, server.URL)}
	return h
}

// last returns the newest message of a kind whose alert has a status.
func (h *heard) last(kind, status string) (remote.Message, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.messages) - 1; i >= 0; i-- {
		if m := h.messages[i]; m.Kind == kind && m.Alert != nil && m.Alert.Status == status {
			return m, true
		}
	}
	return remote.Message{}, false
}

// told waits for a message and returns it.
func (h *heard) told(t *testing.T, kind, status string) (m remote.Message) {
	t.Helper()
	eventually(t, "a message "+kind+" of an alert that is "+status, func() (ok bool) {
		m, ok = h.last(kind, status)
		return ok
	})
	return m
}

// only returns the desk's one ticket.
func (h *heard) only(t *testing.T) remotetest.DeskTicket {
	t.Helper()
	all := h.Tickets()
	if len(all) != 1 {
		t.Fatalf("%d tickets, want one: %+v", len(all), all)
	}
	return all[0]
}

// begin runs a server with a life cycle, and raises one alert.
func (h *heard) begin(t *testing.T, lifecycle string) *App {
	t.Helper()
	dir := t.TempDir()
	apply(t, dir, h.document+"lifecycle:\n"+lifecycle)
	a := start(t, settings(dir, "one"))
	eventually(t, "the server is Active", func() bool { return isActive(t, a, "desk") })
	post(t, a, "shop", alertNamed("x", "open"))
	h.told(t, "new", "open")
	return a
}

func TestACloseIsToldAsTheLifeCycleSays(t *testing.T) {
	for action, want := range map[string]struct {
		state   string
		comment bool
	}{"resolve": {"closed", true}, "comment": {"open", true}, "leave": {"open", false}} {
		t.Run(action, func(t *testing.T) {
			h := newHeard(t)
			a := h.begin(t, "  close: {action: "+action+"}\n")
			post(t, a, "shop", alertNamed("x", "closed"))
			m := h.told(t, "update", "closed")
			ticket := h.only(t)
			if ticket.State != want.state || ticket.Revision != 2 || (m.Comment != "") != want.comment {
				t.Errorf("told %+v, the ticket is %+v", m, ticket)
			}
		})
	}
}

// TestACloseWaits: an alert that fires again while its close waits keeps its
// ticket where the table says so, and the ticket never hears of the close.
func TestACloseWaits(t *testing.T) {
	h := newHeard(t)
	a := h.begin(t, "  close: {wait: 1h}\n  refire: {open: {action: comment}}\n")
	post(t, a, "shop", alertNamed("x", "closed"))
	post(t, a, "shop", alertNamed("y", "open")) // would be told after it
	eventually(t, "another alert's ticket", func() bool { return len(h.Tickets()) == 2 })
	post(t, a, "shop", map[string]any{"key": "x", "summary": "trouble with x again"})
	eventually(t, "the ticket goes on", func() bool { return h.subjects()["trouble with x again"] == 1 })
	if _, told := h.last("update", "closed"); told || len(h.Tickets()) != 2 {
		t.Errorf("the close was told: %v; tickets %+v", told, h.Tickets())
	}
}

// TestACloseIsToldWhenItHasWaited, and not for ever.
func TestACloseIsToldWhenItHasWaited(t *testing.T) {
	h := newHeard(t)
	a := h.begin(t, "  close: {wait: 300ms}\n")
	post(t, a, "shop", alertNamed("x", "closed"))
	h.told(t, "update", "closed")
	if ticket := h.only(t); ticket.State != "closed" {
		t.Errorf("the ticket is %+v", ticket)
	}
}

func TestAnAlertThatFiresAgain(t *testing.T) {
	t.Run("linked", func(t *testing.T) {
		h := newHeard(t)
		a := h.begin(t, "  refire: {closed: {action: linked}}\n")
		post(t, a, "shop", alertNamed("x", "closed"))
		h.told(t, "update", "closed")
		first := h.only(t)
		post(t, a, "shop", alertNamed("x", "open"))
		eventually(t, "a second ticket that refers to the first", func() bool {
			m, _ := h.last("new", "open")
			return len(h.Tickets()) == 2 && m.RefersTo == first.ID
		})
		if h.Tickets()[0].State != "closed" {
			t.Errorf("the first ticket is %+v", h.Tickets()[0])
		}
	})
	t.Run("comment", func(t *testing.T) {
		h := newHeard(t)
		a := h.begin(t, "  refire: {closed: {action: comment}}\n")
		post(t, a, "shop", alertNamed("x", "closed"))
		h.told(t, "update", "closed")
		post(t, a, "shop", alertNamed("x", "open"))
		m := h.told(t, "update", "open")
		if ticket := h.only(t); ticket.State != "closed" || m.Comment == "" || m.State != "" {
			t.Errorf("told %+v, the ticket is %+v", m, ticket)
		}
	})
}

// TestATruncatedWebhookClosesNothing: Alertmanager leaves alerts out of a
// notification that has too many (max_alerts). Those are neither closed nor lost:
// what was open stays open, and the next notification brings the rest.
func TestATruncatedWebhookClosesNothing(t *testing.T) {
	h := newHeard(t)
	dir := t.TempDir()
	apply(t, dir, strings.Replace(h.document, "kind: generic", "kind: alertmanager", 1))
	var log journal
	a := startLogging(t, settings(dir, "one"), &log)
	eventually(t, "the server is Active", func() bool { return isActive(t, a, "desk") })
	notify := func(truncated int, instances ...string) {
		t.Helper()
		var list []map[string]any
		for _, i := range instances {
			list = append(list, map[string]any{
				"status": "firing", "startsAt": "2026-11-22T15:26:03Z", "labels": map[string]string{"alertname": "DiskFull", "instance": i},
				"annotations": map[string]string{"summary": "disk full on " + i},
			})
		}
		postTo(t, a, "shop", map[string]any{"version": "4", "status": "firing", "alerts": list, "truncatedAlerts": truncated})
	}
	notify(0, "db1", "db2")
	eventually(t, "two tickets", func() bool { return len(h.Tickets()) == 2 })
	notify(2, "db3") // db1 and db2 are left out
	eventually(t, "a third ticket", func() bool { return len(h.Tickets()) == 3 })
	notify(1, "db4", "db1")
	eventually(t, "a fourth ticket", func() bool { return len(h.Tickets()) == 4 })
	for _, ticket := range h.Tickets() {
		if ticket.State != "open" {
			t.Errorf("%+v, want it open", ticket)
		}
	}
	if _, told := h.last("update", "closed"); told {
		t.Error("an alert that was left out was closed")
	}
	if n := log.count("left alerts out of its request"); n != 2 {
		t.Errorf("the log tells %d times of what was left out, want 2", n)
	}
	if _, text := get(t, a, "/metrics"); !strings.Contains(text, `tieline_omitted_alerts_total{source="shop"} 3`) {
		t.Errorf("the metrics do not count what was left out:\n%s", text)
	}
}

// postTo sends one body to a source and wants it taken in.
func postTo(t *testing.T, a *App, source string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+a.Addr()+"/v1/sources/"+source, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		t.Fatalf("answered %d: %s", resp.StatusCode, answer)
	}
}
