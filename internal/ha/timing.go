package ha

import "time"

// Timing holds the protocol's waits. The zero Timing of a Config stands for
// DefaultTiming; a Timing with any field set is taken as it is.
type Timing struct {
	Margin     time.Duration // a term stops trusting its promised length this much early (L1); at most a quarter of it
	Stall      time.Duration // a loop without progress for this long, or a polling interval, is stuck (L1)
	Drain      time.Duration // bound of a planned end (L3)
	Exclusive  time.Duration // a named successor has a released lease to itself (L3)
	TakeBack   time.Duration // the releaser takes back what nobody took (L3); doubles while its work fails
	Grace      time.Duration // a suspected incumbent may reconnect (L4)
	Young      time.Duration // a session younger than this proves nothing about names not seen held (L4)
	Stagger    time.Duration // between the tries of Passives next to each other in the order (L6)
	Yield      time.Duration // a restarted server lets live Passives go first (L6)
	HoldDown   time.Duration // after a change, before the next change of our own choice (L7)
	MaxHold    time.Duration // the hold-down doubles up to this
	Nap        time.Duration // longest sleep of the runner, so that a suspended machine notices soon
	FirstRetry time.Duration // second try to open a session; the first comes at once; then doubling
	MaxRetry   time.Duration // longest wait between tries to open a session, before jitter
}

// DefaultTiming returns the waits that design and simulation settled on. Young
// must exceed what any server needs to reconnect once the database is back:
// the time limit of an attempt to open plus one and a half MaxRetry.
func DefaultTiming() Timing {
	return Timing{
		Margin:     time.Second,
		Stall:      10 * time.Second,
		Drain:      10 * time.Second,
		Exclusive:  time.Second,
		TakeBack:   2 * time.Second,
		Grace:      500 * time.Millisecond,
		Young:      6 * time.Second,
		Stagger:    150 * time.Millisecond,
		Yield:      3 * time.Second,
		HoldDown:   time.Minute,
		MaxHold:    time.Hour,
		Nap:        5 * time.Second,
		FirstRetry: 50 * time.Millisecond,
		MaxRetry:   500 * time.Millisecond,
	}
}

// openLimit bounds one attempt to open a session.
const openLimit = 3 * time.Second

// defaultPolling is the heartbeat of a server that has no connector yet.
const (
	defaultPolling   = 30 * time.Second
	defaultTolerance = 3
)

// newsPause is the least time from a heartbeat to one that tells news.
const newsPause = time.Second

// waitAll is the largest group in which every Passive waits for the Active's
// presence; in a larger one the next two in order do (rule L4).
const waitAll = 5
