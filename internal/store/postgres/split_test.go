package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/fault"
	"tieline/internal/store/engine"
)

// instance is a PostgreSQL server of the test's own.
type instance struct {
	t            *testing.T
	script, dir  string
	name, wanted string // host and port, by two names
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	script := os.Getenv("TIELINE_TEST_POSTGRES_SCRIPT")
	if script == "" {
		t.Fatal("TIELINE_TEST_POSTGRES_SCRIPT is not set: this test needs servers of its own, which the script starts")
	}
	dir, err := os.MkdirTemp("", "tieline-split")
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{t: t, script: script, dir: dir}
	t.Cleanup(func() {
		i.run("destroy")
		_ = os.RemoveAll(dir)
	})
	return i
}

func (i *instance) run(verb string, args ...string) {
	i.t.Helper()
	out, err := exec.Command(i.script, append([]string{verb, i.dir}, args...)...).CombinedOutput() //nolint:gosec // the test command names it
	if err != nil {
		i.t.Fatalf("%s: %v\n%s", verb, err, out)
	}
	if port, err := os.ReadFile(i.dir + "/port"); err == nil {
		i.name = "127.0.0.1:" + strings.TrimSpace(string(port))
		i.wanted = "localhost:" + strings.TrimSpace(string(port))
	}
}

func among(hosts ...string) string {
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/tieline?sslmode=disable"
}

// opened is a process: what it opened, and what it logged.
func opened(t *testing.T, url string) (*engine.Engine, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	e, err := Open(t.Context(), url, engine.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e, &log
}

// uses is the host that a new piece of work goes to.
func uses(t *testing.T, e *engine.Engine) (port string, err error) {
	t.Helper()
	err = e.Read.QueryRowContext(t.Context(), "SELECT current_setting('port')").Scan(&port)
	return "127.0.0.1:" + port, err
}

// TestTheOldPrimaryIsNotFollowed has a standby promoted while its primary lives on,
// as it does behind a broken network: whoever sees both uses the new one, whoever
// met the new one goes back by no means, and people are told whom to fence.
func TestTheOldPrimaryIsNotFollowed(t *testing.T) {
	old, promoted := newInstance(t), newInstance(t)
	old.run("start")
	promoted.run("standby", old.dir)
	running, _ := opened(t, among(old.name, promoted.name))
	if port, err := uses(t, running); port != old.name {
		t.Fatalf("the primary is %s, %s is used: %v", old.name, port, err)
	}
	if _, err := Open(t.Context(), among(promoted.name, promoted.wanted), engine.Options{Log: slog.New(slog.DiscardHandler)}); fault.KindOf(err) !=
		fault.Unavailable || !strings.Contains(fault.Message(err), promoted.name+": takes no writes (it is a hot standby)") {
		t.Errorf("of hosts that are all standbys: %v", err)
	}
	begun := listens(t, running)
	promoted.run("promote")
	for _, order := range [][]string{{old.name, promoted.name}, {promoted.name, old.name}} {
		fresh, log := opened(t, among(order...))
		if port, err := uses(t, fresh); port != promoted.name {
			t.Errorf("of %v, %s is used: %v", order, port, err)
		}
		if !strings.Contains(log.String(), "fence "+old.name) {
			t.Errorf("the log does not say whom to fence: %s", log)
		}
		found, todo, err := fresh.Inspect.Hosts(t.Context())
		if err != nil || !strings.Contains(todo, "fence "+old.name) || !strings.Contains(found, promoted.name+" is in use") {
			t.Errorf("the check finds %q, %q: %v", found, todo, err)
		}
	}
	leaves(t, running, begun, promoted)
	promoted.run("stop")
	_, err := uses(t, running)
	if cause, next := running.Why(err); !strings.Contains(cause, old.name+" is an old primary") || !strings.Contains(next, "fence "+old.name) ||
		running.Classify(err) != engine.Unreachable {
		t.Errorf("while only the old primary answers: %q, %q: %v", cause, next, err)
	}
	promoted.run("start")
	if port, err := uses(t, running); port != promoted.name {
		t.Errorf("%s is used once %s is back: %v", port, promoted.name, err)
	}
}

// listens hears wake-ups as a process does, and tells each time that it begins to.
func listens(t *testing.T, running *engine.Engine) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		_ = running.Coordination.(*Coordinator).Listen(ctx, func(string) {}, func() { begun <- struct{}{} })
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	begins(t, begun)
	return begun
}

