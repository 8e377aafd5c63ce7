package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tieline/internal/ha"
)

// Tests of what only PostgreSQL has: backends, their locks, and other people's
// transactions.

// freeze opens a transaction on a connection of its own, runs a statement in
// it, and leaves it as a process does that is frozen in the middle.
func freeze(t *testing.T, url, statement string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, text := range []string{"BEGIN", statement} {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return conn
}

// thaw lets a frozen transaction's locks go.
func thaw(t *testing.T, frozen *pgx.Conn) {
	t.Helper()
	if _, err := frozen.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

// terminate ends the backends whose application name is like the pattern.
func terminate(t *testing.T, db *DB, pattern string) {
	t.Helper()
	var n int
	err := db.engine.Write.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE $1`, pattern).Scan(&n)
	if err != nil || n == 0 {
		t.Fatalf("terminated %d backends like %q: %v", n, pattern, err)
	}
}

func TestRenewalSkipsALockedRow(t *testing.T) {
	url := freshPostgres(t)
	db := open(t, url)
	addConnector(t, db, "desk")
	addConnector(t, db, "pager")
	join(t, db, "north")
	s := openSession(t, db, "north")
	b := beatOf("north", 1, s)
	for _, connector := range []string{"desk", "pager"} {
		l := mustTake(t, s, connector, "north")
		b.Renew = append(b.Renew, ha.Renewal{Connector: connector, Epoch: l.Epoch, Promised: time.Minute})
		b.Reports = append(b.Reports, ha.Report{Connector: connector, Runs: 4})
	}
	frozen := freeze(t, url, "SELECT FROM lease l JOIN membership m USING (connector) WHERE connector = 'desk' FOR UPDATE")
	g := mustBeat(t, s, b)
	if beat := leaseOf(g, "desk").Beat; beat != 0 {
		t.Errorf("the locked row was renewed: beat %d", beat)
	}
	if beat := leaseOf(g, "pager").Beat; beat != 1 {
		t.Errorf("the other row was not renewed: beat %d", beat)
	}
	if g.Members[0].Runs != 0 || g.Members[1].Runs != 4 {
		t.Errorf("reports: %+v", g.Members)
	}
	thaw(t, frozen)
	b.Number = 2
	if g := mustBeat(t, s, b); leaseOf(g, "desk").Beat != 1 || g.Members[0].Runs != 4 {
		t.Errorf("after the lock was let go: %+v, %+v", leaseOf(g, "desk"), g.Members[0])
	}
}

func TestBeatShowsATakeOverItRanInto(t *testing.T) {
	url := freshPostgres(t)
	db := open(t, url)
	addConnector(t, db, "desk")
	join(t, db, "north")
	join(t, db, "south")
	s := openSession(t, db, "north")
	l := mustTake(t, s, "desk", "north")
	// The heartbeat waits for its own row; meanwhile, after its snapshot was taken,
	// the lease is taken over.
	frozen := freeze(t, url, "SELECT FROM server WHERE name = 'north' FOR UPDATE")
	answer := make(chan ha.Group, 1)
	go func() {
		b := beatOf("north", 1, s)
		b.Renew = []ha.Renewal{{Connector: "desk", Epoch: l.Epoch}}
		g, err := s.Beat(context.Background(), b)
		if err != nil {
			t.Error(err)
		}
		answer <- g
	}()
	waitFor(t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE '%north'
		AND datname = current_database()`)
	mustTake(t, openSession(t, db, "south"), "desk", "south")
	if _, err := frozen.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if got := leaseOf(within(t, "the heartbeat", answer), "desk"); got.Server != "south" || got.Epoch != l.Epoch+1 || got.Beat != 0 {
		t.Errorf("the heartbeat answered %+v, which is from before the take-over", got)
	}
}

// waitFor repeats a counting query until it answers more than nothing.
func waitFor(t *testing.T, db *DB, query string) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	for n := 0; n == 0; {
		if err := db.engine.Read.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("nothing was found by %s", query)
		}
	}
}

func TestHeartbeatAndTakeNeverWaitLong(t *testing.T) {
	url := freshPostgres(t)
	db := open(t, url)
	addConnector(t, db, "desk")
	join(t, db, "north")
	s := openSession(t, db, "north")
	frozen := freeze(t, url, "SELECT FROM server, lease FOR UPDATE")
	for what, err := range map[string]error{
		"beat": second(s.Beat(t.Context(), beatOf("north", 1, s))),
		"take": second(s.Take(t.Context(), takeOf(ha.Group{Leases: []ha.Lease{{Connector: "desk"}}}, "desk", "north"))),
	} {
		if err == nil || errors.Is(err, ha.ErrLost) || errors.Is(err, ha.ErrReplaced) {
			t.Errorf("%s at a locked row: %v, want an unknown outcome", what, err)
		}
	}
	thaw(t, frozen)
	mustBeat(t, s, beatOf("north", 1, s)) // the session itself is as good as before
}

