package forward

import (
	"time"

	"tieline/internal/alert"
)

// lookups lets new work pass a long row of tickets that are merely looked up. A
// change of the database's history, or a comparison, makes every ticket that is
// kept due at once; links that become due afterwards stand behind all of them.
// While claims bring hardly anything but look-ups, every other claim therefore is of
// what became due after those: new work goes at once, oldest first, and the row gets
// shorter by what is left. Which link goes first decides nothing about any other:
// what is guaranteed is guaranteed of each by itself.
type lookups struct {
	many   bool      // the last claim that passed nothing over was full, and mostly of look-ups
	since  time.Time // by the database's clock: when the newest look-up became due
	passed bool      // the last claim passed them over
}

// pass returns what the next claim passes over, zero = nothing; a probe of the
// remote system takes what is oldest.
func (l *lookups) pass(probe bool) time.Time {
	l.passed = l.many && !l.passed && !probe
	if !l.passed {
		return time.Time{}
	}
	return l.since
}

// claimed notes what a claim of up to limit links brought that passed over what was
// due by a time.
func (l *lookups) claimed(work []Work, limit int, after time.Time) {
	n := 0
	for _, w := range work {
		if !looksOnly(w.Link) {
			continue
		}
		n++
		if w.Changed.After(l.since) {
			l.since = w.Changed // a link that is put in doubt is due at that time
		}
	}
	if after.IsZero() {
		l.many = len(work) == limit && 2*n >= limit
	}
}

// looksOnly reports whether nothing waits to be told to the link's counterpart, as
// far as is known before it is looked up.
func looksOnly(l alert.Link) bool {
	return l.Stage == alert.Verify && l.Delivered >= l.Wanted && l.NotesDelivered >= l.NotesWanted
}
