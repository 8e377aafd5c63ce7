package hosts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limit is how long one host is waited for.
const limit = 1500 * time.Millisecond

// TestASilentHostKeepsNobodyWaiting goes through what hosts can do, by a clock of
// its own. What is answered too late is given up.
func TestASilentHostKeepsNobodyWaiting(t *testing.T) {
	const silent, refuses, gives, late = 's', 'r', 'g', 'l'
	for _, c := range []struct {
		hosts string
		last  int
		got   int // -1 = none
		took  time.Duration
		asked []int
	}{
		{"g", 0, 0, 0, []int{0}},
		{"rg", 0, 1, 0, []int{0, 1}},
		{"sg", 0, 1, HeadStart, []int{0, 1}},
		{"sg", 1, 1, 0, []int{1}},
		{"gs", 1, 0, HeadStart, []int{1, 0}},
		{"sssg", 0, 3, 3 * HeadStart, []int{0, 1, 2, 3}},
		{"srg", 0, 2, HeadStart, []int{0, 1, 2}},
		{"ls", 0, 0, 2 * HeadStart, []int{0, 1}},
		{"ll", 0, 0, 2 * HeadStart, []int{0, 1}},
		{"rrr", 1, -1, 0, []int{1, 2, 0}},
		{"rs", 0, -1, limit, []int{0, 1}},
		{"ss", 0, -1, limit + HeadStart, []int{0, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var last atomic.Int32
			last.Store(int32(c.last))
			var asked, discarded []int
			connect := func(ctx context.Context, at int) (int, error) {
				asked = append(asked, at)
				var wait time.Duration
				switch c.hosts[at] {
				case refuses:
					return 0, errors.New("refused")
				case gives:
					return at, nil
				case silent:
					wait = limit
				case late:
					wait = 2 * HeadStart
				}
				select {
				case <-time.After(wait):
				case <-ctx.Done():
					if c.hosts[at] == late { // it was connected to just as another one was
						return at, nil
					}
					return 0, context.Cause(ctx)
				}
				if c.hosts[at] == silent {
					return 0, errors.New("silent")
				}
				return at, nil
			}
			began := time.Now()
			got, err := First(t.Context(), len(c.hosts), &last, connect, func(at int) { discarded = append(discarded, at) })
			took := time.Since(began)
			synctest.Wait()
			if c.got < 0 && err == nil || c.got >= 0 && (err != nil || got != c.got) || took != c.took || !slices.Equal(asked, c.asked) {
				t.Errorf("%s from %d: host %d, %v, after %v, asked %v; want host %d after %v, asked %v",
					c.hosts, c.last, got, err, took, asked, c.got, c.took, c.asked)
			}
			if c.got >= 0 && int(last.Load()) != c.got {
				t.Errorf("%s from %d: it would begin with %d next", c.hosts, c.last, last.Load())
			}
			if late := strings.Count(c.hosts, "l"); late == 2 && !slices.Equal(discarded, []int{1}) {
				t.Errorf("%s: discarded %v", c.hosts, discarded)
			}
		})
	}
}

// TestHostsEndWithTheirCaller: nobody is asked for longer than the caller waits.
func TestHostsEndWithTheirCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), HeadStart+HeadStart/2)
		defer cancel()
		began := time.Now()
		_, err := First(ctx, 4, new(atomic.Int32), func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, func(int) {})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != HeadStart+HeadStart/2 {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
