package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// trace is what happened in a schedule, for people, and its hash, for the test
// that one seed is one schedule.
type trace struct {
	start time.Time
	keep  bool

	mu    sync.Mutex
	lines []string
	sum   uint64
}

func (t *trace) add(p *Process, what, kind, about, err string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Since(t.start)
	// A sum does not depend on the order within an instant.
	h := mix(uint64(at), hashText(p.boot))
	t.sum += mix(mix(h, hashText(what+kind)), hashText(about))
	if t.keep {
		t.lines = append(t.lines, fmt.Sprintf("%12.6f %-6s %s %s %s %s", at.Seconds(), p.boot, what, kind, about, err))
	}
}

func (t *trace) note(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keep {
		t.lines = append(t.lines, fmt.Sprintf("%12.6f ------ %s", time.Since(t.start).Seconds(), text))
	}
}

func (t *trace) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

func (t *trace) hash() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}
