package hatest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tieline/internal/ha"
)

// Harness is an empty management group in one database, for one test of the
// conformance suite.
type Harness struct {
	Coordinator ha.Coordinator
	// Join writes a server's row under a boot id with a promised length of 90 s,
	// as the start of a process does. It is called again with another boot id for
	// a restart.
	Join func(t *testing.T, server, boot string)
	// AddConnector stores a connector with these settings, its lease row (epoch
	// 0, held by nobody), and its members in order. The servers have joined.
	AddConnector func(t *testing.T, name string, s ha.Settings, servers ...string)
	// RemoveServer removes a server's row and its memberships.
	RemoveServer func(t *testing.T, server string)
	// Wish stores an operator's wish on a lease row.
	Wish func(t *testing.T, connector, server string)
	// Kill ends a session's connection from the database's side, as the death of
	// its process does. nil: the engine's sessions end only by Close.
	Kill func(t *testing.T, s ha.Session)
	// LockLease changes a lease row in another transaction and keeps that open
	// until unlock is called. nil: the engine has no row locks.
	LockLease func(t *testing.T, connector string) (unlock func())
}

// patience bounds every call of the suite: only a call that waits for what never
// comes takes so long.
const patience = 30 * time.Second

// RunCoordinator runs the conformance suite. newHarness is called once per test
// and registers its own clean-up.
func RunCoordinator(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(b *bench)
	}{
		{"heartbeat writes the row and reads the group", heartbeatWrites},
		{"heartbeat is a compare-and-swap that tolerates a lost answer", heartbeatSwaps},
		{"heartbeat of a replaced process is refused", heartbeatReplaced},
		{"heartbeat stores reports of its own server only", heartbeatReports},
		{"renewal is guarded by epoch and boot id", renewGuards},
		{"renewal skips a locked row", renewSkipsLocked},
		{"take-over is decided by epoch and beat", takeSwaps},
		{"take-over is for members only", takeByMembers},
		{"take-over has one winner among contenders", takeContended},
		{"take-over beside renewal: one of both", takeAgainstRenewal},
		{"release is guarded and keeps the epoch", releaseGuards},
		{"wish is spent by what fulfils it", wishIsSpent},
		{"doubt moves the history exactly once", doubtOnce},
		{"rows follow the pure transitions", followsTransitions},
		{"presence has a fresh name per session", presenceFresh},
		{"presence waiter is granted when the session closes", awaitClose},
		{"presence waiter is granted when the connection is killed", awaitKill},
		{"presence of nobody is granted at once", awaitNobody},
		{"presence wait ends with its context", awaitContext},
		{"presence has room for many waiters", awaitMany},
		{"session whose connection was killed fails", beatAfterKill},
		{"reading sees a concurrent commit at once", readsFresh},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
			t.Cleanup(cancel)
			b := &bench{T: t, Harness: h, ctx: ctx}
			b.Join(t, "a", "boot-a")
			b.Join(t, "b", "boot-b")
			b.AddConnector(t, benchConn, benchSettings, "a", "b")
			test.run(b)
		})
	}
}

const benchConn = "tickets"

var benchSettings = ha.Settings{
	Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Automatic,
	Window: 20 * time.Second, Settle: 5 * time.Second, Version: 1,
}

// bench is a harness with two servers, a and b, and one connector.
type bench struct {
	*testing.T
	Harness
	ctx context.Context
}

// party is one server's session and its running numbers.
type party struct {
	ha.Session
	b      *bench
	server string
	boot   string
	number int64
}

func (b *bench) party(server, boot string) *party {
	b.Helper()
	s, err := b.Coordinator.Open(b.ctx, server, boot)
	if err != nil {
		b.Fatalf("Open(%s): %v", server, err)
	}
	b.Cleanup(func() { _ = s.Close() })
	p := &party{Session: s, b: b, server: server, boot: boot}
	if row, ok := p.read().Server(server); ok {
		p.number = row.Beat
	}
	return p
}

// next returns the party's next heartbeat.
func (p *party) next(renew ...ha.Renewal) ha.Beat {
	return ha.Beat{
		Server: p.server, Boot: p.boot, Number: p.number + 1, Presence: p.Presence(),
		Version: "v1", Promised: 90 * time.Second, Renew: renew,
	}
}

// beat sends a heartbeat that must succeed.
func (p *party) beat(renew ...ha.Renewal) ha.Group {
	p.b.Helper()
	g, err := p.Beat(p.b.ctx, p.next(renew...))
	if err != nil {
		p.b.Fatalf("Beat of %s: %v", p.server, err)
	}
	p.number++
	return g
}

func (p *party) read() ha.Group {
	p.b.Helper()
	g, err := p.Read(p.b.ctx)
	if err != nil {
		p.b.Fatalf("Read of %s: %v", p.server, err)
	}
	return g
}

func (p *party) lease() ha.Lease {
	p.b.Helper()
	l, ok := p.read().Lease(benchConn)
	if !ok {
		p.b.Fatalf("the group has no lease row of %s", benchConn)
	}
	return l
}

// claim is a take-over that fits the row as it is now.
func (p *party) claim() ha.Take {
	p.b.Helper()
	g := p.read()
	l, _ := g.Lease(benchConn)
	return ha.Take{
		Connector: benchConn, Epoch: l.Epoch, Beat: l.Beat, Server: p.server, Boot: p.boot,
		Promised: 90 * time.Second, Identity: g.Identity, Reason: ha.ReasonFirst,
	}
}

// take takes the lease over, which must succeed.
func (p *party) take() ha.Lease {
	p.b.Helper()
	l, err := p.Take(p.b.ctx, p.claim())
	if err != nil {
		p.b.Fatalf("Take of %s: %v", p.server, err)
	}
	return l
}

func (b *bench) want(err, target error, what string) {
	b.Helper()
	if !errors.Is(err, target) {
		b.Errorf("%s: error %v, want %v", what, err, target)
	}
}
