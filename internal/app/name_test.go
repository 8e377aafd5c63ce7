package app

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// ghost is a process of a name that has no presence, as behind a transaction
// pooler; beat is one sign of life.
type ghost struct {
	t        *testing.T
	session  ha.Session
	number   int64
	promised time.Duration
}

func newGhost(t *testing.T, dir, server string, promised time.Duration) *ghost {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "tieline.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	err = db.Join(t.Context(), store.Join{Server: server, Boot: "ghost", HighAvailability: true, Promised: promised})
	if err != nil {
		t.Fatal(err)
	}
	g := &ghost{t: t, promised: promised}
	if g.session, err = db.Coordinator().Open(t.Context(), server, "ghost"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.session.Close() })
	g.beat(server)
	return g
}

func (g *ghost) beat(server string) {
	g.t.Helper()
	g.number++
	if _, err := g.session.Beat(g.t.Context(), ha.Beat{Server: server, Boot: "ghost", Number: g.number, Promised: g.promised}); err != nil {
		g.t.Fatal(err)
	}
}

// TestANameOfAProcessThatMayBeDead: a server that was killed where nothing but
// silence tells of it gets its name back by itself, once that is safe.
func TestANameOfAProcessThatMayBeDead(t *testing.T) {
	dir := t.TempDir()
	newGhost(t, dir, "one", 6*time.Second)
	var log journal
	startLogging(t, settings(dir, "one"), &log)
	if log.count("waiting until that is certain") != 1 || log.count("its name is free in") != 1 {
		t.Error("the log does not say, once, what was waited for")
	}
}

// TestANameOfAProcessThatLives: a sign of life while a second process waits for
// the name ends its waiting.
func TestANameOfAProcessThatLives(t *testing.T) {
	dir := t.TempDir()
	g := newGhost(t, dir, "one", time.Minute)
	var log journal
	a := New(Options{Config: settings(dir, "one"), Log: slog.New(slog.NewTextHandler(&log, nil))})
	ended := make(chan error, 1)
	go func() { ended <- a.Start(t.Context()) }()
	deadline := time.After(wait)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Message(err), "already running") {
				t.Errorf("err = %v", err)
			}
			return
		case <-deadline:
			t.Fatal("it still waits for the name of a process that lives")
		case <-tick.C:
			g.beat("one")
		}
	}
}
