package forward_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// TestWhatTheDatabaseLostIsLookedForAtOnce: the first Active in another history of
// the database compares both sides as its term begins, and no other term does.
func TestWhatTheDatabaseLostIsLookedForAtOnce(t *testing.T) {
	for _, c := range []struct {
		reason ha.Reason
		taken  []string // from the source's list, within a moment
		told   int      // of open tickets that no alert is known of
	}{
		{ha.ReasonIdentity, []string{"cpu", "disk"}, 1},
		{ha.ReasonPresence, nil, 0},
	} {
		t.Run(string(c.reason), func(t *testing.T) {
			compared := func(w *world) {
				w.reason = c.reason
				w.setup.Sources[0].Lister, w.setup.Sources[0].Compare = w.source, time.Hour
			}
			bubble(t, compared, func(t *testing.T, w *world) {
				w.raise(nil, "cpu") // it is known, but not what it was told last
				w.source.Show("run 1", "cpu", "disk", "muted")
				w.source.Mute("muted")
				lost := w.remote.Make(alert.NewKey(w.group, desk, alert.NewID()))
				w.remote.Make(alert.NewKey(uuid.New(), desk, alert.NewID())) // another group's
				taking := &taking{}
				var log bytes.Buffer
				w.activateWith("a", func(f *forward.Config) {
					f.Accept = taking.accept
					f.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
				})
				after(time.Second)
				if got := taking.keys(); !slices.Equal(got, c.taken) {
					t.Errorf("taken in %v, want %v", got, c.taken)
				}
				after(30 * time.Minute)
				if got := taking.keys(); !slices.Equal(got, c.taken) {
					t.Errorf("taken in again: %v", got)
				}
				var line struct {
					Count   int
					Tickets []string
				}
				if err := json.Unmarshal(log.Bytes(), &line); err != nil && log.Len() > 0 {
					t.Fatalf("not one line: %v: %s", err, &log)
				}
				if line.Count != c.told || c.told > 0 && !slices.Equal(line.Tickets, []string{lost}) {
					t.Errorf("the log says %s", &log)
				}
			})
		})
	}
}

// TestASourceThatIsAwayIsAskedAgainForWhatTheDatabaseLost: soon, until it answers.
func TestASourceThatIsAwayIsAskedAgainForWhatTheDatabaseLost(t *testing.T) {
	compared := func(w *world) {
		w.reason = ha.ReasonIdentity
		w.setup.Sources[0].Lister, w.setup.Sources[0].Compare = w.source, time.Hour
	}
	bubble(t, compared, func(t *testing.T, w *world) {
		w.source.Show("run 1", "disk")
		taking := &taking{refuse: errSource}
		w.activateWith("a", func(f *forward.Config) { f.Accept = taking.accept })
		after(time.Minute)
		taking.relent()
		after(6 * time.Second)
		if got := slices.Compact(taking.keys()); !slices.Equal(got, []string{"disk"}) {
			t.Errorf("taken in %v", got)
		}
	})
}

// TestATermThatEndsTooSoonLeavesTheComparisonToTheNext: whatever that one begins
// for; and the one after it has nothing to compare at once.
func TestATermThatEndsTooSoonLeavesTheComparisonToTheNext(t *testing.T) {
	compared := func(w *world) {
		w.setup.Sources[0].Lister, w.setup.Sources[0].Compare = w.source, time.Hour
	}
	bubble(t, compared, func(t *testing.T, w *world) {
		w.source.Show("run 1", "disk")
		lost := alert.NewKey(w.group, desk, alert.NewID())
		taking := &taking{}
		term := func(name, history string, reason ha.Reason, taken, listed int, what string) {
			t.Helper()
			before, lists := len(taking.keys()), len(w.remote.Calls("list"))
			w.history, w.reason = history, reason
			s := w.activateWith(name, func(f *forward.Config) { f.Accept = taking.accept })
			after(2 * time.Second)
			if got := len(taking.keys()) - before; got != taken {
				t.Errorf("%s: %d alerts taken in, want %d", what, got, taken)
			}
			if got := len(w.remote.Calls("list")) - lists; (got > 0) != (listed > 0) {
				t.Errorf("%s: the remote was listed %d times", what, got)
			}
			_ = s.lose()
		}
		w.remote.Make(lost)
		term("a", "first", ha.ReasonFirst, 0, 0, "the first term of all")
		taking.refuse = errSource
		term("b", "second", ha.ReasonIdentity, 0, 1, "the first in another history, while nothing can be taken in")
		taking.relent()
		term("a", "second", ha.ReasonPresence, 1, 1, "the next one")
		term("b", "second", ha.ReasonPresence, 0, 0, "and the next")
	})
}

// taking is intake, as a comparison gives alerts to it.
type taking struct {
	mu     sync.Mutex
	taken  []string
	refuse error
}

func (g *taking) accept(_ context.Context, found []alert.Observation) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refuse != nil {
		return g.refuse
	}
	for _, o := range found {
		g.taken = append(g.taken, o.Key)
	}
	return nil
}

func (g *taking) relent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = nil
}

func (g *taking) keys() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.taken)
}
