package sqlite

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestGatePausesHalfATransaction(t *testing.T) {
	for _, c := range []struct{ length, pause time.Duration }{
		{0, 0}, {10 * time.Millisecond, 5 * time.Millisecond}, {time.Minute, maxPause},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			done, err := g.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(c.length)
			done()
			ended := time.Now()
			done, err = g.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer done()
			if pause := time.Since(ended); pause != c.pause {
				t.Errorf("after %v it paused %v, not %v", c.length, pause, c.pause)
			}
		})
	}
}

func TestGateLetsOneInAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		inside, most := 0, 0
		for range 5 {
			go func() {
				done, err := g.enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				inside++ // the gate is what keeps this from being a race
				most = max(most, inside)
				time.Sleep(time.Millisecond)
				inside--
				done()
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if most != 1 || inside != 0 {
			t.Errorf("%d were inside at once, %d still are", most, inside)
		}
	})
}

func TestGateGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		done, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another is inside: %v", err)
		}
		done()
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := g.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("during the pause: %v", err)
		}
		if done, err = g.enter(t.Context()); err != nil {
			t.Fatalf("the turn was lost: %v", err)
		}
		done()
	})
}
