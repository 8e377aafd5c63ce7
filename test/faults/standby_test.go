package faults

import (
	"strings"
	"testing"
	"time"
)

// TestPrimaryFailsOver kills the primary of PostgreSQL under load and promotes
// its synchronous standby. Servers know both hosts by one URL. The lease's
// history has changed then, so that every ticket is looked up before anything
// is sent (rule L8): nothing is lost, nothing doubled, and the history says why.
func TestPrimaryFailsOver(t *testing.T) {
	r := newRig(t)
	r.db = startDatabase(t, "postgres", "PG_URL")
	standby := r.db.standby(t)
	both := *r.db.url
	both.Host += "," + standby.url.Host
	q := both.Query()
	q.Set("target_session_attrs", "read-write")
	both.RawQuery = q.Encode()
	r.start([]string{"s1", "s2", "s3"}, func(string) string { return both.String() })
	r.saysThatCommitsMayBeLost(both.Host)
	r.waitForStandby()
	r.load.alerts = 300
	var killed time.Time
	r.under(func(round int) {
		if round > 0 {
			r.pause(time.Second)
			return
		}
		r.db.run("kill")
		killed = time.Now()
		standby.run("promote")
		r.db = standby
	})
	for _, receipt := range r.ledger.Receipts() {
		if receipt.At.After(killed) {
			t.Logf("sending again %s after the primary died", receipt.At.Sub(killed).Round(10*time.Millisecond))
			break
		}
	}
	history, err := r.Run(r.ctx, "ha", "history", connectorName)
	if err != nil || !strings.Contains(history, "database changed") {
		t.Errorf("the history does not tell of the failover: %v\n%s", err, history)
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
	if err == nil || !strings.Contains(check, "1 standby servers are asynchronous") || !strings.Contains(check, hosts) {
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
