package forward

import "tieline/internal/alert"

// lookups lets new work pass a long row of tickets that are merely looked up. A
// change of the database's history, or a comparison, makes every ticket that is
// kept due at once; links that become due afterwards stand behind all of them.
// While claims bring hardly anything but look-ups, every other claim therefore
// begins with the newest: new work goes at once, and the row gets shorter by what
// is left of each. Which link goes first decides nothing about any other: what is
// guaranteed is guaranteed of each by itself.
type lookups struct {
	many   bool // the last claim was full, and mostly of look-ups
	newest bool // the last claim began with the newest
}

// turn reports whether the next claim begins with the newest.
func (l *lookups) turn() bool {
	l.newest = l.many && !l.newest
	return l.newest
}

// claimed notes what a claim of up to limit links brought.
func (l *lookups) claimed(work []Work, limit int) {
	n := 0
	for _, w := range work {
		if looksOnly(w.Link) {
			n++
		}
	}
	l.many = len(work) == limit && 2*n >= limit
}

// looksOnly reports whether nothing waits to be told to the link's counterpart, as
// far as is known before it is looked up.
func looksOnly(l alert.Link) bool {
	return l.Stage == alert.Verify && l.Delivered >= l.Wanted && l.NotesDelivered >= l.NotesWanted
}
