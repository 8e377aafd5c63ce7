package faults

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tieline/internal/ledger"
	"tieline/test/cluster"
)

func TestActiveKilled(t *testing.T) { activeKilled(onPostgres(t)) }

func TestActiveKilledOnSQLite(t *testing.T) { activeKilled(onSQLite(t)) }

func activeKilled(r *rig) { r.under(r.killActive) }

func (r *rig) killActive(int) {
	r.t.Helper()
	dead := r.active()
	dead.Kill()
	at := time.Now()
	next := r.other(dead)
	// Its first send may be later: what is due may all be claims of the dead one.
	r.tell("%s Active %s after the death of %s", next.Name, time.Since(at).Round(time.Millisecond), dead.Name)
	r.must(dead.Start())
	r.must(dead.WaitReady(r.ctx))
}

func TestSuccessorKilledTooOnSQLite(t *testing.T) { successorKilledToo(onSQLite(t)) }

func TestFirstCrashLoopsOnSQLite(t *testing.T) { firstCrashLoops(onSQLite(t)) }

func TestActiveStopped(t *testing.T) { activeStopped(onPostgres(t)) }

func activeStopped(r *rig) {
	r.under(func(int) {
		old := r.active()
		r.must(old.Stop(20 * time.Second))
		r.other(old)
		r.must(old.Start())
		r.must(old.WaitReady(r.ctx))
	})
}

func TestActiveFrozen(t *testing.T) { activeFrozen(onPostgres(t)) }

func activeFrozen(r *rig) { r.under(r.freezeActive) }

func (r *rig) freezeActive(int) {
	r.t.Helper()
	frozen := r.active()
	frozen.Freeze()
	r.other(frozen)
	frozen.Thaw()
	r.pause(polling)
}

func TestActivePartitioned(t *testing.T) { activePartitioned(onPostgres(t)) }

func activePartitioned(r *rig) {
	r.under(func(round int) {
		cut := r.active()
		proxy := r.proxies[cut.Name]
		if round%2 == 0 {
			r.must(proxy.Blackhole())
		} else {
			r.must(proxy.Swallow())
		}
		r.other(cut)
		r.must(proxy.Heal())
		r.pause(polling)
	})
}

func TestDatabaseRestarted(t *testing.T) { databaseRestarted(onPostgres(t)) }

func databaseRestarted(r *rig) {
	var before *cluster.Server
	r.under(func(int) {
		before = r.active()
		r.db.run("restart", "immediate")
		if after := r.active(); after != before {
			r.t.Errorf("the restart moved the Active from %s to %s", before.Name, after.Name)
		}
		r.pause(2 * time.Second)
	})
}

func TestDatabaseAwayForLong(t *testing.T) { databaseAwayForLong(onPostgres(t)) }

func databaseAwayForLong(r *rig) {
	away, between := 8*time.Second, 5*time.Second
	if *long {
		away, between = 30*time.Second, 45*time.Second
	}
	r.under(func(int) {
		r.active()
		r.db.run("stop")
		r.pause(away)
		r.db.run("start")
		r.active()
		r.pause(between)
	})
}

// TestStartedBeforeTheDatabase has every server start while the database is
// away, as after a power cut: they wait for it and then work.
func TestStartedBeforeTheDatabase(t *testing.T) { startedBeforeTheDatabase(onPostgres(t)) }

func startedBeforeTheDatabase(r *rig) {
	r.under(func(round int) {
		if round > 0 {
			r.pause(time.Second)
			return
		}
		for _, s := range r.Servers {
			s.Kill()
		}
		r.db.run("stop")
		for _, s := range r.Servers {
			r.must(s.Start())
		}
		r.pause(2 * time.Second)
		for _, s := range r.Servers {
			if !s.Alive() {
				r.t.Errorf("%s gave up while the database was away: %s", s.Name, s.LogTail(500))
			}
		}
		r.db.run("start")
		r.active()
	})
}

func TestPresenceConnectionTerminated(t *testing.T) { presenceConnectionTerminated(onPostgres(t)) }

