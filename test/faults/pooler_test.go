package faults

import (
	"strings"
	"testing"
)

// TestActiveKilledBehindAPooler has every server reach PostgreSQL by way of
// pgbouncer in transaction mode, as Debian configures it: no session locks, no
// notifications, no prepared statements. The promises hold; what is lost is said.
func TestActiveKilledBehindAPooler(t *testing.T) {
	r := newRig(t)
	r.db = startDatabase(t, "postgres", "PG_URL")
	bouncer := startBouncer(t, r.db)
	r.start([]string{"s1", "s2", "s3"}, func(string) string { return bouncer })
	r.saysWhatItLost()
	// Without presences a killed server's name is free when what its heartbeats
	// promised is over: those from before the document promised 90 s.
	r.pause(5 * (polling * tolerance))
	if !*long {
		r.load.alerts = 300 // each failover takes seconds: it is noticed by silence alone
	}
	activeKilled(r)
}

// saysWhatItLost looks where an operator would: log, status and db check.
func (r *rig) saysWhatItLost() {
	r.t.Helper()
	if log := r.Servers[0].LogTail(1 << 20); !strings.Contains(log, "no presence") {
		r.t.Errorf("the log does not say that there is no presence:\n%s", log)
	}
	status, err := r.Run(r.ctx, "status")
	if err != nil || !strings.Contains(status, "no presence") {
		r.t.Errorf("the status does not say that there is no presence: %v\n%s", err, status)
	}
	check, err := r.Run(r.ctx, "db", "check")
	if err == nil {
		r.t.Error("db check finds nothing to attend to")
	}
	for _, words := range []string{"a pooler that lends its connections for one transaction", "a session keeps no lock here"} {
		if !strings.Contains(check, words) {
			r.t.Errorf("db check does not say %q:\n%s", words, check)
		}
	}
}

// startBouncer starts pgbouncer in front of a server and returns the URL of the
// same database by way of it.
func startBouncer(t *testing.T, pg *database) string {
	t.Helper()
	return startDatabase(t, "pgbouncer", "BOUNCER_URL", pg.url.String()).url.String()
}
