package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

func newGate(t *testing.T, s *fakeStore, change ...func(*Config)) *Gate {
	t.Helper()
	cfg := Config{Store: s, Router: NewRouter(), Server: "one", Flights: 1}
	for _, f := range change {
		f(&cfg)
	}
	return NewGate(cfg)
}

// TestAcceptSharesCommits: the first goes at once, those that come while it is
// in flight go together.
func TestAcceptSharesCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = 10 * time.Millisecond
		g := newGate(t, s)
		begun := time.Now()
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				accepted, err := g.Accept(t.Context(), firing(fmt.Sprint(i)))
				if err != nil || len(accepted) != 1 || accepted[0].Change != alert.Raised {
					t.Errorf("caller %d: %v, %v", i, accepted, err)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		if diff := cmp.Diff([]int{1, 99}, s.sizes()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		if took := time.Since(begun); took != 20*time.Millisecond {
			t.Errorf("took %v, want two commits", took)
		}
	})
}

func TestAcceptAnswersEachItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = time.Millisecond
		g := newGate(t, s)
		var callers sync.WaitGroup
		for i := range 20 {
			callers.Go(func() {
				key := fmt.Sprint("k", i)
				if i%5 == 4 {
					key = fmt.Sprint("bad", i)
				}
				mine := slices.Concat(firing(key), firing(fmt.Sprint("x", i)))
				accepted, err := g.Accept(t.Context(), mine)
				if err != nil || len(accepted) != 2 {
					t.Errorf("caller %d: %v, %v", i, accepted, err)
					return
				}
				if refused := accepted[0].Err != nil; refused != (i%5 == 4) || accepted[1].Err != nil {
					t.Errorf("caller %d: refused %v and %v", i, accepted[0].Err, accepted[1].Err)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if want := s.latest[subject{"s", fmt.Sprint("x", i)}].ID; accepted[1].ID != want {
					t.Errorf("caller %d got the id of another alert", i)
				}
			})
		}
		callers.Wait()
	})
}

func TestAcceptBoundsTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = time.Millisecond
		g := newGate(t, s, func(c *Config) { c.Batch = 10 })
		var callers sync.WaitGroup
		send := func(n int) {
			var all []alert.Observation
			for i := range n {
				all = append(all, firing(fmt.Sprint(n, "-", i))...)
			}
			callers.Go(func() {
				if _, err := g.Accept(t.Context(), all); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for _, n := range []int{1, 6, 4, 3, 25, 2} {
			send(n)
		}
		callers.Wait()
		if diff := cmp.Diff([]int{1, 10, 3, 25, 2}, s.sizes()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

// TestAcceptKeepsTheOrder: open, close, open of one problem from three callers
// end open, whatever number of commits may be in flight.
func TestAcceptKeepsTheOrder(t *testing.T) {
	for _, flights := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(flights), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { keepsTheOrder(t, flights) })
		})
	}
}

func keepsTheOrder(t *testing.T, flights int) {
	s := newFakeStore()
	s.took = time.Millisecond
	g := newGate(t, s, func(c *Config) { c.Flights = flights })
	var callers sync.WaitGroup
	var mu sync.Mutex
	changes := make(map[int]alert.Change)
	for i := range 31 {
		observations := firing("k")
		if i%2 == 1 {
			observations = resolved("k")
		}
		callers.Go(func() {
			accepted, err := g.Accept(t.Context(), slices.Concat(firing(fmt.Sprint("other", i)), observations))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			changes[i] = accepted[1].Change
		})
		synctest.Wait()
	}
	callers.Wait()
	for i := range 31 {
		want := alert.Raised
		if i%2 == 1 {
			want = alert.Ended
		}
		if changes[i] != want {
			t.Errorf("observation %d was %s, want %s", i, changes[i], want)
		}
	}
}

func TestAcceptUsesSeveralFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = time.Millisecond
		g := newGate(t, s, func(c *Config) { c.Flights = 2 })
		var callers sync.WaitGroup
		for i := range 10 {
			callers.Go(func() { _, _ = g.Accept(t.Context(), firing(fmt.Sprint(i))) })
			synctest.Wait()
		}
		callers.Wait()
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if s.most != 2 {
			t.Errorf("%d commits at a time, want 2", s.most)
		}
		if len(g.aloft) != 0 {
			t.Errorf("%d problems are held up for nothing", len(g.aloft))
		}
	})
}

