//go:build !linux

package ha

import "time"

// SystemClock returns this machine's clock: the monotonic clock and the wall
// clock. Where the monotonic clock stands still in a suspend, the wall clock,
// being the larger of the two, accounts for it.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

var started = time.Now()

func (systemClock) Now() Instant {
	now := time.Now()
	return Instant{Boot: now.Sub(started), Wall: now.Round(0)}
}
