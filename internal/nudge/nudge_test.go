package nudge

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tieline/internal/secret"
)

var key = secret.New("0123456789abcdef")

// ears is a server that collects what it is told.
type ears struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string
	told  chan struct{}
}

func newEars(t *testing.T, before func()) *ears {
	e := &ears{told: make(chan struct{}, 1000)}
	heard := func(lines []string) {
		before()
		e.mu.Lock()
		e.lines = append(e.lines, lines...)
		e.mu.Unlock()
		e.told <- struct{}{}
	}
	mux := http.NewServeMux()
	mux.Handle(Pattern, Handler(key, heard))
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

func (e *ears) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lines)
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

func TestTopicsArrive(t *testing.T) {
	e := newEars(t, func() {})
	s := New(slog.New(slog.DiscardHandler))
	s.Send([]Peer{{Name: "north", URL: e.URL + "/"}}, key, []string{"lease origin", "work/desk"})
	within(t, "the nudge", e.told)
	s.Close()
	if got := e.heard(); !slices.Equal(got, []string{"lease origin", "work/desk"}) {
		t.Errorf("heard %q", got)
	}
}

// TestASlowPeerHoldsUpNobody: what it has not been told collects, each topic once.
func TestASlowPeerHoldsUpNobody(t *testing.T) {
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	slow := newEars(t, func() { entered <- struct{}{}; <-leave })
	quick := newEars(t, func() {})
	peers := []Peer{{Name: "slow", URL: slow.URL}, {Name: "quick", URL: quick.URL}}
	s := New(slog.New(slog.DiscardHandler))
	s.Send(peers, key, []string{"first"})
	within(t, "the slow one's request", entered)
	within(t, "the quick one's", quick.told)
	for range 5 {
		s.Send(peers, key, []string{"again"})
		within(t, "the quick one's", quick.told)
	}
	close(leave)
	s.Close()
	if got := slow.heard(); !slices.Equal(got, []string{"first", "again"}) {
		t.Errorf("the slow one heard %q", got)
	}
	if got := quick.heard(); len(got) != 6 {
		t.Errorf("the quick one heard %q", got)
	}
}

func TestOnlyTheGroupIsHeard(t *testing.T) {
	e := newEars(t, func() {})
	s := New(slog.New(slog.DiscardHandler))
	defer s.Close()
	peer := Peer{Name: "north", URL: e.URL}
	if err := s.Nudge(t.Context(), peer, secret.New("another"), []string{"lease"}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with another key: %v", err)
	}
	for what, change := range map[string]func(*http.Request){
		"no code":      func(r *http.Request) { r.Header.Del(header) },
		"another body": func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("work/desk")) },
	} {
		r := httptest.NewRequest(http.MethodPost, Path, strings.NewReader("lease"))
		r.Header.Set(header, "00")
		change(r)
		w := httptest.NewRecorder()
		Handler(key, func([]string) { t.Errorf("%s is heard", what) }).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s is answered %d", what, w.Code)
		}
	}
	w := httptest.NewRecorder()
	large := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(strings.Repeat("x", maxBytes+1)))
	Handler(key, func([]string) { t.Error("too large a nudge is heard") }).ServeHTTP(w, large)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("too large a nudge is answered %d", w.Code)
	}
	if got := e.heard(); len(got) != 0 {
		t.Errorf("heard %q", got)
	}
}

// TestAnEmptyKeyOpensNothing: a group's row that could not be read has none.
func TestAnEmptyKeyOpensNothing(t *testing.T) {
	s := New(slog.New(slog.DiscardHandler))
	defer s.Close()
	server := httptest.NewServer(Handler(secret.String{}, func([]string) { t.Error("heard") }))
	defer server.Close()
	if err := s.Nudge(t.Context(), Peer{Name: "north", URL: server.URL}, secret.String{}, []string{"lease"}); err == nil {
		t.Error("an empty key is taken")
	}
}

func TestManyTopicsGoInParts(t *testing.T) {
	e := newEars(t, func() {})
	s := New(slog.New(slog.DiscardHandler))
	var lines []string
	for n := range 2*MaxLines + 1 {
		lines = append(lines, strings.Repeat("x", n%150+1)+"/"+strings.Repeat("y", n/150))
	}
	s.Send([]Peer{{Name: "north", URL: e.URL}}, key, lines)
	s.Close()
	if got := e.heard(); !slices.Equal(got, lines) {
		t.Errorf("heard %d of %d", len(got), len(lines))
	}
}
