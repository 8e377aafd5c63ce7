package sim

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	schedules = flag.Int("sim.schedules", 200, "how many schedules to run")
	firstSeed = flag.Uint64("sim.first", 1, "the first schedule's seed")
	oneSeed   = flag.Uint64("sim.seed", 0, "run this seed alone")
	stopAfter = flag.Int64("sim.stop", 5, "stop after so many schedules with findings")
	repeat    = flag.Int("sim.repeat", 20, "run that one seed so often, until there is a finding")
	traced    = flag.Bool("sim.trace", false, "print what happens in it")
)

// TestSchedules runs seeded schedules, as many as -sim.schedules says.
func TestSchedules(t *testing.T) {
	if *oneSeed != 0 {
		res := runSeed(t, *oneSeed, *traced)
		for i := 1; i < *repeat && len(res.Findings) == 0; i++ {
			res = runSeed(t, *oneSeed, *traced)
		}
		report(t, res)
		return
	}
	var next, failed atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{}
	began := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for failed.Load() < *stopAfter {
					n := next.Add(1) - 1
					if n >= int64(*schedules) {
						return
					}
					res := runSeed(t, *firstSeed+uint64(n), false)
					mu.Lock()
					for what, n := range res.Seen {
						seen[what] += n
					}
					mu.Unlock()
					if len(res.Findings) > 0 && failed.Add(1) == 1 {
						t.Logf("the first finding came after %d schedules", n+1)
					}
					report(t, res)
				}
			})
		}
	})
	t.Logf("%d schedules in %v", *schedules, time.Since(began).Round(time.Millisecond))
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%8d  %s", seen[what], what)
	}
}

// runSeed runs one schedule in a bubble of its own.
func runSeed(t *testing.T, seed uint64, keep bool) (res Result) {
	t.Helper()
	synctest.Test(t, func(*testing.T) { res = Schedule(seed, keep) })
	return res
}

func report(t *testing.T, res Result) {
	t.Helper()
	if res.Trace != "" {
		t.Logf("%v\n%s", res, res.Trace)
	}
	if len(res.Findings) > 0 {
		t.Errorf("%v:\n  %s\nreplay: go test ./internal/sim -run TestSchedules -v -sim.trace -sim.seed=%d",
			res, strings.Join(res.Findings, "\n  "), res.Seed)
	}
}
