package cli

import (
	"encoding/json"
	"testing"
	"time"

	"tieline/internal/demo"
	"tieline/internal/ledger"
)

// TestAuditForScripts: every list is there, also an empty one, and times are numbers.
func TestAuditForScripts(t *testing.T) {
	r := &demo.Result{Took: 1500 * time.Millisecond, Failovers: []demo.Failover{{
		Change: ledger.Change{From: "alpha", To: "bravo", Gap: 614 * time.Millisecond}, Out: 549 * time.Millisecond,
	}}}
	r.Lost = []string{"disk"}
	text, err := json.Marshal(viewAudit(r))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"ok":false,"seconds":1.5,"accepted":0,"alerts":0,"delivered":0,"requests":0,"lost":["disk"],"doubled":[],"out_of_order":[],"parked":0,` +
		`"failovers":[{"killed_at":"0001-01-01T00:00:00Z","from":"alpha","to":"bravo","gap_ms":614,"after_kill_ms":549}]}`
	if string(text) != want {
		t.Errorf("the audit is\n%s\nwant\n%s", text, want)
	}
}
