package ha

import (
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock returns this machine's clock: CLOCK_BOOTTIME, which goes on while
// the machine is suspended, and the wall clock.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) Now() Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// Cannot happen on Linux 2.6.39 and later; the wall clock alone is still safe
		// against a suspend.
		return Instant{Wall: time.Now().Round(0)}
	}
	return Instant{Boot: time.Duration(ts.Nano()), Wall: time.Now().Round(0)}
}
