package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/ledger"
	"tieline/test/cluster"
)

// TestPrimaryFailsOver kills the primary of PostgreSQL under load and promotes
// its synchronous standby. Servers know both hosts by one URL. The lease's
// history has changed then, so that every ticket is looked up before anything
// is sent (rule L8): nothing is lost, nothing doubled, and the history says why.
func TestPrimaryFailsOver(t *testing.T) {
	r, standby := withStandby(t)
	r.saysThatCommitsMayBeLost(r.db.url.Host + "," + standby.url.Host)
	r.waitForStandby()
	r.load.alerts = 300
	r.under(func(round int) {
		if round > 0 {
			r.pause(time.Second)
			return
		}
		r.db.run("kill")
		killed := time.Now()
		standby.run("promote")
		promoted := time.Now()
		r.db = standby
		r.sendsAgain(killed, promoted)
	})
	history, err := r.Run(r.ctx, "ha", "history", connectorName)
	if err != nil || !strings.Contains(history, "database changed") {
		t.Errorf("the history does not tell of the failover: %v\n%s", err, history)
	}
}

// takeOver bounds the time from the promotion to the sending of what was
// accepted after it: a lease's tolerance, in which servers find the new
// primary and an Active is named, and the looking up of every ticket, which a desk
// answers at once. The rest is for a machine with much else to do.
const takeOver = 30 * polling * tolerance

// sendsAgain has one alert after the other accepted after the promotion, until one
// is sent: a send by a claim from before may still arrive after the primary died.
// What is accepted before the servers noticed the promotion is in doubt, and looked
// up twice, so that it may come later than what was accepted after it.
func (r *rig) sendsAgain(killed, promoted time.Time) {
	r.t.Helper()
	const probes = 900000
	first := fmt.Sprintf("%s-%06d", connectorName, probes)
	for n := probes; ; n++ {
		one := cluster.Feeder{
			Cluster: &cluster.Cluster{Servers: r.Servers[:1]}, Source: connectorName, Ledger: r.ledger,
			First: n, Alerts: n + 1, Batch: 1, Workers: 1,
		}
		r.must(one.Run(r.ctx))
		r.pause(100 * time.Millisecond)
		receipts := r.ledger.Receipts()
		i := slices.IndexFunc(receipts, func(l ledger.Receipt) bool { return l.Alert >= first })
		if i < 0 {
			continue
		}
		sent := receipts[i].At
		r.tell("sending %s after the primary died, %s after its standby was promoted",
			sent.Sub(killed).Round(10*time.Millisecond), sent.Sub(promoted).Round(10*time.Millisecond))
		if late := sent.Sub(promoted); late > takeOver {
			r.t.Errorf("sending began %s after the promotion, later than %s", late, takeOver)
		}
		return
	}
}

// TestLaggingStandbyIsPromoted loses commits: the primary dies while its
// asynchronous standby has not received for seconds. What the standby has is sent
// once and goes on; what was lost is lost until its source tells it again, which
// is a new alert then; a source that lists its alerts is asked for them at once.
// Tieline says so: in the log, in the history, in db check.
func TestLaggingStandbyIsPromoted(t *testing.T) {
	r, standby := withStandby(t)
	source := r.listing()

	const each = 40
	r.feed(0, each)
	r.deliverAll()
	r.sever(standby)
	r.feed(each, each)
	listed := fmt.Sprintf("%s-%06d-listed", connectorName, each)
	source.push(r, listed)
	r.deliverAll()
	r.ticketsOf(listed, 1)
	r.pause(3 * polling) // heartbeats are lost as well
	r.db.run("kill")
	standby.run("promote")
	r.db = standby
	r.active()
	r.ticketsOf(listed, 2) // its source did not tell of it again: it was asked
	r.feed(2*each, each)
	r.deliverAll()
	r.pause(3 * time.Second)

	lost := func(name string) bool {
		return name >= fmt.Sprintf("%s-%06d", connectorName, each) && name < fmt.Sprintf("%s-%06d", connectorName, 2*each)
	}
	report := r.ledger.Audit()
	for _, name := range slices.Concat(report.Lost, report.Doubled, report.OutOfOrder) {
		if !lost(name) {
			t.Errorf("%s was kept by the standby, and was lost, doubled or sent out of order", name)
		}
	}
	// The source repeats what it still sees: each is one more ticket, in the end.
	before := len(report.Doubled)
	r.feed(each, each)
	for {
		report = r.ledger.Audit()
		if len(report.Doubled) == before+each {
			break
		}
		if r.ctx.Err() != nil {
			t.Fatalf("%d of %d alerts that were lost came again", len(report.Doubled)-before, each)
		}
		r.pause(50 * time.Millisecond)
	}
	r.checkEpochs()
	r.saysThatCommitsWereLost()
}

