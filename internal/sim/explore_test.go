package sim

import (
	"strings"
	"testing"
	"time"
)

// The small configurations that are explored completely.
var (
	oneRevision = Explorer{
		Servers: 2, Window: 2, Settle: 2, Late: 1, Terms: 2, Claims: 4, Crashes: 1, Losses: 1, Revisions: 1,
	}
	twoRevisions = Explorer{
		Servers: 2, Window: 1, Settle: 2, Late: 1, Terms: 2, Claims: 4, Crashes: 1, Losses: 1, Revisions: 2,
	}
	lostCommits = Explorer{
		Servers: 2, Window: 1, Settle: 2, Late: 1, Terms: 2, Claims: 3, Crashes: 0, Losses: 0, Revisions: 1, FailOver: true,
	}
)

func TestExplore(t *testing.T) {
	for name, e := range map[string]Explorer{"one revision": oneRevision, "two revisions": twoRevisions, "lost commits": lostCommits} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			e.First = true
			f := e.Run()
			t.Logf("%v in %v", f, time.Since(began).Round(time.Millisecond))
			if len(f.Violations) == 0 && (!f.Complete || f.States < 10_000) {
				t.Errorf("the exploration is not complete, or looked at next to nothing")
			}
			for v, path := range f.Shortest {
				t.Errorf("%s:\n  %s", v, strings.Join(path, "\n  "))
			}
		})
	}
}

// TestExploreTeeth takes each safeguard away that lives in statements or in the
// arrangement of steps, and expects a violation.
func TestExploreTeeth(t *testing.T) {
	calm := Explorer{Servers: 2, Window: 1, Settle: 3, Late: 2, Terms: 3, Claims: 4, Revisions: 1}
	for broken, e := range map[Broken]Explorer{
		NoFence: oneRevision, NoRowCheck: oneRevision, SendUnsure: oneRevision, LateWindow: oneRevision, NoDeadline: oneRevision,
		NoTermWait: oneRevision, NoSweep: calm, NoDoubt: lostCommits, SharedEpoch: oneRevision, NewestPayload: twoRevisions,
		ForeignNews: calm, ShortSettle: calm,
	} {
		t.Run(string(broken), func(t *testing.T) {
			e.Broken, e.First, e.Limit = broken, true, 4_000_000
			f := e.Run()
			t.Logf("%v", f)
			if len(f.Violations) == 0 {
				t.Error("nothing was violated")
			}
			for v, path := range f.Shortest {
				t.Logf("%s after %d steps:\n  %s", v, len(path), strings.Join(path, "\n  "))
			}
		})
	}
}
