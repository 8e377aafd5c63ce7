package guard

import (
	"fmt"
	"sync"
	"time"
)

// damper keeps whoever is refused again and again from filling the audit: of one
// address and name the first refusals of a minute are listed, then every time
// their number has doubled.
type damper struct {
	mu    sync.Mutex
	until time.Time
	seen  map[string]int
}

const (
	dampTime = time.Minute
	dampFrom = 20
)

// pass reports whether a refusal is listed, and what its detail should say.
func (d *damper) pass(key, detail string) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.After(d.until) {
		d.until, d.seen = now.Add(dampTime), map[string]int{}
	}
	d.seen[key]++
	n := d.seen[key]
	if n <= dampFrom {
		return detail, true
	}
	for listed := 2 * dampFrom; listed <= n; listed *= 2 {
		if n == listed {
			return fmt.Sprintf("%s (refusal %d of this minute; not each is listed)", detail, n), true
		}
	}
	return "", false
}
