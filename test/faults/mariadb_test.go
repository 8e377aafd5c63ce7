package faults

import "testing"

// TestOnMariaDB repeats the faults on MariaDB. The short form leaves out those
// that need nothing of the engine which another one does not show as well; the
// long form has all of them.
func TestOnMariaDB(t *testing.T) {
	for _, c := range []struct {
		name  string
		short bool
		run   func(*rig)
	}{
		{"ActiveKilled", true, activeKilled},
		{"ActiveStopped", true, activeStopped},
		{"ActiveFrozen", true, activeFrozen},
		{"ActivePartitioned", false, activePartitioned},
		{"DatabaseRestarted", true, databaseRestarted},
		{"DatabaseAwayForLong", false, databaseAwayForLong},
		{"StartedBeforeTheDatabase", false, startedBeforeTheDatabase},
		{"PresenceConnectionTerminated", true, presenceConnectionTerminated},
		{"SuccessorKilledToo", false, successorKilledToo},
		{"FirstCrashLoops", false, firstCrashLoops},
		{"FrozenInClaims", true, frozenInClaims},
		{"SecondProcessOfTheSameName", false, secondProcessOfTheSameName},
	} {
		if !c.short && !*long {
			t.Logf("%s runs in the long form", c.name)
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.run(onMariaDB(t)) })
	}
}
