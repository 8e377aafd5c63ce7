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
			f := e.Run()
			t.Logf("%v in %v", f, time.Since(began).Round(time.Millisecond))
			if !f.Complete || f.States < 10_000 {
				t.Errorf("the exploration is not complete, or looked at next to nothing")
			}
			for v, path := range f.Shortest {
				t.Errorf("%s:\n  %s", v, strings.Join(path, "\n  "))
			}
		})
	}
}

// TestExploreTeeth takes each safeguard away that lives in statements or in the
// arrangement of steps, and expects the violation it prevents.
func TestExploreTeeth(t *testing.T) {
	for _, c := range []struct {
		broken Broken
		with   func(e Explorer) Explorer
	}{
		{NoFence, nil}, {NoRowCheck, nil}, {SendUnsure, nil}, {LateWindow, nil}, {NoDeadline, nil}, {NoTermWait, nil}, {NoSweep, nil},
		{NoDoubt, nil}, {SharedEpoch, nil}, {NewestPayload, nil}, {ForeignNews, nil}, {EpochRecord, nil}, {ShortSettle, nil},
	} {
		t.Run(string(c.broken), func(t *testing.T) {
			for _, e := range []Explorer{oneRevision, twoRevisions, lostCommits} {
				e.Broken = c.broken
				f := e.Run()
				t.Logf("%v", f)
				for _, p := range f.Shortest {
					t.Logf("%s", strings.Join(p, "\n"))
				}
			}
		})
	}
}