// TestAcceptKeepsItsDeadline: the database hangs; every caller is told in time,
// and what had not set off is taken back.
func TestAcceptKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.hold = make(chan struct{})
		g := newGate(t, s)
		begun := time.Now()
		var callers sync.WaitGroup
		for i := range 3 {
			callers.Go(func() {
				_, err := g.Accept(t.Context(), firing(fmt.Sprint(i)))
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != fault.Unavailable || f.After <= 0 {
					t.Errorf("err = %v, want Unavailable with a time to try again", err)
				}
				if took := time.Since(begun); took != DefaultDeadline {
					t.Errorf("answered after %v", took)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		close(s.hold)
		synctest.Wait()
		if diff := cmp.Diff([]int{1}, s.sizes()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		if _, err := g.Accept(t.Context(), firing("later")); err != nil {
			t.Errorf("the gate does not recover: %v", err)
		}
	})
}

// TestAGivenUpCallerDisturbsNobody: its observations are aboard with others'.
func TestAGivenUpCallerDisturbsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = 10 * time.Millisecond
		g := newGate(t, s)
		left, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		call := func(ctx context.Context, key string, want bool) {
			callers.Go(func() {
				if _, err := g.Accept(ctx, firing(key)); (err == nil) != want {
					t.Errorf("caller %s: %v", key, err)
				}
			})
			synctest.Wait()
		}
		call(t.Context(), "first", true)
		call(left, "leaves aboard", false)
		call(t.Context(), "stays", true)
		time.Sleep(11 * time.Millisecond) // the second commit is in flight
		leave()
		callers.Wait()
		if diff := cmp.Diff([]int{1, 2}, s.sizes()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
	})
}

func TestAcceptReportsTheStoresFailure(t *testing.T) {
	s := newFakeStore()
	s.err = errors.New("relation \"secret_table\" does not exist")
	g := newGate(t, s)
	_, err := g.Accept(t.Context(), firing("k"))
	if fault.KindOf(err) != fault.Unavailable || fault.Message(err) != "the alerts could not be stored" {
		t.Errorf("err = %v: %s", err, fault.Message(err))
	}
	s.err = fault.New(fault.Unavailable, "the database at db:5432 does not answer")
	_, err = g.Accept(t.Context(), firing("k"))
	if fault.Message(err) != "the alerts could not be stored: the database at db:5432 does not answer" {
		t.Errorf("message = %s", fault.Message(err))
	}
	s.err = nil
	if _, err := g.Accept(t.Context(), firing("k")); err != nil {
		t.Errorf("the gate does not recover: %v", err)
	}
}

func TestAcceptRefusesWhenTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = time.Millisecond
		g := newGate(t, s, func(c *Config) { c.Waiting = 2 })
		var callers sync.WaitGroup
		for i := range 3 {
			callers.Go(func() {
				if _, err := g.Accept(t.Context(), firing(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if _, err := g.Accept(t.Context(), firing("too many")); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("err = %v, want Unavailable", err)
		}
		callers.Wait()
	})
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.took = 10 * time.Millisecond
		g := newGate(t, s)
		var callers sync.WaitGroup
		for i := range 5 {
			callers.Go(func() {
				if _, err := g.Accept(t.Context(), firing(fmt.Sprint(i))); err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		callers.Wait()
		if _, err := g.Accept(t.Context(), firing("late")); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("err = %v, want Unavailable", err)
		}
		s.hold = make(chan struct{})
		stuck := newGate(t, s)
		callers.Go(func() { _, _ = stuck.Accept(t.Context(), firing("stuck")) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := stuck.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close of a stuck gate = %v", err)
		}
		callers.Wait()
		close(s.hold)
		synctest.Wait()
	})
}

// TestWakeNamesTheConnectorsWithWork: only those that subscribe, and only when
// something is new.
func TestWakeNamesTheConnectorsWithWork(t *testing.T) {
	s := newFakeStore()
	var woken [][]string
	g := newGate(t, s, func(c *Config) { c.Wake = func(names []string) { woken = append(woken, names) } })
	const sources = "sources: [{name: s, kind: generic}]\n"
	g.cfg.Router.Swap(table(t, 7,
		document(t, "b", sources), document(t, "a", sources+`subscription: severity == "critical"`), document(t, "c", sources+`subscription: severity == "info"`)))
	for range 2 {
		if _, err := g.Accept(t.Context(), firing("k")); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([][]string{{"a", "b"}}, woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
	if got := s.batches[0]; got.Generation != 7 || got.Server != "one" {
		t.Errorf("batch of server %q, generation %d", got.Server, got.Generation)
	}
}
