package forward

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/ha"
)

func TestTheBatchIsWhatCanBeStartedInTime(t *testing.T) {
	tests := []struct {
		name      string
		each      time.Duration
		senders   int
		startable time.Duration
		want      int
	}{
		{"an instant remote", time.Microsecond, 8, 20 * time.Second, 1000},
		{"a quick remote", 10 * time.Millisecond, 8, 20 * time.Second, 400},
		{"a slow remote", 5 * time.Second, 8, 20 * time.Second, 8},
		{"a short window", 10 * time.Millisecond, 8, 100 * time.Millisecond, 40},
		{"no measurement can be zero", 0, 256, 20 * time.Second, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &pace{average: tt.each}
			if got := p.batch(tt.senders, tt.startable); got != tt.want {
				t.Errorf("batch = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestThePaceFollowsTheRemote(t *testing.T) {
	p := newPace()
	for range 100 {
		p.took(time.Second)
	}
	if p.average < 900*time.Millisecond || p.average > time.Second {
		t.Errorf("average %v after 100 links of a second", p.average)
	}
}

func TestStraysAreSeenTwiceAWindowApart(t *testing.T) {
	const window = 30 * time.Second
	stray, busy := uuid.New(), uuid.New()
	h := newHeld()
	h.begin(busy)
	var s strays
	look := func(at time.Duration) []alert.ClaimID {
		now := ha.Instant{Boot: at}
		return s.find([]alert.ClaimID{stray, busy}, h, now, func(since ha.Instant) bool { return now.Since(since) >= window })
	}
	if got := look(0); len(got) != 0 {
		t.Fatalf("stuck at first sight: %v", got)
	}
	if got := look(window - time.Second); len(got) != 0 {
		t.Fatalf("stuck within a window: %v", got)
	}
	if got := look(window); len(got) != 1 || got[0] != stray {
		t.Fatalf("stuck = %v, want the stray alone", got)
	}
	h.begin(stray)
	look(2 * window)
	h.done(stray)
	if got := look(2*window + time.Second); len(got) != 0 {
		t.Fatalf("a claim that was ours in between is stuck: %v", got)
	}
}

func TestTheBreakerOpensHalfOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []BreakerState
		b := newBreaker(func(s BreakerState) { states = append(states, s) })
		for range tripAfter - 1 {
			b.fail(0)
		}
		if n, _ := b.permits(9); n != 9 || b.state() != BreakerClosed {
			t.Fatalf("permits %d, %s", n, b.state())
		}
		b.fail(0)
		if n, again := b.permits(9); n != 0 || time.Until(again) != time.Second {
			t.Fatalf("permits %d, again in %v", n, time.Until(again))
		}
		time.Sleep(time.Second)
		if n, _ := b.permits(9); n != 1 || b.state() != BreakerHalf {
			t.Fatalf("permits %d, %s", n, b.state())
		}
		b.probe()
		if n, again := b.permits(9); n != 0 || !again.IsZero() {
			t.Fatalf("permits %d beside the probe", n)
		}
		b.fail(0)
		b.probed()
		if _, again := b.permits(9); time.Until(again) != 2*time.Second {
			t.Fatalf("opened again for %v", time.Until(again))
		}
		if b.succeed() {
			t.Fatal("an answer to an earlier call closed it")
		}
		time.Sleep(2 * time.Second)
		if !b.succeed() || b.state() != BreakerClosed {
			t.Fatalf("not closed: %s", b.state())
		}
		if len(states) != 2 {
			t.Fatalf("told %v", states)
		}
	})
}

func TestSlotsFollowTheirLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := newSlots(1), make(chan struct{})
		s.acquire(stop)
		var got bool
		done := make(chan struct{})
		go func() { got = s.acquire(stop); close(done) }()
		synctest.Wait()
		s.resize(2)
		<-done
		if !got {
			t.Fatal("a higher limit was not noticed")
		}
		go close(stop)
		if s.acquire(stop) {
			t.Fatal("acquired beyond the limit")
		}
	})
}

func TestSafeMakesTextsStorable(t *testing.T) {
	long := make([]byte, 600)
	for i := range long {
		long[i] = 'x'
	}
	for text, want := range map[string]string{
		"plain": "plain", "a\x00b": "ab", "caf\xe9": "caf?",
		string(long): string(long[:500]) + "...",
	} {
		if got := safe(text); got != want {
			t.Errorf("safe(%q) = %q, want %q", text, got, want)
		}
	}
}
