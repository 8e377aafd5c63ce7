package ha

import "time"

// Clock measures waiting on this machine (rules C3 and L5). No two machines'
// instants are ever compared.
type Clock interface {
	Now() Instant
}

// Instant is a reading of a Clock. Boot counts on through a suspend where the
// system has such a clock; Wall is stepped by administrators.
type Instant struct {
	Boot time.Duration // since an arbitrary start
	Wall time.Time     // without monotonic part
}

// Since returns how much time passed from an earlier reading: the larger of
// what the two clocks say, so that neither a suspend nor a step can make a send
// window look open longer than it is. It is never negative.
func (i Instant) Since(earlier Instant) time.Duration {
	return max(i.Boot-earlier.Boot, i.Wall.Sub(earlier.Wall), 0)
}

// Waited returns how much time certainly passed from an earlier reading: what
// the boot-time clock says, which nobody can step. It is for waits that must not
// end early (rule L5), where Since is for trust that must not last long. It is
// never negative.
func (i Instant) Waited(earlier Instant) time.Duration {
	return max(i.Boot-earlier.Boot, 0)
}
