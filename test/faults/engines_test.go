package faults

import (
	"os"
	"testing"

	"tieline/internal/storetest"
)

// fault is one of the process faults, which every engine has to bear.
type fault struct {
	name string
	// ends says that it stops or restarts the database server, which only one that
	// the test started itself may suffer.
	ends bool
	run  func(*rig)
}

var everyFault = []fault{
	{"ActiveKilled", false, activeKilled},
	{"ActiveStopped", false, activeStopped},
	{"ActiveFrozen", false, activeFrozen},
	{"ActivePartitioned", false, activePartitioned},
	{"DatabaseRestarted", true, databaseRestarted},
	{"DatabaseAwayForLong", true, databaseAwayForLong},
	{"StartedBeforeTheDatabase", true, startedBeforeTheDatabase},
	{"PresenceConnectionTerminated", false, presenceConnectionTerminated},
	{"SuccessorKilledToo", false, successorKilledToo},
	{"FirstCrashLoops", false, firstCrashLoops},
	{"FrozenInClaims", false, frozenInClaims},
	{"SecondProcessOfTheSameName", false, secondProcessOfTheSameName},
}

// TestOnMariaDB repeats the faults on MariaDB.
func TestOnMariaDB(t *testing.T) {
	for _, f := range everyFault {
		t.Run(f.name, func(t *testing.T) { f.run(onMariaDB(t)) })
	}
}

// TestOnMySQL repeats them on a MySQL server that somebody else runs: each has a
// database of its own there.
func TestOnMySQL(t *testing.T) { onGivenServer(t, "mysql", storetest.MySQLURL, storetest.FreshMySQL) }

// TestOnSQLServer does the same on a SQL Server.
func TestOnSQLServer(t *testing.T) {
	onGivenServer(t, "sqlserver", storetest.SQLServerDSN, storetest.FreshSQLServer)
}

// onGivenServer runs the faults on the server that a variable names. Neither
// engine can be installed everywhere; test/run.sh tells at its end what was not
// run.
func onGivenServer(t *testing.T, kind, variable string, fresh func(testing.TB) string) {
	if os.Getenv(variable) == "" {
		t.Skipf("NOT RUN: %s names no server", variable)
	}
	for _, f := range everyFault {
		t.Run(f.name, func(t *testing.T) {
			if f.ends {
				t.Skip("NOT RUN: it stops the database server, and this one is not the test's own") // test/run.sh names it
			}
			r := newRig(t)
			r.db = givenDatabase(t, kind, fresh(t))
			r.startBehindProxies()
			f.run(r)
		})
	}
}
