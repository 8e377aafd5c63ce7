package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// trace is what happened in a schedule, for people.
type trace struct {
	start time.Time
	keep  bool

	mu    sync.Mutex
	lines []string
	calls map[string]int    // of a process, by kind and what they concern
	fates map[string]string // of the same
}

func (t *trace) add(p *Process, what, kind, about, err string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keep {
		t.lines = append(t.lines, fmt.Sprintf("%12.6f %-6s %s %s %s %s", time.Since(t.start).Seconds(), p.boot, what, kind, about, err))
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

// fate notes what the seed has in store for a call.
func (t *trace) fate(p *Process, kind, about string, f trip) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.keep {
		return
	}
	if t.calls == nil {
		t.calls, t.fates = map[string]int{}, map[string]string{}
	}
	call := strings.Join([]string{p.boot, kind, about}, " ")
	t.calls[call]++
	f.r = nil
	t.fates[fmt.Sprint(call, " ", t.calls[call])] = fmt.Sprint(f)
}
