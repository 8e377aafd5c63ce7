package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

func TestBeatAnswersWithWhatItWrote(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		addConnector(t, db, "pager")
		join(t, db, "north")
		join(t, db, "south")
		s := openSession(t, db, "north")
		mustBeat(t, s, beatOf("north", 1, s))
		l := mustTake(t, s, "desk", "north")

		b := beatOf("north", 2, s)
		b.Renew = []ha.Renewal{{Connector: "desk", Epoch: l.Epoch, Promised: time.Minute}, {Connector: "pager", Epoch: 7}}
		b.Reports = []ha.Report{{Connector: "desk", Runs: 1, Eligible: true, Reaches: true, Reason: "fine"}}
		g := mustBeat(t, s, b)

		want, _ := l.Renewed(b.Renew[0], b.Boot)
		if diff := cmp.Diff(want, leaseOf(g, "desk")); diff != "" {
			t.Errorf("renewed lease (-want +got):\n%s", diff)
		}
		if got := leaseOf(g, "pager"); got.Beat != 0 || got.Server != "" {
			t.Errorf("a lease of another epoch was renewed: %+v", got)
		}
		wantServer := ha.Server{
			Name: "north", Address: "north:7000", Boot: "north-boot", Presence: s.Presence(), Beat: 2, Version: "test",
			Promised: 90 * time.Second,
		}
		if diff := cmp.Diff(wantServer, serverOf(g, "north"), cmpopts.IgnoreFields(ha.Server{}, "HeartbeatAt", "Silence")); diff != "" {
			t.Errorf("server (-want +got):\n%s", diff)
		}
		if s.Presence() == "" {
			t.Error("the session has no presence")
		}
		member := ha.Member{Connector: "desk", Server: "north", Position: 1, Runs: 1, Eligible: true, Reaches: true, Reason: "fine"}
		if diff := cmp.Diff(member, g.Members[0]); diff != "" {
			t.Errorf("member (-want +got):\n%s", diff)
		}
		settings := ha.Settings{
			Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Window: 20 * time.Second,
			Settle: 5 * time.Second, Version: 1,
		}
		if diff := cmp.Diff(map[string]ha.Settings{"desk": settings, "pager": settings}, g.Settings); diff != "" {
			t.Errorf("settings (-want +got):\n%s", diff)
		}
		again, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g, again, cmpopts.IgnoreFields(ha.Server{}, "Silence")); diff != "" {
			t.Errorf("the beat's answer differs from a reading after it:\n%s", diff)
		}
	})
}

func TestBeatIsACompareAndSwap(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		join(t, db, "north")
		s := openSession(t, db, "north")
		mustBeat(t, s, beatOf("north", 1, s))
		mustBeat(t, s, beatOf("north", 1, s)) // its answer was lost
		if _, err := s.Beat(t.Context(), beatOf("north", 3, s)); !errors.Is(err, ha.ErrBeat) {
			t.Errorf("beat 3 after 1: %v, want ErrBeat", err)
		}
		stranger := beatOf("north", 2, s)
		stranger.Boot = "another"
		if _, err := s.Beat(t.Context(), stranger); !errors.Is(err, ha.ErrReplaced) {
			t.Errorf("beat of another process: %v, want ErrReplaced", err)
		}
		run(t, db, "DELETE FROM server")
		if _, err := s.Beat(t.Context(), beatOf("north", 2, s)); !errors.Is(err, ha.ErrReplaced) {
			t.Errorf("beat without a row: %v, want ErrReplaced", err)
		}
		if g, err := s.Read(t.Context()); err != nil || len(g.Servers) != 0 {
			t.Errorf("a heartbeat inserted a row: %v %v", g.Servers, err)
		}
	})
}

