package sqlserver

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/store/coord"
)

// locks are the fake's application locks: who holds which, and the state that a
// session reads.
type locks struct {
	mu       sync.Mutex
	held     map[string]int // by connection
	lost     bool           // the session's lock is not there when it is looked at
	careless bool           // a second session is granted what another holds
	stall    chan struct{}  // heartbeats wait for it; nil = they do not
	waiting  chan struct{}  // closed when a waiter waits
	freed    chan struct{}  // closed when the holder is gone
	busy     int            // so many heartbeats end with a lock that was not granted
	unknown  bool           // there are no application locks
}

const emptyGroup = `{"beaten":1,"held":1,"identity":"mssql-a","servers":[],"members":[],"leases":[],"settings":[]}`

func (l *locks) answer(r request) reply {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.unknown && strings.Contains(r.Text, "applock"):
		return reply{fail: &failure{number: 2812, class: 16, text: "Could not find stored procedure 'sp_getapplock'."}}
	case strings.Contains(r.Text, "@LockMode = N'Exclusive'"):
		l.held["presence"] = r.Conn
		return row(int64(0))
	case strings.Contains(r.Text, "APPLOCK_TEST"):
		if l.careless || l.held["presence"] == 0 {
			return row(int64(0))
		}
		return row(int64(1))
	case strings.Contains(r.Text, "N'Shared'") && strings.Contains(r.Text, "sp_getapplock"):
		return l.share()
	case l.busy > 0 && strings.Contains(r.Text, "UPDATE server"):
		l.busy--
		return reply{fail: &failure{number: untranslated, class: 16, text: "canceling statement due to lock timeout"}}
	case strings.Contains(r.Text, "APPLOCK_MODE"):
		held := int64(1)
		if l.lost {
			held = 0
		}
		a := row(int64(1), held, "boot", emptyGroup)
		if l.stall != nil {
			a.wait = l.stall
		}
		return a
	case strings.Contains(r.Text, "FOR JSON"):
		return row(int64(1), int64(1), "", emptyGroup)
	}
	return row(int64(1))
}

func (l *locks) share() reply {
	if l.held["presence"] == 0 {
		return row(int64(0))
	}
	if l.held["tries"]++; l.held["tries"] == 1 {
		return row(int64(lockTimedOut))
	}
	close(l.waiting)
	a := row(int64(1))
	a.wait = l.freed
	return a
}

func coordinator(t *testing.T, l *locks) (*Coordinator, *fake) {
	t.Helper()
	l.held = map[string]int{}
	f := newFake(t, l.answer)
	c, err := Config(f.url(""))
	if err != nil {
		t.Fatal(err)
	}
	connector := newConnector(c)
	return newCoordinator(connector, pool(t, f, ""), true, slog.New(slog.DiscardHandler)), f
}

func beat(presence string) ha.Beat {
	return ha.Beat{Server: "alpha", Boot: "boot", Number: 1, Presence: presence, Version: "v", Promised: 90 * time.Second}
}

func TestPresenceIsProved(t *testing.T) {
	c, f := coordinator(t, &locks{})
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !coord.ValidPresence(s.Presence()) {
		t.Errorf("presence %q", s.Presence())
	}
	var holder, other int
	for _, r := range f.said() {
		switch {
		case strings.Contains(r.Text, "@LockMode = N'Exclusive'"):
			holder = r.Conn
		case strings.Contains(r.Text, "APPLOCK_TEST"):
			other = r.Conn
		}
	}
	if holder == 0 || other == 0 || holder == other {
		t.Errorf("the lock was taken on connection %d and tried on connection %d", holder, other)
	}
	if _, err := s.Beat(t.Context(), beat(s.Presence())); err != nil {
		t.Errorf("beat: %v", err)
	}
}

func TestLockThatKeepsNobodyOutIsNoPresence(t *testing.T) {
	c, _ := coordinator(t, &locks{careless: true})
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Presence() != "" {
		t.Errorf("presence %q, which another session was granted beside", s.Presence())
	}
}

// TestServerWithoutLocksIsUsedWithoutPresence: it lacks a procedure, and so does
// every heartbeat what would ask for its lock.
func TestServerWithoutLocksIsUsedWithoutPresence(t *testing.T) {
	c, f := coordinator(t, &locks{unknown: true})
	for range 2 {
		s, err := c.Open(t.Context(), "alpha", "boot")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.Presence() != "" {
			t.Errorf("presence %q", s.Presence())
		}
		if _, err := s.Beat(t.Context(), beat("")); err != nil {
			t.Errorf("beat without a presence: %v", err)
		}
	}
	tries := 0
	for _, r := range f.said() {
		if strings.Contains(r.Text, "applock") || strings.Contains(r.Text, "APPLOCK") {
			tries++
		}
	}
	if tries != 1 {
		t.Errorf("a lock was asked for %d times", tries)
	}
}

