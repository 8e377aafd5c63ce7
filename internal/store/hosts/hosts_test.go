package hosts

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limit is how long one host is waited for.
const limit = 1500 * time.Millisecond

// What a host does when it is asked.
const (
	silent  = 's' // nothing, until its time is up
	refuses = 'r'
	gives   = 'g'
	late    = 'l' // gives after two head starts, or just as it is given up
)

// played are hosts that do as told, and remember what was done with them.
type played struct {
	hosts string

	mu               sync.Mutex
	asked, discarded []int
}

func (p *played) connect(ctx context.Context, at int) (int, error) {
	p.mu.Lock()
	p.asked = append(p.asked, at)
	p.mu.Unlock()
	does := p.hosts[at]
	wait := map[byte]time.Duration{silent: limit, late: 2 * HeadStart}[does]
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	switch {
	case does == refuses:
		return 0, errors.New("refused")
	case does == silent:
		return 0, errors.New("silent")
	}
	return at, nil
}

func (p *played) discard(at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discarded = append(p.discarded, at)
}

// TestASilentHostKeepsNobodyWaiting goes through what hosts can do, by a clock of
// its own. What is answered too late is given up.
func TestASilentHostKeepsNobodyWaiting(t *testing.T) {
	for _, c := range []struct {
		hosts     string
		last      int
		got       int // -1 = none
		took      time.Duration
		asked     []int
		discarded []int
	}{
		{"g", 0, 0, 0, []int{0}, nil},
		{"rg", 0, 1, 0, []int{0, 1}, nil},
		{"sg", 0, 1, HeadStart, []int{0, 1}, nil},
		{"sg", 1, 1, 0, []int{1}, nil},
		{"gs", 1, 0, HeadStart, []int{1, 0}, nil},
		{"sssg", 0, 3, 3 * HeadStart, []int{0, 1, 2, 3}, nil},
		{"srg", 0, 2, HeadStart, []int{0, 1, 2}, nil},
		{"ls", 0, 0, 2 * HeadStart, []int{0, 1}, nil},
		{"ll", 0, 0, 2 * HeadStart, []int{0, 1}, []int{1}},
		{"rrr", 1, -1, 0, []int{1, 2, 0}, nil},
		{"rs", 0, -1, limit, []int{0, 1}, nil},
		{"ss", 0, -1, limit + HeadStart, []int{0, 1}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			var last atomic.Int32
			last.Store(int32(c.last))
			p := &played{hosts: c.hosts}
			began := time.Now()
			got, err := First(t.Context(), len(c.hosts), &last, p.connect, p.discard)
			took := time.Since(began)
			synctest.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if (err != nil) != (c.got < 0) || err == nil && (got != c.got || int(last.Load()) != c.got) {
				t.Errorf("%s from %d: host %d, next from %d, %v; want %d", c.hosts, c.last, got, last.Load(), err, c.got)
			}
			if took != c.took || !slices.Equal(p.asked, c.asked) || !slices.Equal(p.discarded, c.discarded) {
				t.Errorf("%s from %d: after %v, asked %v, discarded %v; want %v, %v, %v",
					c.hosts, c.last, took, p.asked, p.discarded, c.took, c.asked, c.discarded)
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
