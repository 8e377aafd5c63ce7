package postgres

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestHostsAreTakenApart: each host of a URL once, with all that it is tried with.
func TestHostsAreTakenApart(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u@a:1/db?sslmode=disable":                "a:1+0",
		"postgres://u@a:1,b:2/db?sslmode=prefer":             "a:1+1 b:2+1", // with TLS, then without
		"postgres://u@a,a:2,b/db?sslmode=require":            "a:5432+0 a:2+0 b:5432+0",
		"postgres://u@/db?host=::1,::2&port=1,2":             "::1:1+1 ::2:2+1",
		"postgres://u@/db?host=/run/a,b&port=1&sslmode=none": "",
	} {
		c, err := pgx.ParseConfig(url)
		if want == "" {
			if err == nil {
				t.Errorf("%s is taken", url)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range hostsOf(c).each {
			got = append(got, one.Host+":"+strconv.Itoa(int(one.Port))+"+"+strconv.Itoa(len(one.Fallbacks)))
			if one.User != "u" || one.Database != "db" {
				t.Errorf("%s: %+v", url, one)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", url, s, want)
		}
	}
}

// TestOfSeveralHostsTheOneThatTakesWrites: unless the URL says otherwise.
func TestOfSeveralHostsTheOneThatTakesWrites(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres://u@a/db":   false,
		"postgres://u@a,b/db": true,
		"postgres://u@a,b/db?target_session_attrs=primary":   true,
		"postgres://u@a/db?target_session_attrs=read-write":  true,
		"postgres://u@a:1,a:2/db?target_session_attrs=any":   true, // no other is of use
		"postgres://u@a/db?sslmode=prefer&connect_timeout=1": false,
	} {
		c, err := Config(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ValidateConnect != nil; got != want {
			t.Errorf("%s: looked at %v, want %v", url, got, want)
		}
	}
}

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
		{"sg", 0, 1, headStart, []int{0, 1}},
		{"sg", 1, 1, 0, []int{1}},
		{"gs", 1, 0, headStart, []int{1, 0}},
		{"sssg", 0, 3, 3 * headStart, []int{0, 1, 2, 3}},
		{"srg", 0, 2, headStart, []int{0, 1, 2}},
		{"ls", 0, 0, 2 * headStart, []int{0, 1}},
		{"ll", 0, 0, 2 * headStart, []int{0, 1}},
		{"rrr", 1, -1, 0, []int{1, 2, 0}},
		{"rs", 0, -1, dialTimeout, []int{0, 1}},
		{"ss", 0, -1, dialTimeout + headStart, []int{0, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := hosts{each: make([]*pgx.ConnConfig, len(c.hosts)), last: new(atomic.Int32)}
			h.last.Store(int32(c.last))
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
					wait = dialTimeout
				case late:
					wait = 2 * headStart
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
			got, err := first(t.Context(), h, connect, func(at int) { discarded = append(discarded, at) })
			took := time.Since(began)
			synctest.Wait()
			if c.got < 0 && err == nil || c.got >= 0 && (err != nil || got != c.got) || took != c.took || !slices.Equal(asked, c.asked) {
				t.Errorf("%s from %d: host %d, %v, after %v, asked %v; want host %d after %v, asked %v",
					c.hosts, c.last, got, err, took, asked, c.got, c.took, c.asked)
			}
			if c.got >= 0 && int(h.last.Load()) != c.got {
				t.Errorf("%s from %d: it would begin with %d next", c.hosts, c.last, h.last.Load())
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
		ctx, cancel := context.WithTimeout(t.Context(), headStart+headStart/2)
		defer cancel()
		h := hosts{each: make([]*pgx.ConnConfig, 4), last: new(atomic.Int32)}
		began := time.Now()
		_, err := first(ctx, h, func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, func(int) {})
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != headStart+headStart/2 {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