// TestHeartbeatGoesOnWithoutLockedRows: where hints are ignored a lease that
// somebody holds ends the statement, and its error is none that TRY catches.
func TestHeartbeatGoesOnWithoutLockedRows(t *testing.T) {
	l := &locks{busy: 1}
	c, f := coordinator(t, l)
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Beat(t.Context(), beat(s.Presence())); err != nil {
		t.Errorf("beat beside a locked row: %v", err)
	}
	beats := 0
	for _, r := range f.said() {
		if strings.Contains(r.Text, "UPDATE server") {
			beats++
		}
	}
	if beats != 2 {
		t.Errorf("%d heartbeats were told", beats)
	}
}

// TestWaitedInVain: -999 says that the time is up only where it is.
func TestWaitedInVain(t *testing.T) {
	for _, c := range []struct {
		result int64
		waited time.Duration
		want   bool
	}{
		{lockTimedOut, 0, true}, {lockError, time.Minute, true}, {lockError, time.Minute - 1, false},
		{lockVictim, time.Hour, false}, {lockCancelled, time.Hour, false},
	} {
		if got := timedOut(c.result, c.waited, time.Minute); got != c.want {
			t.Errorf("%d after %v: %v", c.result, c.waited, got)
		}
	}
}

func TestLostLockIsNoticed(t *testing.T) {
	l := &locks{}
	c, _ := coordinator(t, l)
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l.mu.Lock()
	l.lost = true
	l.mu.Unlock()
	if _, err := s.Beat(t.Context(), beat(s.Presence())); !errors.Is(err, coord.ErrNoPresence) {
		t.Errorf("beat without the lock: %v", err)
	}
}

// TestCallerThatGivesUpCostsNoPresence: the statement of a caller that no longer
// waits runs on; nothing is cancelled, and the connection serves the next.
func TestCallerThatGivesUpCostsNoPresence(t *testing.T) {
	l := &locks{stall: make(chan struct{})}
	c, f := coordinator(t, l)
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Beat(ctx, beat(s.Presence())); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("beat that is not answered: %v", err)
	}
	close(l.stall)
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatalf("the session's next statement: %v", err)
	}
	conns := map[int]bool{}
	for _, r := range f.said() {
		if r.Attention {
			t.Error("the statement was cancelled")
		}
		if strings.Contains(r.Text, "@LockMode = N'Exclusive'") || strings.Contains(r.Text, "FOR JSON") {
			conns[r.Conn] = true
		}
	}
	if len(conns) != 1 {
		t.Errorf("the session used connections %v", conns)
	}
}

func TestAwait(t *testing.T) {
	l := &locks{waiting: make(chan struct{}), freed: make(chan struct{})}
	c, _ := coordinator(t, l)
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	held := 0
	ended := make(chan error, 1)
	go func() { ended <- c.Await(context.Background(), s.Presence(), func() { held++ }) }()
	signal(t, l.waiting)
	close(l.freed)
	select {
	case err := <-ended:
		if err != nil || held != 1 {
			t.Errorf("granted with %v, told held %d times", err, held)
		}
	case <-time.After(generous):
		t.Fatal("the waiter was not told")
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	l := &locks{waiting: make(chan struct{}), freed: make(chan struct{})}
	c, _ := coordinator(t, l)
	defer close(l.freed)
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Await(ctx, s.Presence(), func() {}) }()
	signal(t, l.waiting)
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(generous):
		t.Fatal("the waiter waits on")
	}
}

func TestAwaitOfNobody(t *testing.T) {
	c, _ := coordinator(t, &locks{})
	held := false
	if err := c.Await(t.Context(), coord.NewPresence(), func() { held = true }); err != nil || held {
		t.Errorf("%v, told held %v", err, held)
	}
	if err := c.Await(t.Context(), "no'name", func() {}); err == nil {
		t.Error("a name that is none is waited for")
	}
}

func TestDeadConnectionFails(t *testing.T) {
	c, f := coordinator(t, &locks{})
	s, err := c.Open(t.Context(), "alpha", "boot")
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	for conn := range f.conns {
		_ = conn.Close()
	}
	f.mu.Unlock()
	if _, err := s.Read(t.Context()); err == nil {
		t.Error("a dead connection is made anew behind the session's back")
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func signal(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(generous):
		t.Fatal("nobody waits")
	}
}
