package retention

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/forward"
	"tieline/internal/ha"
)

// table is a document: kept so long, with tickets in state "open" gone on with
// for ever and in state "resolved" for two days.
type table time.Duration

func (p table) Keep() time.Duration { return time.Duration(p) }

func (p table) UsesEarlier(state string, ago time.Duration) bool {
	return state == "open" || state == "resolved" && ago <= 48*time.Hour
}

func settled(state string) alert.Link {
	l := alert.NewLink(alert.LinkID{Connector: "c", Side: alert.Remote}, 1)
	l.Stage, l.Ticket, l.Heard, l.Delivered = alert.Settled, "T-1", state, 1
	return l
}

func TestDecide(t *testing.T) {
	awaited := alert.NewID()
	long := 1000 * time.Hour
	due, skipped, source := settled("resolved"), settled("open"), settled("open")
	due.Wanted, skipped.Skipped, source.Side = 2, "handed on", alert.Source
	told := settled("")
	told.Told = "open"
	for name, c := range map[string]struct {
		old    Old
		forget bool
		note   bool
	}{
		"earlier":                       {Old{ClosedFor: long, Links: []alert.Link{settled("open")}}, true, false},
		"due":                           {Old{ClosedFor: long, Links: []alert.Link{due}}, false, false},
		"a link changed lately":         {Old{ClosedFor: long, Recent: true, Links: []alert.Link{settled("resolved")}}, false, false},
		"nobody's":                      {Old{ClosedFor: long}, true, false},
		"others'":                       {Old{ClosedFor: long, Others: true}, false, false},
		"awaited":                       {Old{ID: awaited, ClosedFor: long, Links: []alert.Link{settled("resolved")}}, false, false},
		"latest, at first sight":        {Old{Latest: true, Unrepeated: -1, ClosedFor: long, Links: []alert.Link{settled("resolved")}}, false, true},
		"latest, not quiet for long":    {Old{Latest: true, Unrepeated: Quiet - 1, ClosedFor: long}, false, false},
		"latest, quiet":                 {Old{Latest: true, Unrepeated: Quiet, ClosedFor: long, Links: []alert.Link{settled("resolved")}}, true, false},
		"latest, its ticket open":       {Old{Latest: true, Unrepeated: Quiet, ClosedFor: long, Links: []alert.Link{settled("open")}}, false, false},
		"latest, told to be open":       {Old{Latest: true, Unrepeated: Quiet, ClosedFor: long, Links: []alert.Link{told}}, false, false},
		"latest, within the time":       {Old{Latest: true, Unrepeated: Quiet, ClosedFor: 47 * time.Hour, Links: []alert.Link{settled("resolved")}}, false, false},
		"latest, its ticket handed on":  {Old{Latest: true, Unrepeated: Quiet, ClosedFor: long, Links: []alert.Link{skipped}}, true, false},
		"latest, with a source's side":  {Old{Latest: true, Unrepeated: Quiet, ClosedFor: long, Links: []alert.Link{settled("resolved"), source}}, true, false},
		"latest, no connector's":        {Old{Latest: true, Unrepeated: Quiet, ClosedFor: long}, true, false},
		"latest, noted but kept by due": {Old{Latest: true, Unrepeated: -1, ClosedFor: long, Links: []alert.Link{due}}, false, false},
	} {
		v := decide([]Old{c.old}, map[alert.ID]bool{awaited: true}, table(time.Hour))
		if len(v.forget) == 1 != c.forget || len(v.note) == 1 != c.note {
			t.Errorf("%s: forgets %d, notes %d", name, len(v.forget), len(v.note))
		}
	}
}

// memory is a Store that holds alerts nothing needs, and tells when it is asked.
type memory struct {
	alerts    int
	entries   int // old ones of the audit
	backlog   bool
	deposed   bool
	took      time.Duration // of a transaction
	forgotten []time.Time   // when each transaction began
	runs      int
}

func (m *memory) Backlogged(context.Context, string, int) (bool, error) {
	m.runs++
	return m.backlog, nil
}

func (m *memory) OldAlerts(_ context.Context, _ string, _ time.Duration, _ Place, limit int) ([]Old, Place, bool, error) {
	n := min(limit, m.alerts)
	return make([]Old, n), Place{ID: uuid.New()}, n < limit, nil
}

func (m *memory) Awaited(context.Context, string) (map[alert.ID]bool, error) { return nil, nil }