func presenceConnectionTerminated(r *rig) {
	r.under(func(int) {
		before := r.active()
		if n := r.terminatePresence(); n == 0 {
			r.t.Error("no connection holds a presence")
		}
		r.pause(3 * time.Second)
		if after := r.active(); after != before {
			r.t.Errorf("losing its presence connection alone moved the Active from %s to %s", before.Name, after.Name)
		}
	})
}

func TestSuccessorKilledToo(t *testing.T) { successorKilledToo(onPostgres(t)) }

func successorKilledToo(r *rig) {
	r.under(func(int) {
		one := r.active()
		one.Kill()
		two := r.other(one)
		two.Kill()
		began := time.Now()
		r.active()
		r.tell("third server Active %s after the second's death", time.Since(began).Round(time.Millisecond))
		for _, s := range []*cluster.Server{one, two} {
			r.must(s.Start())
			r.must(s.WaitReady(r.ctx))
		}
	})
}

func TestFirstCrashLoops(t *testing.T) { firstCrashLoops(onPostgres(t)) }

// firstCrashLoops has the Active die whenever it sends, and come back at once; the
// others must get the work done, and it must not keep taking its own lease back.
func firstCrashLoops(r *rig) {
	victim := r.active()
	var deaths sync.Map // by process id: one process has many requests under way
	r.desk.Arrived = func(server string) {
		if pid := victim.Pid(); server == victim.Name && pid != 0 {
			deaths.Store(pid, true)
			victim.Kill()
		}
	}
	r.under(func(int) {
		if !victim.Alive() {
			r.must(victim.Start())
		}
		r.pause(time.Second)
	})
	n := 0
	deaths.Range(func(any, any) bool { n++; return true })
	r.tell("%d deaths", n)
	if n == 0 {
		r.t.Error("the victim never sent, so it never died: the test shows nothing")
	}
	if n > 3 {
		r.t.Errorf("the crash-looping server became Active again and again: %d times", n)
	}
}

// TestFrozenInClaims freezes the Active for moments, again and again, also in
// the middle of statements: nobody else may be blocked by what it holds.
func TestFrozenInClaims(t *testing.T) { frozenInClaims(onPostgres(t)) }

func frozenInClaims(r *rig) {
	r.under(func(round int) {
		frozen := r.active()
		for range 20 {
			frozen.Freeze()
			r.pause(time.Duration(5+round%7) * time.Millisecond)
			frozen.Thaw()
			r.pause(3 * time.Millisecond)
		}
		frozen.Freeze()
		next := r.other(frozen)
		r.deliver(next, 900000+round)
		frozen.Thaw()
		r.pause(polling)
	})
}

// deliver has one more alert accepted by a server and waits until its last
// observation reached the desk.
func (r *rig) deliver(by *cluster.Server, n int) {
	r.t.Helper()
	feeder := &cluster.Feeder{
		Cluster: &cluster.Cluster{Servers: []*cluster.Server{by}}, Source: connectorName, Ledger: r.ledger,
		First: n, Alerts: n + 1, Batch: 1, Workers: 1,
	}
	r.must(feeder.Run(r.ctx))
	name := fmt.Sprintf("%s-%06d", connectorName, n)
	for !slices.ContainsFunc(r.ledger.Receipts(), func(l ledger.Receipt) bool { return l.Alert == name }) {
		if r.ctx.Err() != nil {
			r.t.Fatalf("%s did not get through: nobody sends, or whoever is frozen blocks the others", name)
		}
		r.pause(20 * time.Millisecond)
	}
}

func TestSecondProcessOfTheSameName(t *testing.T) { secondProcessOfTheSameName(onPostgres(t)) }

func secondProcessOfTheSameName(r *rig) {
	r.under(func(int) {
		active := r.active()
		if err := r.second(active); err == nil {
			r.t.Error("a second process of the same name was let in")
		}
		if after := r.active(); after != active {
			r.t.Errorf("a second process of the same name moved the Active from %s to %s", active.Name, after.Name)
		}
	})
}

// second starts another process with a server's name and settings on a port of
// its own; it returns nil when that came up.
func (r *rig) second(of *cluster.Server) error {
	r.t.Helper()
	twin, err := of.Twin(r.t.TempDir())
	r.must(err)
	defer twin.Kill()
	r.must(twin.Start())
	return twin.WaitReady(r.ctx)
}
