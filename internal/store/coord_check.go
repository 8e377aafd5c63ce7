package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/store/coord"
	"tieline/internal/store/engine"
)

const (
	checkPatience = 5 * time.Second // for what should take milliseconds
	checkRepeat   = 50 * time.Millisecond
	checkRounds   = 5
	// checkServer is the name a check's session has among the database's connections.
	checkServer = "check"
)

// checkCoordination looks at what availability relies on, by doing it: a
// session, a presence that a waiter is granted, a wake-up, the clock; and tells
// which servers there are. In an empty database nobody has joined, and nothing can
// be read of the group.
func (db *DB) checkCoordination(ctx context.Context) []CheckLine {
	lines := make([]CheckLine, 0, 5)
	for _, check := range []struct {
		name string
		run  func(context.Context) (text string, err error)
		need bool // the schema
	}{
		{"session", db.checkSession, true},
		{"presence", db.checkPresence, false},
		{"wake-ups", db.checkWakes, db.engine.Nudged},
		{"clock", db.checkClock, db.engine.Inspect.Clock == ""},
		{"servers", db.checkServers, true},
	} {
		if check.need && db.unmade {
			continue
		}
		one, cancel := context.WithTimeout(ctx, 2*checkPatience)
		text, err := check.run(one)
		cancel()
		line := CheckLine{Name: check.name, OK: err == nil, Text: text}
		if err != nil {
			line.Text, line.Next = messageOf(db.explain(err, "check "+check.name))
		}
		lines = append(lines, line)
	}
	return lines
}

// messageOf is an error's message without its next step, and that.
func messageOf(err error) (text, next string) {
	var known *fault.Error
	if !errors.As(err, &known) {
		return fault.Message(err), ""
	}
	return known.Msg, known.Next
}

// checkSession measures the round trip that a heartbeat is.
func (db *DB) checkSession(ctx context.Context) (string, error) {
	s, err := db.Coordinator().Open(ctx, checkServer, checkServer)
	if err != nil {
		return "", err
	}
	defer s.Close()
	best := time.Duration(math.MaxInt64)
	for range checkRounds {
		began := time.Now()
		if _, err := s.Read(ctx); err != nil {
			return "", err
		}
		best = min(best, time.Since(began))
	}
	return fmt.Sprintf("a coordination connection reads the group in %s", best.Round(10*time.Microsecond)), nil
}

// checkPresence lets a waiter see a presence held, ends it, and measures how
// long the waiter takes to learn of it.
func (db *DB) checkPresence(ctx context.Context) (string, error) {
	s, err := db.Coordinator().Open(ctx, checkServer, checkServer)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if s.Presence() == "" {
		why, next := "a pooler lends it to others", "connect directly or through a session pool"
		switch db.Engine() {
		case "sqlite":
			why, next = "the folder of presences beside the file cannot be used", "let every server write there"
		case "sqlserver":
			why, next = "the server has no application locks (sp_getapplock) or none left, or they keep no other session out", "shorten the polling interval"
		}
		return "", fault.New(fault.Refused, "a session keeps no lock here, because "+why).
			WithNext("a crashed Active is then noticed only when its heartbeats stay out; " + next)
	}
	seen, granted := make(chan struct{}), make(chan error, 1)
	go func() { granted <- db.Coordinator().Await(ctx, s.Presence(), func() { close(seen) }) }()
	select {
	case <-seen:
	case err := <-granted:
		return "", errors.Join(fault.New(fault.Internal, "a presence that is held was taken for free"), err)
	}
	ended := time.Now()
	if err := s.Close(); err != nil {
		return "", err
	}
	if err := <-granted; err != nil {
		return "", err
	}
	return fmt.Sprintf("a waiter learns of the end of a session after %s", time.Since(ended).Round(10*time.Microsecond)), nil
}

// checkWakes announces until the announcement is heard, and measures the last one.
func (db *DB) checkWakes(ctx context.Context) (string, error) {
	if db.engine.Nudged {
		return db.checkNudges(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	topic := "check/" + coord.NewPresence()
	heard, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- db.engine.Coordination.Listen(ctx, func(line string) {
			if line == topic {
				select {
				case heard <- struct{}{}:
				default:
				}
			}
		}, func() {})
	}()
	defer func() { cancel(); <-ended }()
	for {
		began := time.Now()
		if err := db.engine.Coordination.Announce(ctx, []string{topic}); err != nil {
			return "", err
		}
		select {
		case <-heard:
			return fmt.Sprintf("other servers are woken after %s", time.Since(began).Round(10*time.Microsecond)), nil
		case <-ctx.Done():
			return "", fault.New(fault.Unavailable, "a wake-up did not arrive; other servers see new work only at their next poll").
				WithNext("a transaction pooler passes no notifications: connect directly or through a session pool")
		case <-time.After(checkRepeat):
		}
	}
}

// clockDrift is how far the clocks may be apart before people are told: from then
// on the stamps they read mislead them.
const clockDrift = 10 * time.Second

// checkClock tells how far the database's clock is from this host's. Nothing
// but the stamps people see depends on it.
func (db *DB) checkClock(ctx context.Context) (string, error) {
	clock := engine.Now
	if db.unmade {
		clock = db.engine.Inspect.Clock
	}
	var now int64
	began := time.Now()
	if err := db.engine.Read.QueryRowContext(ctx, "SELECT "+clock).Scan(&now); err != nil {
		return "", err
	}
	middle := began.Add(time.Since(began) / 2)
	ahead := time.UnixMicro(now).Sub(middle).Round(time.Millisecond)
	way := "ahead of"
	if ahead < 0 {
		way, ahead = "behind", -ahead
	}
	text := fmt.Sprintf("the database's clock is %s %s this host's; only stamps depend on it", ahead, way)
	if ahead > clockDrift {
		return "", fault.New(fault.Refused, text).
			WithNext("the times that people read are the database's: let a time service (NTP, as chrony) set the clock of its host, and of this one")
	}
	return text, nil
}

// checkServers lists the servers and when they were heard.
func (db *DB) checkServers(ctx context.Context) (string, error) {
	g, err := db.ReadGroup(ctx)
	if err != nil {
		return "", err
	}
	if len(g.Servers) == 0 {
		return "no server has joined", nil
	}
	texts := make([]string, 0, len(g.Servers))
	for _, s := range g.Servers {
		texts = append(texts, s.Name+" "+heardOf(s))
	}
	return strings.Join(texts, "; "), nil
}

func heardOf(s ha.Server) string {
	ago := s.Silence.Round(time.Second)
	switch {
	case s.Boot == "":
		return fmt.Sprintf("stopped %s ago or earlier", ago)
	case s.Silence >= s.Promised:
		return fmt.Sprintf("has been silent for %s", ago)
	case s.Presence == "":
		return fmt.Sprintf("was heard %s ago and has no presence", ago)
	}
	return fmt.Sprintf("was heard %s ago", ago)
}
