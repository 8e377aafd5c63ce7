package sqlite

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTailLosesNoWakeUp announces and reads in random turns, and never reads for
// long times, in which the file starts anew: whatever was announced before a
// read is heard by it, or covered by a word that something was missed.
func TestTailLosesNoWakeUp(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		c := NewCoordinator(filepath.Join(t.TempDir(), "tieline.db"), slog.New(slog.DiscardHandler))
		file, err := c.presences.wakes(os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		tail := tail{file: file, era: c.presences.era()}
		waiting := map[string]bool{}
		covered := 0
		for n := range 200 {
			if r.IntN(4) > 0 {
				topic := fmt.Sprintf("work/%d-%s", n, strings.Repeat("x", r.IntN(wakeLimit/6)))
				if err := c.Announce(t.Context(), []string{topic}); err != nil {
					t.Fatal(err)
				}
				waiting[topic] = true
				continue
			}
			err := tail.read(func(line string) { delete(waiting, line) }, func() { clear(waiting); covered++ })
			if err != nil {
				t.Fatal(err)
			}
			if len(waiting) > 0 {
				t.Fatalf("seed %d, step %d: %d wake-ups are lost", seed, n, len(waiting))
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		if covered == 0 {
			t.Errorf("seed %d: the file never started anew", seed)
		}
	}
}

// TestListenSaysThatItHasBegun: what was announced before is covered.
func TestListenSaysThatItHasBegun(t *testing.T) {
	c := NewCoordinator(filepath.Join(t.TempDir(), "tieline.db"), slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan string, 10), make(chan error, 1)
	if err := c.Announce(ctx, []string{"before"}); err != nil {
		t.Fatal(err)
	}
	go func() {
		ended <- c.Listen(ctx, func(topic string) { heard <- topic }, func() { heard <- "missed" })
	}()
	next := func() string {
		select {
		case topic := <-heard:
			return topic
		case <-time.After(30 * time.Second):
			t.Fatal("nothing is heard")
			return ""
		}
	}
	if got := next(); got != "missed" {
		t.Errorf("heard %q first, want to be told that something was missed", got)
	}
	if err := c.Announce(ctx, []string{"after"}); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "after" {
		t.Errorf("heard %q, want what was announced after", got)
	}
	cancel()
	<-ended
}