func (m *memory) NoteQuiet(context.Context, ha.Term, []Old) error { return errors.New("not asked for") }

func (m *memory) Forget(_ context.Context, _ ha.Term, _ time.Duration, old []Old) (int, error) {
	if m.deposed {
		return 0, forward.ErrDeposed
	}
	m.forgotten = append(m.forgotten, time.Now())
	time.Sleep(m.took)
	m.alerts -= len(old)
	return len(old), nil
}

func (m *memory) ForgetNews(context.Context, ha.Term, time.Duration, string, int) (string, int, error) {
	return "", 0, nil
}

func (m *memory) ForgetEvents(context.Context, ha.Term, time.Duration) (int, error) { return 0, nil }

func (m *memory) ForgetEntries(_ context.Context, keep time.Duration, limit int) (int, error) {
	n := 0
	if keep == Audit {
		n = min(m.entries, limit)
	}
	m.entries -= n
	return n, nil
}

// run runs a Keeper for a time, whose document may change.
func run(t *testing.T, m *memory, lasts time.Duration, changed <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	k := New(Config{Connector: "c", Store: m, Policy: func() (Policy, <-chan struct{}) { return table(time.Hour), changed }})
	k.Run(ctx, ha.Term{Connector: "c"})
}

func TestRunLeavesTheDatabaseMostOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{alerts: 1234, took: 100 * time.Millisecond}
		run(t, m, 2*time.Hour, nil)
		if m.alerts != 0 || len(m.forgotten) != 13 {
			t.Fatalf("%d alerts are left after %d transactions", m.alerts, len(m.forgotten))
		}
		for i := range m.forgotten[1:] {
			if apart := m.forgotten[i+1].Sub(m.forgotten[i]); apart < 5*m.took {
				t.Errorf("two transactions of %v began %v apart", m.took, apart)
			}
		}
	})
}

func TestRunAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		run(t, m, 24*time.Hour, nil)
		if m.runs != 4 {
			t.Errorf("%d runs in a day, not 4", m.runs)
		}
	})
}

func TestRunWaitsForABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{alerts: 10, backlog: true}
		run(t, m, time.Hour, nil)
		if m.alerts != 10 || m.runs < 10 {
			t.Errorf("beside a backlog %d alerts are left after %d looks", m.alerts, m.runs)
		}
	})
}

// TestAuditIsPruned: whatever the document says, or where it cannot be read.
func TestAuditIsPruned(t *testing.T) {
	for name, policy := range map[string]Policy{"kept for ever": table(0), "no document": nil, "kept for an hour": table(time.Hour)} {
		synctest.Test(t, func(t *testing.T) {
			m := &memory{entries: 2*page + 1}
			k := New(Config{Connector: "c", Store: m, Policy: func() (Policy, <-chan struct{}) { return policy, nil }})
			removed, err := k.Once(t.Context(), ha.Term{Connector: "c"})
			if err != nil || m.entries != 0 || removed.Entries != 2*page+1 {
				t.Errorf("%s: removed %d, %d are left: %v", name, removed.Entries, m.entries, err)
			}
		})
	}
}

func TestRunEndsWithItsTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		run(t, &memory{alerts: 10, deposed: true}, time.Hour, nil)
		if time.Since(began) > 2*time.Minute {
			t.Error("it went on after it was deposed")
		}
	})
}

func TestRunSoonAfterTheDocumentChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		changed := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		never := make(chan struct{})
		now := changed
		k := New(Config{Connector: "c", Store: m, Policy: func() (Policy, <-chan struct{}) {
			select {
			case <-now:
				return table(time.Hour), never
			default:
				return table(time.Hour), now
			}
		}})
		time.AfterFunc(time.Hour, func() { m.alerts = 5; close(changed) })
		k.Run(ctx, ha.Term{Connector: "c"})
		if m.alerts != 0 || m.runs != 2 {
			t.Errorf("%d alerts are left after %d runs", m.alerts, m.runs)
		}
	})
}

func TestNothingIsOldWhereAllIsKept(t *testing.T) {
	m := &memory{alerts: 10}
	k := New(Config{Store: m, Policy: func() (Policy, <-chan struct{}) { return table(0), nil }})
	if r, err := k.Once(t.Context(), ha.Term{}); err != nil || r.any() || !slices.Equal(m.forgotten, nil) {
		t.Errorf("removed %+v: %v", r, err)
	}
}