func TestOneOfManyTakesTheLease(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		var sessions []ha.Session
		for _, name := range names {
			join(t, db, name)
			sessions = append(sessions, openSession(t, open(t, url), name))
		}
		for round := range int64(5) {
			g, err := sessions[0].Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			results := make([]error, len(names))
			var all sync.WaitGroup
			for i, name := range names {
				all.Go(func() { _, results[i] = sessions[i].Take(context.Background(), takeOf(g, "desk", name)) })
			}
			all.Wait()
			winner := ""
			for i, err := range results {
				switch {
				case err == nil && winner == "":
					winner = names[i]
				case err == nil:
					t.Errorf("round %d: %s and %s both took the lease", round, winner, names[i])
				case !errors.Is(err, ha.ErrLost):
					t.Errorf("round %d: %s: %v", round, names[i], err)
				}
			}
			g, err = sessions[0].Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if l := leaseOf(g, "desk"); l.Server != winner || l.Epoch != round+1 {
				t.Errorf("round %d: the lease names %s with epoch %d, the winner was %s", round, l.Server, l.Epoch, winner)
			}
		}
	})
}

func TestLeaseFollowsTheModel(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "north")
		join(t, db, "south")
		s := openSession(t, db, "north")
		run(t, db, "UPDATE lease SET wish = 'north', successor = 'south'")
		g, _ := s.Read(t.Context())
		want, err := leaseOf(g, "desk").Taken(takeOf(g, "desk", "north"))
		if err != nil {
			t.Fatal(err)
		}
		same := func(what string, want ha.Lease) {
			t.Helper()
			g, err := s.Read(t.Context())
			if diff := cmp.Diff(want, leaseOf(g, "desk")); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
		}
		got, err := s.Take(t.Context(), takeOf(g, "desk", "north"))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("answer of take: %v (-want +got):\n%s", err, diff)
		}
		same("take", want)
		if _, err := s.Take(t.Context(), takeOf(g, "desk", "north")); !errors.Is(err, ha.ErrLost) {
			t.Errorf("take on an old reading: %v, want ErrLost", err)
		}
		run(t, db, "UPDATE lease SET wish = 'south'")
		want.Wish = "south"
		r := ha.Release{Connector: "desk", Epoch: want.Epoch, Boot: "south-boot", Successor: "south", Reason: ha.ReasonWish}
		if err := s.Release(t.Context(), r); !errors.Is(err, ha.ErrLost) {
			t.Errorf("release by a stranger: %v, want ErrLost", err)
		}
		r.Boot = "north-boot"
		if want, err = want.Released(r); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		same("release", want)
		if err := s.Release(t.Context(), r); !errors.Is(err, ha.ErrLost) {
			t.Errorf("second release: %v, want ErrLost", err)
		}
		history, err := db.AvailabilityHistory(t.Context(), "desk", 2)
		if err != nil {
			t.Fatal(err)
		}
		wantHistory := []AvailabilityEvent{
			{Connector: "desk", Epoch: 1, From: "north", Reason: string(ha.ReasonWish)},
			{Connector: "desk", Epoch: 1, To: "north", Reason: string(ha.ReasonFirst)},
		}
		if diff := cmp.Diff(wantHistory, history, cmpopts.IgnoreFields(AvailabilityEvent{}, "ID", "At")); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}

func TestRemovedServerTakesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		join(t, db, "north")
		join(t, db, "south")
		s := openSession(t, db, "south")
		before, _ := s.Read(t.Context())
		if err := db.RemoveServer(t.Context(), "south", "ann"); err != nil {
			t.Fatal(err)
		}
		after, _ := s.Read(t.Context())
		for name, g := range map[string]ha.Group{"before": before, "after": after} {
			if _, err := s.Take(t.Context(), takeOf(g, "desk", "south")); !errors.Is(err, ha.ErrLost) {
				t.Errorf("take on a reading from %s the removal: %v, want ErrLost", name, err)
			}
		}
	})
}