func second[T any](_ T, err error) error { return err }

func TestFrozenTransactionIsEnded(t *testing.T) {
	db := open(t, freshPostgres(t))
	addConnector(t, db, "desk")
	join(t, db, "north")
	join(t, db, "south")
	// A process frozen in the middle of a transaction of the pool.
	tx, err := db.engine.Write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "SELECT FROM lease FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	s := openSession(t, db, "south")
	g, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for try := 1; ; try++ {
		if _, err = s.Take(t.Context(), takeOf(g, "desk", "south")); err == nil {
			return
		}
		if try == 20 {
			t.Fatalf("the frozen transaction blocks take-overs without end: %v", err)
		}
	}
}

func TestTerminatedSessionGrantsAtOnce(t *testing.T) {
	db := open(t, freshPostgres(t))
	join(t, db, "north")
	s := openSession(t, db, "north")
	mustBeat(t, s, beatOf("north", 1, s))
	held, answer := await(t.Context(), db.Coordinator(), s.Presence())
	within(t, "seeing the presence held", held)
	began := time.Now()
	terminate(t, db, "tieline coordination north")
	if a := within(t, "the grant", answer); a.err != nil {
		t.Error(a.err)
	} else {
		t.Logf("granted %v after pg_terminate_backend", a.at.Sub(began))
	}
	if _, err := s.Beat(t.Context(), beatOf("north", 2, s)); err == nil || errors.Is(err, ha.ErrReplaced) {
		t.Errorf("beat on a dead connection: %v, want an unknown outcome", err)
	}
	again := openSession(t, db, "north")
	if again.Presence() == "" || again.Presence() == s.Presence() {
		t.Errorf("the new session's presence is %q, the old one's was %q", again.Presence(), s.Presence())
	}
	mustBeat(t, again, beatOf("north", 2, again))
}

func TestAwaitFailsWithItsConnection(t *testing.T) {
	db := open(t, freshPostgres(t))
	s := openSession(t, db, "north")
	held, answer := await(t.Context(), db.Coordinator(), s.Presence())
	within(t, "seeing the presence held", held)
	terminate(t, db, "tieline await")
	if a := within(t, "the answer", answer); a.err == nil {
		t.Error("await granted a presence whose holder lives, because its own connection died")
	}
}

func TestDoubtGoesOnWhereItStopped(t *testing.T) {
	url := freshPostgres(t)
	db := open(t, url)
	addConnector(t, db, "desk")
	join(t, db, "north")
	s := openSession(t, db, "north")
	l := mustTake(t, s, "desk", "north")
	const links = 5000 // more than two steps
	run(t, db, `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
		attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_epoch, hold_epoch, hold_until, evidence,
		not_before, created_at, changed_at, delivered_at)
		SELECT gen_random_uuid(), 'desk', 'remote', 'settled', '1', '', '', '', 1, 0, 0, '', '', '', 1, 0, '', 0, 0, 0, '', 0, 1, 1, 1
		FROM generate_series(1, $1)`, links)
	doubted := func() (n int) {
		t.Helper()
		err := db.engine.Read.QueryRowContext(t.Context(), `SELECT count(*) FROM link WHERE stage = 'verify'
			AND due_at IS NOT NULL AND hold_epoch = $1`, l.Epoch+ha.EpochJump).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	frozen := freeze(t, url, "SELECT FROM link LIMIT 1 FOR UPDATE")
	l.Waiting = true // the links in doubt are due
	if err := s.Doubt(t.Context(), "desk", l.Epoch, "restored"); err == nil || errors.Is(err, ha.ErrLost) {
		t.Fatalf("doubt beside a locked link: %v, want an unknown outcome", err)
	}
	if n := doubted(); n != links-1 {
		t.Errorf("the first call put %d links in doubt, want all but the locked one of %d", n, links)
	}
	if g, err := s.Read(t.Context()); err != nil || leaseOf(g, "desk") != l {
		t.Errorf("the lease moved without its links: %+v, %v", leaseOf(g, "desk"), err)
	}
	thaw(t, frozen)
	if err := s.Doubt(t.Context(), "desk", l.Epoch, "restored"); err != nil {
		t.Fatal(err)
	}
	if n := doubted(); n != links {
		t.Errorf("%d of %d links are in doubt", n, links)
	}
	if g, err := s.Read(t.Context()); err != nil || leaseOf(g, "desk").Epoch != l.Epoch+ha.EpochJump {
		t.Errorf("the lease after the doubt: %+v, %v", leaseOf(g, "desk"), err)
	}
}
