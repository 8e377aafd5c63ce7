package store

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tieline/internal/ha"
	"tieline/internal/storetest/peer"
)

func TestSessionsAfterARestartOfPostgres(t *testing.T) {
	url, postgres := peer.Postgres(t, "../../test/peers/postgres.sh")
	db := open(t, url)
	addConnector(t, db, "desk")
	join(t, db, "north")
	s := openSession(t, db, "north")
	mustBeat(t, s, beatOf("north", 1, s))
	l := mustTake(t, s, "desk", "north")
	heard := listen(t, db)
	until(t, db, "ready", heard)
	waitFor(t, db, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tieline listen' AND query LIKE 'LISTEN%'`)
	held, answer := await(t.Context(), db.Coordinator(), s.Presence())
	within(t, "seeing the presence held", held)

	postgres("restart")

	if a := within(t, "the waiter's answer", answer); a.err == nil {
		t.Error("the restart was taken for the holder's death")
	}
	if _, err := s.Beat(t.Context(), beatOf("north", 2, s)); err == nil || errors.Is(err, ha.ErrReplaced) || errors.Is(err, ha.ErrBeat) {
		t.Errorf("beat on the old connection: %v, want an unknown outcome", err)
	}
	began := time.Now()
	again := openSession(t, db, "north")
	b := beatOf("north", 2, again)
	b.Renew = []ha.Renewal{{Connector: "desk", Epoch: l.Epoch, Promised: time.Minute}}
	g := mustBeat(t, again, b)
	t.Logf("a new session beat %v after it was opened", time.Since(began))
	if got := leaseOf(g, "desk"); got.Server != "north" || got.Epoch != l.Epoch || got.Beat != 1 || got.Identity != g.Identity {
		t.Errorf("the lease after the restart: %+v, identity %s", got, g.Identity)
	}
	if again.Presence() == "" || again.Presence() == s.Presence() {
		t.Errorf("presence %q after the restart, %q before", again.Presence(), s.Presence())
	}
	for topic := range heard {
		if topic == TopicRefresh {
			break
		}
	}
}

func TestRestoreMakesAnotherHistory(t *testing.T) {
	source, target := freshPostgres(t), freshPostgres(t)
	db := open(t, source)
	addConnector(t, db, "desk")
	join(t, db, "north")
	before, err := db.ReadGroup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dump, err := exec.Command("pg_dump", "--dbname", source).Output()
	if err != nil {
		t.Fatal(err)
	}
	restore := exec.Command("psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", target)
	restore.Stdin = strings.NewReader(string(dump))
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	after, err := open(t, target).ReadGroup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after.Identity == before.Identity || serverOf(after, "north").Boot != "north-boot" {
		t.Errorf("identity %q after a restore, %q before; %+v", after.Identity, before.Identity, after.Servers)
	}
}