func begins(t *testing.T, begun <-chan struct{}) {
	t.Helper()
	select {
	case <-begun:
	case <-time.After(time.Minute):
		t.Fatal("nobody listens within a minute")
	}
}

// leaves waits until a process that has been on the old primary all along, and asks
// nothing of it, has looked around and left it: it listens on another host, which
// has a server beat at once.
func leaves(t *testing.T, running *engine.Engine, begun <-chan struct{}, promoted *instance) {
	t.Helper()
	begins(t, begun)
	if port, err := uses(t, running); port != promoted.name {
		t.Errorf("it goes on with %s: %v", port, err)
	}
}

// TestAnOddStatementHasTheOthersAsked: a session that is slow or breaks may be with
// a primary that was away. An answer that there is nothing is no such thing.
func TestAnOddStatementHasTheOthersAsked(t *testing.T) {
	one := newInstance(t)
	one.run("start")
	config, err := Config(among(one.name, one.wanted))
	if err != nil {
		t.Fatal(err)
	}
	c := NewCoordinator(config, nil, slog.New(slog.DiscardHandler))
	c.places.watch.suspect = make(chan struct{}, 1)
	conn, err := c.connect(t.Context(), c.places, "tieline test", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{owner: c, conn: conn}
	defer s.Close()
	for _, odd := range []struct {
		query string
		asks  int
	}{
		{"SELECT 1", 0}, {"SELECT 1 WHERE false", 0}, {"SELECT 1/0", 1}, {"SELECT 1 FROM pg_sleep(1.1)", 1},
	} {
		begun := time.Now()
		_ = s.row(t.Context(), []any{nil}, odd.query)
		loaded := time.Since(begun) >= slow // it may have been slow itself
		if got := len(c.places.watch.suspect); got < odd.asks || got > odd.asks && !loaded {
			t.Errorf("%s: asked %d times, want %d", odd.query, got, odd.asks)
		}
		for len(c.places.watch.suspect) > 0 {
			<-c.places.watch.suspect
		}
	}
}

// TestLookingEnds: what looks around ends with its database, and one host has none.
func TestLookingEnds(t *testing.T) {
	config, err := Config(among("127.0.0.1:1", "127.0.0.1:2"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { // it fails when anything goes on
		p := placesOf(config)
		stop := p.keepLooking()
		time.Sleep(time.Minute)
		stop()
		p.each = p.each[:1]
		p.keepLooking()
	})
}

// TestStandings: what is told of two hosts, by what they are.
func TestStandings(t *testing.T) {
	on := func(host string, timeline uint64, began string) standing {
		return standing{host: host, system: "7", timeline: timeline, began: began}
	}
	standby := on("s", 0, "3")
	standby.readOnly = "it is a hot standby"
	for _, c := range []struct {
		name      string
		one, two  standing
		says      string
		twoIsUsed bool
	}{
		{"the same by two addresses", on("a", 2, "1"), on("b", 2, "1"), "", false},
		{"a standby", on("a", 2, "1"), standby, "", false},
		{"the second is newer", on("a", 1, "1"), on("b", 2, "2"), "fence a:", true},
		{"the first is newer", on("a", 11, "1"), on("b", 9, "2"), "fence b:", false},
		{"nothing tells", on("a", 2, "1"), on("b", 2, "2"), "fence one of a and b", false},
		{"another cluster", on("a", 2, "1"), standing{host: "b", system: "8", timeline: 9, began: "2"}, "fence one of a and b", false},
		{"no PostgreSQL", standing{host: "a"}, standing{host: "b"}, "", false},
	} {
		next := ""
		if s := c.one.split(c.two); s != nil {
			next = s.Next
		}
		if (c.says == "") != (next == "") || !strings.Contains(next, c.says) || c.one.older(c.two) != c.twoIsUsed {
			t.Errorf("%s: %q, want %q; the second is newer: %v", c.name, next, c.says, c.one.older(c.two))
		}
	}
}