// withStandby starts three servers on a primary that has an asynchronous standby.
func withStandby(t *testing.T) (*rig, *database) {
	r := newRig(t)
	r.db = startDatabase(t, "postgres", "PG_URL")
	standby := r.db.standby(t)
	both := *r.db.url
	both.Host += "," + standby.url.Host
	r.start([]string{"s1", "s2", "s3"}, func(string) string { return both.String() })
	return r, standby
}

// feed has alerts accepted, by whichever server takes them.
func (r *rig) feed(first, count int) {
	r.t.Helper()
	feeder := &cluster.Feeder{
		Cluster: r.Cluster, Source: connectorName, Ledger: r.ledger, First: first, Alerts: first + count, Batch: 10, Workers: 2,
	}
	r.must(feeder.Run(r.ctx))
}

// deliverAll waits until the remote shows everything promised.
func (r *rig) deliverAll() {
	r.t.Helper()
	for c := r.ledger.Counts(); c.Delivered < c.Alerts; c = r.ledger.Counts() {
		if r.ctx.Err() != nil {
			r.t.Fatalf("in time only %d of %d alerts came to rest", c.Delivered, c.Alerts)
		}
		r.pause(50 * time.Millisecond)
	}
}

// sever lets the standby catch up, and receive nothing from then on.
func (r *rig) sever(standby *database) {
	r.t.Helper()
	primary := r.open()
	defer primary.Close()
	behind := (&rig{t: r.t, ctx: r.ctx, db: standby}).open()
	defer behind.Close()
	wait := func(what, query string) {
		for ok := false; !ok; r.pause(50 * time.Millisecond) {
			if r.ctx.Err() != nil {
				r.t.Fatalf("the standby does not %s", what)
			}
			r.must(primary.QueryRowContext(r.ctx, query).Scan(&ok))
		}
	}
	wait("catch up", "SELECT count(*) > 0 FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()")
	for _, text := range []string{"ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"} {
		_, err := behind.ExecContext(r.ctx, text)
		r.must(err)
	}
	wait("stop receiving", "SELECT count(*) = 0 FROM pg_stat_replication")
}

// saysThatCommitsWereLost looks where an operator would: log, history and db check.
func (r *rig) saysThatCommitsWereLost() {
	r.t.Helper()
	logs := ""
	for _, s := range r.Servers {
		logs += s.LogTail(1 << 20)
	}
	for _, words := range []string{"the database lost confirmed commits", "every link of the connector is in doubt"} {
		if !strings.Contains(logs, words) {
			r.t.Errorf("no server's log says %q", words)
		}
	}
	history, err := r.Run(r.ctx, "ha", "history", connectorName)
	if err != nil || !strings.Contains(history, "database changed") {
		r.t.Errorf("the history does not tell of the failover: %v\n%s", err, history)
	}
	check, _ := r.Run(r.ctx, "db", "check") // fsync is off, which it complains about
	if !strings.Contains(check, "changed at") {
		r.t.Errorf("db check does not tell when the history changed:\n%s", check)
	}
}

// standby starts a streaming standby of the server.
func (d *database) standby(t *testing.T) *database {
	t.Helper()
	s := &database{t: t, kind: d.kind, script: d.script, dir: d.dir + "-standby"}
	t.Cleanup(func() { s.run("destroy") })
	s.url = urlIn(t, s.run("standby", d.dir), "PG_URL")
	return s
}

// saysThatCommitsMayBeLost expects db check to warn of an asynchronous standby,
// and to name every host.
func (r *rig) saysThatCommitsMayBeLost(hosts string) {
	r.t.Helper()
	check, err := r.Run(r.ctx, "db", "check")
	if err == nil || !strings.Contains(check, "1 standby server is asynchronous") || !strings.Contains(check, hosts) {
		r.t.Errorf("db check beside an asynchronous standby: %v\n%s", err, check)
	}
}

// waitForStandby has commits wait for the standby from now on.
func (r *rig) waitForStandby() {
	r.t.Helper()
	db := r.open()
	defer db.Close()
	for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		_, err := db.ExecContext(r.ctx, text)
		r.must(err)
	}
	for n := 0; n == 0; r.pause(50 * time.Millisecond) {
		r.must(db.QueryRowContext(r.ctx, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&n))
	}
}