func TestDoubtFollowsTheModel(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		db := open(t, url)
		addConnector(t, db, "desk")
		addConnector(t, db, "pager")
		join(t, db, "north")
		s := openSession(t, db, "north")
		l := mustTake(t, s, "desk", "north")
		want := map[uuid.UUID]alert.Link{}
		hold := alert.Hold{Epoch: l.Epoch + ha.EpochJump}
		for _, stage := range []alert.Stage{alert.Fresh, alert.Uncertain, alert.Looked, alert.Verify, alert.Twins, alert.Settled} {
			for _, state := range []string{"", "parked", "skipped", "claimed"} {
				k := alert.Link{LinkID: alert.LinkID{Connector: "desk", Alert: uuid.New(), Side: alert.Remote}}
				k.Stage = stage
				insertLink(t, db, &k, state)
				want[k.Alert] = k.Doubt(hold)
			}
		}
		other := alert.NewLink(alert.LinkID{Connector: "pager", Alert: uuid.New(), Side: alert.Remote}, 1)
		insertLink(t, db, &other, "")
		want[other.Alert] = other

		wantLease, err := l.Doubted(l.Epoch, "restored")
		if err != nil {
			t.Fatal(err)
		}
		wantLease.Waiting = true // the links in doubt are due
		if err := s.Doubt(t.Context(), "desk", l.Epoch, "restored"); err != nil {
			t.Fatal(err)
		}
		g, _ := s.Read(t.Context())
		if diff := cmp.Diff(wantLease, leaseOf(g, "desk")); diff != "" {
			t.Errorf("lease (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, readLinks(t, db)); diff != "" {
			t.Errorf("links (-want +got):\n%s", diff)
		}
		if err := s.Doubt(t.Context(), "desk", l.Epoch, "restored"); !errors.Is(err, ha.ErrLost) {
			t.Errorf("second doubt: %v, want ErrLost", err)
		}
		if err := s.Doubt(t.Context(), "pager", 0, "restored"); !errors.Is(err, ha.ErrLost) {
			t.Errorf("doubt of a lease that nobody ever held: %v, want ErrLost", err)
		}
	})
}

// insertLink stores a link as the store does, in one of the states.
func insertLink(t *testing.T, db *DB, k *alert.Link, state string) {
	t.Helper()
	var claim, due any
	switch state {
	case "parked":
		k.Parked = "refused"
	case "skipped":
		k.Skipped = "closed"
	case "claimed":
		k.Claim = alert.Claim{ID: uuid.New(), Epoch: 1}
		claim = k.Claim.ID.String()
	}
	if claim == nil && k.Due() {
		due = 5
	}
	run(t, db, `INSERT INTO link (alert_id, connector, side, stage, ticket, ticket_url, twins, told, delivered, notes_delivered,
		attempts, failure, parked, skipped, wanted, notes_wanted, heard, claim_id, claim_epoch, hold_epoch, hold_until, evidence,
		due_at, not_before, created_at, changed_at, delivered_at)
		VALUES ($1, $2, $3, $4, '', '', '', '', 0, 0, 0, '', $5, $6, $7, 0, '', $8, $9, 0, 0, '', $10, 0, 1, 1, 0)`,
		k.Alert.String(), k.Connector, string(k.Side), string(k.Stage), k.Parked, k.Skipped, k.Wanted, claim, k.Claim.Epoch, due)
}

// readLinks reads the links and checks that those due and unclaimed, and no
// others, can be found by their time.
func readLinks(t *testing.T, db *DB) map[uuid.UUID]alert.Link {
	t.Helper()
	rows, err := db.engine.Read.QueryContext(t.Context(), `SELECT alert_id, connector, side, stage, parked, skipped, wanted, claim_id,
		claim_epoch, hold_epoch, hold_until, due_at FROM link`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	links := map[uuid.UUID]alert.Link{}
	for rows.Next() {
		var k alert.Link
		var claim uuid.NullUUID
		var until int64
		var due *int64
		if err := rows.Scan(&k.Alert, &k.Connector, &k.Side, &k.Stage, &k.Parked, &k.Skipped, &k.Wanted, &claim,
			&k.Claim.Epoch, &k.Hold.Epoch, &until, &due); err != nil {
			t.Fatal(err)
		}
		k.Claim.ID, k.Hold.Until = claim.UUID, fromMicros(until)
		links[k.Alert] = k
		if found := due != nil; found != (k.Due() && !claim.Valid) {
			t.Errorf("link %s (%s, parked %q, skipped %q, claimed %v): has a due time: %v", k.Alert, k.Stage, k.Parked, k.Skipped, claim.Valid, found)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return links
}
